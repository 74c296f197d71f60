package provider_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// membership is the host's own record of its workspaces.
type membership map[string][]string // the workspaces of each user

func (m membership) list(_ context.Context, userID string) ([]provider.Workspace, error) {
	var list []provider.Workspace
	for _, id := range m[userID] {
		list = append(list, provider.Workspace{ID: id, Name: "Team " + id})
	}
	return list, nil
}

func (m membership) has(_ context.Context, userID, workspaceID string) (bool, error) {
	return slices.Contains(m[userID], workspaceID), nil
}

// inWorkspace accepts a request if its token is for the workspace in its path.
func inWorkspace(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		token, ok := provider.TokenFromContext(r.Context())
		if !ok || token.WorkspaceID == "" || token.WorkspaceID != r.PathValue("workspace") {
			http.Error(w, "The token is not for this workspace.", http.StatusForbidden)
			return
		}
		next(w, r)
	}
}

// Let users choose the workspace that an application acts for.
func ExampleWorkspaces() {
	members, ctx := membership{"user_ada": {"red", "blue"}}, context.Background()
	cfg := goodConfig()
	cfg.Workspaces = &provider.Workspaces{List: members.list, Member: members.has}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "Wiki",
		RedirectURIs: []string{"https://wiki.example.com/callback"},
		Workspace:    store.WorkspaceRequired,
	})
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /workspaces/{workspace}/notes", p.Require("profile")(inWorkspace(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "the notes of the workspace")
	})))

	fmt.Println(app.Workspace)
	// Output: required
}

// Update the grants when a user leaves a workspace, and when a workspace is
// deleted, after the host has changed its own records.
func ExampleProvider_LeaveWorkspace() {
	p, ctx := exampleProvider(), context.Background()
	if err := p.LeaveWorkspace(ctx, "user_ada", "red"); err != nil {
		log.Fatal(err)
	}
	if err := p.EraseWorkspace(ctx, "blue"); err != nil {
		log.Fatal(err)
	}
	// Output:
}

// List the connected applications for the administrators of a workspace.
func ExampleProvider_ListWorkspaceConnections() {
	p, ctx := exampleProvider(), context.Background()
	connections, err := p.ListWorkspaceConnections(ctx, "red")
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range connections {
		fmt.Println(c.Application.Name, c.UserID, c.LastUsed)
	}

	// The button next to one of them:
	end := provider.GrantFilter{WorkspaceID: "red", UserID: "user_ada", ApplicationID: "oa_1"}
	if err := p.RevokeGrants(ctx, end); err != nil {
		log.Fatal(err)
	}
	// Output:
}
