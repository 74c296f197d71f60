package provider

import (
	"maps"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// ApplicationSettings are what a host chooses about an application and may
// change. Only Name is required.
type ApplicationSettings struct {
	// Name is shown on the consent page. At most 256 characters.
	Name string

	// RedirectURIs are where codes may be sent, compared byte for byte: at most
	// 100, of 1,024 bytes each. They are https; http on a loopback address; or
	// a scheme of its own, which has a period if the application is not
	// reviewed. Without any, the application cannot be authorized until one is
	// added.
	RedirectURIs []string

	// PostLogoutRedirectURIs are where its users may be sent after they have
	// signed out: see [Provider.LogoutHandler]. The rules of RedirectURIs hold,
	// and they are compared byte for byte. They are kept without Config.OpenID
	// too, and then mean nothing.
	PostLogoutRedirectURIs []string

	// Scopes are what it may ask for, and what it gets when it asks for
	// nothing. Nil: those of "profile" and "email" that Config.Scopes has.
	// Empty, but not nil: none.
	Scopes scopes.Set

	// MachineScopes are what it may ask for by itself, without a user
	// (client_credentials), and what it then gets when it asks for nothing. They
	// are apart from Scopes: neither list gives anything of the other. They need
	// Config.Machines, and an application of the host's own that is not public.
	// Empty: it may not ask for tokens by itself.
	MachineScopes scopes.Set

	// Public is for applications that cannot keep a secret: native,
	// single-page, command line. It gets none and must use PKCE.
	Public bool

	// Keys are the public keys by which it authenticates in place of a secret
	// (private_key_jwt): it gets none. They need Config.Keys. Zero: it has none.
	Keys ApplicationKeys

	// IDTokenAlg is the algorithm by which its ID tokens are signed: one that
	// Config.Keys offers. Empty: RS256 if it does, or else its first.
	IDTokenAlg string

	// PKCERequired demands PKCE of a confidential application too. One that has
	// a redirect URI with a scheme of its own always needs it.
	PKCERequired bool

	// SkipConsent is for the host's own applications: nobody is asked, as
	// long as the application is reviewed and the redirect URI is https. Who has
	// not chosen a workspace yet sees the page once, to choose one: see Workspace.
	SkipConsent bool

	// Lifetimes go before those of the Config for its codes and tokens. A field that
	// is zero says nothing; see [Lifetimes]. A change holds for what is issued from
	// then on. The Grace of a public application is at most 10 minutes.
	Lifetimes Lifetimes

	// Workspace says whether its users choose a workspace for which it acts, which
	// needs Config.Workspaces. The default is store.WorkspaceNone: it acts for the
	// user alone. It is about sign-ins to come: what was granted before stays as it
	// is until it is revoked.
	Workspace store.WorkspaceUse

	// OwnerID is the host's user who manages it. Empty: nobody but the host,
	// which then vouches for it.
	OwnerID   string
	ClientURI string            // its home page, https; may be empty
	LogoURL   string            // shown on the pages: https, or below Config.Issuer; may be empty
	TermsURI  string            // its terms of service, https; may be empty
	PolicyURI string            // its privacy policy, https; may be empty
	Metadata  map[string]string // the host's own notes, at most 16 KiB
}

// ApplicationKeys are the public keys of an application: a JWK Set (RFC 7517), or the
// address of one, never both.
type ApplicationKeys struct {
	// Set is the JSON text, of at most 16 KiB. It has no private key.
	Set string

	// URI is https, with a public host name and a path. The set is fetched when a
	// client authenticates, and remembered as its headers say: for a minute at
	// least and a day at most. It is fetched again where a client has signed with a
	// key that is not in it, at most once a minute, so a new key should be there a
	// minute before it signs.
	URI string
}

// IsZero reports whether there are none.
func (k ApplicationKeys) IsZero() bool { return k == ApplicationKeys{} }

// Application is a registered application. It holds no secret, and no hash of
// one, so it may be shown, logged, and encoded.
type Application struct {
	ID       string // names it for its administrators; never changes
	ClientID string // names it in the protocol; never changes

	// Origin says how it came to be registered: by the host, by itself, or by a
	// document.
	Origin store.Origin

	// Reviewed says whether the host vouches for it: see
	// [Provider.ReviewApplication].
	Reviewed bool

	// Disabled says whether all its requests are refused: see
	// [Provider.DisableApplication].
	Disabled bool

	ApplicationSettings

	// Secrets are its client secrets, newest first; a public application has
	// none, nor has one with keys.
	Secrets []SecretInfo

	// Registration is what an application that registered itself, or that is
	// known by a document, says of itself besides. Nil for the host's own.
	Registration *RegistrationInfo

	CreatedAt, UpdatedAt time.Time
	Version              int64 // 1 at first, one more with each change
}

// SecretInfo says what is known of a client secret, which is not the secret.
type SecretInfo struct {
	ID        string
	CreatedAt time.Time
	ExpiresAt time.Time // zero: never
}

// RegistrationInfo is what an application says of itself (RFC 7591 section 2).
// Nobody has checked it.
type RegistrationInfo struct {
	Type       string // "web" or "native"
	AuthMethod string // of the token endpoint
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
// A record that turns public or confidential loses its secrets, and so does one
// that gets keys. Offered are the scopes that the provider offers, in their order.
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
