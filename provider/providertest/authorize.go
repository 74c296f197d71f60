package providertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider"
)

// Tokens are what [Authorize] returns.
type Tokens struct {
	ClientID     string // the public application that got them
	AccessToken  string
	RefreshToken string
	Scope        string
	ExpiresIn    int // seconds
}

// callback is the redirect URI of Authorize's application. No request is ever
// sent there.
const callback = "https://application.example/callback"

// Authorize does a whole sign-in over HTTP: from the authorization endpoint of
// p to the consent page, where it agrees like [Allow], and to the token
// endpoint. The tokens are for the user who is signed in in the browser, and
// have exactly the given scopes.
//
// The app under test must listen at Config.Issuer, or browser must have a
// Transport that reaches it. The application that gets the tokens is deleted
// when the test ends.
func Authorize(t testing.TB, p *provider.Provider, browser *http.Client, scope ...string) Tokens {
	t.Helper()
	tokens, err := authorize(t, p, browser, scope)
	if err != nil {
		t.Fatalf("providertest: Authorize: %v", err)
	}
	return tokens
}

func authorize(t testing.TB, p *provider.Provider, browser *http.Client, scope []string) (Tokens, error) {
	at := p.Endpoints()
	if at.Authorize == "" || at.Token == "" {
		return Tokens{}, errors.New("Config.Paths leaves out the authorization or the token endpoint, so no one can sign in")
	}
	app, err := newApplication(t, p, []string{callback}, scope)
	if err != nil {
		return Tokens{}, err
	}
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	answer, err := visit(t.Context(), browser, at.Authorize+"?"+url.Values{
		"response_type":         {"code"},
		"client_id":             {app.ClientID},
		"redirect_uri":          {callback},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}.Encode(), allow)
	if err != nil {
		return Tokens{}, err
	}
	if code := answer.Query().Get("error"); code != "" {
		return Tokens{}, fmt.Errorf("the authorization endpoint refused: %s: %s", code, answer.Query().Get("error_description"))
	}
	return redeem(t.Context(), browser, at.Token, url.Values{
		"grant_type":    {"authorization_code"},
		"client_id":     {app.ClientID},
		"code":          {answer.Query().Get("code")},
		"redirect_uri":  {callback},
		"code_verifier": {verifier},
	})
}

// redeem presents a code or a refresh token at the token endpoint, as a program
// does: without the browser's cookies.
func redeem(ctx context.Context, browser *http.Client, endpoint string, form url.Values) (Tokens, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return Tokens{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	program := http.Client{Transport: browser.Transport, Timeout: patience, CheckRedirect: stay}
	w, err := program.Do(r)
	if err != nil {
		return Tokens{}, fmt.Errorf("the token endpoint cannot be reached: %w", err)
	}
	body, err := readBody(w)
	if err != nil {
		return Tokens{}, fmt.Errorf("the token endpoint's answer cannot be read: %w", err)
	}
	var answer struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		Scope        string `json:"scope"`
		ExpiresIn    int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.AccessToken == "" {
		return Tokens{}, fmt.Errorf("the token endpoint %s answered %s, and no tokens: %s\n"+
			"Programs call it without cookies and Origin: don't put a session, sign-in wall, or CSRF check in front of it (see Route.Session)",
			endpoint, w.Status, excerpt(body))
	}
	return Tokens{form.Get("client_id"), answer.AccessToken, answer.RefreshToken, answer.Scope, answer.ExpiresIn}, nil
}
