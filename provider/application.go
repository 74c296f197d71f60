package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// ApplicationSettings are what the host sets on an application and may change.
// Only Name is required.
type ApplicationSettings struct {
	// Name is shown on the consent page. It has at most 256 characters.
	Name string

	// RedirectURIs lists where codes may be sent, compared byte for byte. There
	// may be 100, of 1,024 bytes each. Each is https, http on a loopback
	// address, or uses a custom scheme. If the application is not reviewed, the
	// scheme must contain a period or be that of a known editor, such as
	// "cursor". Without any, no one can sign in to the application.
	RedirectURIs []string

	// PostLogoutRedirectURIs lists where users may be sent after they sign out:
	// see [Provider.LogoutHandler]. The rules of RedirectURIs apply. It has no
	// effect without Config.OpenID.
	PostLogoutRedirectURIs []string

	// Scopes lists what the application may ask for, and what it gets when it
	// asks for none. If nil, the default is "profile" and "email", as far as
	// Config.Scopes has them. An empty set that is not nil means none.
	Scopes scopes.Set

	// MachineScopes lists what the application may ask for without a user
	// (client_credentials), and what it then gets when it asks for none. It is
	// independent of Scopes. It needs Config.Machines and an application that
	// the host created and that is not public. The default is none: the
	// application gets no tokens without a user.
	MachineScopes scopes.Set

	// Public marks an application that can't keep a secret: a native,
	// single-page, or command-line app. It gets no secret and must use PKCE.
	Public bool

	// Keys are the public keys that the application authenticates with instead
	// of a secret (private_key_jwt). They need Config.Keys. The default is none.
	Keys ApplicationKeys

	// IDTokenAlg is the algorithm that signs the application's ID tokens, one
	// that Config.Keys offers. The default is RS256 if Config.Keys offers it, or
	// else the first one that it offers.
	IDTokenAlg string

	// PKCERequired makes a confidential application use PKCE too. A public
	// application, and one that has a redirect URI with a custom scheme, must
	// always use it.
	PKCERequired bool

	// SkipConsent skips the consent page, for the host's own applications. It
	// takes effect only if the application is reviewed and the redirect URI is
	// https. A user who must choose a workspace still sees the page once: see
	// Workspace.
	SkipConsent bool

	// Lifetimes sets the lifetimes of the application's codes and tokens. A zero
	// field falls through to the next level; see [Lifetimes]. A change applies
	// to what is issued after it. For a public application, Grace may be at most
	// 10 minutes.
	Lifetimes Lifetimes

	// Workspace sets whether users choose a workspace that the application acts
	// for, which needs Config.Workspaces. A change applies to new sign-ins;
	// earlier grants stay as they are until they are revoked. The default is
	// store.WorkspaceNone: the application acts for the user alone.
	Workspace store.WorkspaceUse

	// OwnerID is the host's user who manages the application. If empty, only the
	// host manages it, and counts it as reviewed if it created it.
	OwnerID   string
	ClientURI string            // home page, https; optional
	LogoURL   string            // shown on the pages; https, or below Config.Issuer; optional
	TermsURI  string            // terms of service, https; optional
	PolicyURI string            // privacy policy, https; optional
	Metadata  map[string]string // the host's notes, at most 16 KiB; optional
}

// ApplicationKeys are the public keys of an application: either a JWK Set (RFC
// 7517) or the URL of one.
type ApplicationKeys struct {
	// Set is a JWK Set as JSON, at most 16 KiB. It must not contain a private
	// key.
	Set string

	// URI is the URL of a JWK Set: https, with a public host name and a path.
	// Latchkey fetches the set when the client authenticates, and caches it as
	// the HTTP headers say, between one minute and one day. It fetches the set
	// again for a signature with an unknown key, at most once a minute. So
	// publish a new key at least one minute before you sign with it.
	URI string
}

// IsZero reports whether there are no keys.
func (k ApplicationKeys) IsZero() bool { return k == ApplicationKeys{} }

// Application describes a registered application. It contains no secret and no
// hash of one, so you may show, log, and encode it.
type Application struct {
	ID       string // identifies it to the host; never changes
	ClientID string // identifies it in the protocol; never changes

	// Origin is how the application was registered: by the host, by itself, or
	// from its document.
	Origin store.Origin

	// Reviewed reports whether the host vouches for the application: see
	// [Provider.ReviewApplication].
	Reviewed bool

	// Disabled reports whether all its requests are refused: see
	// [Provider.DisableApplication].
	Disabled bool

	ApplicationSettings

	// Secrets describes its client secrets, newest first. A public application
	// and one with Keys have none.
	Secrets []SecretInfo

	// Registration is additional metadata that the application supplied, if it
	// registered itself or is known by a document. It is nil for one that the
	// host created.
	Registration *RegistrationInfo

	CreatedAt, UpdatedAt time.Time
	Version              int64 // 1 at first; each change adds one
}

// SecretInfo describes a client secret without revealing it.
type SecretInfo struct {
	ID        string
	CreatedAt time.Time
	ExpiresAt time.Time // zero if it doesn't expire
}

// RegistrationInfo is metadata that an application supplied about itself (RFC
// 7591 section 2). It is not verified.
type RegistrationInfo struct {
	Type       string // "web" or "native"
	AuthMethod string // token_endpoint_auth_method
	GrantTypes []string
	Contacts   []string

	SoftwareID      string
	SoftwareVersion string
}

// asApplication returns a record of the store as hosts see it. It shares
// nothing with the record.
func asApplication(app store.Application) Application {
	shown := Application{
		ID: app.ID, ClientID: app.ClientID, Origin: app.Origin, Reviewed: app.Reviewed, Disabled: app.Disabled, ApplicationSettings: settingsOf(app),
		CreatedAt: app.CreatedAt, UpdatedAt: app.UpdatedAt, Version: app.Version,
	}
	for _, s := range app.Secrets {
		shown.Secrets = append(shown.Secrets, SecretInfo{s.ID, s.CreatedAt, s.ExpiresAt})
	}
	if r := app.Registration; r != nil {
		shown.Registration = &RegistrationInfo{
			Type: r.Type, AuthMethod: r.AuthMethod, GrantTypes: slices.Clone(r.GrantTypes), Contacts: slices.Clone(r.Contacts),
			SoftwareID: r.SoftwareID, SoftwareVersion: r.SoftwareVersion,
		}
	}
	return shown
}

// shownOr returns the application as hosts see it, unless there is an error.
func shownOr(app store.Application, err error) (Application, error) {
	if err != nil {
		return Application{}, err
	}
	return asApplication(app), nil
}

// settingsOf returns the settings of a record. They share nothing with it.
func settingsOf(app store.Application) ApplicationSettings {
	return ApplicationSettings{
		Name:         app.Name,
		RedirectURIs: slices.Clone(app.RedirectURIs),
		Scopes:       append(scopes.Set{}, app.Scopes...), // Never nil, which would ask for the default.
		Public:       app.Public,
		Keys:         ApplicationKeys(app.Keys),
		IDTokenAlg:   app.IDTokenAlg,
		PKCERequired: app.PKCERequired,
		SkipConsent:  app.SkipConsent,
		Lifetimes:    Lifetimes(app.Lifetimes),
		Workspace:    app.Workspace,
		OwnerID:      app.OwnerID,
		ClientURI:    app.ClientURI,
		LogoURL:      app.LogoURL,
		TermsURI:     app.TermsURI,
		PolicyURI:    app.PolicyURI,
		Metadata:     maps.Clone(app.Metadata),

		PostLogoutRedirectURIs: slices.Clone(app.PostLogoutRedirectURIs),
		MachineScopes:          slices.Clone(app.MachineScopes),
	}
}

// apply writes the settings into a record, which then shares nothing with them.
// A record that becomes public or confidential loses its secrets, and so does
// one that gets keys. Offered are the scopes that the provider offers, in their
// order.
func (s ApplicationSettings) apply(app *store.Application, offered scopes.Set) {
	if app.Public != s.Public || !s.Keys.IsZero() {
		app.Secrets = nil
	}
	asked := s.Scopes
	if asked == nil {
		asked = offered.Intersect(scopes.Set{scopes.Profile, scopes.Email})
	}
	app.PostLogoutRedirectURIs = slices.Clone(s.PostLogoutRedirectURIs)
	app.MachineScopes = offered.Intersect(s.MachineScopes).Union(s.MachineScopes)
	app.Name, app.RedirectURIs, app.Scopes = s.Name, slices.Clone(s.RedirectURIs), offered.Intersect(asked).Union(asked).Minus(tolerated)
	app.Public, app.SkipConsent, app.Keys, app.IDTokenAlg = s.Public, s.SkipConsent, store.ClientKeys(s.Keys), s.IDTokenAlg
	app.PKCERequired = s.PKCERequired || s.Public || slices.ContainsFunc(s.RedirectURIs, func(uri string) bool { return !redirect{uri: uri}.web() })
	app.Lifetimes = store.ApplicationLifetimes(s.Lifetimes)
	app.Workspace = s.Workspace
	app.OwnerID, app.ClientURI, app.LogoURL, app.Metadata = s.OwnerID, s.ClientURI, s.LogoURL, maps.Clone(s.Metadata)
	app.TermsURI, app.PolicyURI = s.TermsURI, s.PolicyURI
}

// same reports whether two settings that were read from records are equal. A
// store may return an empty collection as nil.
func (s ApplicationSettings) same(o ApplicationSettings) bool {
	return s.Name == o.Name && slices.Equal(s.RedirectURIs, o.RedirectURIs) && slices.Equal(s.PostLogoutRedirectURIs, o.PostLogoutRedirectURIs) && s.Scopes.Equal(o.Scopes) && s.MachineScopes.Equal(o.MachineScopes) &&
		s.Public == o.Public && s.Keys == o.Keys && s.IDTokenAlg == o.IDTokenAlg && s.PKCERequired == o.PKCERequired && s.SkipConsent == o.SkipConsent &&
		s.Lifetimes == o.Lifetimes && s.Workspace == o.Workspace &&
		s.OwnerID == o.OwnerID && s.ClientURI == o.ClientURI && s.LogoURL == o.LogoURL && s.TermsURI == o.TermsURI && s.PolicyURI == o.PolicyURI &&
		maps.Equal(s.Metadata, o.Metadata)
}
