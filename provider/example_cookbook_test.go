package provider_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// The recipes of docs/cookbook.

// The user changed their password, or pressed "log out everywhere".
func ExampleProvider_RevokeGrants_everywhere() {
	p := exampleProvider()
	logOutEverywhere := func(ctx context.Context, userID string) error {
		return p.RevokeGrants(ctx, provider.GrantFilter{UserID: userID}) // after an error, call it again
	}
	fmt.Println(logOutEverywhere(context.Background(), "user_ada"))
	// Output: <nil>
}

// An application that you run yourself: users aren't asked.
func ExampleProvider_EnsureApplication_own() {
	p, ctx := exampleProvider(), context.Background()
	secret := cmp.Or(os.Getenv("WEB_CLIENT_SECRET"), "1c8f0b6e5d3a4972b0e8c7d6f5a4932110fe2dcb3ca94b85")
	app, err := p.EnsureApplication(ctx, "acme-web", provider.ApplicationSettings{
		Name:         "Acme for the web",
		RedirectURIs: []string{"https://web.example.com/callback"},
		SkipConsent:  true,
	}, provider.NewSecret(secret))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.ClientID, app.SkipConsent)
	// Output: acme-web true
}

// sessionOrganization stands for the organization that the session has
// selected, if the user administers it.
func sessionOrganization(*http.Request) string { return "org_acme" }

// Each organization has its own applications.
func ExampleProvider_ListApplications_organization() {
	p, ctx := exampleProvider(), context.Background()
	_, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Acme bot",
		RedirectURIs: []string{"https://bot.example.com/callback"},
		OwnerID:      "org_acme",
	})
	if err != nil {
		log.Fatal(err)
	}
	apps, total, err := p.ListApplications(ctx, store.ApplicationQuery{OwnerID: "org_acme", Limit: 20})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(apps[0].Name, total)

	developers := portal.Developers(p, portal.DeveloperOptions{
		Owner: func(r *http.Request, userID string) (string, error) {
			if organization := sessionOrganization(r); organization != "" {
				return organization, nil
			}
			return "", errors.New("the user administers no organization")
		},
	})
	w := httptest.NewRecorder()
	developers.ServeHTTP(w, httptest.NewRequest("GET", "/developers/", nil))
	fmt.Println(w.Code) // No one is signed in.
	// Output:
	// Acme bot 1
	// 303
}

// A client's secret is rotated: both work for a day.
func ExampleProvider_AddSecret_rotate() {
	p, ctx := exampleProvider(), context.Background()
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	secret, err := p.AddSecret(ctx, app.ID, time.Now().Add(24*time.Hour))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret) // secret.Reveal() is for its developer
	// Output: [redacted]
}

// A token was found in a public repository.
func ExampleProvider_LookupToken_leaked() {
	p, ctx, leaked := exampleProvider(), context.Background(), "oat_..."
	token, err := p.LookupToken(ctx, leaked)
	if err == nil {
		err = p.RevokeGrants(ctx, provider.GrantFilter{ID: token.GrantID})
	}
	fmt.Println(errors.Is(err, store.ErrNotFound)) // unknown here
	// Output: true
}

// Any user may register applications, and make personal access tokens.
func ExampleRegistration() {
	cfg := goodConfig()
	cfg.Registration = &provider.Registration{Scopes: []string{"profile"}}
	cfg.Limit = provider.LimitByAddress(600)
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("/developers/", loadSession(portal.Developers(p, portal.DeveloperOptions{
		Scopes:      scopes.New("profile", "email"),
		TokenScopes: scopes.New("profile"),
	})))
	fmt.Println(p.Endpoints().Register)
	// Output: https://app.example.com/oauth/register
}

func everyUser(_ context.Context, id string) (userinfo.User, error) {
	return userinfo.User{ID: id, Name: "Ada"}, nil
}

// A user names a token for a script, and ends it later.
func ExampleProvider_IssueToken_label() {
	cfg := goodConfig()
	cfg.Users = everyUser
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	tools, err := p.EnsureApplication(ctx, "personal-access-tokens", provider.ApplicationSettings{
		Name: "Personal access tokens", Public: true,
	}, provider.Secret{})
	if err != nil {
		log.Fatal(err)
	}
	token, secret, err := p.IssueToken(ctx, provider.TokenSettings{
		UserID: "user_ada", ApplicationID: tools.ID, Label: "backup script",
		Scopes: scopes.New("profile"), Lifetime: 90 * 24 * time.Hour,
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(secret) // show secret.Reveal() once

	mine := provider.GrantFilter{UserID: "user_ada", ApplicationID: tools.ID}
	grants, _, err := p.ListGrants(ctx, mine, "", 50)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(grants[0].Label, grants[0].ID == token.GrantID)
	mine.ID = token.GrantID
	fmt.Println(p.RevokeGrants(ctx, mine))
	// Output:
	// [redacted]
	// backup script true
	// <nil>
}

// A settings page lists what the user has connected, and disconnects one.
func ExampleProvider_ListConnections_disconnect() {
	p := exampleProvider()
	list := func(w http.ResponseWriter, r *http.Request) {
		connections, err := p.ListConnections(r.Context(), sessionUser(r))
		if err != nil {
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
			return
		}
		for _, c := range connections {
			fmt.Fprintln(w, c.Application.Name, c.Workspace.Name, c.LastUsed, c.SignInCount)
		}
		fmt.Fprintln(w, len(connections), "connected")
	}
	disconnect := func(w http.ResponseWriter, r *http.Request) {
		f := provider.GrantFilter{
			UserID:        sessionUser(r),
			ApplicationID: r.PostFormValue("application"),
			WorkspaceID:   r.PostFormValue("workspace"),
		}
		if f.UserID == "" || f.ApplicationID == "" {
			http.Error(w, "Which application?", http.StatusBadRequest)
			return
		}
		if err := p.RevokeGrants(r.Context(), f); err != nil {
			http.Error(w, "Try again later.", http.StatusServiceUnavailable)
		}
	}
	for _, handler := range []http.HandlerFunc{list, disconnect} {
		w := httptest.NewRecorder()
		handler(w, httptest.NewRequest("POST", "/settings/apps", nil))
		fmt.Print(w.Body)
	}
	// Output:
	// 0 connected
	// Which application?
}
