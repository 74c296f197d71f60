// Package wiki is Wiki, the client of some examples: an app without passwords,
// with a "Sign in with Acme" button. It knows nothing about Latchkey. It's written
// with golang.org/x/oauth2, and works with any OAuth 2.0 provider.
package wiki

import (
	"context"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/ui"
)

// Config is what Wiki is told about itself and about Acme.
type Config struct {
	URL          string // where browsers reach Wiki
	Issuer       string // where Acme is
	ClientID     string
	ClientSecret string
	Transport    http.RoundTripper // for requests to Acme; may be nil
}

// Callback returns Wiki's redirect URI when browsers reach it at a URL.
func Callback(url string) string { return url + "/callback" }

// Wiki is the app.
type Wiki struct {
	url      string
	issuer   string
	oauth    oauth2.Config
	toAcme   *http.Client
	sessions *scs.SessionManager
}

// New returns the app.
func New(cfg Config) *Wiki {
	w := &Wiki{
		url:    cfg.URL,
		issuer: cfg.Issuer,
		oauth: oauth2.Config{
			ClientID:     cfg.ClientID,
			ClientSecret: cfg.ClientSecret,
			Endpoint: oauth2.Endpoint{
				AuthURL:   cfg.Issuer + "/oauth/authorize",
				TokenURL:  cfg.Issuer + "/oauth/token",
				AuthStyle: oauth2.AuthStyleInHeader,
			},
			RedirectURL: Callback(cfg.URL),
			Scopes:      []string{"profile", "email", "public_metadata", "notes:read"},
		},
		toAcme:   &http.Client{Transport: cfg.Transport, Timeout: 10 * time.Second},
		sessions: scs.New(),
	}
	// The default of scs is SameSite=Lax. With Strict the cookie would be missing
	// when Acme sends the browser back to /callback.
	w.sessions.Cookie.Name = "wiki_session"
	return w
}

// Handler returns the app's routes.
func (w *Wiki) Handler() http.Handler {
	mux := http.NewServeMux()
	csrf := http.NewCrossOriginProtection()
	page := func(f http.HandlerFunc) http.Handler { return csrf.Handler(w.sessions.LoadAndSave(f)) }
	mux.Handle("GET /{$}", page(w.home))
	mux.Handle("POST /login", page(w.signIn))
	mux.Handle("GET /callback", page(w.callback))
	mux.Handle("GET /userinfo", page(w.showUserInfo))
	mux.Handle("POST /logout", page(w.signOut))
	mux.HandleFunc("GET /style.css", ui.ServeStyle)
	return mux
}

// The keys of the session.
const (
	sessionState    = "state"    // of the sign-in in progress
	sessionVerifier = "verifier" // the same sign-in's PKCE verifier
	sessionToken    = "token"    // an oauth2.Token in JSON, after the sign-in
	sessionMessage  = "message"  // shown once
)

// signIn sends the browser to Acme. State ties the response to this browser, and
// the PKCE verifier ties the code to this server.
func (w *Wiki) signIn(rw http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	w.sessions.Put(r.Context(), sessionState, state)
	w.sessions.Put(r.Context(), sessionVerifier, verifier)
	http.Redirect(rw, r, w.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// callback handles the redirect from Acme.
func (w *Wiki) callback(rw http.ResponseWriter, r *http.Request) {
	if message := w.finishSignIn(r); message != "" {
		w.sessions.Put(r.Context(), sessionMessage, message)
	}
	// This redirect removes the code from the address bar.
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// finishSignIn turns Acme's response into a token, or returns a message for the
// user.
func (w *Wiki) finishSignIn(r *http.Request) (message string) {
	ctx, answer := r.Context(), r.URL.Query()
	state, verifier := w.sessions.PopString(ctx, sessionState), w.sessions.PopString(ctx, sessionVerifier)
	switch {
	case state == "" || answer.Get("state") != state:
		return "This sign-in didn't start in this browser, or it's complete already. Start again at " + w.url + "."
	case answer.Get("iss") != w.issuer:
		// Another server's response must not pass for Acme's (RFC 9207).
		return "This response didn't come from Acme. Start again."
	case answer.Get("error") == "access_denied":
		return "You didn't allow Wiki to use your Acme account, so you aren't signed in."
	case answer.Has("error"):
		return fmt.Sprintf("Acme didn't sign you in: %s (%s)", answer.Get("error_description"), answer.Get("error"))
	}
	token, err := w.oauth.Exchange(w.withClient(ctx), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err == nil {
		err = w.sessions.RenewToken(ctx) // A new session ID defeats session fixation.
	}
	if err == nil {
		err = w.keep(ctx, token)
	}
	if err != nil {
		slog.Error("wiki: sign-in failed", "error", err)
		return "The sign-in failed. Try again."
	}
	return ""
}

func (w *Wiki) signOut(rw http.ResponseWriter, r *http.Request) {
	if err := w.sessions.Destroy(r.Context()); err != nil {
		http.Error(rw, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// home shows the user's data from Acme, or the button.
func (w *Wiki) home(rw http.ResponseWriter, r *http.Request) {
	ctx, status := r.Context(), http.StatusOK
	v := view{Message: w.sessions.PopString(ctx, sessionMessage), SignedIn: w.sessions.Exists(ctx, sessionToken), Issuer: w.issuer}
	if v.SignedIn {
		err := w.get(ctx, "/oauth/userinfo", &v.User)
		if err == nil {
			err = w.get(ctx, "/api/notes", &v.API)
		}
		switch {
		case errors.Is(err, errForbidden):
			v.NoNotes = true
		case errors.Is(err, errSignedOut):
			w.sessions.Remove(ctx, sessionToken)
			v = view{Message: "Acme has ended your sign-in. Sign in again."}
		case err != nil:
			slog.Error("wiki: Acme is not reachable", "error", err)
			status, v = http.StatusBadGateway, view{Message: "Acme can't be reached right now. Try again in a moment."}
		}
	}
	ui.WritePage(rw, status, pageTemplate, "wiki", v)
}

// showUserInfo shows Acme's userinfo document unchanged.
func (w *Wiki) showUserInfo(rw http.ResponseWriter, r *http.Request) {
	var document json.RawMessage
	if err := w.get(r.Context(), "/oauth/userinfo", &document); err != nil {
		http.Redirect(rw, r, "/", http.StatusSeeOther) // The home page shows the error.
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Write(document)
}

var (
	errSignedOut = errors.New("the sign-in at Acme has ended")
	errForbidden = errors.New("the user didn't grant this scope")
)

// get reads JSON from Acme with the user's access token.
func (w *Wiki) get(ctx context.Context, path string, into any) error {
	client, err := w.client(ctx)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.issuer+path, nil)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
		return json.NewDecoder(io.LimitReader(answer.Body, 1<<20)).Decode(into)
	case http.StatusUnauthorized:
		return errSignedOut
	case http.StatusForbidden:
		return errForbidden
	}
	return fmt.Errorf("GET %s: %s", path, answer.Status)
}

// client returns an HTTP client that sends the user's access token. It refreshes
// an expired token and keeps the result, because the refresh token changes too.
func (w *Wiki) client(ctx context.Context) (*http.Client, error) {
	var token oauth2.Token
	if err := json.Unmarshal(w.sessions.GetBytes(ctx, sessionToken), &token); err != nil {
		return nil, errSignedOut
	}
	fresh, err := w.oauth.TokenSource(w.withClient(ctx), &token).Token()
	var refusal *oauth2.RetrieveError
	switch {
	case errors.As(err, &refusal) && refusal.ErrorCode == "invalid_grant":
		return nil, errSignedOut
	case err != nil:
		return nil, err
	}
	if fresh.AccessToken != token.AccessToken {
		if err := w.keep(ctx, fresh); err != nil {
			return nil, err
		}
	}
	return w.oauth.Client(w.withClient(ctx), fresh), nil
}

func (w *Wiki) keep(ctx context.Context, token *oauth2.Token) error {
	encoded, err := json.Marshal(token)
	if err == nil {
		w.sessions.Put(ctx, sessionToken, encoded)
	}
	return err
}

// withClient tells package oauth2 which HTTP client to use.
func (w *Wiki) withClient(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, w.toAcme)
}

var (
	//go:embed wiki.html
	pageHTML     string
	pageTemplate = ui.Wiki(pageHTML)
)

// view is what the page shows. User and API are read from Acme's responses.
type view struct {
	Message  string
	SignedIn bool
	NoNotes  bool // The user granted access to the account only.
	Issuer   string
	User     struct {
		Name           string
		Username       string
		Email          string
		EmailVerified  bool `json:"email_verified"`
		Picture        string
		PublicMetadata map[string]any `json:"public_metadata"`
	}
	API struct {
		Notes []struct{ Title, Text string }
	}
}
