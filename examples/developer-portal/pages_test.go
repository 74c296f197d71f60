package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/userinfo"
)

const accountPath = "/settings/account"

// claims gets the userinfo document.
func (p *served) claims(t *testing.T, token string) map[string]any {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, p.url+"/oauth/userinfo", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	var claims map[string]any
	require.NoError(t, json.NewDecoder(answer.Body).Decode(&claims))
	return claims
}

func TestConsentPage(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook <b>", nil, "profile", "email", "notes:read")

	// A signed-out user signs in first.
	grace := p.person(t)
	page := grace.signIn(grace.open(app.oauth.AuthCodeURL("state")), "grace")
	for _, text := range []string{
		"Notebook <b> wants access to your Acme Notes account", "Signed in as Grace Hopper", "Switch account", "Read your notes",
		"See your name and username (Required)", "runs on your device", "You'll be sent back to 127.0.0.1:9.",
	} {
		require.Contains(t, page.Text(), text)
	}
	require.Contains(t, string(page.Body), `href="/style.css"`, "the host's layout")
	require.NotContains(t, string(page.Body), "<style")
	require.NotContains(t, string(page.Body), "<b>")
	policies := strings.Join(page.Header.Values("Content-Security-Policy"), "\n")
	require.Contains(t, policies, "base-uri 'none'; frame-ancestors 'none'\n", "Latchkey's")
	require.NotContains(t, policies, "form-action", "the form's answer leads to the application")
	require.Contains(t, policies, "default-src 'none'", "and the host's")

	// Cancel.
	got := answer(t, grace.press(page, "Cancel", nil))
	require.Equal(t, "access_denied", got.Get("error"))
	require.Equal(t, "state", got.Get("state"))

	// Without the email address. The name is required.
	page = grace.open(app.oauth.AuthCodeURL("state"))
	got = answer(t, grace.press(ticked(page, "granted", "notes:read"), "Allow", nil))
	token, err := app.oauth.Exchange(t.Context(), got.Get("code"))
	require.NoError(t, err)
	require.Equal(t, "profile notes:read", token.Extra("scope"))
	status, _ := p.notes(t, token.AccessToken)
	require.Equal(t, http.StatusOK, status)
	claims := p.claims(t, token.AccessToken)
	require.Equal(t, "Grace Hopper", claims["name"])
	require.NotContains(t, claims, "email")

	// Another user must sign in first.
	link := find(t, page, `href="([^"]+)">Switch account`)
	page = grace.signIn(grace.open(link), "ada")
	require.Contains(t, page.Text(), "Signed in as Ada Lovelace")
	token, err = app.oauth.Exchange(t.Context(), answer(t, grace.press(page, "Allow", nil)).Get("code"))
	require.NoError(t, err)
	require.Equal(t, "ada@acme.example", p.claims(t, token.AccessToken)["email"])
}

func TestErrorPage(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil)
	elsewhere := app.oauth
	elsewhere.RedirectURL = "https://evil.example/"
	page := ada.open(elsewhere.AuthCodeURL("state"))
	require.Equal(t, http.StatusBadRequest, page.Status)
	require.Contains(t, page.Text(), "The app that sent you here made a request that Acme Notes can't accept.")
	require.Contains(t, string(page.Body), `href="/style.css"`)
	reference := find(t, page, `Error reference: ([0-9A-Z]{4}-[0-9A-Z]{4})`)
	require.Contains(t, logText(), "reference="+reference)

	// A form that was already submitted isn't processed again: the page is shown
	// again. A form that was shown to another user is rejected with a link to retry.
	consent := ada.open(app.oauth.AuthCodeURL("state"))
	require.Equal(t, "access_denied", answer(t, ada.press(consent, "Cancel", nil)).Get("error"))
	page = ada.press(consent, "Allow", nil)
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, page.Text(), "Notebook")
	grace := p.signedIn(t, "grace")
	grace.open(app.oauth.AuthCodeURL("state"))
	page = grace.press(page, "Allow", nil)
	require.Equal(t, http.StatusForbidden, page.Status)
	page = grace.open(find(t, page, `href="([^"]+)">Try again`))
	require.NotEmpty(t, answer(t, grace.press(page, "Allow", nil)).Get("code"))
}

func TestGerman(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notizbuch", nil, "profile", "notes:read")
	german := func(r *http.Request) { r.Header.Set("Accept-Language", "de-AT, en;q=0.5") }
	ada.edit = german
	page := ada.open(app.oauth.AuthCodeURL("state"))
	require.Contains(t, string(page.Body), `<html lang="de" dir="ltr">`)
	for _, text := range []string{"Notizbuch möchte auf dein Konto bei Acme Notes zugreifen", "Deine Notizen lesen", "(Erforderlich)"} {
		require.Contains(t, page.Text(), text)
	}
	require.NotEmpty(t, answer(t, ada.press(page, "Erlauben", nil)).Get("code"))

	ada.edit = german
	page = ada.open("/oauth/authorize?client_id=unknown")
	require.Contains(t, page.Text(), "Diese App ist hier nicht bekannt")
	ada.edit = german
	require.Contains(t, ada.open("/oauth/connections").Text(), "Verbundene Apps")
}

func TestDisconnect(t *testing.T) {
	p := newPortal(t)
	ada, grace := p.signedIn(t, "ada"), p.signedIn(t, "grace")
	app, _ := ada.register("Notebook", nil, "notes:read")
	adas, graces := app.tokens(ada), app.tokens(grace)
	personal := ada.makesToken()
	account := ada.open("/settings/account")
	require.Contains(t, account.Text(), "Notebook last used")
	require.NotContains(t, account.Text(), "Personal access tokens last used")

	page := ada.open(find(t, account, `<a href="([^"]+)">See what they may do`))
	require.Contains(t, page.Text(), "Notebook can: Read your notes")
	require.Contains(t, string(page.Body), "#0b6b4f", "the host's color")
	require.Contains(t, string(page.Body), p.url+"/logo.svg")
	page = ada.press(page, "Disconnect Notebook", nil)
	require.Contains(t, page.Text(), "Notebook was disconnected")
	for token, want := range map[string]int{adas.AccessToken: http.StatusUnauthorized, graces.AccessToken: http.StatusOK, personal: http.StatusOK} {
		status, _ := p.notes(t, token)
		require.Equal(t, want, status)
	}

	require.NotContains(t, page.Text(), "Personal access tokens", "they have a separate page")
	require.Contains(t, ada.open("/settings/account").Text(), "No application can use your account.")
}

func TestSignOutEverywhere(t *testing.T) {
	p := newPortal(t)
	ada, elsewhere, grace := p.signedIn(t, "ada"), p.signedIn(t, "ada"), p.signedIn(t, "grace")
	app, _ := ada.register("Notebook", nil, "notes:read")
	signIn, graces := app.tokens(elsewhere), app.tokens(grace)
	personal := ada.makesToken()

	page := ada.press(ada.open("/settings/account"), "Sign out everywhere else", nil)
	require.Contains(t, page.Text(), "You are signed out everywhere but here.")
	require.Contains(t, page.Text(), "All sign-ins and tokens of applications have ended.")
	for token, want := range map[string]int{signIn.AccessToken: http.StatusUnauthorized, personal: http.StatusUnauthorized, graces.AccessToken: http.StatusOK} {
		status, _ := p.notes(t, token)
		require.Equal(t, want, status)
	}
	require.Equal(t, accountPath, ada.open(accountPath).URL.Path)
	require.Equal(t, "/login", elsewhere.open(accountPath).URL.Path)
	require.Equal(t, "/login", elsewhere.open(app.oauth.AuthCodeURL("state")).URL.Path, "the provider sees no session either")
	require.Equal(t, accountPath, grace.open(accountPath).URL.Path)
	_, err := app.oauth.TokenSource(t.Context(), signIn).Token()
	require.NoError(t, err, "it has not expired")
	signIn.AccessToken = ""
	_, err = app.oauth.TokenSource(t.Context(), signIn).Token()
	require.ErrorContains(t, err, "invalid_grant")
}

func TestCloseAccount(t *testing.T) {
	p := newPortal(t)
	ada, elsewhere, grace := p.signedIn(t, "ada"), p.signedIn(t, "ada"), p.signedIn(t, "grace")
	app, _ := ada.register("Notebook", nil, "notes:read")
	adas, graces := app.tokens(elsewhere), app.tokens(grace)
	page := ada.press(ada.open("/settings/account"), "Yes, close my account", nil)
	require.Contains(t, page.Text(), "Your account is closed")
	require.False(t, page.HasButton("Sign out"))
	_, _, err := p.provider.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_1815", ApplicationID: strings.TrimPrefix(app.path, "/developers/?application=")})
	require.ErrorIs(t, err, userinfo.ErrNotFound, "Latchkey sees no such user")
	for _, someone := range []*person{ada, elsewhere} {
		require.Equal(t, "/login", someone.open("/developers/").URL.Path)
	}
	require.Contains(t, ada.signIn(ada.open("/login"), "ada").Text(), "Wrong user or password")
	status, _ := p.notes(t, adas.AccessToken)
	require.Equal(t, http.StatusUnauthorized, status)
	adas.AccessToken = ""
	_, err = app.oauth.TokenSource(t.Context(), adas).Token()
	require.ErrorContains(t, err, "invalid_grant")
	status, _ = p.notes(t, graces.AccessToken)
	require.Equal(t, http.StatusOK, status, "the application works for others")
}

func TestSignInPage(t *testing.T) {
	p := newPortal(t)
	ada := p.person(t)
	page := ada.press(ada.open("/login"), "Sign in", map[string]string{"login": "ada", "password": "wrong"})
	require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	require.Contains(t, string(page.Body), `value="ada"`)
	require.Contains(t, string(ada.open("/login?login_hint=grace%22").Body), `value="grace&#34;"`)
	for _, next := range []string{"//evil.example", `/\evil.example`, "/\t/evil.example", "https://evil.example", "javascript:alert(1)", ""} {
		page := ada.send(ada.open("/login?next="+url.QueryEscape(next)), "Sign in", map[string]string{"login": "ada@acme.example", "password": password})
		require.Equal(t, "/", page.Header.Get("Location"), next)
	}
	require.Contains(t, ada.open("/").Text(), "Flying machine")
	require.Contains(t, ada.press(ada.open("/"), "Sign out", nil).Text(), "Your notes, everywhere")

	// A form without a session leads to the sign-in page, which can't send it
	// again.
	form := p.signedIn(t, "ada").open(accountPath)
	page = ada.press(form, "Sign out everywhere else", nil)
	require.Equal(t, p.url+signInPath(accountPath), page.URL.String())
}

// Grace registers an application, and only Ada can review it.
func TestDevelopersAndAdministrators(t *testing.T) {
	p := newPortal(t)
	ada, grace := p.signedIn(t, "ada"), p.signedIn(t, "grace")
	app, _ := grace.register("Notebook", nil, "notes:read")
	require.NotContains(t, ada.open("/developers/").Text(), "Notebook")
	require.Equal(t, http.StatusForbidden, grace.open("/admin/oauth/").Status)
	require.NotContains(t, grace.open("/").Text(), "Administration")
	review := ada.open(find(t, ada.open("/"), `href="([^"]+)">Administration`) + strings.TrimPrefix(app.path, "/developers/"))
	require.Contains(t, ada.press(review, "Mark as reviewed", nil).Text(), "The application is reviewed.")

	token := grace.makesToken()
	status, titles := p.notes(t, token)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, titles, "Nanoseconds")
	require.Contains(t, grace.press(grace.open("/developers/?tokens"), "Revoke", nil).Text(), "The token is revoked.")
	status, _ = p.notes(t, token)
	require.Equal(t, http.StatusUnauthorized, status)
}

// No page has scripts or inline styles, or loads anything from another site.
func TestPages(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, registered := ada.register("Notebook", nil)
	for _, page := range []*browser.Page{
		registered, p.person(t).open("/"), p.person(t).open("/login"), ada.open("/"), ada.open(app.path), ada.open(accountPath), ada.open(app.oauth.AuthCodeURL("x")),
	} {
		body := string(page.Body)
		require.Contains(t, page.Header.Get("Content-Type"), "text/html")
		require.Contains(t, strings.Join(page.Header.Values("Content-Security-Policy"), ";"), "default-src 'none'")
		require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
		require.NotContains(t, body, "<script")
		require.NotContains(t, body, "style=")
		require.NotContains(t, body, "ZgotmplZ")
		require.Equal(t, 1, strings.Count(body, "<h1>"), page.URL)
	}
	for path, kind := range map[string]string{"/style.css": "text/css; charset=utf-8", "/logo.svg": "image/svg+xml"} {
		require.Equal(t, kind, ada.open(path).Header.Get("Content-Type"))
	}
	for _, path := range []string{"/pages/layout.html", "/layout.html"} {
		require.Equal(t, http.StatusNotFound, ada.open(path).Status, path)
	}
}
