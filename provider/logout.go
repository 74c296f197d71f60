package provider

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// logoutParams are the parameters of OpenID Connect RP-Initiated Logout section
// 2. Latchkey ignores logout_hint and ui_locales, which are optional.
var (
	logoutParams = []string{"id_token_hint", "logout_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales"}
	logoutFields = append([]string{requestField, decisionField, sealField}, logoutParams...)
)

// LogoutHandler serves the page where applications send users to sign out
// (OpenID Connect RP-Initiated Logout 1.0). It ends only the visitor's session
// at the host, with OpenID.SignOut. Grants remain, so an application keeps its
// access while the user is away. To end them too, call [Provider.RevokeGrants]
// in OpenID.SignOut. It returns 404 unless OpenID.SignOut is set.
//
// The user is asked first, unless the application sends their ID token.
// Afterwards they are redirected to one of the application's
// PostLogoutRedirectURIs if it asks for that, or else see a page. An
// application that is not reviewed can't use this to redirect people with a
// link: a visitor who is not signed in sees a page with a link and a warning
// instead (RFC 9700 section 4.11.2).
func (p *Provider) LogoutHandler() http.Handler {
	if p.cfg.OpenID == nil || p.cfg.OpenID.SignOut == nil {
		return http.NotFoundHandler()
	}
	return p.handler(endpoint{name: "logout", methods: pageMethods, serve: (*call).serveLogout, refuse: (*call).errorPage})
}

func (c *call) serveLogout() *Error {
	if c.r.Method != http.MethodPost || !hasForm(c.r) {
		params, e := parseParams(c.r.URL.RawQuery, logoutParams)
		switch {
		case e != nil:
			return e
		case c.r.Method == http.MethodPost:
			seeOther(c.w, withQuery(c.logoutPath(), params))
			return nil
		}
		return c.logout(params)
	}
	form, e := readParams(c.w, c.r, logoutFields)
	switch {
	case e != nil:
		return e
	case form.Has(decisionField):
		return c.decideLogout(form)
	}
	for _, name := range []string{requestField, sealField} {
		form.Del(name)
	}
	// A request that another site posts comes without the host's cookies.
	// Redirect it to its GET form, which brings them.
	seeOther(c.w, withQuery(c.logoutPath(), form))
	return nil
}

// A logoutVisit is a visit to sign out.
type logoutVisit struct {
	visit
	app store.Application // the application that sent the visitor; zero if unknown
	uri string            // where to redirect afterwards; may be empty

	// hinted reports whether an ID token shows that the application means the
	// signed-in user and this session.
	hinted bool
}

// logout handles a request to sign out.
func (c *call) logout(params url.Values) *Error {
	v, e := c.visitLogout(params)
	switch {
	case e != nil:
		return e
	case v.anonymous():
		return v.proceed()
	case v.hinted && c.r.Method != http.MethodHead: // HEAD only checks what GET would show.
		return v.signOut(nil)
	}
	return v.askToSignOut()
}

// visitLogout starts a visit. If it refuses, no one is signed out or
// redirected; the visitor can continue without the application.
func (c *call) visitLogout(params url.Values) (*logoutVisit, *Error) {
	if e := repeated(params, logoutParams...); e != nil {
		return nil, e
	}
	visit, e := c.visit(c.logoutPath(), params)
	if e != nil {
		return nil, e
	}
	v := &logoutVisit{visit: visit}
	clientID, e, unusable := v.readHint()
	if e == nil {
		e = v.findRedirect(clientID, unusable)
	}
	if e == nil {
		return v, nil
	}
	if e.Status < http.StatusInternalServerError {
		e.retryURL = v.path
	}
	for _, name := range []string{"client_id", "post_logout_redirect_uri"} {
		if sent := params.Get(name); sent != "" {
			e = e.with(name, sent)
		}
	}
	return nil, e
}

// readHint returns the application that sends the visitor, by its ID or by the
// ID token. It ignores an ID token that isn't from this server, or whose key is
// no longer kept; unusable says why. The user is then asked as if there were
// none.
func (v *logoutVisit) readHint() (clientID string, _ *Error, unusable error) {
	clientID = v.params.Get("client_id")
	hint := v.params.Get("id_token_hint")
	if hint == "" {
		return clientID, nil, nil
	}
	token, err := v.ownIDToken(hint)
	switch {
	case err != nil:
		return clientID, nil, err
	case clientID != "" && clientID != token.Audience:
		return "", refuse(codeInvalidRequest, "The application that sent you here gave an id_token_hint that was issued to another application than its client_id names."), nil
	}
	sameSession := token.Session == "" || v.session.ID == "" || token.Session == v.session.ID
	v.hinted = token.Subject == v.session.UserID && sameSession
	return token.Audience, nil, nil
}

// findRedirect finds the application, and checks the requested redirect.
// Without a redirect, the application may be unknown.
func (v *logoutVisit) findRedirect(clientID string, unusable error) *Error {
	uri := v.params.Get("post_logout_redirect_uri")
	switch {
	case clientID == "" && uri != "" && unusable != nil:
		return refuse(codeInvalidRequest, "The application that sent you here gave an id_token_hint that is not an ID token of this server, or whose key is no longer kept. It can send client_id too.").because(unusable)
	case clientID == "" && uri != "":
		return refuse(codeInvalidRequest, "The application that sent you here gave a post_logout_redirect_uri and did not say which application it is: send id_token_hint or client_id.")
	case unusable != nil:
		v.cfg.Logger.InfoContext(v.context(), "latchkey: id_token_hint not used, so the user is asked whether to sign out",
			"endpoint", v.endpoint, "client_id", loggable(clientID), "cause", unusable.Error())
	}
	if clientID == "" {
		return nil
	}
	app, e := v.findSender(clientID)
	if e != nil && uri != "" {
		return e
	}
	if found := e == nil && app.ID != ""; !found {
		return nil // An unknown application doesn't keep anyone from signing out.
	}
	v.app, v.application, v.sender = app, app.ID, &v.app
	if uri == "" {
		return nil
	}
	if !slices.Contains(app.PostLogoutRedirectURIs, uri) {
		return refuse(codeInvalidRequest, "The application that sent you here gave a post_logout_redirect_uri that is not registered for it: it must be one of its post_logout_redirect_uris, character for character.")
	}
	// The rules may have changed since it was registered, or a review ended.
	if err := v.offer.redirectRule(&app).check(uri); err != nil {
		return refuse(codeInvalidRequest, "The post_logout_redirect_uri of the application that sent you here is no longer allowed. Its developer can register another one.").because(err)
	}
	v.uri = uri
	return nil
}

// findSender finds the application that sends the visitor. It fetches a
// document only for a signed-in user. For others, an application that isn't
// saved is unknown, which is not an error.
func (v *logoutVisit) findSender(clientID string) (store.Application, *Error) {
	if !v.anonymous() || !v.namesDocument(url.Values{"client_id": {clientID}}) {
		return v.findClientFor(v.session.UserID, clientID)
	}
	kept, err := v.records.findClient(v.context(), clientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Application{}, nil
	case err != nil:
		return store.Application{}, unavailable("store", err)
	}
	return kept, v.admits(v.context(), kept)
}

// target returns where the visitor goes, with the state from the application.
func (v *logoutVisit) target() string {
	if state := v.params.Get("state"); state != "" {
		return appendQuery(v.uri, []param{{"state", state}})
	}
	return v.uri
}

// proceed redirects a visitor who is not signed in. A link alone can cause
// that, so it does so only for reviewed applications.
func (v *logoutVisit) proceed() *Error {
	page := pages.SignOut{Step: pages.StepSignedOut}
	switch {
	case v.uri != "" && v.app.Reviewed:
		seeOther(v.w, v.target())
		return nil
	case v.uri != "":
		page.Application, page.ContinueURL = v.pageApplication(v.app), v.target()
	}
	v.pages.SignOut(v.w, v.r, page, v.uri)
	return nil
}

// askToSignOut asks the user. It also works if the user's account was deleted.
func (v *logoutVisit) askToSignOut() *Error {
	user, e := v.findUser(v.session.UserID)
	switch {
	case e != nil && e.reason == pages.ReasonNoAccount:
		user = userinfo.User{}
	case e != nil:
		return e
	}
	page := pages.SignOut{
		Step: pages.StepSignOut, User: pageUser(user, v.session.UserID), FormAction: v.path,
		FormFields: []pages.Field{
			{Name: requestField, Value: v.params.Encode()},
			{Name: sealField, Value: v.sealForm(v.session.UserID, v.sealed()...)},
		},
	}
	if v.app.ID != "" {
		page.Application = v.pageApplication(v.app)
	}
	v.pages.SignOut(v.w, v.r, page, v.uri)
	return nil
}

// sealed returns what the seal of the form covers: the user, and what the page
// said.
func (v *logoutVisit) sealed() []string {
	return []string{
		"logout", v.session.UserID, v.session.ID, v.params.Encode(), v.uri,
		v.app.Name, v.app.LogoURL, v.app.ClientURI, v.app.TermsURI, v.app.PolicyURI, strconv.FormatBool(v.app.Reviewed),
	}
}

// decideLogout handles the user's answer.
func (c *call) decideLogout(form url.Values) *Error {
	if e := repeated(form, requestField, decisionField, sealField); e != nil {
		return e
	}
	params, e := parseParams(form.Get(requestField), logoutParams)
	if e != nil {
		return e
	}
	v, e := c.visitLogout(params)
	switch {
	case e != nil:
		return e
	case v.anonymous(): // As after the first of two clicks.
		return v.proceed()
	}
	sent, e := c.openForm(form.Get(sealField), v.sealed()...)
	switch {
	case e != nil && errors.Is(e, errAnswered):
		// The user has signed in again since, or another window has.
		c.refused(e)
		seeOther(c.w, v.again())
		return nil
	case e != nil:
		e.retryURL = v.again()
		return e
	case form.Get(decisionField) != "allow":
		c.outcome = codeAccessDenied // A user's choice is not a refusal to log.
		v.pages.SignOut(v.w, v.r, pages.SignOut{Step: pages.StepStay}, "")
		return nil
	}
	return v.signOut(sent)
}

// signOut ends the host's session, and redirects the visitor. answered is the
// form that the user answered, or nil if they were not asked.
func (v *logoutVisit) signOut(answered *form) *Error {
	h := v.w.Header()
	before := slices.Clone(h["Set-Cookie"])
	if err := v.cfg.OpenID.SignOut(v.w, v.r); err != nil {
		// If the session didn't end but the browser lost its cookie, no one
		// could end it anymore.
		if h.Del("Set-Cookie"); before != nil {
			h["Set-Cookie"] = before
		}
		return unavailable("Config.OpenID.SignOut", err)
	}
	if answered != nil {
		v.answerForm(answered)
	}
	v.event(Event{Kind: EventSignedOut, ApplicationID: v.app.ID, UserID: v.session.UserID})
	if v.uri == "" {
		// The page shows the current state, and its address has no hint.
		seeOther(v.w, v.path)
		return nil
	}
	seeOther(v.w, v.target())
	return nil
}
