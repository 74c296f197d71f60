package benchtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/userinfo"
)

// NewLatchkey returns this library's provider with a store, in a host that does
// almost nothing itself, with a confidential application.
func NewLatchkey(name string, s store.Store, edit ...func(*provider.Config)) (*Stack, error) {
	return NewLatchkeyFor(name, s, provider.ApplicationSettings{}, edit...)
}

// NewLatchkeyFor is [NewLatchkey] with other settings of the application,
// except for its name, its redirect URI, and SkipConsent, which it sets itself.
func NewLatchkeyFor(name string, s store.Store, settings provider.ApplicationSettings, edit ...func(*provider.Config)) (*Stack, error) {
	users := map[string]userinfo.User{"user_ada": {ID: "user_ada", Name: "Ada Lovelace", Email: "ada@example.com"}}
	cfg := provider.Config{
		Issuer: "http://localhost:8080",
		Store:  s,
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return provider.Session{}, nil
			}
			return provider.Session{UserID: cookie.Value}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			u, ok := users[id]
			if !ok {
				return u, userinfo.ErrNotFound
			}
			return u, nil
		},
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	for _, e := range edit {
		e(&cfg)
	}
	p, err := provider.New(cfg)
	if err != nil {
		return nil, err
	}
	const callback = "https://wiki.example.com/callback"
	settings.Name, settings.RedirectURIs, settings.SkipConsent = "Wiki", []string{callback}, true
	app, secret, err := p.CreateApplication(context.Background(), settings)
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /api/notes", p.Require("profile")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusNoContent)
	})))
	return &Stack{
		Name: name, Handler: mux, Authorize: "/oauth/authorize", Token: "/oauth/token", UserInfo: "/oauth/userinfo",
		Guarded: "/api/notes", Introspect: "/oauth/token_info", ClientID: app.ClientID, ClientSecret: secret.Reveal(),
		RedirectURI: callback, Scope: "profile email", Cookie: "session=user_ada",
	}, nil
}

// NewMemory returns the provider with its memory store.
func NewMemory() (*Stack, error) { return NewLatchkey("latchkey", memory.New()) }

// NewOpenID returns the provider with its memory store and OpenID Connect,
// whose ID tokens are signed with the algorithm.
func NewOpenID(ctx context.Context, alg string) (*Stack, error) {
	kept := memory.New()
	signing, err := keys.New(ctx, keys.Options{Store: kept, Secrets: []string{rand.Text() + rand.Text()}, Algorithms: []string{alg}})
	if err != nil {
		return nil, err
	}
	s, err := NewLatchkey("latchkey+"+alg, kept, func(c *provider.Config) { c.Keys, c.OpenID = signing, &provider.OpenID{} })
	if err != nil {
		return nil, err
	}
	s.Scope = "openid"
	return s, nil
}

// DSN is the address of the database.
const DSN = "postgres://postgres@127.0.0.1:5432/postgres?connect_timeout=2"

// NewPostgres returns the provider with PostgreSQL. Its tables start with
// bench_; stop drops them.
func NewPostgres(ctx context.Context, connections int) (s *Stack, stop func() error, err error) {
	db, err := sql.Open("pgx", DSN)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	if err := db.PingContext(ctx); err != nil {
		return nil, nil, fmt.Errorf("no PostgreSQL at %s: %w", DSN, err)
	}
	kept, err := sqlstore.New(db, sqlstore.Postgres, sqlstore.Options{TablePrefix: "bench_"})
	if err != nil {
		return nil, nil, err
	}
	drop := func() error {
		_, err := db.ExecContext(ctx, `do $$ declare t text; begin
			for t in select tablename from pg_tables where tablename like 'bench\_%' loop execute 'drop table ' || quote_ident(t); end loop; end $$`)
		return err
	}
	if err := drop(); err != nil {
		return nil, nil, err
	}
	if err := kept.Migrate(ctx); err != nil {
		return nil, nil, err
	}
	if s, err = NewLatchkey("latchkey+postgres", kept); err != nil {
		return nil, nil, err
	}
	return s, func() error {
		if err := drop(); err != nil {
			return err
		}
		return db.Close()
	}, nil
}
