module github.com/latchkey-go/latchkey/provider/clerktest

go 1.25.0

require (
	github.com/clerk/clerk-sdk-go/v2 v2.5.0
	github.com/latchkey-go/latchkey v0.0.0
	github.com/stretchr/testify v1.12.1
)

require (
	github.com/go-jose/go-jose/v3 v3.0.4 // indirect
	github.com/go-oauth2/oauth2/v4 v4.5.4 // indirect
	github.com/google/uuid v1.6.0 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/crypto v0.55.0 // indirect
)

replace github.com/latchkey-go/latchkey => ../..
