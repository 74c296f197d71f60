package provider

import (
	"cmp"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// applyMetadata applies m to app, and checks the result. Clients write their
// metadata for all servers. So a value that is unknown, malformed, or
// contradicts the rest is replaced or dropped (RFC 7591 sections 2 and 3.2.1),
// and the answer says what was saved. It refuses only what could harm users:
// redirect URIs, sizes, and deceptive names.
func (p *Provider) applyMetadata(m clientMetadata, app *store.Application) *Error {
	grants := p.offer.registeredGrants(m.GrantTypes)
	if len(m.RedirectURIs) == 0 && slices.Contains(grants, grantAuthorizationCode) {
		return refuseMetadata("redirect_uris", "redirect_uris is missing: send at least one.")
	}
	method := p.offer.usableAuthMethod(m)
	if method == "" && p.offer.keys != nil && slices.Contains(m.authMethods(), authKey) {
		return refuseMetadata("jwks", "%s needs keys: send jwks or jwks_uri.", authKey)
	}
	method = cmp.Or(method, authNone)
	app.Name, app.RedirectURIs, app.Public = strings.Join(strings.Fields(m.Name), " "), m.RedirectURIs, method == authNone
	if app.Name == "" {
		app.Name = nameFor(m.RedirectURIs)
	}
	app.ClientURI, app.LogoURL, app.TermsURI, app.PolicyURI = linkOnly(m.ClientURI), linkOnly(m.LogoURI), linkOnly(m.TermsURI), linkOnly(m.PolicyURI)
	app.Keys, app.IDTokenAlg = store.ClientKeys{}, p.offer.registeredAlg(m.IDTokenAlg)
	if method == authKey {
		app.Keys = m.keys()
	}
	app.PostLogoutRedirectURIs, _ = p.offer.usableAfterLogout(app, m.PostLogoutRedirectURIs)
	app.Scopes = p.offer.registeredScopes(app.Origin, m.Scope)
	app.Registration = &store.RegistrationRecord{
		Token: app.Registration.Token, Type: registeredType(m), AuthMethod: method, GrantTypes: grants, Contacts: notesOnly(m.Contacts),
		SoftwareID: noteOnly(m.SoftwareID), SoftwareVersion: noteOnly(m.SoftwareVersion),
	}
	toCheck := *app
	if !needsSecret(&toCheck) {
		toCheck.Secrets = nil // The caller removes them.
	}
	if wrong := p.offer.checkDescribed(toCheck); len(wrong) > 0 {
		return registrationRefusal(wrong)
	}
	return nil
}

// usableAuthMethod returns how the application will authenticate, or "" if it
// can't use any offered method. Its list decides; the single method is its
// preference, or client_secret_basic if it names neither (RFC 7591 section 2).
// It gets a secret only if it said that it can keep one, or said nothing, and
// authenticates with keys only if it has some.
func (o *offer) usableAuthMethod(m clientMetadata) string {
	can := m.authMethods()
	for _, method := range append([]string{m.AuthMethod, authNone}, can...) {
		if slices.Contains(can, method) && slices.Contains(o.authMethods, method) && (method != authKey || !m.keys().IsZero()) {
			return method
		}
	}
	return ""
}

// authMethods returns all methods with which the application can authenticate.
func (m clientMetadata) authMethods() []string {
	if len(m.AuthMethods) == 0 {
		return []string{cmp.Or(m.AuthMethod, authBasic)}
	}
	return m.AuthMethods
}

// keys returns the keys of the application. If it has both kinds, which RFC
// 7591 section 2 forbids, keys returns the ones that need no fetching.
func (m clientMetadata) keys() store.ClientKeys {
	if len(m.JWKS) > 0 {
		return store.ClientKeys{Set: string(m.JWKS)}
	}
	return store.ClientKeys{URI: m.JWKSURI}
}

// registeredAlg returns the algorithm of ID tokens if it is offered, or "".
func (o *offer) registeredAlg(alg string) string {
	if o.keys == nil || !slices.Contains(o.keys.Algorithms(), alg) {
		return ""
	}
	return alg
}

// registeredGrants returns the grant types that an application may use: the
// offered ones among those that it names, and the authorization code if no user
// could sign in with any of them.
func (o *offer) registeredGrants(asked []string) []string {
	kept := slices.DeleteFunc(slices.Clone(o.grantTypes), func(offered string) bool {
		return !slices.Contains(asked, offered) || offered == grantClientCredentials // Only the host allows machines.
	})
	if !slices.ContainsFunc(kept, func(grantType string) bool { return grantType != grantRefreshToken }) {
		kept = append([]string{grantAuthorizationCode}, kept...)
	}
	return kept
}

// registeredType returns the application_type (OpenID Connect Dynamic Client
// Registration section 2) that matches the redirect URIs.
func registeredType(m clientMetadata) string {
	native := slices.ContainsFunc(m.RedirectURIs, func(uri string) bool { return !strings.HasPrefix(uri, "https://") })
	if native || m.ApplicationType == typeNative {
		return typeNative
	}
	return typeWeb
}

// The values of application_type.
const (
	typeWeb    = "web"
	typeNative = "native"
)

// registeredScopes returns the scopes that an application gets if it asks for
// none: the offered ones among those that it names. If none is offered, it
// returns all that metadata advertises, because the application can't know
// others.
func (o *offer) registeredScopes(origin store.Origin, text string) scopes.Set {
	offered := o.strangers[origin]
	if kept := offered.Intersect(scopes.New(strings.Fields(text)...)); len(kept) > 0 {
		return kept
	}
	return offered
}

// linkOnly returns a URL if a page may link to it, or "".
func linkOnly(uri string) string {
	if !isLink(uri) {
		return ""
	}
	return uri
}

// noteOnly returns a text if it is valid in an application's metadata, or "".
func noteOnly(text string) string {
	if !isNote(text) {
		return ""
	}
	return text
}

func notesOnly(texts []string) []string {
	var kept []string
	for _, text := range texts {
		if isNote(text) && text != "" && len(kept) < maxContacts {
			kept = append(kept, text)
		}
	}
	return kept
}

// nameFor returns a name for an application without one: the host where it
// sends its users. It isn't the scheme, which could be called like someone
// else's host.
func nameFor(redirectURIs []string) string {
	if len(redirectURIs) > 0 {
		if u, err := url.Parse(redirectURIs[0]); err == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http") {
			return u.Hostname()
		}
	}
	return "Unnamed application"
}

// usableAfterLogout returns the valid ones among the URIs where an application
// may redirect users after they sign out, and what is wrong with the others. No
// one needs them to sign in, so an invalid one doesn't refuse the application.
// Without OpenID Connect, it returns none.
func (o *offer) usableAfterLogout(app *store.Application, uris []string) (usable []string, wrong FieldErrors) {
	const field = "post_logout_redirect_uris"
	if !o.extra.Has(openID) {
		return nil, nil
	}
	rule := o.redirectRule(app)
	if len(uris) > maxRedirectURIs {
		return nil, checkRedirectURIs(field, uris, rule)
	}
	for _, uri := range uris {
		if slices.Contains(usable, uri) {
			continue
		}
		if e := checkRedirectURIs(field, []string{uri}, rule); len(e) > 0 {
			wrong = append(wrong, e...)
			continue
		}
		usable = append(usable, uri)
	}
	return usable, wrong
}

// registrationRefusal converts the problems of an application into the error of
// RFC 7591 section 3.2.2, with the field names of its section 2.
func registrationRefusal(wrong FieldErrors) *Error {
	first := wrong[0]
	for _, f := range wrong {
		if f.Field == "redirect_uris" {
			first = f
			break
		}
	}
	if first.Field == "name" {
		return refuseMetadata("client_name", "client_%s.", first.Message)
	}
	return refuseMetadata(first.Field, "%s: %s.", first.Field, first.Message)
}

// metadataOf returns the saved metadata of an application. The host may have
// changed the application, so the authentication method follows from its
// record.
func metadataOf(app store.Application) clientMetadata {
	r := app.Registration
	m := clientMetadata{
		RedirectURIs:    append([]string{}, app.RedirectURIs...),
		AuthMethod:      r.AuthMethod,
		GrantTypes:      r.GrantTypes,
		ResponseTypes:   []string{},
		ApplicationType: r.Type,
		Name:            app.Name,
		Scope:           app.Scopes.String(),
		ClientURI:       app.ClientURI,
		LogoURI:         app.LogoURL,
		TermsURI:        app.TermsURI,
		PolicyURI:       app.PolicyURI,
		Contacts:        r.Contacts,
		SoftwareID:      r.SoftwareID,
		SoftwareVersion: r.SoftwareVersion,
		JWKS:            json.RawMessage(app.Keys.Set),
		JWKSURI:         app.Keys.URI,
		IDTokenAlg:      app.IDTokenAlg,

		PostLogoutRedirectURIs: app.PostLogoutRedirectURIs,
	}
	switch {
	case app.Public:
		m.AuthMethod = authNone
	case !app.Keys.IsZero():
		m.AuthMethod = authKey
	case r.AuthMethod == authNone, r.AuthMethod == authKey:
		m.AuthMethod = authBasic
	}
	if slices.Contains(r.GrantTypes, grantAuthorizationCode) {
		m.ResponseTypes = []string{"code"}
	}
	return m
}
