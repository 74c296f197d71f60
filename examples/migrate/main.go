// Migrate imports the clients of another provider into Latchkey's store, with
// their client IDs and secrets, so that the clients don't change. It reads JSON:
// the list from Clerk's Backend API, the rows of go-oauth2's client stores, or the
// clients of fosite and Hydra.
//
//	go run ./examples/migrate -from clerk -dry-run clerk.json
//	go run ./examples/migrate -from clerk -store sqlite:app.db clerk.json
//
// It prints why it can't import a client, and which features the client loses. You
// can run it again: it skips clients that exist. To import from your own program,
// copy sources.go, clients.go, and importer.go.
package main

import (
	"context"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// newProvider returns a provider that only manages applications. In your own
// program, use the one that you have.
func newProvider(kept store.Store, o options) (*provider.Provider, error) {
	offered := scopes.Default()
	for _, name := range strings.Fields(o.scopes) {
		offered = append(offered, scopes.Scope{Name: name, Title: name})
	}
	return provider.New(provider.Config{
		Issuer:      o.issuer,
		Store:       kept,
		Scopes:      offered,
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/", "next"),
		Users: func(context.Context, string) (userinfo.User, error) {
			return userinfo.User{}, userinfo.ErrNotFound
		},
	})
}

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	opts, err := parseOptions(e)
	if err != nil {
		return err
	}
	return migrate(ctx, opts, e.Stdout)
}
