package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// ListConnections returns the applications that a user is signed in to, most
// recently used first, for a page of the host's own; [Provider.ConnectionsHandler]
// is one that is ready. One that has given its last token back, or let it
// expire, is not among them, even if the user need not be asked when it comes
// again, and neither are applications that only have tokens of
// [Provider.IssueToken]. An application that acts for several workspaces is there
// once for each. To end one, call [Provider.RevokeGrants] with the user, the
// application, and the workspace if there is one; without a workspace, it ends all
// that the user has given the application.
func (p *Provider) ListConnections(ctx context.Context, userID string) ([]pages.Connection, error) {
	if userID == "" {
		return nil, nil
	}
	connections, err := p.connections(ctx, store.Query{UserID: userID})
	if err == nil {
		err = p.nameWorkspaces(ctx, userID, connections)
	}
	if err != nil {
		return nil, fmt.Errorf("provider: list connections: %w", err)
	}
	return connections, nil
}

// ListWorkspaceConnections returns what is connected to a workspace, for its
// administrators: each application with each user who lets it act there, as
// [Provider.ListConnections] does for one user. To end one, call
// [Provider.RevokeGrants] with the workspace, the user, and the application; to end
// all, with the workspace alone.
//
// It looks at the newest 2,000 sign-ins. [Provider.ListGrants] lists all of them,
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

// connections are those of the documents that the query is for.
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
		case app.ID == "": // It has been deleted, and can do nothing any more.
		case len(app.RedirectURIs) == 0 && !c.agreed: // It is for tokens of IssueToken, which the user has from the host and not from it.
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

// nameWorkspaces asks the host what the workspaces of a user's connections are
// called, if there are any. One that the user has left keeps its ID for a name.
func (p *Provider) nameWorkspaces(ctx context.Context, userID string, connections []pages.Connection) error {
	inWorkspace := func(c pages.Connection) bool { return c.Workspace.ID != "" }
	if p.cfg.Workspaces == nil || !slices.ContainsFunc(connections, inWorkspace) {
		return nil
	}
	list, err := p.workspacesOf(ctx, userID)
	if err != nil {
		return fmt.Errorf("Config.Workspaces: %w", err)
	}
	for i := range connections {
		for _, w := range list {
			if w.ID == connections[i].Workspace.ID {
				connections[i].Workspace = w.onPage()
			}
		}
	}
	return nil
}

// connected is what live grants and a consent say of one application, in one
// workspace if it acts for one.
type connected struct {
	scopes          scopes.Set
	since, lastUsed time.Time
	agreed          bool           // on a page
	signIns         []pages.SignIn // the newest of them
	count           int            // of them all
}

// maxSignIns is how many sign-ins of a connection are listed, and
// connectionsShown how many connections the page shows at once.
const (
	maxSignIns       = 20
	connectionsShown = 50
)

// noteSignIn adds a sign-in that lives. They come newest first.
func (c *connected) noteSignIn(g *Grant) {
	c.note(g.Scopes, g.CreatedAt, !g.AgreedAt.IsZero())
	if g.LastUsedAt.After(c.lastUsed) {
		c.lastUsed = g.LastUsedAt
	}
	if c.count++; c.count <= maxSignIns {
		c.signIns = append(c.signIns, pages.SignIn{ID: g.ID.String(), Since: g.CreatedAt, LastUsed: g.LastUsedAt})
	}
}

// note adds what a grant or consent gives, and since when.
func (c *connected) note(set scopes.Set, since time.Time, agreed bool) {
	c.scopes = c.scopes.Union(set)
	if c.since.IsZero() || since.Before(c.since) {
		c.since = since
	}
	c.agreed = c.agreed || agreed
}

// connected returns what is connected by the documents that a query is for: what
// has a live grant. A consent alone lets an application in when the user
// comes from there again, and tells when they came first.
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

// ConnectionsHandler serves the page on which the signed-in user sees the
// applications that have access to their account, and takes it back. Visitors
// who are not signed in are sent to Config.SignIn first. Users can also end one
// of the sign-ins of an application.
func (p *Provider) ConnectionsHandler() http.Handler {
	return p.handler(endpoint{name: "connections", methods: pageMethods, serve: (*call).serveConnections, refuse: (*call).errorPage})
}

const (
	applicationField  = "application"  // of the form: which to disconnect; with workspaceParam, for which workspace
	signInField       = "sign_in"      // of the form: which sign-in to end
	disconnectedField = "disconnected" // of the page that comes afterwards
	signedOutField    = "signed_out"   // the same
	fromField         = "from"         // of the page: how many connections come before it
)

func (c *call) serveConnections() *Error {
	query := c.r.URL.Query()
	v, e := c.visit(c.connectionsPath(), url.Values{signInAfter: query[signInAfter]})
	switch {
	case e != nil:
		return e
	case v.anonymous():
		return v.signIn(SignInRequest{})
	case c.r.Method == http.MethodPost:
		return v.answerConnections()
	}
	return v.connectionsPage(query)
}

func (v *visit) connectionsPage(query url.Values) *Error {
	userID := v.session.UserID
	user, e := v.findUser(userID)
	if e != nil {
		return e
	}
	connections, err := v.ListConnections(v.context(), userID)
	if err != nil {
		return unavailable("store", err)
	}
	page := pages.Connections{User: pageUser(user, userID), Connections: connections, FormAction: v.path,
		FormFields: []pages.Field{{Name: sealField, Value: v.sealForm(userID, "connections", userID)}}}
	disconnected, workspaceID, _ := strings.Cut(v.openNotice(disconnectedField, userID, query.Get(disconnectedField)), " ")
	for _, c := range connections {
		if c.Application.ID == disconnected && c.Workspace.ID == workspaceID {
			disconnected = "" // It has been connected again.
		}
	}
	page.Disconnected = v.noticed(disconnected)
	if page.Disconnected.Name != "" && workspaceID != "" {
		// As above: without its name, its ID does.
		ended := []pages.Connection{{Workspace: pages.Workspace{ID: workspaceID, Name: workspaceID}}}
		_ = v.nameWorkspaces(v.context(), userID, ended)
		page.DisconnectedFrom = ended[0].Workspace.Name
	}
	page.SignedOut = v.noticed(v.openNotice(signedOutField, userID, query.Get(signedOutField)))
	if from, err := strconv.Atoi(query.Get(fromField)); err == nil && from > 0 && from < len(connections) {
		page.Connections = connections[from:]
	}
	if rest := page.Connections; len(rest) > connectionsShown {
		page.Connections = rest[:connectionsShown]
		page.MoreURL = withQuery(v.path, url.Values{fromField: {strconv.Itoa(len(connections) - len(rest) + connectionsShown)}})
	}
	v.pages.Connections(v.w, v.r, page)
	return nil
}

// noticed is the application that a notice on the page names. One that can't be
// found is not worth an error.
func (v *visit) noticed(id string) (shown pages.Application) {
	if id == "" {
		return shown
	}
	if app, err := v.records.findApplication(v.context(), id); err == nil {
		shown = v.pageApplication(app)
	}
	return shown
}

// answerConnections takes a form of the page: to disconnect an application, in
// the workspace if one is named, or to end one sign-in. It then shows the page
// again.
func (v *visit) answerConnections() *Error {
	fields, e := readForm(v.w, v.r, []string{applicationField, workspaceParam, signInField, sealField})
	if e != nil {
		return e
	}
	userID, id, workspaceID := v.session.UserID, fields.Get(applicationField), fields.Get(workspaceParam)
	sent, e := v.openForm(fields.Get(sealField), "connections", userID)
	if fields.Has(signInField) {
		return v.endSignIn(fields.Get(signInField), sent, e)
	}
	ended := strings.TrimSuffix(id+" "+workspaceID, " ")
	afterwards := func(cookie formCookie) string {
		return withQuery(v.path, url.Values{disconnectedField: {sealNotice(cookie, disconnectedField, userID, ended)}})
	}
	if e != nil && errors.Is(e, errAnswered) {
		// The second click of two. The page says what became of the first.
		v.refused(e)
		cookie, _ := v.readFormCookie() // It was read just now.
		seeOther(v.w, afterwards(cookie))
		return nil
	}
	if e == nil && id == "" {
		e = errStaleForm(errors.New("the form names no application"))
	}
	if e != nil {
		e.retryURL = v.path
		return e
	}
	if err := v.endConnection(store.CutKey{UserID: userID, ApplicationID: id, WorkspaceID: workspaceID}); err != nil {
		return unavailable("store", err)
	}
	v.answerForm(sent)
	seeOther(v.w, afterwards(sent.cookie))
	return nil
}

// endSignIn ends one sign-in of the user, whose form it is unless e says
// otherwise. One that has ended already is no mistake: the page shows what is left.
func (v *visit) endSignIn(text string, sent *form, e *Error) *Error {
	if e != nil && errors.Is(e, errAnswered) {
		v.refused(e)
		seeOther(v.w, v.path)
		return nil
	}
	id, err := store.ParseID(text)
	if e == nil && err != nil {
		e = errStaleForm(errors.New("the form names no sign-in"))
	}
	if e != nil {
		e.retryURL = v.path
		return e
	}
	f := GrantFilter{ID: id, UserID: v.session.UserID}
	grants, err := v.records.findListed(v.context(), f)
	if err == nil && len(grants) > 0 {
		err = v.RevokeGrants(v.context(), f)
	}
	if err != nil {
		return unavailable("store", err)
	}
	v.answerForm(sent)
	after := url.Values{}
	if len(grants) > 0 {
		after.Set(signedOutField, sealNotice(sent.cookie, signedOutField, f.UserID, grants[0].ApplicationID))
	}
	seeOther(v.w, withQuery(v.path, after))
	return nil
}

// endConnection ends what is on one row of the page. A cut-off without a workspace
// covers all of them. So where the application acts for some, and for the user
// alone too, what it has of the user alone is taken back piece by piece.
func (v *visit) endConnection(key store.CutKey) error {
	ctx, f := v.context(), GrantFilter{UserID: key.UserID, ApplicationID: key.ApplicationID, WorkspaceID: key.WorkspaceID}
	if key.WorkspaceID != "" {
		return v.RevokeGrants(ctx, f)
	}
	connected, err := v.records.connected(ctx, store.Query{UserID: key.UserID, ApplicationID: key.ApplicationID})
	if err != nil {
		return err
	}
	delete(connected, key)
	if len(connected) == 0 {
		return v.RevokeGrants(ctx, f)
	}
	if err := v.records.withdrawConsent(ctx, key); err != nil {
		return err
	}
	for after, more := "", true; more; more = after != "" {
		var page []Grant
		if page, after, err = v.ListGrants(ctx, f, after, listBatch); err != nil {
			return err
		}
		for _, g := range page {
			if g.WorkspaceID != "" {
				continue
			}
			if err := v.RevokeGrants(ctx, GrantFilter{ID: g.ID, UserID: g.UserID}); err != nil {
				return err
			}
		}
	}
	return nil
}

// withdrawConsent takes back all that a user has agreed to.
func (k records) withdrawConsent(ctx context.Context, key store.CutKey) error {
	for range maxRounds {
		consent, err := k.findConsent(ctx, key)
		if err != nil || consent.Withdraw() == rules.Keep {
			return err
		}
		if err = k.keepConsent(ctx, &consent); !errors.Is(err, store.ErrConflict) {
			return err
		}
	}
	return errContended
}
