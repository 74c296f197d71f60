package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/alexedwards/scs/v2"
	"golang.org/x/oauth2"
)

// wiki is an app of somebody else's, with no passwords of its own: Acme says
// who its users are. It knows Acme by its URL and by the client id and secret
// that it was given there.
type wiki struct {
	url      string
	issuer   string
	oauth    oauth2.Config
	toAcme   *http.Client
	sessions *scs.SessionManager
}

func newWiki(url, issuer, clientID, clientSecret string, transport http.RoundTripper) *wiki {
	w := &wiki{
		url:    url,
		issuer: issuer,
		oauth: oauth2.Config{
			ClientID:     clientID,
			ClientSecret: clientSecret,
			Endpoint: oauth2.Endpoint{
				AuthURL:   issuer + "/oauth/authorize",
				TokenURL:  issuer + "/oauth/token",
				AuthStyle: oauth2.AuthStyleInHeader,
			},
			RedirectURL: url + "/callback",
			Scopes:      []string{"profile", "email", "public_metadata", "notes:read"},
		},
		toAcme:   &http.Client{Transport: transport, Timeout: 10 * time.Second},
		sessions: scs.New(),
	}
	// With SameSite=Strict the cookie would be missing when Acme sends the
	// browser back to /callback; scs has Lax by default.
	w.sessions.Cookie.Name = "wiki_session"
	return w
}

func (w *wiki) handler() http.Handler {
	mux := http.NewServeMux()
	csrf := http.NewCrossOriginProtection()
	page := func(f http.HandlerFunc) http.Handler { return csrf.Handler(w.sessions.LoadAndSave(f)) }
	mux.Handle("GET /{$}", page(w.home))
	mux.Handle("POST /login", page(w.signIn))
	mux.Handle("GET /callback", page(w.callback))
	mux.Handle("GET /userinfo", page(w.showUserInfo))
	mux.Handle("POST /logout", page(w.signOut))
	mux.Handle("GET /style.css", assets())
	return mux
}

// What the session holds.
const (
	sessionState    = "state"    // of the sign-in that is under way
	sessionVerifier = "verifier" // the same
	sessionToken    = "token"    // an oauth2.Token as JSON, once signed in
	sessionMessage  = "message"  // to be shown once
)

// signIn sends the browser to Acme. State ties the answer to this browser, and
// the verifier of PKCE ties the code in it to this server.
func (w *wiki) signIn(rw http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	w.sessions.Put(r.Context(), sessionState, state)
	w.sessions.Put(r.Context(), sessionVerifier, verifier)
	http.Redirect(rw, r, w.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// callback is where Acme sends the browser afterwards.
func (w *wiki) callback(rw http.ResponseWriter, r *http.Request) {
	if message := w.finishSignIn(r); message != "" {
		w.sessions.Put(r.Context(), sessionMessage, message)
	}
	// The redirect gets the code out of the address bar.
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// finishSignIn turns Acme's answer into a token, or returns what to tell the
// user.
func (w *wiki) finishSignIn(r *http.Request) (message string) {
	ctx, answer := r.Context(), r.URL.Query()
	state, verifier := w.sessions.PopString(ctx, sessionState), w.sessions.PopString(ctx, sessionVerifier)
	switch {
	case state == "" || answer.Get("state") != state:
		return "This sign-in was not started in this browser, or it was finished already. Start again at " + w.url + "."
	case answer.Get("iss") != w.issuer:
		// An answer of another server must not be taken for Acme's (RFC 9207).
		return "This answer did not come from Acme. Start again."
	case answer.Get("error") == "access_denied":
		return "You did not allow Wiki to use your Acme account, so you are not signed in."
	case answer.Has("error"):
		return fmt.Sprintf("Acme refused to sign you in: %s (%s)", answer.Get("error_description"), answer.Get("error"))
	}
	token, err := w.oauth.Exchange(w.talking(ctx), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err == nil {
		err = w.sessions.RenewToken(ctx) // a new session id for the new user
	}
	if err == nil {
		err = w.keep(ctx, token)
	}
	if err != nil {
		slog.Error("wiki: sign-in failed", "error", err)
		return "Signing in did not work. Try again."
	}
	return ""
}

func (w *wiki) signOut(rw http.ResponseWriter, r *http.Request) {
	if err := w.sessions.Destroy(r.Context()); err != nil {
		http.Error(rw, "The session could not be ended.", http.StatusInternalServerError)
		return
	}
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// home shows what Acme says of the user, or the button.
func (w *wiki) home(rw http.ResponseWriter, r *http.Request) {
	ctx, status := r.Context(), http.StatusOK
	view := wikiView{Message: w.sessions.PopString(ctx, sessionMessage), SignedIn: w.sessions.Exists(ctx, sessionToken)}
	if view.SignedIn {
		err := w.get(ctx, "/oauth/userinfo", &view.User)
		if err == nil {
			err = w.get(ctx, "/api/notes", &view.API)
		}
		switch {
		case errors.Is(err, errSignedOut):
			w.sessions.Remove(ctx, sessionToken)
			view = wikiView{Message: "Acme has ended your sign-in. Sign in again."}
		case err != nil:
			slog.Error("wiki: Acme did not answer", "error", err)
			status, view = http.StatusBadGateway, wikiView{Message: "Acme cannot be asked right now. Try again in a moment."}
		}
	}
	writePage(rw, status, "wiki.html", view)
}

// showUserInfo shows the userinfo document as it came from Acme.
func (w *wiki) showUserInfo(rw http.ResponseWriter, r *http.Request) {
	var document json.RawMessage
	if err := w.get(r.Context(), "/oauth/userinfo", &document); err != nil {
		http.Redirect(rw, r, "/", http.StatusSeeOther) // The home page says what is wrong.
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	rw.Header().Set("Cache-Control", "no-store")
	rw.Write(document)
}

// errSignedOut means that Acme does not know this sign-in, or has ended it.
var errSignedOut = errors.New("signed out of Acme")

// get asks Acme for something of the signed-in user's.
func (w *wiki) get(ctx context.Context, path string, into any) error {
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
	}
	return fmt.Errorf("GET %s: %s", path, answer.Status)
}

// client returns an HTTP client that sends the user's access token. An expired
// one is refreshed, and since each refresh gives a new refresh token too, what
// comes back is kept.
func (w *wiki) client(ctx context.Context) (*http.Client, error) {
	var token oauth2.Token
	if err := json.Unmarshal(w.sessions.GetBytes(ctx, sessionToken), &token); err != nil {
		return nil, errSignedOut
	}
	fresh, err := w.oauth.TokenSource(w.talking(ctx), &token).Token()
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
	return w.oauth.Client(w.talking(ctx), fresh), nil
}

func (w *wiki) keep(ctx context.Context, token *oauth2.Token) error {
	encoded, err := json.Marshal(token)
	if err == nil {
		w.sessions.Put(ctx, sessionToken, encoded)
	}
	return err
}

// talking tells package oauth2 which HTTP client to use.
func (w *wiki) talking(ctx context.Context) context.Context {
	return context.WithValue(ctx, oauth2.HTTPClient, w.toAcme)
}
