package provider_test

import (
	"context"
	"fmt"
	"html/template"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
)

// Name who acts, so that events say it.
func ExampleWithActor() {
	cfg := goodConfig()
	cfg.Events = func(_ context.Context, e provider.Event) { fmt.Println(e.Actor, e.Kind) }
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx := provider.WithActor(context.Background(), "user_root")
	if _, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"}); err != nil {
		log.Fatal(err)
	}
	// Output: user_root application.created
}

// Disable an application that harms people. It takes effect at once, and the
// settings stay.
func ExampleProvider_DisableApplication() {
	p, ctx := exampleProvider(), context.Background()
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := p.DisableApplication(ctx, app.ID, true); err != nil {
		log.Fatal(err)
	}
	app, err = p.DisableApplication(ctx, app.ID, false) // once all is well
	fmt.Println(app.Disabled, err)
	// Output: false <nil>
}

// Show developers why requests of their application fail.
func ExampleProvider_Failures() {
	p := exampleProvider()
	app, _, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	server := httptest.NewServer(mux)
	defer server.Close()
	for range 2 {
		answer, err := http.PostForm(server.URL+"/oauth/token", url.Values{
			"grant_type": {"refresh_token"}, "client_id": {app.ClientID}, "client_secret": {"mistyped"},
		})
		if err != nil {
			log.Fatal(err)
		}
		answer.Body.Close()
	}
	for _, f := range p.Failures(app.ID) {
		fmt.Println(f.Count, f.Endpoint, f.Code, f.Cause)
	}
	// Output: 2 token invalid_client wrong client secret
}

// Write a custom page for signed-in users in the style of the built-in ones.
func ExampleProvider_WritePage() {
	p := exampleProvider()
	page := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, err := p.Visitor(w, r)
		switch {
		case err != nil:
			http.Error(w, "Try again in a moment.", http.StatusServiceUnavailable)
		case user != "": // The others are redirected to sign in.
			p.WritePage(w, pages.Page{Status: http.StatusOK, Title: "Welcome", Body: template.HTML("<main><h1>Welcome</h1></main>")})
		}
	})
	w := httptest.NewRecorder()
	page.ServeHTTP(w, httptest.NewRequest("GET", "/welcome", nil))
	fmt.Println(w.Code)
	// Output: 303
}
