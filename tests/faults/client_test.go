package faults

import (
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

const callback = "https://wiki.example.com/callback"

// client is an application, together with the browsers of its users. It sends
// its requests to the given host.
type client struct {
	provider.Application
	secret string
	http   *http.Client
}

// newClient registers an application in the store, without any proxy.
func newClient(t testing.TB, s store.Store) *client {
	t.Helper()
	p, err := newProvider(s, 30*time.Second)
	require.NoError(t, err)
	app, secret, err := p.CreateApplication(context.Background(), newApplication)
	require.NoError(t, err)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	return &client{app, secret.Reveal(), &http.Client{
		Transport:     transport,
		Timeout:       60 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// reply is a complete answer.
type reply struct {
	status  int
	header  http.Header
	cookies []*http.Cookie
	body    string
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.status, r.body) }

// do sends a request. An error means that no complete answer came.
func (c *client) do(method, target string, header http.Header, form url.Values) (reply, error) {
	r, err := http.NewRequest(method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return reply{}, err
	}
	r.Header = header
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return c.send(r)
}

func (c *client) send(r *http.Request) (reply, error) {
	response, err := c.http.Do(r)
	if err != nil {
		return reply{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return reply{response.StatusCode, response.Header, response.Cookies(), string(body)}, err
}

// formInput is a hidden field or a ticked checkbox.
var formInput = regexp.MustCompile(`<input type="(?:hidden|checkbox)" name="([^"]*)" value="([^"]*)"(?: checked)?>`)

// authorize has a user sign in to the application and agree if asked. It
// returns the last answer, with the code if one was given.
func (c *client) authorize(host, user string) (code string, r reply, err error) {
	r, err = c.visit(host, user)
	if err == nil && r.status == http.StatusOK {
		r, err = c.decide(host+"/oauth/authorize", user, r, "allow")
	}
	return r.code(), r, err
}

// visit sends the user's browser to the provider.
func (c *client) visit(host, user string) (reply, error) {
	query := url.Values{"response_type": {"code"}, "client_id": {c.ClientID}, "redirect_uri": {callback}, "state": {"x"}}
	return c.do("GET", host+"/oauth/authorize?"+query.Encode(), http.Header{"Test-User": {user}}, nil)
}

// code returns the code with which the provider redirects the browser, if it
// does.
func (r reply) code() string {
	location, err := url.Parse(r.header.Get("Location"))
	if err != nil {
		return ""
	}
	return location.Query().Get("code")
}

// decide submits the form of a page.
func (c *client) decide(target, user string, page reply, decision string) (reply, error) {
	return c.submit(target, user, page, url.Values{"decision": {decision}})
}

// submit submits the form of a page, with more fields.
func (c *client) submit(target, user string, page reply, form url.Values) (reply, error) {
	for _, m := range formInput.FindAllStringSubmatch(page.body, -1) {
		form.Add(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	header := http.Header{"Test-User": {user}, "Origin": {issuer}}
	for _, cookie := range page.cookies {
		header.Add("Cookie", cookie.Name+"="+cookie.Value)
	}
	return c.do("POST", target, header, form)
}

// post sends a form with the application's credentials.
func (c *client) post(host, path string, pairs ...string) (reply, error) {
	form := url.Values{"client_id": {c.ClientID}, "client_secret": {c.secret}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return c.do("POST", host+path, nil, form)
}

func (c *client) redeem(host, code string) (reply, error) {
	return c.post(host, "/oauth/token", "grant_type", "authorization_code", "code", code, "redirect_uri", callback)
}

func (c *client) refresh(host, token string) (reply, error) {
	return c.post(host, "/oauth/token", "grant_type", "refresh_token", "refresh_token", token)
}

func (c *client) bearer(host, path, token string) (reply, error) {
	return c.do("GET", host+path, http.Header{"Authorization": {"Bearer " + token}}, nil)
}

// notes is a request to the API that requires a token.
func (c *client) notes(host, token string) (reply, error) { return c.bearer(host, "/api/notes", token) }

// pair is a pair of tokens from the token endpoint.
type pair struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

// pair reads the tokens of a successful answer; ok is false for any other.
func (r reply) pair() (p pair, ok bool) {
	err := json.Unmarshal([]byte(r.body), &p)
	return p, err == nil && r.status == http.StatusOK && p.Access != "" && p.Refresh != ""
}

// refused reports whether the answer says that a code or refresh token is
// invalid.
func (r reply) refused() bool {
	return r.status == http.StatusBadRequest && strings.Contains(r.body, `"invalid_grant"`)
}

// The helpers below are for requests without a fault.

func (c *client) mustAuthorize(t require.TestingT, host, user string) string {
	code, r, err := c.authorize(host, user)
	require.NoError(t, err)
	require.NotEmpty(t, code, "%s", r)
	return code
}

func mustPair(t require.TestingT, r reply, err error) pair {
	require.NoError(t, err)
	p, ok := r.pair()
	require.True(t, ok, "%s", r)
	return p
}

func (c *client) mustRedeem(t require.TestingT, host, code string) pair {
	r, err := c.redeem(host, code)
	return mustPair(t, r, err)
}

func (c *client) mustRefresh(t require.TestingT, host, token string) pair {
	r, err := c.refresh(host, token)
	return mustPair(t, r, err)
}

func mustStatus(t require.TestingT, want int, r reply, err error) {
	require.NoError(t, err)
	require.Equal(t, want, r.status, "%s", r)
}

func mustRefuse(t require.TestingT, r reply, err error) {
	require.NoError(t, err)
	require.True(t, r.refused(), "%s", r)
}

// number asks the host for a number.
func (c *client) number(t require.TestingT, method, target, user string) int {
	r, err := c.do(method, target, http.Header{"Test-User": {user}}, nil)
	mustStatus(t, http.StatusOK, r, err)
	n, err := strconv.Atoi(r.body)
	require.NoError(t, err)
	return n
}
