package provider_test

import (
	"bytes"
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// A minimal host. The README shows the lines that set up Latchkey.
func Example() {
	p, err := provider.New(provider.Config{
		Issuer:      "https://app.example.com",             // your app's public URL
		Store:       memory.New(),                          // or PostgreSQL, MySQL, SQLite, Redis
		CurrentUser: currentUser,                           // who is signed in, from your session
		SignIn:      provider.RedirectTo("/login", "next"), // your login page
		Users:       findUser,                              // a user by ID, from your database
	})
	if err != nil {
		log.Fatal(err)
	}
	app, secret, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, Scopes: scopes.New("profile", "email")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("client_id", app.ClientID, "client_secret", secret.Reveal())

	mux := http.NewServeMux() // your own, with your own pages
	p.Mount(mux)
	mux.Handle("GET /api/me", p.Require("profile")(http.HandlerFunc(me)))
	log.Fatal(http.ListenAndServe("localhost:8080", mux))
}

func sessionUser(*http.Request) string { return "" }

func currentUser(r *http.Request) (provider.Session, error) {
	return provider.Session{UserID: sessionUser(r)}, nil
}

func findUser(context.Context, string) (userinfo.User, error) {
	return userinfo.User{}, userinfo.ErrNotFound
}

func me(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	fmt.Fprintln(w, "Hello,", token.UserID)
}

func exampleProvider() *provider.Provider {
	p, err := provider.New(goodConfig())
	if err != nil {
		log.Fatal(err)
	}
	return p
}

func ExampleProvider_CreateApplication() {
	p := exampleProvider()
	app, secret, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name:         "Command line",
		RedirectURIs: []string{"http://127.0.0.1/callback"}, // any port
		Public:       true,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Name, app.Scopes, secret.IsZero())
	// Output: Command line profile email true
}

// Rotate a secret without an interruption: both secrets work for a day.
func ExampleProvider_AddSecret() {
	p, ctx := exampleProvider(), context.Background()
	app, old, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	secret, err := p.AddSecret(ctx, app.ID, time.Now().Add(24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret, secret.Reveal() != old.Reveal())
	// Output: [redacted] true
}

func ExampleProvider_UpdateApplication() {
	p, ctx := exampleProvider(), context.Background()
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	app, err = p.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
		a.RedirectURIs = append(a.RedirectURIs, "https://wiki.example.com/callback")
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.RedirectURIs)
	// Output: [https://wiki.example.com/callback]
}

// Review an application that a user registered in the developer portal: check
// its name, its home page, and its redirect URIs.
func ExampleProvider_ReviewApplication() {
	p, ctx := exampleProvider(), context.Background()
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", OwnerID: "user_ada"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Reviewed)
	app, err = p.ReviewApplication(ctx, app.ID, true, app.Version) // The version that was shown.
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Reviewed)
	// Output:
	// false
	// true
}

func ExampleProvider_Require() {
	p, mux := exampleProvider(), http.NewServeMux()
	mux.Handle("GET /api/me", p.Require("profile")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := provider.TokenFromContext(r.Context())
		fmt.Fprintln(w, "Hello,", token.UserID)
	})))
}

// Revoke grants in these situations. When the call returns, nothing that it
// revoked works anymore.
func ExampleProvider_RevokeGrants() {
	p, ctx := exampleProvider(), context.Background()
	for situation, filter := range map[string]provider.GrantFilter{
		"the user was disabled, or logs out everywhere": {UserID: "user_1"},
		"the user disconnects an application":           {UserID: "user_1", ApplicationID: "oa_1"},
		"the application was caught abusing its access": {ApplicationID: "oa_1"},
		"one device was lost, one token leaked":         {ID: store.NewID(time.Now(), "user_1")}, // from ListGrants, or Token.GrantID
	} {
		if err := p.RevokeGrants(ctx, filter); err != nil {
			log.Fatal(situation, ": ", err) // nothing is known of what was revoked: try again
		}
	}
}

// Erase a user's data when the host deletes the user.
func ExampleProvider_EraseUser() {
	p, ctx := exampleProvider(), context.Background()
	// delete from users where id = ...
	if err := p.EraseUser(ctx, "user_1"); err != nil {
		log.Fatal(err) // Try again: a part of it may be done.
	}
	// Output:
}

// Export a user's data, in addition to the data that the host has.
func ExampleProvider_ExportUser() {
	p, ctx := exampleProvider(), context.Background()
	var kept bytes.Buffer
	if err := p.ExportUser(ctx, "user_1", &kept); err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(kept.String(), `"sign_ins":[]`))
	// Output: true
}

// Revoke everything after restoring a backup of the store, because the backup
// brings back what was revoked since.
func ExampleProvider_RevokeAllGrants() {
	p, ctx := exampleProvider(), context.Background()
	if err := p.RevokeAllGrants(ctx); err != nil {
		log.Fatal(err) // try again
	}
}

// Protect an MCP server for agents. A request without a token gets an answer
// that says where to get one. A token for another API doesn't work here.
func ExampleProvider_Resource() {
	p, err := provider.New(provider.Config{
		// The five fields that every host has, and:
		Issuer:      "https://app.example.com",
		Store:       memory.New(),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
		Resources:   []provider.Resource{{URL: "https://app.example.com/mcp", Name: "Acme for agents"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	mcp := p.Resource("https://app.example.com/mcp")
	mux := http.NewServeMux()
	p.Mount(mux) // with the resource's metadata document
	mux.Handle("/mcp", mcp.Require("profile")(http.NotFoundHandler()))

	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest("POST", "/mcp", nil))
	fmt.Println(w.Code, w.Header().Get("WWW-Authenticate"))
	// Output:
	// 401 Bearer realm="https://app.example.com", resource_metadata="https://app.example.com/.well-known/oauth-protected-resource/mcp", scope="profile"
}

// Make a personal access token that a user asked for on a page of the host.
func ExampleProvider_IssueToken() {
	p, ctx := exampleProvider(), context.Background()
	// Once, when the host starts. No one can sign in with this application,
	// because it has no redirect URIs.
	tools, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Personal access tokens"})
	if err != nil {
		log.Fatal(err)
	}
	token, secret, err := p.IssueToken(ctx, provider.TokenSettings{
		UserID: "user_1", ApplicationID: tools.ID, Scopes: scopes.New("profile"), Lifetime: 90 * 24 * time.Hour,
	})
	if err != nil {
		log.Println(err) // here: there is no such user
		return
	}
	fmt.Println("Copy it now, it is not shown again:", secret.Reveal())
	_ = token.GrantID // store it with the label that the user chose
}

func ExampleProvider_Cleanup() {
	n, err := exampleProvider().Cleanup(context.Background())
	fmt.Println(n, err)
	// Output: 0 <nil>
}

// Register an application at startup, on any number of instances.
func ExampleProvider_EnsureApplication() {
	p, ctx := exampleProvider(), context.Background()
	secret := provider.NewSecret("1c8f0b6e5d3a4972b0e8c7d6f5a4932110fe2dcb3ca94b85") // From the environment.
	for range 2 {
		app, err := p.EnsureApplication(ctx, "wiki", provider.ApplicationSettings{
			Name:         "Wiki",
			RedirectURIs: []string{"https://wiki.example.com/callback"},
		}, secret)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(app.ClientID, app.Version)
	}
	// Output:
	// wiki 1
	// wiki 1
}
