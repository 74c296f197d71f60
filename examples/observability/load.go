package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// load is Wiki, an application, and its users. It signs users in and calls Acme's
// API over HTTP. Sometimes it sends bad requests, so that the metrics show errors.
type load struct {
	issuer           string
	clientID, secret string
	transport        http.RoundTripper
}

// callback is Wiki's redirect URI. No server listens there, because these browsers
// don't follow the redirect.
const callback = "http://127.0.0.1/callback"

// newLoad registers Wiki.
func newLoad(ctx context.Context, issuer string, p *provider.Provider) (*load, error) {
	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "email", "notes:read"),
	})
	return &load{issuer, app.ClientID, secret.Reveal(), http.DefaultTransport}, err
}

// run makes visits until ctx ends.
func (l *load) run(ctx context.Context, perSecond float64, logger *slog.Logger) {
	ticker := time.NewTicker(time.Duration(float64(time.Second) / perSecond))
	defer ticker.Stop()
	for n := 1; ; n++ {
		if err := l.visit(ctx, n); err != nil && ctx.Err() == nil {
			logger.Error("load: a visit failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// visit signs a user in and uses the tokens. What else happens depends on n and not
// on chance, so that tests can check the numbers.
func (l *load) visit(ctx context.Context, n int) error {
	every := func(k int) bool { return n%k == 0 }
	login := []string{"ada", "grace"}[n%2]
	v := &visitor{load: l, ctx: ctx, browser: browser.New(l.transport)}

	if every(7) { // The user denies access.
		v.authorize(login, "Cancel", url.Values{"prompt": {"consent"}})
	}
	if every(9) { // A user follows a broken link and gets an error page.
		v.open(http.StatusBadRequest, "/oauth/authorize?client_id=unknown")
	}
	code := v.authorize(login, "Allow", nil).Get("code")
	redeem := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {callback}}
	first := v.tokens(redeem)
	v.api(http.StatusOK, "GET", "/oauth/userinfo", first.Access)
	v.api(http.StatusOK, "GET", "/api/notes", first.Access)

	second := v.refresh(first)
	if every(3) { // The response is lost, and Wiki sends the request again.
		v.refresh(first)
	}
	v.api(http.StatusOK, "GET", "/api/notes", second.Access)
	if every(11) { // An instance of Wiki still uses an old secret.
		v.post(http.StatusUnauthorized, "/oauth/token", "an-old-secret", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {second.Refresh}})
	}
	if every(5) { // A caller of the API invents a token.
		v.api(http.StatusUnauthorized, "GET", "/api/notes", "made-up")
	}
	if every(6) { // Wiki calls an endpoint without the scope for it.
		v.api(http.StatusForbidden, "POST", "/api/notes", second.Access)
	}
	switch {
	case every(10): // A thief uses a code that Wiki has redeemed.
		v.refresh(v.refresh(second))
		v.post(http.StatusBadRequest, "/oauth/token", l.secret, redeem)
	case every(8): // The user signs out of Wiki.
		v.post(http.StatusOK, "/oauth/token/revoke", l.secret, url.Values{"token": {second.Access}})
		v.post(http.StatusOK, "/oauth/token_info", l.secret, url.Values{"token": {second.Access}})
		v.post(http.StatusOK, "/oauth/token/revoke", l.secret, url.Values{"token": {second.Refresh}})
	}
	return v.err
}

// visitor is a user with a browser, and Wiki, which acts for the user. After its
// first error it does nothing.
type visitor struct {
	*load
	ctx     context.Context
	browser *browser.Browser
	err     error
}

// authorize opens an authorization request in the browser. The user signs in, and
// presses the button if there is a consent page. It returns Acme's response.
func (v *visitor) authorize(login, button string, extra url.Values) url.Values {
	query := url.Values{"response_type": {"code"}, "client_id": {v.clientID}, "redirect_uri": {callback}, "state": {"s"}}
	for name, values := range extra {
		query[name] = values
	}
	page := v.open(0, "/oauth/authorize?"+query.Encode())
	for range 10 {
		if v.err != nil {
			break
		}
		switch to := page.Leads(); {
		case strings.HasPrefix(to, callback+"?"):
			answer, err := url.Parse(to)
			v.err = err
			return answer.Query()
		case to != "":
			page, v.err = v.browser.Follow(v.ctx, page)
		case page.HasButton("Sign in"):
			page, v.err = v.browser.Press(v.ctx, page, "Sign in", map[string]string{"login": login, "password": acme.Password})
		default:
			page, v.err = v.browser.Press(v.ctx, page, button, nil)
		}
	}
	v.fail(errors.New("the sign-in does not end"))
	return url.Values{}
}

// open opens a page. Its status must be want, unless want is 0.
func (v *visitor) open(want int, path string) *browser.Page {
	if v.err != nil {
		return &browser.Page{}
	}
	page, err := v.browser.Open(v.ctx, v.issuer+path)
	if err == nil && want != 0 && page.Status != want {
		err = fmt.Errorf("the page %s should have status %d", page.Describe(), want)
	}
	v.err = err
	return page
}

// pair is the response of the token endpoint.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (v *visitor) refresh(p pair) pair {
	return v.tokens(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {p.Refresh}})
}

func (v *visitor) tokens(form url.Values) pair {
	var p pair
	if body := v.post(http.StatusOK, "/oauth/token", v.secret, form); v.err == nil {
		v.err = json.Unmarshal(body, &p)
	}
	return p
}

// post sends a form as Wiki with the given secret.
func (v *visitor) post(want int, path, secret string, form url.Values) []byte {
	return v.send(want, "POST", path, strings.NewReader(form.Encode()), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.SetBasicAuth(url.QueryEscape(v.clientID), url.QueryEscape(secret))
	})
}

// api sends an access token.
func (v *visitor) api(want int, method, path, token string) {
	v.send(want, method, path, nil, func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) })
}

func (v *visitor) send(want int, method, path string, body io.Reader, sign func(*http.Request)) []byte {
	if v.err != nil {
		return nil
	}
	r, err := http.NewRequestWithContext(v.ctx, method, v.issuer+path, body)
	if err != nil {
		v.err = err
		return nil
	}
	sign(r)
	answer, err := v.transport.RoundTrip(r)
	if err != nil {
		v.err = err
		return nil
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err == nil && answer.StatusCode != want {
		err = fmt.Errorf("%s %s responded with %s, want %d", method, path, answer.Status, want)
	}
	v.err = err
	return content
}

func (v *visitor) fail(err error) {
	if v.err == nil {
		v.err = err
	}
}
