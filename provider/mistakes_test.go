package provider_test

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/storetest"
)

var update = flag.Bool("update", false, "write the mistakes in docs/reference/errors.md anew")

// mistakes are common mistakes of developers of clients and hosts. Each causes
// one log line that leads to its cause.
var mistakes = []struct {
	what  string
	edit  func(*provider.Config)
	make  func(h *host, app *application)
	cause []string // what the line has to say
}{
	{
		what:  "A client sends a redirect URI with a slash at the end that it isn't registered with.",
		make:  func(h *host, app *application) { h.signedIn("user_ada").get(app.request("redirect_uri", callback+"/")) },
		cause: []string{"endpoint=authorize", "redirect_uri=" + callback + "/", "not registered for it"},
	},
	{
		what: "A client uses the client ID of another environment.",
		make: func(h *host, app *application) {
			h.signedIn("user_ada").get(app.request("client_id", "staging-client"))
		},
		cause: []string{"client_id=staging-client", "not registered"},
	},
	{
		what:  "A client sends the client ID of another environment to the token endpoint.",
		make:  func(_ *host, app *application) { app.refresh("x", "client_id", "staging-client") },
		cause: []string{"client_id=staging-client", `cause="unknown client"`},
	},
	{
		what: "An AI agent uses the URL of a metadata document as its client ID, and Config.ClientIDDocuments isn't set.",
		make: func(h *host, app *application) {
			h.signedIn("user_ada").get(app.request("client_id", "https://agent.example.com/client.json"))
		},
		cause: []string{"client_id=https://agent.example.com/client.json", "Config.ClientIDDocuments is nil"},
	},
	{
		what: "A client sends an old secret.",
		make: func(_ *host, app *application) {
			app.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "x", "client_secret", "old")
		},
		cause: []string{"endpoint=token", `cause="wrong client secret"`},
	},
	{
		what: "A single-page app is registered as confidential, so it has no secret to send.",
		make: func(_ *host, app *application) {
			app.post("/oauth/token", "grant_type", "authorization_code", "code", "x", "client_secret", "")
		},
		cause: []string{`cause="no client secret"`},
	},
	{
		what: "A public client doesn't use PKCE.",
		make: func(h *host, _ *application) {
			h.signedIn("user_ada").get(h.application(provider.ApplicationSettings{Public: true}).request("code_challenge", "", "code_challenge_method", ""))
		},
		cause: []string{"must use PKCE"},
	},
	{
		what: "A client loses its code verifier between the two requests.",
		make: func(_ *host, app *application) {
			app.redeem(app.code("user_ada", "code_challenge", challenge(verifier), "code_challenge_method", "S256"))
		},
		cause: []string{"the code_verifier is missing"},
	},
	{
		what: "A client redeems a code twice, because its user reloads the callback page.",
		make: func(h *host, app *application) {
			code := app.code("user_ada")
			app.redeem(code)
			app.redeem(code)
		},
		cause: []string{"The code is not valid", "presented again after it was spent, so its sign-in was revoked"},
	},
	{
		what: "A client leaves redirect_uri out when it redeems the code.",
		make: func(_ *host, app *application) {
			app.redeem(app.code("user_ada"), "redirect_uri", "")
		},
		cause: []string{"the redirect_uri is missing"},
	},
	{
		what: "Two processes of a client refresh with the same token, minutes apart.",
		make: func(h *host, app *application) {
			token := app.tokens("user_ada").RefreshToken
			next := app.refresh(token)
			app.refresh(next.tokens(h.t).RefreshToken)
			h.clock.Add(10 * time.Minute)
			app.refresh(token)
		},
		cause: []string{"The refresh_token is not valid", "presented again after it was spent, so its sign-in was revoked"},
	},
	{
		what: "A client asks for a scope that it isn't registered for.",
		make: func(h *host, app *application) {
			h.signedIn("user_ada").get(app.request("scope", "profile private_metadata"))
		},
		cause: []string{`scope="profile private_metadata"`, `scope_allowed="profile notes:read"`},
	},
	{
		what: "A client sends JSON to the token endpoint.",
		make: func(h *host, _ *application) {
			h.send("POST", "/oauth/token", http.Header{"Content-Type": {"application/json"}}, `{"grant_type":"refresh_token"}`)
		},
		cause: []string{"as application/x-www-form-urlencoded", "content_type=application/json"},
	},
	{
		what: "A client calls the API after its access token has expired.",
		make: func(h *host, app *application) {
			token := app.tokens("user_ada").AccessToken
			h.clock.Add(3 * time.Hour)
			h.bearer("/api/notes", token)
		},
		cause: []string{"error=invalid_token", "expired"},
	},
	{
		what: "A client calls an API for which its user gave no scope.",
		make: func(h *host, app *application) {
			h.bearer("/api/notes", app.tokens("user_ada", "scope", "profile").AccessToken)
		},
		cause: []string{"error=insufficient_scope", "scope=profile", "scope_needed=notes:read"},
	},
	{
		what: "A program registers itself with a redirect URI of plain http.",
		edit: func(c *provider.Config) { c.Registration = &provider.Registration{} },
		make: func(h *host, _ *application) {
			h.register(`{"client_name":"Notes","redirect_uris":["http://notes.example.com/callback"]}`)
		},
		cause: []string{"http://notes.example.com/callback", "use https"},
	},
	{
		what: "A device asks more often than it was told to.",
		edit: func(c *provider.Config) { c.DeviceAuthorization = &provider.DeviceAuthorization{} },
		make: func(h *host, _ *application) {
			d := h.television().device()
			d.poll()
			d.poll()
		},
		cause: []string{"error=slow_down", "polls too often"},
	},
	{
		what: "Users returns sql.ErrNoRows.",
		make: func(h *host, app *application) {
			b := h.signedIn("user_ada")
			h.down = sql.ErrNoRows
			b.get(app.request())
		},
		cause: []string{"level=ERROR", "Config.Users", "return userinfo.ErrNotFound instead"},
	},
	{
		what: "CurrentUser returns the ID 0 if no one is signed in.",
		edit: func(c *provider.Config) {
			c.CurrentUser = func(*http.Request) (provider.Session, error) { return provider.Session{UserID: "0"}, nil }
		},
		make:  func(h *host, app *application) { h.browser().get(app.request()) },
		cause: []string{"Config.CurrentUser", "if no one is signed in, CurrentUser must return an empty UserID"},
	},
	{
		what: "The session cookie is SameSite=Strict, so browsers don't send it when a visitor comes from another site.",
		make: func(h *host, app *application) {
			b := h.browser()
			b.get(h.url + mustParse(b.get(app.request()).Header.Get("Location")).Query().Get("next"))
		},
		cause: []string{"Config.SignIn", "no one is signed in", "SameSite=Strict"},
	},
	{
		what: "SignIn sends a signed-in user straight back, although the client asked for a fresh sign-in.",
		make: func(h *host, app *application) {
			b := h.signedIn("user_ada")
			h.clock.Add(time.Hour)
			b.get(h.url + mustParse(b.get(app.request("prompt", "login")).Header.Get("Location")).Query().Get("next"))
		},
		cause: []string{"fresh sign-in", "Config.SignIn"},
	},
	{
		what: "A middleware reads the body before Latchkey does.",
		make: func(h *host, app *application) {
			inner := h.server.Config.Handler
			h.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				inner.ServeHTTP(w, r)
			})
			app.refresh("x")
		},
		cause: []string{"level=ERROR", "middleware of the host has read it before Latchkey"},
	},
	{
		what: "A proxy or a middleware removes the cookie that the consent page sets.",
		make: func(h *host, app *application) {
			page := h.signedIn("user_ada").get(app.request())
			h.signedIn("user_ada").answer(page, "allow") // It has the session's cookie alone.
		},
		cause: []string{"the cookie latchkey_form was not sent"},
	},
	{
		what:  "The app is reached by another host name than that of Issuer.",
		edit:  func(c *provider.Config) { c.Issuer = "https://app.example.com" },
		make:  func(h *host, app *application) { h.visit("www.example.com", "/oauth/connections") },
		cause: []string{"level=WARN", "Config.Issuer", "www.example.com"},
	},
	{
		what: "The database is down.",
		edit: func(c *provider.Config) { c.Store = storetest.NewBreakable(c.Store) },
		make: func(h *host, app *application) {
			token := app.tokens("user_ada").AccessToken
			h.store.(*storetest.Breakable).Fail(errors.New("dial tcp 10.0.0.5:5432: connect: connection refused"))
			h.bearer("/api/notes", token)
		},
		cause: []string{"level=ERROR", "store", "connection refused"},
	},
	{
		what:  "Config.Limit counts the address of the proxy, because ClientIP isn't set.",
		edit:  func(c *provider.Config) { c.Limit = provider.LimitByAddress(1) },
		make:  func(h *host, app *application) { app.refresh("x"); app.refresh("x") },
		cause: []string{"over the limit of Config.Limit", "set Config.ClientIP", "ip=127.0.0.1"},
	},
}

// Each mistake causes a log line that helps to find it. This test writes the
// lines into docs/reference/errors.md with -update.
func TestLogLeadsToMistakes(t *testing.T) {
	var table strings.Builder
	table.WriteString("| mistake | what the log says |\n| --- | --- |\n")
	for _, m := range mistakes {
		edit := m.edit
		if edit == nil {
			edit = func(*provider.Config) {}
		}
		h := newHost(t, edit)
		app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
		m.make(h, app)
		lines := strings.Split(strings.TrimSpace(h.log.String()), "\n")
		line := lines[len(lines)-1]
		for _, want := range m.cause {
			require.Contains(t, line, want, m.what)
		}
		fmt.Fprintf(&table, "| %s | `%s` |\n", m.what, strings.ReplaceAll(h.steady(line), "|", `\|`))
	}
	const name, begin, end = "../docs/reference/errors.md", "<!-- mistakes -->\n", "<!-- end of mistakes -->"
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), begin)
	require.True(t, ok)
	written, after, ok := strings.Cut(rest, end)
	require.True(t, ok)
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(before+begin+"\n"+table.String()+"\n"+end+after), 0o600))
		return
	}
	require.Equal(t, "\n"+table.String()+"\n", written, "go test ./provider -run TestLogLeadsToMistakes -update")
}

var varying = []struct {
	is   *regexp.Regexp
	text string
}{
	{regexp.MustCompile(`^time=\S+ `), ""},
	{regexp.MustCompile(`application=oa_\w+`), "application=oa_…"},
	{regexp.MustCompile(`client_id=\w{16}\b`), "client_id=…"},
	{regexp.MustCompile(`reference=\S+`), "reference=…"},
	{regexp.MustCompile(`20\d\d-[-0-9T:.Z+ A-Z]+\d*`), "…"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "app.example.com"},
}

// steady returns a log line without the parts that differ from run to run.
func (h *host) steady(line string) string {
	for _, v := range varying {
		line = v.is.ReplaceAllString(line, v.text)
	}
	return line
}

// visit opens a page as a visitor who uses another host name.
func (h *host) visit(name, path string) {
	r, err := http.NewRequest(http.MethodGet, h.url+path, nil)
	require.NoError(h.t, err)
	r.Host = name
	send(h.t, &http.Client{CheckRedirect: noRedirect}, r)
}
