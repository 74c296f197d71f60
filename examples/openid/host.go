package main

import (
	"context"
	"crypto/rand"
	"net/http"
	"os"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store/memory"
)

// newHost returns Acme Notes as an OpenID Provider.
func newHost(ctx context.Context, issuer string) (host *acme.Host, err error) {
	cfg := provider.Config{Issuer: issuer, Store: memory.New()}

	// The signing keys are kept in the store, sealed with this secret. Here the
	// store forgets them when the program ends, so any secret will do. Yours comes
	// from where your app has its secrets, and stays the same.
	secret := os.Getenv("ACME_KEYS_SECRET")
	if secret == "" {
		secret = rand.Text() + rand.Text()
	}
	if cfg.Keys, err = keys.New(ctx, keys.Options{Store: cfg.Store, Secrets: []string{secret}}); err != nil {
		return nil, err
	}
	cfg.OpenID = &provider.OpenID{
		SignOut: func(w http.ResponseWriter, r *http.Request) error { return host.EndSession(w, r) },
	}
	host, err = acme.New(cfg)
	return host, err
}

// hostHandler is the routes of Acme Notes.
func hostHandler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	return mux
}

// client is what Wiki is told about itself.
type client struct{ id, secret string }

// registerWiki makes Wiki known to Acme Notes. It may have another redirect URI.
func registerWiki(ctx context.Context, p *provider.Provider, wikiURL, redirectURI string) (client, error) {
	redirectURIs := []string{wikiURL + "/callback"}
	if redirectURI != "" {
		redirectURIs = append(redirectURIs, redirectURI)
	}
	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:                   "Wiki",
		RedirectURIs:           redirectURIs,
		PostLogoutRedirectURIs: []string{wikiURL + "/"},
	})
	return client{app.ClientID, secret.Reveal()}, err
}
