package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// ConnectionsHandler serves the page of connected applications. The signed-in
// user sees the applications that have access to their account, and can remove
// one or end one of its sign-ins. Other visitors are sent to Config.SignIn
// first.
func (p *Provider) ConnectionsHandler() http.Handler {
	return p.handler(endpoint{name: "connections", methods: pageMethods, serve: (*call).serveConnections, refuse: (*call).errorPage})
}

const (
	applicationField  = "application"  // in the form: the application to disconnect, with workspaceParam the workspace
	signInField       = "sign_in"      // in the form: the sign-in to end
	disconnectedField = "disconnected" // in the query of the page after that
	signedOutField    = "signed_out"   // likewise
	fromField         = "from"         // in the query: how many connections come before this page

	connectionsShown = 50 // per page
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
	connections, err := v.connections(v.context(), store.Query{UserID: userID})
	if err != nil {
		return unavailable("store", err)
	}
	if err := v.nameWorkspaces(v.context(), userID, connections); err != nil {
		return unavailable("Config.Workspaces", err)
	}
	page := pages.Connections{User: pageUser(user, userID), Connections: connections, FormAction: v.path,
		FormFields: []pages.Field{{Name: sealField, Value: v.sealForm(userID, "connections", userID)}}}
	disconnected, workspaceID, _ := strings.Cut(v.openNotice(disconnectedField, userID, query.Get(disconnectedField)), " ")
	for _, c := range connections {
		if c.Application.ID == disconnected && c.Workspace.ID == workspaceID {
			disconnected = "" // It was connected again.
		}
	}
	page.Disconnected = v.noticed(disconnected)
	if page.Disconnected.Name != "" && workspaceID != "" {
		// As above, its ID stands for its name.
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

// noticed returns the application that a notice on the page names. If it can't
// be found, the notice is left out; that isn't worth an error.
func (v *visit) noticed(id string) (shown pages.Application) {
	if id == "" {
		return shown
	}
	if app, err := v.records.findApplication(v.context(), id); err == nil {
		shown = v.pageApplication(app)
	}
	return shown
}

// answerConnections handles a form of the page: it disconnects an application,
// in the workspace if the form names one, or ends one sign-in. Then it shows
// the page again.
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
		// A second click. The page shows what the first one did.
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

// endSignIn ends one sign-in of the user, to whom the form belongs unless e is
// set. If it has already ended, the page shows what is left.
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

// endConnection ends what one row of the page shows. A cut-off without a
// workspace covers all workspaces. So if the application acts for some, and for
// the user alone too, endConnection ends the grants of the user alone one by
// one.
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

// withdrawConsent withdraws everything that a user has agreed to.
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
