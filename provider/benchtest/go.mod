module github.com/latchkey-go/latchkey/provider/benchtest

go 1.25.0

require (
	github.com/jackc/pgx/v5 v5.12.0
	github.com/latchkey-go/latchkey v0.0.0
	github.com/latchkey-go/latchkey/store/sqlstore v0.0.0
)

require (
	github.com/go-oauth2/oauth2/v4 v4.5.4 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/jackc/pgpassfile v1.0.0 // indirect
	github.com/jackc/pgservicefile v0.0.0-20240606120523-5a60cdf6a761 // indirect
	github.com/jackc/puddle/v2 v2.2.3 // indirect
	golang.org/x/crypto v0.55.0 // indirect
	golang.org/x/sync v0.22.0 // indirect
	golang.org/x/text v0.41.0 // indirect
)

replace (
	github.com/latchkey-go/latchkey => ../..
	github.com/latchkey-go/latchkey/store/sqlstore => ../../store/sqlstore
)
