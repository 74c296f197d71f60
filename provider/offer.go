package provider

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// An offer is what the provider offers to applications. It is computed once
// from the Config. Metadata, registration, challenges, error texts, and every
// decision on scopes read it.
type offer struct {
	scopes   scopes.Set // the names in Config.Scopes, in the order that all other sets follow
	required scopes.Set // the ones that can't be unchecked

	// strangers has the scopes that applications may ask for which the host
	// didn't create, by origin. If an origin is missing, it isn't allowed.
	strangers map[store.Origin]scopes.Set

	// machines has the scopes that the host's applications may get for tokens
	// without a user. The grant types say whether there are such tokens.
	machines scopes.Set

	// extra has the scopes of the protocol itself, which are granted to every
	// application that asks, without consent. They are in the scopes of a
	// grant, but not in those of applications and consents.
	extra scopes.Set

	grantTypes []string

	// authMethods lists how a client may authenticate (RFC 7591 section 2).
	// With a secret it may use either of the two methods.
	authMethods []string

	params, singleParams []string // of an authorization request

	forms forms

	lifetimes         Lifetimes            // of the Config
	resourceLifetimes map[string]Lifetimes // by the URL

	keys Keys // nil if applications can't have keys

	workspaces *Workspaces // nil if applications can't use workspaces

	issuer    string // applications may have logos below it
	hostName  string // on the pages
	plainHTTP bool   // Config.AllowHTTP
}

func newOffer(c *Config, hostName string) offer {
	o := offer{
		extra: scopes.Set{offlineAccess}, params: authorizeParams, authMethods: []string{authBasic, authPost, authNone}, keys: c.Keys, workspaces: c.Workspaces,
		strangers: map[store.Origin]scopes.Set{}, grantTypes: []string{grantAuthorizationCode, grantRefreshToken},
		issuer: c.Issuer, hostName: hostName, plainHTTP: c.AllowHTTP,
		lifetimes: c.Lifetimes, resourceLifetimes: map[string]Lifetimes{},
	}
	for _, r := range c.Resources {
		o.resourceLifetimes[r.URL] = r.Lifetimes
	}
	var names, required []string
	for _, s := range c.Scopes {
		names = append(names, s.Name)
		if s.Required {
			required = append(required, s.Name)
		}
	}
	o.scopes, o.required = scopes.New(names...), scopes.New(required...)
	among := func(names []string) scopes.Set {
		if names == nil {
			return o.scopes
		}
		return o.scopes.Intersect(names)
	}
	if c.Registration != nil {
		o.strangers[store.OriginRegistration] = among(c.Registration.Scopes)
	}
	if c.ClientIDDocuments != nil {
		o.strangers[store.OriginDocument] = among(c.ClientIDDocuments.Scopes)
	}
	if c.OpenID != nil {
		o.extra = scopes.Set{openID, offlineAccess}
		o.params = slices.Concat(authorizeParams, openIDParams)
	}
	var ofDevice []string
	if c.Workspaces != nil {
		ofDevice = []string{workspaceParam}
		o.params = slices.Concat(o.params, ofDevice)
	}
	// A second resource has a separate error in RFC 8707.
	o.singleParams = slices.DeleteFunc(slices.Clone(o.params), func(name string) bool { return name == resourceParam })
	authenticate := bySecret
	if c.Keys != nil {
		o.authMethods = append(o.authMethods, authKey)
		authenticate = slices.Concat(bySecret, byKey)
	}
	o.forms = newForms(authenticate, ofDevice...)
	if c.Machines != nil {
		o.machines = among(c.Machines.Scopes)
		o.grantTypes = append(o.grantTypes, grantClientCredentials)
	}
	if c.DeviceAuthorization != nil {
		o.grantTypes = append(o.grantTypes, grantTypeDevice)
	}
	return o
}

// admits refuses an application that is disabled, whose origin is disabled, or
// that has keys or workspaces while these are disabled. Disabling a feature
// removes rights, and never adds any.
func (o *offer) admits(app store.Application) *Error {
	if app.Disabled {
		return errDisabled()
	}
	if !app.Keys.IsZero() && o.keys == nil {
		return refuse(codeUnauthorizedClient, "This server no longer accepts applications that authenticate with a key.")
	}
	if o.workspaces == nil && app.Workspace == store.WorkspaceRequired {
		return refuse(codeUnauthorizedClient, "This server no longer offers the workspaces that the application needs.")
	}
	if _, on := o.strangers[app.Origin]; on || app.Origin == store.OriginManual {
		return nil
	}
	return refuse(codeUnauthorizedClient, "This server no longer accepts applications that its operator has not registered.")
}

func errDisabled() *Error {
	return refuse(codeUnauthorizedClient, "The application has been disabled by the operator of this server. Its developer can ask them why.")
}

// closes reports whether applications that the host didn't create are allowed,
// but none may ask for one of these scopes.
func (o *offer) closes(set scopes.Set) bool {
	for _, may := range o.strangers {
		if len(may.Intersect(set)) > 0 {
			return false
		}
	}
	return len(o.strangers) > 0 && len(set) > 0
}

// lifetimesFor returns the lifetimes of codes, tokens, and sign-ins of an
// application, for the resource with the URL or for none.
func (o *offer) lifetimesFor(app *store.Application, resource string) Lifetimes {
	return o.lifetimes.of(app, o.resourceLifetimes[resource])
}

// offers reports whether the grant type is offered.
func (o *offer) offers(grantType string) bool { return slices.Contains(o.grantTypes, grantType) }

// errGrantType refuses a grant type that is missing or not offered.
func (o *offer) errGrantType(asked string) *Error {
	choice := strings.Join(o.grantTypes[:len(o.grantTypes)-1], ", ") + " or " + o.grantTypes[len(o.grantTypes)-1]
	if asked == "" {
		return refuse(codeInvalidRequest, "The parameter grant_type is missing: use %s.", choice)
	}
	return refuse(codeUnsupportedGrantType, "The grant_type is not offered: use %s.", choice).with("grant_type", asked)
}

// mayAskFor returns the scopes that an application may ask for. For one that
// registered itself, the scopes in its registration are only the default: many
// register only the scopes that they need first, and can't change that when
// they need more. No one has reviewed either list, and its users are asked each
// time.
func (o *offer) mayAskFor(app store.Application) scopes.Set {
	if app.Origin == store.OriginManual {
		return o.scopes.Intersect(app.Scopes)
	}
	return o.strangers[app.Origin]
}

// mayAskForItself returns the scopes that an application may ask for without a
// user. Only the host can set them, on an application that it created and that
// can authenticate.
func (o *offer) mayAskForItself(app *store.Application) scopes.Set {
	if app.Origin != store.OriginManual || app.Public {
		return nil
	}
	return o.machines.Intersect(app.MachineScopes)
}

// hasMachines reports whether applications may ask for tokens without a user.
func (o *offer) hasMachines() bool { return o.offers(grantClientCredentials) }

// workspaceUse returns how an application uses workspaces.
func (o *offer) workspaceUse(app *store.Application) store.WorkspaceUse {
	switch {
	case o.workspaces == nil:
		return store.WorkspaceNone
	case app.Origin == store.OriginManual:
		return app.Workspace
	}
	return cmp.Or(app.Workspace, o.workspaces.Agents)
}

// ticked returns the scopes that a form grants, out of those that it showed.
func (o *offer) ticked(shown scopes.Set, names []string) (scopes.Set, *Error) {
	if !shown.Contains(names) {
		return nil, errStaleForm(errors.New("the form grants a scope that was not asked for"))
	}
	return shown.Intersect(o.required.Union(names)), nil
}

// order returns the set in the order of Config.Scopes, with unknown scopes
// last.
func (o *offer) order(set scopes.Set) scopes.Set { return o.scopes.Intersect(set).Union(set) }

// parseAsked reads a scope parameter. extra has the protocol's scopes.
func (o *offer) parseAsked(text string) (asked, extra scopes.Set, e *Error) {
	asked, err := scopes.Parse(text)
	if err != nil {
		return nil, nil, refuse(codeInvalidScope, "The scope is malformed: send scope names separated by spaces.").because(err).with("scope", text)
	}
	return asked.Minus(tolerated), o.extra.Intersect(asked), nil
}
