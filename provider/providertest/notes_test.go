package providertest_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// notes is a typical app, written without providertest in mind: with users,
// sessions, a sign-in page, and an API.
type notes struct {
	provider *provider.Provider
	handler  http.Handler
	byUser   map[string][]string // each user's notes; the keys are the existing users
}

func newNotes(issuer string) (*notes, error) {
	app := &notes{byUser: map[string][]string{"ada": {"Note G"}, "grace": {"A moth"}}}
	var err error
	app.provider, err = provider.New(provider.Config{
		Issuer: issuer,
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			user, _ := r.Context().Value(userKey{}).(string)
			return provider.Session{UserID: user}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			if _, ok := app.byUser[id]; !ok {
				return userinfo.User{}, userinfo.ErrNotFound
			}
			return userinfo.User{ID: id}, nil
		},
		Scopes: append(scopes.Default(),
			scopes.Scope{Name: "notes:read", Title: "Read your notes"},
			scopes.Scope{Name: "notes:write", Title: "Write notes"}),
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	app.provider.Mount(mux)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`<title>Notes</title><h1>Sign in to Notes</h1><form method="post"><input name="user"><button>Sign in</button></form>`))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "user", Value: r.FormValue("user"), Path: "/"})
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.Handle("GET /api/notes", app.provider.Require("notes:read")(http.HandlerFunc(app.list)))
	app.handler = withSession(mux)
	return app, nil
}

type userKey struct{}

// withSession is the app's session middleware.
func withSession(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cookie, err := r.Cookie("user"); err == nil {
			r = r.WithContext(context.WithValue(r.Context(), userKey{}, cookie.Value))
		}
		next.ServeHTTP(w, r)
	})
}

func (app *notes) list(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	json.NewEncoder(w).Encode(app.byUser[token.UserID])
}

// The tests of such an app.

func testNotes(t *testing.T) *notes {
	app, err := newNotes("https://notes.example.com")
	require.NoError(t, err)
	return app
}

func (app *notes) serve(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	app.handler.ServeHTTP(w, r)
	return w
}

func listRequest() *http.Request { return httptest.NewRequest("GET", "/api/notes", nil) }

func TestNotesListsTheUsersOwn(t *testing.T) {
	app := testNotes(t)
	w := app.serve(providertest.Authenticate(t, app.provider, listRequest(), "grace", "notes:read"))
	require.JSONEq(t, `["A moth"]`, w.Body.String())
}

func TestNotesRefuses(t *testing.T) {
	app := testNotes(t)

	nobody := app.serve(listRequest())
	require.Equal(t, http.StatusUnauthorized, nobody.Code)

	for _, scope := range [][]string{nil, {"profile"}, {"notes:write", "email"}} {
		w := app.serve(providertest.Authenticate(t, app.provider, listRequest(), "ada", scope...))
		require.Equal(t, http.StatusForbidden, w.Code, "%v", scope)
		require.Contains(t, w.Header().Get("WWW-Authenticate"), `scope="notes:read"`)
	}
}

func TestNotesOfADisabledUser(t *testing.T) {
	app := testNotes(t)
	r := providertest.Authenticate(t, app.provider, listRequest(), "ada", "notes:read")
	require.Equal(t, http.StatusOK, app.serve(r).Code)

	err := app.provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "ada"})
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, app.serve(r).Code)
}

// The app has no clock that a test could move, and needs none.
func TestNotesAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := testNotes(t)
		r := providertest.Authenticate(t, app.provider, listRequest(), "ada", "notes:read")
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusOK, app.serve(r).Code)
		time.Sleep(time.Hour)
		require.Equal(t, http.StatusUnauthorized, app.serve(r).Code)
	})
}

// startNotes runs the app on a server. The address is needed before the app is
// made, because it is the issuer.
func startNotes(t *testing.T) (*notes, *httptest.Server) {
	server := httptest.NewUnstartedServer(nil)
	app, err := newNotes("http://" + server.Listener.Addr().String())
	require.NoError(t, err)
	server.Config.Handler = app.handler
	server.Start()
	t.Cleanup(server.Close)
	return app, server
}

// signedIn returns a browser in which the user has signed in with the app's own
// form. That it follows redirects doesn't matter.
func signedIn(t *testing.T, server *httptest.Server, user string) *http.Client {
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar}
	answer, err := browser.PostForm(server.URL+"/login", url.Values{"user": {user}})
	require.NoError(t, err)
	answer.Body.Close()
	return browser
}

func TestNotesIsAProvider(t *testing.T) {
	app, server := startNotes(t)
	tokens := providertest.Authorize(t, app.provider, signedIn(t, server, "ada"), "notes:read", "profile")

	require.Equal(t, "profile notes:read", tokens.Scope)
	require.Equal(t, 7200, tokens.ExpiresIn)
	r := listRequest()
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	require.JSONEq(t, `["Note G"]`, app.serve(r).Body.String())

	// The application is public, so the refresh needs no secret.
	answer, err := http.PostForm(server.URL+"/oauth/token", url.Values{
		"grant_type": {"refresh_token"}, "client_id": {tokens.ClientID}, "refresh_token": {tokens.RefreshToken},
	})
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
}

func TestNotesSendsToItsSignInPage(t *testing.T) {
	app, server := startNotes(t)
	text := fatal(t, func(t testing.TB) { providertest.Authorize(t, app.provider, server.Client(), "profile") })
	require.Contains(t, text, server.URL+"/login (status 200), which says: Sign in to Notes")
	require.Contains(t, text, "sign the browser in first")
}
