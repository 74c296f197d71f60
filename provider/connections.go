package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// ListConnections returns the applications that a user is signed in to, most
// recently used first. Use it for a custom page; [Provider.ConnectionsHandler]
// is a ready one. An application that acts for several workspaces is listed
// once for each.
//
// It leaves out an application whose tokens have all ended, even if the user
// need not agree again, and one that only has tokens of [Provider.IssueToken].
//
// To end a connection, call [Provider.RevokeGrants] with the user, the
// application, and the workspace if there is one. Without a workspace, it ends
// everything that the user has given the application.
func (p *Provider) ListConnections(ctx context.Context, userID string) ([]pages.Connection, error) {
	if userID == "" {
		return nil, nil
	}
	connections, err := p.connections(ctx, store.Query{UserID: userID})
	if err != nil {
		return nil, fmt.Errorf("provider: list connections: %w", err)
	}
	if err := p.nameWorkspaces(ctx, userID, connections); err != nil {
		return nil, fmt.Errorf("provider: list connections: Config.Workspaces: %w", err)
	}
	return connections, nil
}

// ListWorkspaceConnections returns the applications that are connected to a
// workspace, for its administrators. Each is listed once for each user who lets
// it act there, as in [Provider.ListConnections]. To end one, call
// [Provider.RevokeGrants] with the workspace, the user, and the application; to
// end all, with the workspace alone.
//
// It reads the newest 2,000 sign-ins. [Provider.ListGrants] lists all of them,
// page by page.
func (p *Provider) ListWorkspaceConnections(ctx context.Context, workspaceID string) ([]pages.Connection, error) {
	if workspaceID == "" {
		return nil, nil
	}
	connections, err := p.connections(ctx, store.Query{WorkspaceID: workspaceID})
	if err != nil {
		return nil, fmt.Errorf("provider: list workspace connections: %w", err)
	}
	return connections, nil
}

// connections returns the connections of the documents that match the query.
func (p *Provider) connections(ctx context.Context, q store.Query) ([]pages.Connection, error) {
	connected, err := p.records.connected(ctx, q)
	if err != nil {
		return nil, err
	}
	connections := make([]pages.Connection, 0, len(connected))
	applications := map[string]store.Application{}
	for key, c := range connected {
		app, known := applications[key.ApplicationID]
		if !known {
			app, err = p.records.findApplication(ctx, key.ApplicationID)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return nil, err
			}
			applications[key.ApplicationID] = app
		}
		switch {
		case app.ID == "": // It was deleted, and can't do anything anymore.
		case len(app.RedirectURIs) == 0 && !c.agreed: // It only has tokens of IssueToken, which the user got from the host.
		default:
			shown := pages.Connection{UserID: key.UserID, Application: p.pageApplication(app), Scopes: p.pageScopes(c.scopes), Since: c.since, LastUsed: c.lastUsed,
				SignIns: c.signIns, SignInCount: c.count}
			if key.WorkspaceID != "" {
				shown.Workspace = pages.Workspace{ID: key.WorkspaceID, Name: key.WorkspaceID}
			}
			connections = append(connections, shown)
		}
	}
	slices.SortFunc(connections, func(a, b pages.Connection) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.Application.ID, b.Application.ID), cmp.Compare(a.Workspace.ID, b.Workspace.ID),
			cmp.Compare(a.UserID, b.UserID))
	})
	return connections, nil
}

// nameWorkspaces asks the host for the names of the workspaces of a user's
// connections, if there are any. A workspace that the user has left shows its
// ID.
func (p *Provider) nameWorkspaces(ctx context.Context, userID string, connections []pages.Connection) error {
	inWorkspace := func(c pages.Connection) bool { return c.Workspace.ID != "" }
	if p.cfg.Workspaces == nil || !slices.ContainsFunc(connections, inWorkspace) {
		return nil
	}
	list, err := p.workspacesOf(ctx, userID)
	if err != nil {
		return err
	}
	known := make(map[string]pages.Workspace, len(list))
	for _, w := range list {
		known[w.ID] = w.onPage()
	}
	for i, c := range connections {
		if w, ok := known[c.Workspace.ID]; ok {
			connections[i].Workspace = w
		}
	}
	return nil
}

// connected combines the live grants and the consent of one application, in one
// workspace if it acts for one.
type connected struct {
	scopes          scopes.Set
	since, lastUsed time.Time
	agreed          bool           // on a page
	signIns         []pages.SignIn // the newest ones
	count           int            // of all sign-ins
}

// maxSignIns is how many sign-ins of a connection are listed.
const maxSignIns = 20

// noteSignIn adds a live sign-in. They come newest first.
func (c *connected) noteSignIn(g *Grant) {
	c.note(g.Scopes, g.CreatedAt, !g.AgreedAt.IsZero())
	if g.LastUsedAt.After(c.lastUsed) {
		c.lastUsed = g.LastUsedAt
	}
	if c.count++; c.count <= maxSignIns {
		c.signIns = append(c.signIns, pages.SignIn{ID: g.ID.String(), Since: g.CreatedAt, LastUsed: g.LastUsedAt})
	}
}

// note adds the scopes of a grant or consent, and its start.
func (c *connected) note(set scopes.Set, since time.Time, agreed bool) {
	c.scopes = c.scopes.Union(set)
	if c.since.IsZero() || since.Before(c.since) {
		c.since = since
	}
	c.agreed = c.agreed || agreed
}

// connected returns the connections of the documents that match a query: every
// application with a live grant. A consent alone doesn't connect an
// application, but tells when the connection began.
func (k records) connected(ctx context.Context, q store.Query) (map[store.CutKey]*connected, error) {
	q.Kind, q.Limit = store.KindGrant, listBatch
	grants, _, err := k.listGrants(ctx, q, listBatch*maxBatches)
	if err != nil {
		return nil, err
	}
	found := map[store.CutKey]*connected{}
	for i := range grants {
		g := &grants[i]
		key := store.CutKey{UserID: g.UserID, ApplicationID: g.ApplicationID, WorkspaceID: g.WorkspaceID}
		c := found[key]
		if c == nil {
			c = &connected{}
			found[key] = c
		}
		c.noteSignIn(g)
	}
	consents := q
	consents.Kind = store.KindConsent
	for range maxBatches {
		documents, next, err := k.list(ctx, consents)
		if err != nil {
			return nil, err
		}
		for i := range documents {
			d := &documents[i]
			consent, err := rules.ReadConsent(d, d.Seen)
			if err != nil {
				return nil, err
			}
			if c := found[d.Key()]; c != nil && len(consent.Answers()) > 0 {
				c.note(consent.ScopeSet(), d.CreatedAt, true)
			}
		}
		if consents.After = next; next.IsZero() {
			break
		}
	}
	return found, nil
}
