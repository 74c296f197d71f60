package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

var wikiAddr = flag.String("wiki-addr", "127.0.0.1:8081", "`host:port` that Wiki, the client, listens on")

var wikiPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>:root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:30rem;margin:2rem auto;padding:0 1rem}</style>
<title>Wiki</title><h1>Wiki</h1>{{with .Problem}}<p>Sign-in failed: {{.}}</p>{{end}}
{{with .Notes}}<p>Acme's API returned your notes:</p><pre>{{.}}</pre>{{end}}<p><a href="/start">Sign in with Acme Notes</a></p>`))

// wiki is the client: another app, which signs people in with Acme Notes and
// reads their notes.
type wiki struct {
	oauth2.Config
	acme string // its URL
}

// startWiki registers Wiki with the provider, and serves it. In a real app, a
// page, the portal, or the Backend API registers clients.
func startWiki(p *provider.Provider, acme string) {
	listener := must(new(net.ListenConfig).Listen(context.Background(), "tcp", *wikiAddr))
	url := "http://" + listener.Addr().String()
	app, secret, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{url + "/callback"},
		Scopes:       scopes.New("profile", "email", "notes:read"),
	})
	must(app, err)
	w := wiki{acme: acme, Config: oauth2.Config{
		ClientID:     app.ClientID,
		ClientSecret: secret.Reveal(),
		RedirectURL:  url + "/callback",
		Scopes:       []string{"profile", "notes:read"},
		Endpoint:     oauth2.Endpoint{AuthURL: acme + "/oauth/authorize", TokenURL: acme + "/oauth/token"},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, _ *http.Request) { wikiPage.Execute(rw, nil) })
	mux.HandleFunc("GET /start", w.start)
	mux.HandleFunc("GET /callback", w.callback)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go server.Serve(listener)
	fmt.Printf("Wiki has client_id %s and client_secret %s.\nOpen %s to sign in to Wiki with Acme Notes.\n", app.ClientID, secret.Reveal(), url)
}

// start sends the browser to Acme Notes. The cookie ties the answer, and with
// PKCE the code in it, to this browser.
func (w wiki) start(rw http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text(), oauth2.GenerateVerifier()
	http.SetCookie(rw, &http.Cookie{Name: "wiki_start", Value: state + "." + verifier, Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(rw, r, w.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

func (w wiki) callback(rw http.ResponseWriter, r *http.Request) {
	notes, err := w.finish(r)
	if err != nil {
		rw.WriteHeader(http.StatusBadRequest)
		notes = ""
	}
	wikiPage.Execute(rw, map[string]any{"Notes": notes, "Problem": err})
}

// finish redeems the code that Acme Notes sent, and returns the answer of its API.
func (w wiki) finish(r *http.Request) (notes string, err error) {
	cookie, err := r.Cookie("wiki_start")
	if err != nil {
		return "", err
	}
	state, verifier, _ := strings.Cut(cookie.Value, ".")
	answer := r.URL.Query()
	if answer.Get("state") != state || answer.Get("iss") != w.acme {
		return "", errors.New("the answer belongs to another sign-in")
	}
	if answer.Has("error") {
		return "", errors.New(answer.Get("error_description"))
	}
	token, err := w.Exchange(r.Context(), answer.Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(r.Context(), http.MethodGet, w.acme+"/api/notes", nil)
	if err != nil {
		return "", err
	}
	response, err := w.Client(r.Context(), token).Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
