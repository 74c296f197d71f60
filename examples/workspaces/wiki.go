package main

import (
	"context"
	"crypto/rand"
	_ "embed" // for the page
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"sync"

	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/ui"
)

// wiki is an app that reads the notes of a team. It works with any provider.
type wiki struct {
	issuer string
	oauth  oauth2.Config

	mu       sync.Mutex
	sessions map[string]*oauth2.Token // by the value of their cookie
}

func newWiki(issuer, address string, c client) http.Handler {
	w := &wiki{issuer: issuer, sessions: map[string]*oauth2.Token{}, oauth: oauth2.Config{
		ClientID: c.id, ClientSecret: c.secret, RedirectURL: address + "/callback", Scopes: []string{"profile", "notes:read"},
		Endpoint: oauth2.Endpoint{AuthURL: issuer + "/oauth/authorize", TokenURL: issuer + "/oauth/token"},
	}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", w.home)
	mux.HandleFunc("GET /login", w.login)
	mux.HandleFunc("GET /callback", w.callback)
	mux.HandleFunc("GET /style.css", ui.ServeStyle)
	return mux
}

// login redirects the browser to Acme.
func (w *wiki) login(rw http.ResponseWriter, r *http.Request) {
	state, verifier := rand.Text()+rand.Text(), oauth2.GenerateVerifier()
	for name, value := range map[string]string{"wiki_state": state, "wiki_verifier": verifier} {
		http.SetCookie(rw, &http.Cookie{Name: name, Value: value, Path: "/callback", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	}
	// To request a particular team, Wiki could add the parameter workspace.
	http.Redirect(rw, r, w.oauth.AuthCodeURL(state, oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("prompt", "consent")), http.StatusSeeOther)
}

// callback is the redirect URI.
func (w *wiki) callback(rw http.ResponseWriter, r *http.Request) {
	state, _ := r.Cookie("wiki_state")
	verifier, _ := r.Cookie("wiki_verifier")
	if state == nil || verifier == nil || r.FormValue("state") != state.Value {
		ui.WritePage(rw, http.StatusBadRequest, wikiPage, "wiki", view{Message: "This sign-in didn't begin in this browser. Try again."})
		return
	}
	token, err := w.oauth.Exchange(r.Context(), r.FormValue("code"), oauth2.VerifierOption(verifier.Value))
	if err != nil {
		log.Printf("wiki: %q", err.Error()) //nolint:gosec // %q keeps it on one line.
		ui.WritePage(rw, http.StatusForbidden, wikiPage, "wiki", view{Message: "Acme Notes didn't grant access."})
		return
	}
	id := rand.Text()
	w.mu.Lock()
	w.sessions[id] = token
	w.mu.Unlock()
	http.SetCookie(rw, &http.Cookie{Name: "wiki_session", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

var (
	//go:embed wiki.html
	wikiHTML string
	wikiPage = ui.Wiki(wikiHTML)
)

// view is what the page shows.
type view struct {
	Name    string
	Answers []string
	Issuer  string
	Message string
}

// home reads the notes of both teams from Acme's API. The token is for one team.
func (w *wiki) home(rw http.ResponseWriter, r *http.Request) {
	shown := view{Issuer: w.issuer}
	if cookie, err := r.Cookie("wiki_session"); err == nil {
		w.mu.Lock()
		token := w.sessions[cookie.Value]
		w.mu.Unlock()
		var user struct {
			Name      string `json:"name"`
			Workspace string `json:"workspace_id"` // the team of the token
		}
		if status := w.get(r.Context(), token, "/oauth/userinfo", &user); status != http.StatusOK {
			shown.Answers = append(shown.Answers, fmt.Sprintf("Acme Notes has ended the access: %d.", status))
		}
		for _, team := range []string{"team_engine", "team_weavers"} {
			var notes []string
			status := w.get(r.Context(), token, "/api/teams/"+team+"/notes", &notes)
			shown.Answers = append(shown.Answers, fmt.Sprintf("The notes of %s: %d %v", team, status, notes))
		}
		shown.Name = user.Name
	}
	ui.WritePage(rw, http.StatusOK, wikiPage, "wiki", shown)
}

// get calls Acme's API and returns the status.
func (w *wiki) get(ctx context.Context, token *oauth2.Token, path string, into any) int {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.issuer+path, nil)
	if err != nil {
		return http.StatusInternalServerError
	}
	answer, err := w.oauth.Client(ctx, token).Do(r)
	if err != nil {
		return http.StatusUnauthorized // The token couldn't be refreshed.
	}
	defer answer.Body.Close()
	if answer.StatusCode == http.StatusOK && json.NewDecoder(answer.Body).Decode(into) != nil {
		return http.StatusBadGateway
	}
	return answer.StatusCode
}
