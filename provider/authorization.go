package provider

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// tolerated are scopes that many clients always ask for. They are dropped and
// never granted, as refusing them would lock those clients' users out. OpenID
// Connect itself is not offered.
var tolerated = scopes.New("openid", "offline_access")

// authorizeParams are the parameters of an authorization request that mean
// something here. All others are ignored (RFC 6749 section 3.1).
var authorizeParams = []string{
	"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge", "code_challenge_method",
	"prompt", "login_hint", resourceParam, signInAfter,
}

// singleParams are those of them that may come once. For a second resource RFC
// 8707 has an error of its own.
var singleParams = slices.DeleteFunc(slices.Clone(authorizeParams), func(name string) bool { return name == resourceParam })

// signInAfter is a parameter of the provider's own. It goes along when a
// visitor is sent to sign in and says when that was, so that the provider can
// tell the return from a first visit.
const signInAfter = "sign_in_after"

// authorization is one authorization request on its way through.
type authorization struct {
	params        url.Values
	app           store.Application
	redirectURI   string
	redirectNamed bool // by the request, not just by being the only one
	formPost      bool // response_mode=form_post
	prompt        []string
	scopes        scopes.Set
	resource      *ProtectedResource // nil: none
	session       Session

	form *form // what the user has answered; nil: the page was not needed

	decision *decision // nil: nothing was read for it
}

// decide begins the decision on the request, or returns the one that was begun.
func (a *authorization) decide() *decision {
	if a.decision == nil {
		a.decision = &decision{app: a.app, userID: a.session.UserID, resource: a.resource.identifier()}
	}
	return a.decision
}

// firstParams are those of the application alone, without the provider's own.
func (a *authorization) firstParams() url.Values {
	params := maps.Clone(a.params)
	params.Del(signInAfter)
	return params
}

// silent reports whether nothing may be shown to the visitor.
func (a *authorization) silent() bool { return slices.Equal(a.prompt, []string{"none"}) }

// identify finds the application and checks the redirect URI: the two things
// without which nothing may be sent anywhere.
func (p *Provider) identify(r *http.Request, params url.Values) (*authorization, *Error) {
	if e := repeated(params, "client_id", "redirect_uri", "state", "response_mode"); e != nil {
		return nil, e // It is not clear where to answer, or how.
	}
	clientID := params.Get("client_id")
	if clientID == "" {
		return nil, refuse(codeInvalidRequest, "The link that brought you here does not say which application it is for: client_id is missing.")
	}
	app, e := p.findClientFor(r, clientID)
	if e != nil {
		return nil, e
	}
	noteApplication(r.Context(), app.ID)
	a := &authorization{params: params, app: app, redirectURI: params.Get("redirect_uri")}
	a.redirectNamed = a.redirectURI != ""
	switch {
	case len(app.RedirectURIs) == 0:
		return nil, refuse(codeInvalidRequest, "The application that sent you here has no redirect URI registered, so it cannot sign anybody in yet. Its developer can add one.")
	case a.redirectNamed && !redirectRegistered(app, a.redirectURI):
		return nil, refuse(codeInvalidRequest, "The application that sent you here asked to be answered at an address that is not registered for it: redirect_uri has to be one of its registered URIs, character for character.")
	case !a.redirectNamed && len(app.RedirectURIs) > 1:
		return nil, refuse(codeInvalidRequest, "The application that sent you here has several redirect URIs registered and did not say which one to use: redirect_uri is missing.")
	case !a.redirectNamed:
		a.redirectURI = app.RedirectURIs[0]
	}
	return a, nil
}

func errNotRegistered(cause error) *Error {
	return refuse(codeInvalidClient, "The application that sent you here is not registered: its client_id is unknown.").because(cause)
}

// examine reads the rest of the request and returns what is wrong with it. It
// fills in as much as it can also when something is.
func (p *Provider) examine(a *authorization) *Error {
	a.formPost = a.params.Get("response_mode") == "form_post"
	a.prompt = strings.Fields(a.params.Get("prompt"))
	if e := repeated(a.params, singleParams...); e != nil {
		return e
	}
	switch mode := a.params.Get("response_mode"); mode {
	case "", "query", "form_post":
	default:
		return refuse(codeInvalidRequest, "The response_mode is not offered: use query or form_post.")
	}
	if a.formPost {
		if u, err := url.Parse(a.redirectURI); err != nil || u.Scheme != "https" && u.Scheme != "http" {
			a.formPost = false
			return refuse(codeInvalidRequest, "The response_mode form_post is for redirect URIs of http and https: use query.")
		}
	}
	switch a.params.Get("response_type") {
	case "code":
	case "":
		return refuse(codeInvalidRequest, "The parameter response_type is missing: use code.")
	default:
		return refuse(codeUnsupportedResponseType, "The response_type is not offered: use code.")
	}
	if r := a.app.Registration; a.app.Origin != store.OriginManual && r != nil && !slices.Contains(r.GrantTypes, grantAuthorizationCode) {
		return refuse(codeUnauthorizedClient, "The application has not registered the grant authorization_code: name it in its grant_types.")
	}
	if slices.Contains(a.prompt, "none") && len(a.prompt) > 1 {
		return refuse(codeInvalidRequest, "The prompt none cannot be combined with another.")
	}
	if e := examinePKCE(a); e != nil {
		return e
	}
	var e *Error
	if a.resource, e = p.askedResource(a.params); e != nil {
		return e
	}
	asked, e := p.examineScope(a.app, a.resource, a.params.Get("scope"))
	if e != nil {
		return e
	}
	a.scopes = asked
	return nil
}

// examineScope reads the scope parameter of an application that asks a user for
// access.
func (p *Provider) examineScope(app store.Application, resource *ProtectedResource, text string) (scopes.Set, *Error) {
	asked, e := parseAskedScopes(text)
	if e != nil {
		return nil, e
	}
	if len(asked) == 0 {
		asked = resource.understood(app.Scopes)
	}
	if excess := asked.Minus(p.mayAskFor(app)); len(excess) > 0 {
		return nil, refuse(codeInvalidScope, "The application may not ask for the scope %s.", describable(excess[0]))
	}
	return asked, nil
}

// mayAskFor are the scopes that an application may ask for. What one that
// registered itself has named then is what it gets when it asks for nothing:
// many name the little that they need first, and cannot change it when they
// need more. Nobody has vouched for either list, and its users are asked each
// time.
func (p *Provider) mayAskFor(app store.Application) scopes.Set {
	if app.Origin != store.OriginManual {
		return p.offeredScopes(app.Origin)
	}
	return app.Scopes.Intersect(p.scopes)
}

// offeredScopes are the scopes that applications of an origin may ever ask for.
func (p *Provider) offeredScopes(origin store.Origin) scopes.Set {
	var names []string
	switch {
	case origin == store.OriginRegistration && p.cfg.Registration != nil:
		names = p.cfg.Registration.Scopes
	case origin == store.OriginDocument && p.cfg.ClientIDDocuments != nil:
		names = p.cfg.ClientIDDocuments.Scopes
	}
	if names == nil {
		return p.scopes
	}
	return scopes.New(names...)
}

// parseAskedScopes reads a scope parameter and drops what is accepted but
// never granted.
func parseAskedScopes(text string) (scopes.Set, *Error) {
	asked, err := scopes.Parse(text)
	if err != nil {
		return nil, refuse(codeInvalidScope, "The scope is malformed: separate names by one space each.").because(err)
	}
	return asked.Minus(tolerated), nil
}

// examinePKCE checks the code challenge (RFC 7636). Only S256 is taken: plain
// protects nothing that a leaked request does not give away.
func examinePKCE(a *authorization) *Error {
	challenge, method := a.params.Get("code_challenge"), a.params.Get("code_challenge_method")
	switch {
	case challenge == "" && method != "":
		return refuse(codeInvalidRequest, "There is a code_challenge_method without a code_challenge.")
	case challenge == "" && (a.app.Public || a.app.PKCERequired):
		return refuse(codeInvalidRequest, "This application has to use PKCE: code_challenge is missing.")
	case challenge == "":
		return nil
	case method != "S256":
		return errChallenge()
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(raw) != 32 {
		return errChallenge()
	}
	return nil
}
