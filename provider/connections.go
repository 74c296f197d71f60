package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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
// [Provider.IssueToken]. To end one, call [Provider.RevokeGrants] with the user
// and the application.
func (p *Provider) ListConnections(ctx context.Context, userID string) ([]pages.Connection, error) {
	if userID == "" {
		return nil, nil
	}
	connected, err := p.records.connected(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("provider: list connections: %w", err)
	}
	connections := make([]pages.Connection, 0, len(connected))
	for id, c := range connected {
		app, err := p.records.findApplication(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // It has been deleted, and can do nothing any more.
		} else if err != nil {
			return nil, fmt.Errorf("provider: list connections: %w", err)
		}
		if len(app.RedirectURIs) == 0 && !c.agreed {
			continue // It is for tokens of IssueToken, which the user has from the host and not from it.
		}
		connections = append(connections, pages.Connection{
			Application: p.pageApplication(app), Scopes: p.pageScopes(c.scopes), Since: c.since, LastUsed: c.lastUsed,
		})
	}
	slices.SortFunc(connections, func(a, b pages.Connection) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.Application.ID, b.Application.ID))
	})
	return connections, nil
}

// connected is what a user's live grants and consent say of one application.
type connected struct {
	scopes          scopes.Set
	since, lastUsed time.Time
	agreed          bool // on a page
}

// note adds what a grant or consent gives, and since when.
func (c *connected) note(set scopes.Set, since time.Time, agreed bool) {
	c.scopes = c.scopes.Union(set)
	if c.since.IsZero() || since.Before(c.since) {
		c.since = since
	}
	c.agreed = c.agreed || agreed
}

// connected returns the applications that a user is signed in to, by their IDs:
// those with a live grant. A consent alone lets an application in when the user
// comes from there again, and tells when they came first.
func (k records) connected(ctx context.Context, userID string) (map[string]*connected, error) {
	grants, _, err := k.listGrants(ctx, store.Query{Kind: store.KindGrant, UserID: userID, Limit: listBatch}, listBatch*maxBatches)
	if err != nil {
		return nil, err
	}
	found := map[string]*connected{}
	for i := range grants {
		g := &grants[i]
		c := found[g.ApplicationID]
		if c == nil {
			c = &connected{}
			found[g.ApplicationID] = c
		}
		c.note(g.Scopes, g.CreatedAt, !g.AgreedAt.IsZero())
		if g.LastUsedAt.After(c.lastUsed) {
			c.lastUsed = g.LastUsedAt
		}
	}
	consents := store.Query{Kind: store.KindConsent, UserID: userID, Limit: listBatch}
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
			if c := found[d.ApplicationID]; c != nil {
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
// who are not signed in are sent to Config.SignIn first.
func (p *Provider) ConnectionsHandler() http.Handler {
	return p.handler(endpoint{name: "connections", methods: pageMethods, serve: (*call).serveConnections, refuse: (*call).errorPage})
}

const (
	applicationField  = "application"  // of the form: which to disconnect
	disconnectedField = "disconnected" // of the page that comes afterwards
)

func (c *call) serveConnections() *Error {
	query := c.r.URL.Query()
	v, e := c.visit(c.issuer.Path+c.cfg.Paths.Connections, url.Values{signInAfter: query[signInAfter]})
	switch {
	case e != nil:
		return e
	case v.anonymous():
		return v.signIn(SignInRequest{})
	case c.r.Method == http.MethodPost:
		return v.disconnect()
	}
	return v.connectionsPage(query.Get(disconnectedField))
}

func (v *visit) connectionsPage(notice string) *Error {
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
	disconnected := v.openNotice(disconnectedField, userID, notice)
	for _, c := range connections {
		if c.Application.ID == disconnected {
			disconnected = "" // It has been connected again.
		}
	}
	if disconnected != "" {
		// A name that cannot be found is not worth an error.
		if app, err := v.records.findApplication(v.context(), disconnected); err == nil {
			page.Disconnected = app.Name
		}
	}
	v.pages.Connections(v.w, v.r, page)
	return nil
}

// disconnect takes back what the user gave an application, and shows the page
// again.
func (v *visit) disconnect() *Error {
	fields, e := readForm(v.w, v.r, []string{applicationField, sealField})
	if e != nil {
		return e
	}
	userID, id := v.session.UserID, fields.Get(applicationField)
	sent, e := v.openForm(fields.Get(sealField), "connections", userID)
	afterwards := func(cookie formCookie) string {
		return withQuery(v.path, url.Values{disconnectedField: {sealNotice(cookie, disconnectedField, userID, id)}})
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
	if err := v.RevokeGrants(v.context(), GrantFilter{UserID: userID, ApplicationID: id}); err != nil {
		return unavailable("store", err)
	}
	v.answerForm(sent)
	seeOther(v.w, afterwards(sent.cookie))
	return nil
}
