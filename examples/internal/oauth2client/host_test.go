package oauth2client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// host is the smallest app that Latchkey accepts. It has one user, a sign-in page
// with a button but no password, and a cookie that the button sets.
type host struct {
	url           string
	provider      *provider.Provider
	tokenRequests atomic.Int64
}

const (
	userID   = "user_1"
	callback = "https://client.example/callback" // The tests read the code from the redirect.
)

func newHost(t *testing.T) *host {
	t.Helper()
	mux := http.NewServeMux()
	h := &host{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/oauth/token" {
			h.tokenRequests.Add(1)
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	h.url = server.URL
	var err error
	h.provider, err = provider.New(provider.Config{
		Issuer: server.URL,
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			if _, err := r.Cookie("signed_in"); err != nil {
				return provider.Session{}, nil
			}
			return provider.Session{UserID: userID}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users: func(_ context.Context, id string) (userinfo.User, error) {
			return userinfo.User{ID: id, Name: "Ada Lovelace", Email: "ada@acme.example"}, nil
		},
	})
	require.NoError(t, err)
	h.provider.Mount(mux)
	mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		w.Write([]byte(`<form method="post" action="?` + url.Values{"next": r.URL.Query()["next"]}.Encode() + `"><button>Sign in</button></form>`))
	})
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "signed_in", Value: "yes", Path: "/"})
		http.Redirect(w, r, r.URL.Query().Get("next"), http.StatusSeeOther)
	})
	return h
}

// application registers an application and returns package oauth2's configuration
// for it.
func (h *host) application(t *testing.T, public bool, style oauth2.AuthStyle) *oauth2.Config {
	t.Helper()
	app, secret, err := h.provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Client", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "email"), Public: public,
	})
	require.NoError(t, err)
	require.Equal(t, public, secret.IsZero())
	return &oauth2.Config{
		ClientID:     app.ClientID,
		ClientSecret: secret.Reveal(),
		Endpoint:     oauth2.Endpoint{AuthURL: h.url + "/oauth/authorize", TokenURL: h.url + "/oauth/token", AuthStyle: style},
		RedirectURL:  callback,
		Scopes:       []string{"profile", "email"},
	}
}

// signIn signs the user in to the application, the way a browser does, and returns
// the code. It passes the options to AuthCodeURL.
func (h *host) signIn(t *testing.T, config *oauth2.Config, options ...oauth2.AuthCodeOption) string {
	t.Helper()
	b := browser.New(nil)
	// arrive follows redirects until one leaves the host.
	arrive := func(page *browser.Page, err error) *browser.Page {
		t.Helper()
		require.NoError(t, err)
		for to := page.Leads(); to != "" && to[:min(len(to), len(callback))] != callback; to = page.Leads() {
			page, err = b.Follow(t.Context(), page)
			require.NoError(t, err)
		}
		return page
	}
	signIn := arrive(b.Open(t.Context(), config.AuthCodeURL("the state", options...)))
	consent := arrive(b.Press(t.Context(), signIn, "Sign in", nil))
	require.Contains(t, consent.Text(), "Ada Lovelace")
	answer := arrive(b.Press(t.Context(), consent, "Allow", nil))
	to, err := url.Parse(answer.Leads())
	require.NoError(t, err)
	query := to.Query()
	require.Equal(t, "the state", query.Get("state"))
	require.Equal(t, h.url, query.Get("iss"))
	require.NotEmpty(t, query.Get("code"), query)
	return query.Get("code")
}

// requireUser reads the userinfo document with the client.
func (h *host) requireUser(t *testing.T, client *http.Client) {
	t.Helper()
	answer, err := client.Get(h.url + "/oauth/userinfo")
	require.NoError(t, err)
	defer answer.Body.Close()
	require.Equal(t, http.StatusOK, answer.StatusCode)
	var document userinfo.Document
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&document))
	require.Equal(t, userID, document.Subject)
	require.Equal(t, "Ada Lovelace", document.Name)
	require.Equal(t, "ada@acme.example", document.Email)
}

// requireToken checks the result of a successful token request.
func requireToken(t *testing.T, token *oauth2.Token) {
	t.Helper()
	require.True(t, token.Valid())
	require.Equal(t, "Bearer", token.Type())
	require.NotEmpty(t, token.RefreshToken)
	require.NotEqual(t, token.AccessToken, token.RefreshToken)
	require.EqualValues(t, 7200, token.ExpiresIn)
	require.WithinDuration(t, time.Now().Add(7200*time.Second), token.Expiry, time.Minute)
	require.Equal(t, "profile email", token.Extra("scope"))
}

// requireRefused checks the error of a rejected token request.
func requireRefused(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refusal *oauth2.RetrieveError
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, code, refusal.ErrorCode)
	require.NotEmpty(t, refusal.ErrorDescription)
	require.Equal(t, status, refusal.Response.StatusCode)
}
