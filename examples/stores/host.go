package main

import (
	"context"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/wiki"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// handler is the routes of Acme Notes.
func handler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	return mux
}

// newWiki registers Wiki as a client and returns it.
func newWiki(ctx context.Context, p *provider.Provider, issuer, at string) (*wiki.Wiki, error) {
	app, secret, err := register(ctx, p, wiki.Callback(at))
	if err != nil {
		return nil, err
	}
	return wiki.New(wiki.Config{URL: at, Issuer: issuer, ClientID: app.ClientID, ClientSecret: secret.Reveal()}), nil
}

// register registers Wiki, or finds the registration from an earlier run. Then it
// updates the redirect URI, because the port can differ, and replaces the secret,
// because Latchkey returns a secret only once.
func register(ctx context.Context, p *provider.Provider, callback string) (provider.Application, provider.Secret, error) {
	const owner = "stores-example"
	settings := provider.ApplicationSettings{
		Name:         "Wiki",
		OwnerID:      owner,
		RedirectURIs: []string{callback},
		Scopes:       scopes.New("profile", "email", "public_metadata", "notes:read"),
	}
	known, _, err := p.ListApplications(ctx, store.ApplicationQuery{OwnerID: owner, Name: settings.Name, Limit: 1})
	if err != nil {
		return provider.Application{}, provider.Secret{}, err
	}
	if len(known) == 0 {
		return p.CreateApplication(ctx, settings)
	}
	app, err := p.UpdateApplication(ctx, known[0].ID, func(app *provider.ApplicationSettings) error {
		app.RedirectURIs = settings.RedirectURIs
		return nil
	})
	if err != nil {
		return app, provider.Secret{}, err
	}
	secret, err := p.AddSecret(ctx, app.ID, time.Time{})
	return app, secret, err
}
