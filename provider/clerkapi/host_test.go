package clerkapi_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

const (
	adminKey    = "sk_test_new"
	oldAdminKey = "sk_test_old" // still good, as while keys are rotated

	callback = "https://wiki.example.com/callback"
)

var (
	ctx            = context.Background()
	anyApplication = store.ApplicationQuery{}
)

// admin manages the applications of a host through the API.
type admin struct {
	*provider.Provider
	host  *providertest.Host
	t     testing.TB
	api   *httptest.Server
	store store.Store
	clock *hosttest.Clock
	log   *hosttest.Log

	users error // what Config.Users answers while it is set
}

func newAdmin(t testing.TB, edit ...func(*provider.Config)) *admin {
	t.Helper()
	return newAdminWith(t, clerkapi.Options{}, edit...)
}

func newAdminWith(t testing.TB, o clerkapi.Options, edit ...func(*provider.Config)) *admin {
	t.Helper()
	a := &admin{t: t, clock: hosttest.NewClock(time.Now()), log: &hosttest.Log{}}
	first := func(c *provider.Config) {
		users := c.Users
		c.Users = func(ctx context.Context, id string) (userinfo.User, error) {
			if a.users != nil {
				return userinfo.User{}, a.users
			}
			return users(ctx, id)
		}
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"})
		c.Logger = slog.New(slog.NewTextHandler(a.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		c.Now = a.clock.Now
	}
	last := func(c *provider.Config) { a.store = c.Store }
	a.host = providertest.New(t, slices.Concat([]func(*provider.Config){first}, edit, []func(*provider.Config){last})...)
	a.Provider = a.host.Provider
	a.host.Mux.Handle("GET /api/notes", a.Require("notes:read")(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	a.api = httptest.NewServer(clerkapi.Handler(a.Provider, provider.BearerKey(adminKey, oldAdminKey), o))
	t.Cleanup(a.api.Close)
	return a
}

// call sends a request with a JSON body, unless it is empty. Headers are given
// as name, value; an empty value leaves one out.
func (a *admin) call(method, path, body string, header ...string) *reply {
	a.t.Helper()
	r, err := http.NewRequest(method, a.api.URL+path, strings.NewReader(body))
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+adminKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	got := send(a.t, hosttest.Program, r)
	require.Equal(a.t, []string{"no-store"}, got.Header["Cache-Control"])
	if got.StatusCode != http.StatusNoContent {
		// Exactly this, because Clerk's JavaScript SDK parses nothing else as
		// JSON.
		require.Equal(a.t, []string{"application/json"}, got.Header["Content-Type"])
	}
	return got
}

// create creates an application from a JSON body.
func (a *admin) create(body string) map[string]any {
	a.t.Helper()
	return a.call("POST", "/v1/oauth_applications", body).object(a.t)
}

// path returns the path of an application in the API.
func (a *admin) path(app map[string]any) string {
	return "/v1/oauth_applications/" + app["id"].(string)
}

// read reads an application back.
func (a *admin) read(app map[string]any) map[string]any {
	a.t.Helper()
	return a.call("GET", a.path(app), "").object(a.t)
}

// as returns the application with its credentials for the protocol.
func (a *admin) as(app map[string]any, secret string) *application {
	a.t.Helper()
	kept, err := a.FindApplication(ctx, app["id"].(string))
	require.NoError(a.t, err)
	return &application{kept, secret, a}
}

// refused checks that an answer is an error in Clerk's format, with exactly
// these problems: each is its code, followed by a space and the parameter if it
// has one. It returns the long messages.
func (a *admin) refused(r *reply, status int, want ...string) (says []string) {
	a.t.Helper()
	require.Equal(a.t, status, r.StatusCode, r.body)
	var whole map[string]any
	require.NoError(a.t, json.Unmarshal([]byte(r.body), &whole), r.body)
	require.Equal(a.t, []string{"clerk_trace_id", "errors"}, slices.Sorted(maps.Keys(whole)))
	trace := whole["clerk_trace_id"].(string)
	require.Regexp(a.t, `^[0-9a-f]{32}$`, trace)
	require.Equal(a.t, trace, r.Header.Get("Clerk-Trace-Id"))
	require.Equal(a.t, 1, strings.Count(a.log.String(), "reference="+trace), "the trace id is in one line of the log")
	var got []string
	for _, e := range whole["errors"].([]any) {
		problem := e.(map[string]any)
		code := problem["code"].(string)
		for _, field := range []string{"code", "message", "long_message"} {
			require.NotEmpty(a.t, problem[field], r.body)
		}
		delete(problem, "message")
		if meta, ok := problem["meta"].(map[string]any); ok {
			require.Len(a.t, meta, 1)
			code += " " + meta["param_name"].(string)
			delete(problem, "meta")
		}
		require.Len(a.t, problem, 2, r.body)
		got = append(got, code)
		says = append(says, problem["long_message"].(string))
	}
	require.Equal(a.t, want, got, r.body)
	return says
}

// bearer sends a GET with an access token to the host.
func (a *admin) bearer(path, token string) *reply {
	a.t.Helper()
	r, err := http.NewRequest("GET", a.host.URL+path, nil)
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	return send(a.t, hosttest.Program, r)
}

// post sends a form of name, value pairs to the host. A later pair replaces an
// earlier one.
func (a *admin) post(path string, header http.Header, pairs ...string) *reply {
	a.t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	r, err := http.NewRequest("POST", a.host.URL+path, strings.NewReader(form.Encode()))
	require.NoError(a.t, err)
	maps.Copy(r.Header, header)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return send(a.t, hosttest.Program, r)
}

// application is an application with its credentials.
type application struct {
	provider.Application
	secret string
	a      *admin
}

func (a *admin) application(s provider.ApplicationSettings) *application {
	a.t.Helper()
	s.Name, s.RedirectURIs = "Wiki", []string{callback}
	app, secret, err := a.CreateApplication(ctx, s)
	require.NoError(a.t, err)
	return &application{app, secret.Reveal(), a}
}

const (
	verifier  = "a-verifier-of-at-least-forty-three-characters"
	challenge = "mg3QoZgnRJxQy_jYdfW7D8wJkoziCuM8Yhos7PwVvsI" // its SHA-256
)

// request is an authorization request, with more parameters as name, value.
func (app *application) request(more ...string) string {
	q := url.Values{"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {app.RedirectURIs[0]}, "state": {"state"}}
	if app.Public {
		q.Set("code_challenge", challenge)
		q.Set("code_challenge_method", "S256")
	}
	for i := 0; i < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	return app.a.Endpoints().Authorize + "?" + q.Encode()
}

// code runs a whole sign-in of the user and returns the code.
func (app *application) code(user string, more ...string) string {
	app.a.t.Helper()
	app.a.host.SignIn(user)
	code := providertest.Allow(app.a.t, app.a.host.Client, app.request(more...)).Query().Get("code")
	require.NotEmpty(app.a.t, code)
	return code
}

// tokens runs a whole sign-in and redeems its code.
func (app *application) tokens(user string, more ...string) tokens {
	app.a.t.Helper()
	return app.redeem(app.code(user, more...)).tokens(app.a.t)
}

// redeem presents a code, with changes to the form as name, value.
func (app *application) redeem(code string, changes ...string) *reply {
	app.a.t.Helper()
	form := []string{"grant_type", "authorization_code", "code", code, "redirect_uri", app.RedirectURIs[0]}
	if app.Public {
		form = append(form, "code_verifier", verifier)
	}
	return app.post("/oauth/token", append(form, changes...)...)
}

func (app *application) refresh(token string) *reply {
	app.a.t.Helper()
	return app.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", token)
}

// post sends a form with the application's credentials.
func (app *application) post(path string, form ...string) *reply {
	app.a.t.Helper()
	credentials := []string{"client_id", app.ClientID}
	if app.secret != "" {
		credentials = append(credentials, "client_secret", app.secret)
	}
	return app.a.post(path, nil, append(credentials, form...)...)
}

// tokens is the answer of the token endpoint.
type tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// reply is an answer, read to its end.
type reply struct {
	*http.Response
	body string
}

func send(t testing.TB, c *http.Client, r *http.Request) *reply {
	t.Helper()
	answer, body := hosttest.Send(t, c, r)
	return &reply{answer, body}
}

// object reads the JSON object of a successful answer.
func (r *reply) object(t testing.TB) (object map[string]any) {
	t.Helper()
	require.Equal(t, 200, r.StatusCode, r.body)
	require.Empty(t, r.Header.Get("Clerk-Trace-Id"))
	require.NoError(t, json.Unmarshal([]byte(r.body), &object))
	return object
}

func (r *reply) tokens(t testing.TB) (got tokens) {
	t.Helper()
	require.Equal(t, 200, r.StatusCode, r.body)
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	return got
}

// refused checks that the answer is an OAuth error.
func (r *reply) refused(t testing.TB, status int, code string) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	var got map[string]string
	require.NoError(t, json.Unmarshal([]byte(r.body), &got), r.body)
	require.Equal(t, code, got["error"], r.body)
}

func (r *reply) statusIs(t testing.TB, status int) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
}

// errorPage checks that the answer is a page, not a redirect.
func (r *reply) errorPage(t testing.TB, status int) {
	t.Helper()
	require.Equal(t, status, r.StatusCode, r.body)
	require.Empty(t, r.Header.Get("Location"))
	require.Contains(t, r.Header.Get("Content-Type"), "text/html")
}

// open opens an address in the browser of the signed-in user.
func (a *admin) open(address string) *reply {
	a.t.Helper()
	r, err := http.NewRequest("GET", address, nil)
	require.NoError(a.t, err)
	return send(a.t, a.host.Client, r)
}

// allow presses the button of a consent page that has been open for a while.
func (a *admin) allow(page *reply) *reply {
	a.t.Helper()
	form := hosttest.Fields(page.body)
	require.NotEmpty(a.t, form, page.body)
	form.Set("decision", "allow")
	r, err := http.NewRequest("POST", a.Endpoints().Authorize, strings.NewReader(form.Encode()))
	require.NoError(a.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return send(a.t, a.host.Client, r)
}
