package main

import (
	"context"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"sync"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// team is a workspace of Acme Notes.
type team struct {
	id, name string
	notes    []string
}

// host is Acme Notes with teams. Yours has them in its database.
type host struct {
	acme  *acme.Host
	teams []team

	mu      sync.Mutex
	members map[string][]string // the teams of each user
}

func newHost(issuer string) (*host, error) {
	h := &host{
		teams: []team{
			{"team_engine", "Analytical Engine", []string{"Oil the mill on Monday."}},
			{"team_weavers", "Weavers", []string{"Two hundred cards for the new pattern."}},
		},
		members: map[string][]string{"user_1815": {"team_engine", "team_weavers"}, "user_1906": {"team_engine"}},
	}
	var err error
	h.acme, err = acme.New(provider.Config{
		Issuer:     issuer,
		Store:      memory.New(),
		Workspaces: &provider.Workspaces{List: h.list, Member: h.isMember},
	})
	return h, err
}

// list returns the teams for which a user may let an application act.
func (h *host) list(_ context.Context, userID string) (list []provider.Workspace, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, t := range h.teams {
		if slices.Contains(h.members[userID], t.id) {
			list = append(list, provider.Workspace{ID: t.id, Name: t.name})
		}
	}
	return list, nil
}

func (h *host) isMember(_ context.Context, userID, teamID string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Contains(h.members[userID], teamID), nil
}

func (h *host) remove(userID, teamID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members[userID] = slices.DeleteFunc(slices.Clone(h.members[userID]), func(id string) bool { return id == teamID })
}

// handler is the routes of Acme Notes.
func (h *host) handler() http.Handler {
	mux := http.NewServeMux()
	h.acme.Mount(mux)
	mux.Handle("GET /teams", h.acme.Page(h.showTeams))
	mux.Handle("POST /teams/{team}/leave", h.acme.Page(h.leave))
	mux.Handle("GET /api/teams/{team}/notes", h.acme.Provider.Require("notes:read")(http.HandlerFunc(h.notes)))
	return mux
}

// notes is the API: the notes of a team, for a token that is for this team.
func (h *host) notes(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context()) // Require has put it there.
	teamID := r.PathValue("team")
	if token.WorkspaceID == "" || token.WorkspaceID != teamID {
		http.Error(w, "The token is not for this team.", http.StatusForbidden)
		return
	}
	for _, t := range h.teams {
		if t.id == teamID {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(t.notes)
			return
		}
	}
	http.NotFound(w, r)
}

// leave takes a user out of a team, and everything that they have connected to it
// with them.
func (h *host) leave(w http.ResponseWriter, r *http.Request, userID string) {
	teamID := r.PathValue("team")
	h.remove(userID, teamID) // First, so that nothing can be connected anew.
	if err := h.acme.Provider.LeaveWorkspace(r.Context(), userID, teamID); err != nil {
		http.Error(w, "Try again.", http.StatusServiceUnavailable)
		return
	}
	http.Redirect(w, r, "/teams", http.StatusSeeOther)
}

var teamsPage = template.Must(template.New("").Parse(`<!DOCTYPE html><html lang="en"><meta name="viewport" content="width=device-width"><title>Your teams</title>
<style>body{font:1.1rem/1.5 system-ui;max-width:34rem;margin:3rem auto;padding:0 1rem}button{font:inherit}</style>
<main><h1>Your teams</h1>
{{range .}}<form method="post" action="/teams/{{.ID}}/leave"><p>{{.Name}} <button>Leave {{.Name}}</button></p></form>
{{else}}<p>You are in no team.</p>{{end}}
<p><a href="/oauth/connections">Connected applications</a></p></main>`))

func (h *host) showTeams(w http.ResponseWriter, r *http.Request, userID string) {
	list, _ := h.list(r.Context(), userID)
	teamsPage.Execute(w, list)
}

// client is what Wiki is told about itself.
type client struct{ id, secret string }

// registerWiki makes Wiki known to Acme Notes. It acts for teams only.
func registerWiki(ctx context.Context, p *provider.Provider, wikiURL string) (client, error) {
	app, secret, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{wikiURL + "/callback"},
		Scopes:       []string{"profile", "notes:read"},
		Workspace:    store.WorkspaceRequired,
	})
	return client{app.ClientID, secret.Reveal()}, err
}
