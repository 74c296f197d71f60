package provider

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// authorization is one authorization request. It is a visit whose params come
// from the application.
type authorization struct {
	visit
	app      store.Application // zero until it is identified
	redirect redirect
	formPost bool // response_mode=form_post
	prompt   []string
	scopes   scopes.Set
	extra    scopes.Set         // the protocol's scopes that the request asks for
	resource *ProtectedResource // nil if there is none
	openID   openIDRequest

	workspace workspaceChoice

	form *form // the user's answer; nil if no page was needed

	decision decision // has no user before decide
}

func (c *call) newAuthorization(params url.Values) (*authorization, *Error) {
	v, e := c.visit(c.authorizePath(), params)
	if e != nil {
		return nil, e
	}
	return &authorization{visit: v, prompt: strings.Fields(params.Get("prompt"))}, nil
}

// decide starts the decision on the request, or returns the one already
// started.
func (a *authorization) decide() *decision {
	if a.decision.userID == "" {
		a.decision = decision{app: a.app, userID: a.session.UserID, resource: a.resource.identifier(), signIn: a.signedIn(a.openID),
			chooses: a.workspace.there()}
	}
	return &a.decision
}

// silent reports whether Latchkey must not show the visitor any page.
func (a *authorization) silent() bool { return slices.Equal(a.prompt, []string{"none"}) }

// identify finds the application and checks the redirect URI. Until both are
// valid, nothing may be sent anywhere. A refusal goes to the log, because only
// the host and the application's developers can fix it.
func (a *authorization) identify() *Error {
	e := a.findRedirect()
	if e == nil {
		return nil
	}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if sent := a.params.Get(name); sent != "" {
			e = e.with(name, sent)
		}
	}
	return e
}

func (a *authorization) findRedirect() *Error {
	if e := repeated(a.params, "client_id", "redirect_uri", "state", "response_mode"); e != nil {
		return e // Where and how to answer is unknown.
	}
	clientID := a.params.Get("client_id")
	if clientID == "" {
		return refuse(codeInvalidRequest, "The link that brought you here does not say which application it is for: client_id is missing.")
	}
	app, e := a.findClientFor(a.session.UserID, clientID)
	if e != nil {
		return e
	}
	a.app, a.application, a.sender = app, app.ID, &a.app
	uri := a.params.Get("redirect_uri")
	a.redirect = redirect{uri, uri != ""}
	switch {
	case len(app.RedirectURIs) == 0:
		return refuse(codeInvalidRequest, "The application that sent you here has no redirect URI registered, so no one can sign in to it yet. Its developer can add one.")
	case a.redirect.named && redirectRegistered(&app, a.redirect.uri, a.params.Has("code_challenge")):
		// It is registered.
	case a.redirect.named && redirectRegistered(&app, a.redirect.uri, true):
		return refuse(codeInvalidRequest, "The application that sent you here listens on another port of your device than the one that is registered for it. That requires PKCE: code_challenge is missing.")
	case a.redirect.named:
		return refuse(codeInvalidRequest, "The application that sent you here gave a redirect_uri that is not registered for it: it must be one of its registered URIs, character for character.")
	case !a.redirect.named && len(app.RedirectURIs) > 1:
		return refuse(codeInvalidRequest, "The application that sent you here has several redirect URIs registered and did not say which one to use: redirect_uri is missing.")
	case !a.redirect.named:
		a.redirect.uri = app.RedirectURIs[0]
	}
	if app.Reviewed && a.redirect.https() {
		return nil
	}
	// The rules may have changed since it was registered, or a review ended.
	if err := a.offer.redirectRule(&app).check(a.redirect.uri); err != nil {
		return refuse(codeInvalidRequest, "The redirect_uri of the application that sent you here is no longer allowed. Its developer can register another one.").tells(err)
	}
	return nil
}

// examine reads the rest of the request and returns what is wrong with it. Even
// if it returns an error, it fills in as much as it can.
func (a *authorization) examine() *Error {
	a.formPost = a.params.Get("response_mode") == "form_post"
	a.workspace.use = a.offer.workspaceUse(&a.app)
	if e := repeated(a.params, a.offer.singleParams...); e != nil {
		return e
	}
	switch mode := a.params.Get("response_mode"); mode {
	case "", "query", "form_post":
	default:
		return refuse(codeInvalidRequest, "The response_mode is not offered: use query or form_post.").with("response_mode", mode)
	}
	if a.formPost && !a.redirect.web() {
		a.formPost = false
		return refuse(codeInvalidRequest, "The response_mode form_post is for redirect URIs of http and https: use query.").with("response_mode", "form_post").with("redirect_uri", a.redirect.uri)
	}
	if e := a.refuseObjects(); e != nil {
		return e
	}
	switch asked := a.params.Get("response_type"); asked {
	case "code":
	case "":
		return refuse(codeInvalidRequest, "The parameter response_type is missing: use code.")
	default:
		return refuse(codeUnsupportedResponseType, "The response_type is not offered: use code.").with("response_type", asked)
	}
	if r := a.app.Registration; a.app.Origin != store.OriginManual && r != nil && !slices.Contains(r.GrantTypes, grantAuthorizationCode) {
		return refuse(codeUnauthorizedClient, "The application has not registered the grant authorization_code: name it in its grant_types.")
	}
	if slices.Contains(a.prompt, "none") && len(a.prompt) > 1 {
		return refuse(codeInvalidRequest, "The prompt none cannot be combined with another.").with("prompt", a.params.Get("prompt"))
	}
	if e := a.examinePKCE(); e != nil {
		return e
	}
	var e *Error
	if a.openID, e = a.readOpenID(); e != nil {
		return e
	}
	if a.resource, e = a.resourceFor(a.app, a.params); e != nil {
		return e
	}
	if a.workspace.named, e = a.offer.askedWorkspace(&a.app, a.params); e != nil {
		return e
	}
	a.scopes, a.extra, e = a.offer.read(a.app, a.resource, a.params.Get("scope"))
	if a.extra.Has(openID) { // Each requested claim belongs to a scope that reveals it.
		a.scopes = a.offer.order(a.scopes.Union(a.offer.mayAskFor(a.app).Intersect(a.openID.scopes)))
	}
	return e
}

// examinePKCE checks the code challenge (RFC 7636). Only S256 is accepted:
// plain doesn't help if the request leaks.
func (a *authorization) examinePKCE() *Error {
	challenge, method := a.params.Get("code_challenge"), a.params.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		return refuse(codeInvalidRequest, "There is a code_challenge_method without a code_challenge.")
	case challenge == "" && (a.app.Public || a.app.PKCERequired):
		return refuse(codeInvalidRequest, "This application must use PKCE: code_challenge is missing.")
	case challenge == "":
		return nil
	case method != "S256":
		return errChallenge().with("code_challenge_method", method)
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(raw) != 32 {
		return errChallenge()
	}
	return nil
}

func errChallenge() *Error {
	return refuse(codeInvalidRequest, "The code_challenge must be the S256 one of RFC 7636: 43 characters of base64url, with code_challenge_method=S256.")
}

// switchAccountURL returns the URL of the same request with a prompt to sign in
// as another user.
func (a *authorization) switchAccountURL() string {
	if slices.Contains(a.prompt, "select_account") {
		return a.again()
	}
	return a.switchURL(strings.Join(append(slices.Clone(a.prompt), "select_account"), " "))
}
