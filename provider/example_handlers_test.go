package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// Mount each handler where you want it, with the paths in Config.Paths, instead
// of calling Mount.
func ExampleProvider_TokenHandler() {
	cfg := goodConfig()
	cfg.Paths = provider.Paths{Authorize: "/connect", Token: "/connect/token", UserInfo: "/me"}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/connect", p.AuthorizeHandler())
	mux.Handle("/connect/token", p.TokenHandler())
	mux.Handle("/me", p.UserInfoHandler())
	mux.Handle("/oauth/token/revoke", p.RevokeHandler())
	mux.Handle("/oauth/token_info", p.IntrospectHandler())
	mux.Handle("/oauth/connections", p.ConnectionsHandler())
	mux.Handle("/.well-known/oauth-authorization-server", p.MetadataHandler())

	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := http.Post(server.URL+"/connect/token", "application/x-www-form-urlencoded", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 401 Unauthorized
}

// signingKeys stands for keys that keys.New makes.
var signingKeys provider.Keys = hosttest.NewKeys()

// Mount what OpenID Connect adds: the public keys, and the discovery document
// at a second path.
func ExampleProvider_JWKSHandler() {
	cfg := goodConfig()
	cfg.Keys = signingKeys
	cfg.OpenID = &provider.OpenID{}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/oauth/jwks", p.JWKSHandler())
	mux.Handle("/.well-known/openid-configuration", p.MetadataHandler())

	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := http.Get(server.URL + "/oauth/jwks")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status, response.Header.Get("Cache-Control"))
	// Output: 200 OK public, max-age=3600
}

// Let applications send their users to sign out. SignOut ends the host's
// session; the page asks the user first if necessary.
func ExampleProvider_LogoutHandler() {
	cfg := goodConfig()
	cfg.Keys = signingKeys
	cfg.OpenID = &provider.OpenID{
		SignOut: func(w http.ResponseWriter, _ *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: "session", Path: "/", MaxAge: -1})
			return nil
		},
	}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/oauth/logout", p.LogoutHandler())

	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := http.Get(server.URL + "/oauth/logout")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	fmt.Println(response.Status)
	// Output: 200 OK
}

// Mount the handlers of features that Config enables.
func ExampleProvider_RegistrationHandler() {
	cfg := goodConfig()
	cfg.Registration = &provider.Registration{}
	cfg.DeviceAuthorization = &provider.DeviceAuthorization{}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/oauth/register", p.RegistrationHandler())
	mux.Handle("/oauth/register/{client_id}", p.ClientConfigurationHandler())
	mux.Handle("/oauth/device_authorization", p.DeviceAuthorizationHandler())
	mux.Handle("/oauth/device", p.DeviceHandler())
}

// Show developers the URLs of the endpoints.
func ExampleProvider_Endpoints() {
	p := exampleProvider()
	e := p.Endpoints()
	fmt.Println(e.Authorize)
	fmt.Println(e.Token)
	fmt.Println(e.UserInfo)
	fmt.Println(e.Metadata)
	// Output:
	// https://app.example.com/oauth/authorize
	// https://app.example.com/oauth/token
	// https://app.example.com/oauth/userinfo
	// https://app.example.com/.well-known/oauth-authorization-server
}

// Monitor a custom status page with the provider's metrics and log.
func ExampleProvider_Endpoint() {
	p := exampleProvider()
	status := p.Endpoint("status", func(w http.ResponseWriter, r *http.Request) error {
		_, total, err := p.ListApplications(r.Context(), store.ApplicationQuery{Limit: 1})
		if err != nil {
			return &provider.Error{Code: "unavailable", Description: "Try again later.", Status: http.StatusServiceUnavailable, Err: err}
		}
		_, err = fmt.Fprintln(w, total, "applications")
		return err
	}, func(w http.ResponseWriter, _ *http.Request, e *provider.Error, reference string) {
		http.Error(w, e.Description+" Reference: "+reference, e.Status)
	})
	w := httptest.NewRecorder()
	status.ServeHTTP(w, httptest.NewRequest("GET", "/status", nil))
	fmt.Println(w.Body)
	// Output: 0 applications
}

// Show in a form for applications what Config enables.
func ExampleProvider_Offers() {
	cfg := goodConfig()
	cfg.Machines = &provider.Machines{Scopes: []string{"profile"}}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	offer := p.Offers()
	_, registers := offer.Scopes[store.OriginRegistration]
	fmt.Println(offer.Scopes[store.OriginManual])
	fmt.Println("without a user:", offer.MachineScopes)
	fmt.Println("register yourself:", registers)
	fmt.Println("choose a workspace:", offer.Workspaces)
	// Output:
	// profile email public_metadata private_metadata
	// without a user: profile
	// register yourself: false
	// choose a workspace: false
}

// Both instances of a program have the same ID.
func ExampleProvider_InstanceID() {
	before, after := exampleProvider(), exampleProvider()
	fmt.Println(before.InstanceID() == after.InstanceID())
	// Output: true
}

// Find the owner of a token that was found in a public repository.
func ExampleProvider_LookupToken() {
	p, ctx := exampleProvider(), context.Background()
	leaked := "oat_..."
	token, err := p.LookupToken(ctx, leaked)
	switch {
	case errors.Is(err, store.ErrNotFound):
		fmt.Println("not one of our tokens")
	case err != nil:
		fmt.Println("try again:", err)
	case token.Live:
		fmt.Println("it works: a token of", token.UserID, "for", token.ApplicationID)
		if err := p.RevokeGrants(ctx, provider.GrantFilter{ID: token.GrantID}); err != nil {
			fmt.Println("try again:", err)
		}
	}
	// Output: not one of our tokens
}

func ExampleProvider_FindClient() {
	p, ctx := exampleProvider(), context.Background()
	created, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}})
	if err != nil {
		log.Fatal(err)
	}
	app, err := p.FindClient(ctx, created.ClientID)
	if err != nil {
		log.Fatal(err)
	}
	again, err := p.FindApplication(ctx, app.ID) // which is not the client_id
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Name, again.ClientID == app.ClientID)
	apps, total, err := p.ListApplications(ctx, store.ApplicationQuery{Name: "wik", Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(apps), "of", total)
	// Output:
	// Wiki true
	// 1 of 1
}

// List a user's connected applications on a custom settings page.
func ExampleProvider_ListConnections() {
	p := exampleProvider()
	settings := func(w http.ResponseWriter, r *http.Request) {
		connections, err := p.ListConnections(r.Context(), sessionUser(r))
		if err != nil {
			http.Error(w, "not now", http.StatusServiceUnavailable)
			return
		}
		for _, c := range connections {
			fmt.Fprintf(w, "%s has had access since %s:\n", c.Application.Name, c.Since.Format("2 January 2006"))
			for _, scope := range c.Scopes {
				fmt.Fprintln(w, "-", scope.Title)
			}
		}
		fmt.Fprintf(w, "%d applications", len(connections))
	}
	w := httptest.NewRecorder()
	settings(w, httptest.NewRequest("GET", "/settings", nil))
	fmt.Println(w.Body)
	// Output: 0 applications
}

// List where a user is signed in, device by device, on a page that can end the
// sign-ins.
func ExampleProvider_ListGrants() {
	p, ctx := exampleProvider(), context.Background()
	grants, next, err := p.ListGrants(ctx, provider.GrantFilter{UserID: "user_ada"}, "", 20)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(grants), "sign-ins on this page; pass", strconv.Quote(next), "as After for the next")
	for _, g := range grants {
		if err := p.RevokeGrants(ctx, provider.GrantFilter{ID: g.ID}); err != nil {
			log.Fatal(err)
		}
	}
	// Output: 0 sign-ins on this page; pass "" as After for the next
}

// Serve the metadata of a resource on a separate host.
func ExampleProtectedResource_MetadataHandler() {
	cfg := goodConfig()
	cfg.Resources = []provider.Resource{{URL: "https://mcp.example.com/notes", Scopes: []string{"profile"}}}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	notes := p.Resource("https://mcp.example.com/notes")
	fmt.Println(notes.MetadataURL())

	mux := http.NewServeMux() // of mcp.example.com
	mux.Handle("/.well-known/oauth-protected-resource/notes", notes.MetadataHandler())
	server := httptest.NewServer(mux)
	defer server.Close()
	response, err := http.Get(server.URL + "/.well-known/oauth-protected-resource/notes")
	if err != nil {
		log.Fatal(err)
	}
	defer response.Body.Close()
	var document struct {
		Servers []string `json:"authorization_servers"`
	}
	if err := json.NewDecoder(response.Body).Decode(&document); err != nil {
		log.Fatal(err)
	}
	fmt.Println(document.Servers[0])
	// Output:
	// https://mcp.example.com/.well-known/oauth-protected-resource/notes
	// https://app.example.com
}

// A secret can't get into a log by mistake.
func ExampleNewSecret() {
	secret := provider.NewSecret("correct horse battery staple")
	fmt.Println(secret)
	encoded, err := json.Marshal(map[string]any{"secret": secret})
	fmt.Println(string(encoded), err)
	without := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: without})).Info("made", "secret", secret)
	fmt.Println(secret.Reveal())
	// Output:
	// [redacted]
	// {"secret":"[redacted]"} <nil>
	// level=INFO msg=made secret=[redacted]
	// correct horse battery staple
}

// The error of a refusal has the code and the status of the protocol.
func ExampleError() {
	p := exampleProvider()
	_, err := p.Verify(context.Background(), "an invalid token")
	var refusal *provider.Error
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Status, refusal.Code)
	}
	fmt.Println(errors.Is(err, provider.ErrInvalidToken))
	// Output:
	// 401 invalid_token
	// true
}
