package provider_test

import (
	"context"
	"fmt"
	"log"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
)

// Add your scopes to the built-in ones. One of them is required, and all have
// sentences in two languages.
func ExampleConfig_scopes() {
	cfg := goodConfig()
	cfg.Scopes = append(scopes.Default(),
		scopes.Scope{Name: "notes:read", Title: "Read your notes", Group: "Your notes", Access: scopes.AccessRead, Required: true},
		scopes.Scope{Name: "notes:write", Title: "Change your notes", Group: "Your notes", Access: scopes.AccessWrite},
	)
	german := pages.German()
	german.Scopes["notes:read"] = "Deine Notizen lesen"
	german.Scopes["notes:write"] = "Deine Notizen ändern"
	german.ScopeGroups["Your notes"] = "Deine Notizen"
	cfg.Pages.Texts = pages.AcceptLanguage(pages.English(), german)

	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	app, _, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{"https://wiki.example.com/callback"},
		Scopes:       scopes.New("profile", "notes:read"), // what it may ask for, and what it gets when it asks for nothing
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Scopes)
	// Output: profile notes:read
}

// Skip the consent page for one of your applications.
func ExampleProvider_CreateApplication_own() {
	app, _, err := exampleProvider().CreateApplication(context.Background(), provider.ApplicationSettings{
		Name:         "Acme for the web",
		RedirectURIs: []string{"https://web.example.com/callback"},
		SkipConsent:  true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.SkipConsent)
	// Output: true
}
