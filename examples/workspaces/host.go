package main

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// host is Acme Notes with teams.
type host struct {
	acme *acme.Host
	*teams
}

func newHost(issuer string) (*host, error) {
	h := &host{teams: newTeams()}
	var err error
	h.acme, err = acme.New(provider.Config{
		Issuer:     issuer,
		Store:      memory.New(),
		Workspaces: &provider.Workspaces{List: h.list, Member: h.isMember},
	})
	return h, err
}

// handler serves Acme Notes.
func (h *host) handler() http.Handler {
	mux := http.NewServeMux()
	h.acme.Mount(mux)
	mux.Handle("GET /teams", h.acme.Page(h.showTeams))
	mux.Handle("POST /teams/{team}/leave", h.acme.Page(h.leave))
	mux.Handle("GET /api/teams/{team}/notes", h.acme.Provider.Require("notes:read")(http.HandlerFunc(h.listNotes)))
	return mux
}

// listNotes is the API: the notes of a team, if the token is for this team.
func (h *host) listNotes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context()) // Require has checked the token.
	teamID := r.PathValue("team")
	if token.WorkspaceID == "" || token.WorkspaceID != teamID {
		http.Error(w, "The token is not for this team.", http.StatusForbidden)
		return
	}
	t, ok := h.find(teamID)
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(t.notes)
}

// leave removes a user from a team, and ends everything that they have connected
// to it.
func (h *host) leave(w http.ResponseWriter, r *http.Request, userID string) {
	teamID := r.PathValue("team")
	h.remove(userID, teamID) // First, so that the user can't connect anything new.
	if err := h.acme.Provider.LeaveWorkspace(r.Context(), userID, teamID); err != nil {
		http.Error(w, "Try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/teams", http.StatusSeeOther)
}

// client is Wiki's client ID and secret.
type client struct{ id, secret string }

// registerWiki registers Wiki, which acts only for teams.
func registerWiki(ctx context.Context, p *provider.Provider, wikiURL string) (client, error) {
	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{wikiURL + "/callback"},
		Scopes:       []string{"profile", "notes:read"},
		Workspace:    store.WorkspaceRequired,
	})
	return client{app.ClientID, secret.Reveal()}, err
}
