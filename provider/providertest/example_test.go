package providertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// t stands for the *testing.T of a test, which an Example doesn't have.
var t testing.TB = exampleT{}

type exampleT struct{ testing.TB }

func (exampleT) Helper()                         {}
func (exampleT) Cleanup(func())                  {} // The process ends soon enough.
func (exampleT) Context() context.Context        { return context.Background() }
func (exampleT) Output() io.Writer               { return io.Discard }
func (exampleT) Fatalf(text string, args ...any) { log.Fatalf(text, args...) }
func (exampleT) Errorf(text string, args ...any) {
	text, _, _ = strings.Cut(fmt.Sprintf(text, args...), "\nSource:")
	fmt.Println(text)
}

// withNotes makes a host offer the scope notes:read.
func withNotes(c *provider.Config) {
	c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"})
}

// listNotes is a protected handler of a host's API.
func listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	fmt.Fprintf(w, "the notes of %s", token.UserID)
}

// Test that Config.Users fulfills its contract. Here it is a function with two
// users.
func ExampleCheckUsers() {
	names := map[string]string{"1": "Ada", "2": "Grace"}
	users := func(_ context.Context, id string) (userinfo.User, error) {
		name, ok := names[id]
		if !ok {
			return userinfo.User{}, userinfo.ErrNotFound
		}
		return userinfo.User{ID: id, Name: name}, nil
	}
	providertest.CheckUsers(t, users, "1")
	fmt.Println("good")
	// Output: good
}

// Test a protected handler with a request of a user. In your test, use your
// provider instead of the ready-made host's.
func ExampleAuthenticate() {
	host := providertest.New(t, withNotes)
	api := host.Provider.Require("notes:read")(http.HandlerFunc(listNotes))

	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/api/notes", nil)
	api.ServeHTTP(w, providertest.Authenticate(t, host.Provider, r, "user_ada", "notes:read"))
	fmt.Println(w.Code, w.Body)

	// Without the scope, the guard says what is missing.
	w = httptest.NewRecorder()
	api.ServeHTTP(w, providertest.Authenticate(t, host.Provider, r, "user_ada", "profile"))
	fmt.Println(w.Code, w.Result().Header.Get("WWW-Authenticate") != "")

	// Output:
	// 200 the notes of user_ada
	// 403 true
}

// Test an API that needs separate tokens, such as an MCP server.
func ExampleAuthenticateFor() {
	const mcp = "https://app.example.com/mcp"
	host := providertest.New(t, func(c *provider.Config) {
		c.Resources = []provider.Resource{{URL: mcp, Scopes: []string{"profile"}}}
	})
	api := host.Provider.Resource(mcp).Require("profile")(http.HandlerFunc(listNotes))

	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/mcp", nil)
	api.ServeHTTP(w, providertest.AuthenticateFor(t, host.Provider, mcp, r, "user_ada", "profile"))
	fmt.Println(w.Code)

	// A token for the host's API does not open it.
	w = httptest.NewRecorder()
	api.ServeHTTP(w, providertest.Authenticate(t, host.Provider, r, "user_ada", "profile"))
	fmt.Println(w.Code)

	// Output:
	// 200
	// 401
}

// Test an expired token with a clock that the test moves.
func ExampleAuthenticate_expired() {
	now := time.Now()
	host := providertest.New(t, withNotes, func(c *provider.Config) {
		c.Now = func() time.Time { return now }
	})
	api := host.Provider.Require("notes:read")(http.HandlerFunc(listNotes))
	r := httptest.NewRequest("GET", "/api/notes", nil)
	providertest.Authenticate(t, host.Provider, r, "user_ada", "notes:read")

	for _, wait := range []time.Duration{time.Hour, 2 * time.Hour} {
		now = now.Add(wait)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 401
}

// Test a whole sign-in, and a request with its tokens.
func ExampleAuthorize() {
	host := providertest.New(t, withNotes)
	host.Mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(listNotes)))
	host.SignIn("user_grace")

	tokens := providertest.Authorize(t, host.Provider, host.Client, "profile", "notes:read")
	fmt.Println(tokens.Scope)

	r, _ := http.NewRequest("GET", host.URL+"/api/notes", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	io.Copy(os.Stdout, answer.Body)

	// Output:
	// profile notes:read
	// the notes of user_grace
}

// Test a host that allows clients with documents but not those that register
// themselves. In your test, use your provider and browser.
func ExampleTryAgents() {
	host := providertest.New(t, withNotes, func(c *provider.Config) {
		c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, providertest.AgentDocuments()
	})
	host.SignIn("user_ada")
	providertest.TryAgents(t, host.Provider, host.Client)

	// Output:
	// providertest: TryAgents: Cursor would be refused: it must register itself, but registration is off
	// Change Config.Registration.
	// providertest: TryAgents: Cursor Agents would be refused: it must register itself, but registration is off
	// Change Config.Registration.
	// providertest: TryAgents: MCP Inspector would be refused: it must register itself, but registration is off
	// Change Config.Registration.
}

// Try only the agents with a document, on a host that allows only documents.
func ExampleAgents() {
	host := providertest.New(t, withNotes, func(c *provider.Config) {
		c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, providertest.AgentDocuments()
	})
	host.SignIn("user_ada")
	documented := slices.DeleteFunc(providertest.Agents(), func(a providertest.Agent) bool { return a.Document == "" })
	providertest.TryAgents(t, host.Provider, host.Client, documented...)
	for _, a := range documented {
		fmt.Println(a.Name, "gets in.")
	}

	// Output:
	// ChatGPT gets in.
	// Claude gets in.
	// Claude Code gets in.
	// VS Code gets in.
	// Copilot CLI gets in.
	// Codex gets in.
}

// Test an application with a real host, a user who agrees, and one who doesn't.
// Wiki keeps what it tells its visitors.
func ExampleAllow() {
	host := providertest.New(t)
	wiki := newWiki(host, "profile")

	host.SignIn("user_ada")
	callback := providertest.Allow(t, host.Client, wiki.signInURL())
	fmt.Println(wiki.serveCallback(callback))

	host.SignIn("user_grace")
	callback = providertest.Deny(t, host.Client, wiki.signInURL())
	fmt.Println(wiki.serveCallback(callback))

	// Output:
	// Hello, Ada Lovelace!
	// You did not sign in: access_denied
}

// Start a host with another user, and shorter lifetimes.
func ExampleNew() {
	host := providertest.New(t, func(c *provider.Config) {
		c.Lifetimes.Access = time.Minute
	})
	host.AddUser(userinfo.User{ID: "user_bare"}) // Nothing is known but the id.
	host.SignIn("user_bare")
	tokens := providertest.Authorize(t, host.Provider, host.Client, "profile", "email")
	fmt.Println(tokens.ExpiresIn, "seconds")

	r, _ := http.NewRequest("GET", host.URL+"/oauth/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	var user map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&user); err != nil {
		log.Fatal(err)
	}
	fmt.Println(user["user_id"], user["name"], user["email"])

	// Output:
	// 60 seconds
	// user_bare <nil> <nil>
}

// Check a whole app under its production name. This one has a CSRF check in
// front of everything, which no program passes.
func ExampleDiagnose() {
	const issuer = "https://app.example.com"
	host := providertest.New(t, func(c *provider.Config) { c.Issuer = issuer })
	app := http.NewCrossOriginProtection().Handler(host.Mux)
	for _, found := range providertest.Diagnose(t, app, issuer) {
		t.Errorf("%s", found.Problem)
	}
	// Output: A CSRF check refuses /oauth/token, /oauth/token/revoke, /oauth/token_info, /oauth/authorize.
}
