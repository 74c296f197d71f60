package main

import (
	"context"
	"crypto/rand"
	_ "embed" // for the page
	"log"
	"net/http"
	"net/url"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/ui"
)

// wiki is an app that signs its users in with OpenID Connect.
type wiki struct {
	issuer, url string
	client      client

	mu       sync.Mutex
	found    *oidc.Provider     // nil before discovery
	sessions map[string]session // by the value of their cookie
}

// session is a signed-in user.
type session struct {
	IDToken string
	Subject string
	Name    string `json:"name"`
	Email   string `json:"email"`
}

func newWiki(issuer, address string, c client) http.Handler {
	w := &wiki{issuer: issuer, url: address, client: c, sessions: map[string]session{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.home)
	mux.HandleFunc("GET /login", w.login)
	mux.HandleFunc("GET /callback", w.callback)
	mux.HandleFunc("GET /style.css", ui.ServeStyle)
	mux.Handle("POST /logout", http.NewCrossOriginProtection().Handler(http.HandlerFunc(w.logout)))
	return mux
}

// discover reads the addresses of Acme's endpoints once. From then on, go-oidc
// fetches and caches Acme's public keys.
func (w *wiki) discover() (*oidc.Provider, oauth2.Config, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.found == nil {
		found, err := oidc.NewProvider(context.Background(), w.issuer) // It keeps the context to fetch keys.
		if err != nil {
			return nil, oauth2.Config{}, err
		}
		w.found = found
	}
	return w.found, oauth2.Config{
		ClientID: w.client.id, ClientSecret: w.client.secret, Endpoint: w.found.Endpoint(),
		RedirectURL: w.url + "/callback", Scopes: []string{oidc.ScopeOpenID, "profile", "email"},
	}, nil
}

// remembered are the cookies of one sign-in.
var remembered = []string{"state", "nonce", "verifier"}

// login redirects the browser to Acme.
func (w *wiki) login(rw http.ResponseWriter, r *http.Request) {
	_, config, err := w.discover()
	if err != nil {
		fail(rw, http.StatusBadGateway, "Acme Notes can't be reached.", err)
		return
	}
	value := map[string]string{}
	for _, name := range remembered {
		value[name] = rand.Text() + rand.Text()
		http.SetCookie(rw, &http.Cookie{Name: "wiki_" + name, Value: value[name], Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	http.Redirect(rw, r, config.AuthCodeURL(value["state"], oidc.Nonce(value["nonce"]), oauth2.S256ChallengeOption(value["verifier"])), http.StatusSeeOther)
}

// callback is the redirect URI.
func (w *wiki) callback(rw http.ResponseWriter, r *http.Request) {
	found, config, err := w.discover()
	if err != nil {
		fail(rw, http.StatusBadGateway, "Acme Notes can't be reached.", err)
		return
	}
	value := map[string]string{}
	for _, name := range remembered {
		if cookie, err := r.Cookie("wiki_" + name); err == nil {
			value[name] = cookie.Value
		}
		http.SetCookie(rw, &http.Cookie{Name: "wiki_" + name, Path: "/callback", MaxAge: -1})
	}
	answer := r.URL.Query()
	switch {
	case value["state"] == "" || answer.Get("state") != value["state"]:
		fail(rw, http.StatusBadRequest, "This sign-in didn't begin in this browser. Try again.", nil)
		return
	case answer.Get("error") != "":
		fail(rw, http.StatusForbidden, "Acme Notes didn't sign you in: "+answer.Get("error"), nil)
		return
	}
	token, err := config.Exchange(r.Context(), answer.Get("code"), oauth2.VerifierOption(value["verifier"]))
	if err != nil {
		fail(rw, http.StatusBadGateway, "The sign-in failed.", err)
		return
	}
	var s session
	s.IDToken, _ = token.Extra("id_token").(string)
	idToken, err := found.Verifier(&oidc.Config{ClientID: w.client.id}).Verify(r.Context(), s.IDToken)
	if err == nil {
		err = idToken.Claims(&s)
	}
	if err != nil || idToken.Nonce != value["nonce"] {
		fail(rw, http.StatusBadGateway, "The ID token doesn't belong to this sign-in.", err)
		return
	}
	s.Subject = idToken.Subject
	id := rand.Text()
	w.mu.Lock()
	w.sessions[id] = s
	w.mu.Unlock()
	http.SetCookie(rw, &http.Cookie{Name: "wiki_session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// logout signs the user out, here and at Acme.
func (w *wiki) logout(rw http.ResponseWriter, r *http.Request) {
	found, _, err := w.discover()
	var endpoint struct {
		Logout string `json:"end_session_endpoint"`
	}
	if err == nil {
		err = found.Claims(&endpoint)
	}
	if err != nil {
		fail(rw, http.StatusBadGateway, "Acme Notes can't be reached.", err)
		return
	}
	var s session
	if cookie, err := r.Cookie("wiki_session"); err == nil {
		w.mu.Lock()
		s = w.sessions[cookie.Value]
		delete(w.sessions, cookie.Value)
		w.mu.Unlock()
	}
	query := url.Values{"id_token_hint": {s.IDToken}, "post_logout_redirect_uri": {w.url + "/"}}
	http.Redirect(rw, r, endpoint.Logout+"?"+query.Encode(), http.StatusSeeOther)
}

var (
	//go:embed wiki.html
	pageHTML string
	page     = ui.Wiki(pageHTML)
)

// view is what the page shows.
type view struct {
	session
	Issuer  string
	Message string
}

func (w *wiki) home(rw http.ResponseWriter, r *http.Request) {
	var s session
	if cookie, err := r.Cookie("wiki_session"); err == nil {
		w.mu.Lock()
		s = w.sessions[cookie.Value]
		w.mu.Unlock()
	}
	ui.WritePage(rw, http.StatusOK, page, "wiki", view{session: s, Issuer: w.issuer})
}

// fail shows a message, and logs the reason.
func fail(w http.ResponseWriter, status int, says string, err error) {
	if err != nil {
		log.Printf("wiki: %q", err.Error()) //nolint:gosec // %q keeps it on one line.
	}
	ui.WritePage(w, status, page, "wiki", view{Message: says})
}
