package provider

import (
	"cmp"
	"context"
	"crypto/hmac"
	"encoding/base64"
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

// Connection is an application that a user has given access.
type Connection struct {
	Application pages.Application
	Scopes      scopes.Set // all that was ever granted
	Since       time.Time  // when access was given first
	LastUsed    time.Time  // when the user last signed in there, or the application last refreshed
}

// ListConnections returns the applications that a user has given access, most
// recently used first, for a page of the host's own; [Provider.ConnectionsHandler]
// is one that is ready. Applications that only have tokens of
// [Provider.IssueToken] are not among them. To end one, call [Provider.RevokeGrants] with the user
// and the application.
func (p *Provider) ListConnections(ctx context.Context, userID string) ([]Connection, error) {
	if userID == "" {
		return nil, nil
	}
	connected, err := p.connected(ctx, userID)
	if err != nil {
		return nil, fmt.Errorf("provider: list connections: %w", err)
	}
	connections := make([]Connection, 0, len(connected))
	for id, c := range connected {
		app, err := p.findApplication(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue // It has been deleted, and can do nothing any more.
		} else if err != nil {
			return nil, fmt.Errorf("provider: list connections: %w", err)
		}
		if len(app.RedirectURIs) == 0 && !c.agreed {
			continue // It is for tokens of IssueToken, which the user has from the host and not from it.
		}
		c.Application = p.pageApplication(app)
		connections = append(connections, c.Connection)
	}
	slices.SortFunc(connections, func(a, b Connection) int {
		return cmp.Or(b.LastUsed.Compare(a.LastUsed), cmp.Compare(a.Application.ID, b.Application.ID))
	})
	return connections, nil
}

// connected is what a user's consents and live grants say of one application.
type connected struct {
	Connection
	agreed bool // on a page
}

// connected returns what the user has given to applications, by their IDs.
func (p *Provider) connected(ctx context.Context, userID string) (map[string]*connected, error) {
	found := map[string]*connected{}
	note := func(applicationID string, set scopes.Set, since, used time.Time, agreed bool) {
		c := found[applicationID]
		if c == nil {
			c = &connected{Connection: Connection{Since: since}}
			found[applicationID] = c
		}
		c.Scopes = c.Scopes.Union(set)
		if since.Before(c.Since) {
			c.Since = since
		}
		if used.After(c.LastUsed) {
			c.LastUsed = used
		}
		c.agreed = c.agreed || agreed
	}
	consents := store.Query{Kind: store.KindConsent, UserID: userID, Limit: listBatch}
	for range maxBatches {
		documents, next, err := p.records.list(ctx, consents)
		if err != nil {
			return nil, err
		}
		for i := range documents {
			d := &documents[i]
			c, err := rules.ReadConsent(d, d.Seen)
			if err != nil {
				return nil, err
			}
			note(d.ApplicationID, c.ScopeSet(), d.CreatedAt, d.LastUsedAt, true)
		}
		if consents.After = next; next.IsZero() {
			break
		}
	}
	grants, _, err := p.listGrants(ctx, store.Query{Kind: store.KindGrant, UserID: userID, Limit: listBatch}, listBatch*maxBatches)
	for i := range grants {
		g := &grants[i]
		note(g.ApplicationID, g.Scopes, g.CreatedAt, g.LastUsedAt, !g.AgreedAt.IsZero())
	}
	return found, err
}

// ConnectionsHandler serves the page on which the signed-in user sees the
// applications that have access to their account, and takes it back. Visitors
// who are not signed in are sent to Config.SignIn first.
func (p *Provider) ConnectionsHandler() http.Handler {
	return p.watched(endpointConnections, p.serveConnections)
}

const (
	endpointConnections = "connections"

	applicationField  = "application"  // of the form: which to disconnect
	disconnectedField = "disconnected" // of the page that comes afterwards
)

func (p *Provider) serveConnections(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		methodNotAllowed(w, r, "GET, POST")
		return
	}
	path := p.issuer.Path + p.cfg.Paths.Connections
	session, e := p.currentUser(r)
	switch {
	case e != nil:
	case session.UserID != "" && r.Method == http.MethodGet:
		e = p.connectionsPage(w, r, path, session.UserID)
	case session.UserID != "":
		e = p.disconnect(w, r, path, session.UserID)
	case p.sentToSignIn(r.URL.Query(), loopTime):
		e = notSignedIn(path)
	default:
		w.Header().Set("Cache-Control", "no-store")
		p.cfg.SignIn(w, r, SignInRequest{ReturnTo: path + "?" + url.Values{signInAfter: {p.signInMark()}}.Encode()})
	}
	if e != nil {
		p.errorPage(w, r, endpointConnections, e)
	}
}

func (p *Provider) connectionsPage(w http.ResponseWriter, r *http.Request, path, userID string) *Error {
	user, e := p.findUser(r.Context(), userID)
	if e != nil {
		return e
	}
	connections, err := p.ListConnections(r.Context(), userID)
	if err != nil {
		return unavailable("store", err)
	}
	page := pages.Connections{User: pageUser(user, userID), FormAction: path,
		FormFields: []pages.Field{{Name: sealField, Value: p.sealForm(w, r, userID, endpointConnections, userID)}}}
	disconnected := p.openNotice(r, disconnectedField, userID, r.URL.Query().Get(disconnectedField))
	for _, c := range connections {
		if c.Application.ID == disconnected {
			disconnected = "" // It has been connected again.
		}
		page.Connections = append(page.Connections, pages.Connection{
			Application: c.Application, Scopes: p.pageScopes(c.Scopes), Since: c.Since, LastUsed: c.LastUsed,
		})
	}
	if disconnected != "" {
		// A name that cannot be found is not worth an error.
		if app, err := p.findApplication(r.Context(), disconnected); err == nil {
			page.Disconnected = app.Name
		}
	}
	p.pages.Connections(w, r, page)
	return nil
}

// disconnect takes back what the user gave an application, and shows the page
// again.
func (p *Provider) disconnect(w http.ResponseWriter, r *http.Request, path, userID string) *Error {
	form, e := readForm(w, r, []string{applicationField, sealField})
	if e != nil {
		return e
	}
	sent, e := p.openForm(r, form.Get(sealField), endpointConnections, userID)
	id := form.Get(applicationField)
	afterwards := func(c formCookie) string {
		return path + "?" + url.Values{disconnectedField: {sealNotice(c, disconnectedField, userID, id)}}.Encode()
	}
	if e != nil && errors.Is(e, errAnswered) {
		// The second click of two. The page says what became of the first.
		p.refused(r.Context(), endpointConnections, e)
		cookie, _ := p.readFormCookie(r) // It was read just now.
		seeOther(w, afterwards(cookie))
		return nil
	}
	if e == nil && id == "" {
		e = errStaleForm(errors.New("the form names no application"))
	}
	if e != nil {
		e.retryURL = path
		return e
	}
	if err := p.RevokeGrants(r.Context(), GrantFilter{UserID: userID, ApplicationID: id}); err != nil {
		return unavailable("store", err)
	}
	p.answerForm(w, sent)
	seeOther(w, afterwards(sent.cookie))
	return nil
}

// sealNotice is what the address says after something was done to an
// application. It is sealed, so that a link cannot make the page say so.
func sealNotice(c formCookie, what, userID, id string) string {
	seal := sealOf(c.key, store.ID{}, []string{what, userID, id})
	return base64.RawURLEncoding.EncodeToString(seal[:16]) + id
}

// openNotice returns the application of a notice, or "" if it is another one or
// none.
func (p *Provider) openNotice(r *http.Request, what, userID, text string) string {
	cookie, err := p.readFormCookie(r)
	const sealSize = 22 // 16 bytes as text
	if err != nil || len(text) <= sealSize {
		return ""
	}
	if id := text[sealSize:]; hmac.Equal([]byte(text), []byte(sealNotice(cookie, what, userID, id))) {
		return id
	}
	return ""
}
