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

	// The store keeps the signing keys, sealed with this secret. In your app, load
	// the secret from where you keep your other secrets, and don't change it. The
	// memory store loses the keys when the program ends, so any secret works here.
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

// hostHandler serves Acme Notes.
func hostHandler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	return mux
}

// client is Wiki's client ID and secret.
type client struct{ id, secret string }

// registerWiki registers Wiki, with another redirect URI if there is one.
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
