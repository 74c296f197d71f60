package main

import (
	"context"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// registerWiki registers an application to try the provider with, and prints
// what a client of OAuth 2.0 wants to know. A real app has a page for that, or
// mounts the Backend API.
func registerWiki(p *provider.Provider, url string) {
	wiki := provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{"http://127.0.0.1:8081/callback"},
		Scopes:       scopes.New("profile", "email", "notes:read"),
	}
	app, secret, err := p.CreateApplication(context.Background(), wiki)
	must(app, err)
	client := oauth2.Config{
		ClientID:    app.ClientID,
		RedirectURL: wiki.RedirectURIs[0],
		Scopes:      []string{"profile", "notes:read"},
		Endpoint:    oauth2.Endpoint{AuthURL: url + "/oauth/authorize"},
	}
	fmt.Printf("Wiki has client_id %s, client_secret %s and redirect URI %s.\n", app.ClientID, secret.Reveal(), client.RedirectURL)
	fmt.Printf("Open %s to see what it asks of you.\n", client.AuthCodeURL("try"))
}
