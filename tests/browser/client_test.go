package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// client is another app, with a button to sign in with Acme.
type client struct {
	t     testing.TB
	host  *host
	name  string
	url   string
	app   provider.Application
	oauth oauth2.Config
	mux   *http.ServeMux

	// where the callback redirects; empty for the start page
	next string
	// called before the callback is answered for the nth time; gone ends when the
	// browser no longer waits for the answer
	callbacks func(n int, gone <-chan struct{})

	mu     sync.Mutex
	count  int // of callbacks
	tokens map[string]*oauth2.Token
}

// newClient starts a client on localhost, and registers it.
func newClient(h *host, n provider.ApplicationSettings) *client {
	return newClientAt(h, "localhost", n)
}

func newClientAt(h *host, name string, n provider.ApplicationSettings) *client {
	h.t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	c := &client{t: h.t, host: h, mux: mux, tokens: map[string]*oauth2.Token{}}
	c.url = strings.Replace(server.URL, "127.0.0.1", name, 1)
	if n.Name == "" {
		n.Name = "Wiki"
	}
	if n.Scopes == nil {
		n.Scopes = scopes.New("profile", "email", "notes:read")
	}
	n.RedirectURIs = []string{c.url + "/callback"}
	app, secret := h.application(n)
	c.app = app
	// Cookies don't distinguish ports.
	c.name = "client" + app.ClientID
	c.oauth = oauth2.Config{
		ClientID: app.ClientID, ClientSecret: secret, RedirectURL: n.RedirectURIs[0], Scopes: n.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: h.url + "/oauth/authorize", TokenURL: h.url + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	mux.HandleFunc("GET /{$}", c.home)
	mux.HandleFunc("GET /sign-in", c.signIn)
	mux.HandleFunc("GET /callback", c.callback)
	return c
}

// home shows who is signed in, according to Acme, or the button.
func (c *client) home(w http.ResponseWriter, r *http.Request) {
	const button = `<h1>{{.}}</h1><p><a href="/sign-in">Sign in with Acme</a></p>`
	token := c.token(r)
	if token == nil {
		show(w, button, c.app.Name)
		return
	}
	status, user := c.ask(token, "/oauth/userinfo")
	apiStatus, api := c.ask(token, "/api/notes")
	if status == http.StatusUnauthorized && apiStatus == status {
		show(w, button, "Acme has ended your sign-in: 401 from the API and from userinfo")
		return
	}
	scope, _ := token.Extra("scope").(string)
	show(w, `<h1>Signed in</h1><p>userinfo: {{.User}}</p><p>api: {{.API}}</p><p>scope: {{.Scope}}.</p>`, map[string]any{
		"User": fmt.Sprintf("%d %s %s %s", status, user.UserID, user.Name, user.Email), "API": fmt.Sprintf("%d %s", apiStatus, api.Notes), "Scope": scope,
	})
}

type answer struct {
	UserID string `json:"user_id"`
	Name   string `json:"name"`
	Email  string `json:"email"`
	Notes  []string
}

// ask sends a request to Acme with a token.
func (c *client) ask(token *oauth2.Token, path string) (status int, a answer) {
	r, err := http.NewRequest("GET", c.host.url+path, nil)
	require.NoError(c.t, err)
	r.Header.Set("Authorization", "Bearer "+token.AccessToken)
	response, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(c.t, err)
	if response.StatusCode == http.StatusOK {
		require.NoError(c.t, json.Unmarshal(body, &a))
	}
	return response.StatusCode, a
}

func (c *client) token(r *http.Request) *oauth2.Token {
	cookie, err := r.Cookie(c.name)
	if err != nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tokens[cookie.Value]
}

// signIn sends the browser to Acme. The cookie has what the answer must match.
func (c *client) signIn(w http.ResponseWriter, r *http.Request) {
	verifier := oauth2.GenerateVerifier()
	c.setCookie(w, c.name+"_login", verifier)
	http.Redirect(w, r, c.oauth.AuthCodeURL(stateOf(verifier), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// stateOf returns the state that belongs to a verifier.
func stateOf(verifier string) string {
	return "state-" + oauth2.S256ChallengeFromVerifier("state"+verifier)
}

func (c *client) setCookie(w http.ResponseWriter, name, value string) {
	http.SetCookie(w, &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
}

func (c *client) callback(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	c.count++
	n := c.count
	c.mu.Unlock()
	if c.callbacks != nil {
		c.callbacks(n, r.Context().Done())
	}
	query := r.URL.Query()
	login, err := r.Cookie(c.name + "_login")
	switch {
	case err != nil || query.Get("state") != stateOf(login.Value) || query.Get("iss") != c.host.url:
		w.WriteHeader(http.StatusBadRequest)
		show(w, "<h1>This is not the answer to what this browser was sent for</h1>", nil)
		return
	case query.Has("error"):
		show(w, "<h1>Not signed in: {{.}}</h1>", query.Get("error"))
		return
	}
	token, err := c.oauth.Exchange(context.Background(), query.Get("code"), oauth2.VerifierOption(login.Value))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		show(w, "<h1>No token: {{.}}</h1>", err.Error())
		return
	}
	id := oauth2.GenerateVerifier()
	c.mu.Lock()
	c.tokens[id] = token
	c.mu.Unlock()
	c.setCookie(w, c.name, id)
	next := c.next
	if next == "" {
		next = c.url + "/"
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// authorizeURL returns an authorization URL, for pages whose answer no client
// reads.
func (h *host) authorizeURL(app provider.Application, redirectURI string, more ...string) string {
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(strings.Repeat("v", 43))}
	for i := 0; i < len(more); i += 2 {
		options = append(options, oauth2.SetAuthURLParam(more[i], more[i+1]))
	}
	config := oauth2.Config{ClientID: app.ClientID, RedirectURL: redirectURI, Endpoint: oauth2.Endpoint{AuthURL: h.url + "/oauth/authorize"}}
	return config.AuthCodeURL("some state", options...)
}
