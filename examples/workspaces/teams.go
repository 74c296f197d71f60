package main

import (
	"context"
	_ "embed" // for the page
	"html/template"
	"net/http"
	"slices"
	"sync"

	"github.com/latchkey-go/latchkey/examples/internal/ui"
	"github.com/latchkey-go/latchkey/provider"
)

// team is a workspace of Acme Notes.
type team struct {
	id, name string
	notes    []string
}

// teams stands for the tables of teams and members in your database.
type teams struct {
	all []team

	mu      sync.Mutex
	members map[string][]string // the team IDs of each user
}

func newTeams() *teams {
	return &teams{
		all: []team{
			{"team_engine", "Analytical Engine", []string{"Oil the mill on Monday."}},
			{"team_weavers", "Weavers", []string{"Two hundred cards for the new pattern."}},
		},
		members: map[string][]string{"user_1815": {"team_engine", "team_weavers"}, "user_1906": {"team_engine"}},
	}
}

// list is provider.Workspaces.List. It returns the teams that a user may connect
// an application to.
func (ts *teams) list(_ context.Context, userID string) (list []provider.Workspace, err error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	for _, t := range ts.all {
		if slices.Contains(ts.members[userID], t.id) {
			list = append(list, provider.Workspace{ID: t.id, Name: t.name})
		}
	}
	return list, nil
}

// isMember is provider.Workspaces.Member.
func (ts *teams) isMember(_ context.Context, userID, teamID string) (bool, error) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return slices.Contains(ts.members[userID], teamID), nil
}

func (ts *teams) remove(userID, teamID string) {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	ts.members[userID] = slices.DeleteFunc(slices.Clone(ts.members[userID]), func(id string) bool { return id == teamID })
}

func (ts *teams) find(teamID string) (team, bool) {
	i := slices.IndexFunc(ts.all, func(t team) bool { return t.id == teamID })
	if i < 0 {
		return team{}, false
	}
	return ts.all[i], true
}

var (
	//go:embed teams.html
	teamsHTML string
	teamsPage = template.Must(template.New("teams").Parse(teamsHTML))
)

func (ts *teams) showTeams(w http.ResponseWriter, r *http.Request, userID string) {
	list, _ := ts.list(r.Context(), userID)
	ui.WritePage(w, http.StatusOK, teamsPage, "teams", list)
}
