package store

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

// Application is a registered application, which OAuth 2.0 calls a client.
type Application struct {
	ID       string // identifies it to the host; never changes
	ClientID string // identifies it in the protocol; never changes
	Name     string // shown on the consent page

	// RedirectURIs lists where codes may be sent, compared byte for byte.
	// Without any, no one can sign in to the application.
	RedirectURIs []string

	// Scopes lists what it may ask for, and what it gets when it asks for none.
	Scopes scopes.Set

	// MachineScopes lists what it may ask for without a user (RFC 6749 section
	// 4.4). If empty, it gets no tokens without a user.
	MachineScopes scopes.Set `json:",omitempty"`

	// Lifetimes take precedence over those of the provider.
	Lifetimes ApplicationLifetimes `json:",omitzero"`

	// Workspace sets whether its users choose a workspace.
	Workspace WorkspaceUse `json:",omitempty"`

	// Secrets are its client secrets, hashed. A public application has none.
	Secrets []ClientSecret

	// Public marks an application that can't keep a secret, such as a native or
	// single-page app (RFC 6749 section 2.1). It must use PKCE.
	Public bool

	// PKCERequired makes a confidential application use PKCE too.
	PKCERequired bool

	// SkipConsent skips the consent page, for the host's own applications.
	SkipConsent bool

	// Reviewed reports whether the host vouches for the application.
	Reviewed bool

	// Disabled reports whether every request of the application is refused.
	Disabled bool `json:",omitempty"`

	// Origin is how the application was registered, and Registration is what it
	// said then. Registration is nil for one that the host created.
	Origin       Origin
	Registration *RegistrationRecord

	// Applied notes the settings that the host's code applied lately, newest
	// first. Only an application that the host created has some.
	Applied []AppliedSettings

	// Keys are the public keys that it authenticates with instead of a secret
	// (RFC 7523). They are zero if it has none.
	Keys ClientKeys `json:",omitzero"`

	// PostLogoutRedirectURIs lists where users may be sent after they sign out,
	// compared byte for byte.
	PostLogoutRedirectURIs []string `json:",omitempty"`

	// IDTokenAlg is the JWS algorithm of its ID tokens. The default is the
	// provider's.
	IDTokenAlg string `json:",omitempty"`

	OwnerID   string // the host's user who manages it; may be empty
	ClientURI string // its home page
	LogoURL   string
	TermsURI  string            `json:",omitempty"` // its terms of service
	PolicyURI string            `json:",omitempty"` // its privacy policy
	Metadata  map[string]string // the host's notes

	CreatedAt, UpdatedAt time.Time
	Version              int64 // set by the store: 1 at first, one more with each update
}

// ApplicationLifetimes sets how long the codes, tokens, and sign-ins of an
// application last. A zero field means that the application doesn't set it.
type ApplicationLifetimes struct {
	Code    time.Duration `json:"code,omitempty"`
	Access  time.Duration `json:"access,omitempty"`
	Refresh time.Duration `json:"refresh,omitempty"`
	Grant   time.Duration `json:"grant,omitempty"`
	Grace   time.Duration `json:"grace,omitempty"`
}

// WorkspaceUse is how an application uses workspaces.
type WorkspaceUse string

// The ways in which an application uses workspaces.
const (
	WorkspaceNone     WorkspaceUse = ""         // acts for the user alone
	WorkspaceOptional WorkspaceUse = "optional" // acts for a workspace if the user has one and chooses it
	WorkspaceRequired WorkspaceUse = "required" // always acts for a workspace
)

// ClientKeys are the public keys of an application: a JWK Set (RFC 7517), or
// the URL of one.
type ClientKeys struct {
	Set string `json:"jwks,omitempty"`
	URI string `json:"jwks_uri,omitempty"`
}

// IsZero reports whether k has no keys set.
func (k ClientKeys) IsZero() bool { return k == ClientKeys{} }

// AppliedSettings notes that the host's code applied settings, so that two
// versions of the code don't keep overwriting each other's.
type AppliedSettings struct {
	Digest string // of the settings
	At     time.Time
}

// Origin is how an application was registered.
type Origin string

// The origins of an application.
const (
	OriginManual       Origin = "manual"       // by the host
	OriginRegistration Origin = "registration" // by itself (RFC 7591)
	OriginDocument     Origin = "document"     // from the document at the URL that is its ClientID
)

// RegistrationRecord is what an application said about itself when it
// registered, as far as no other field of [Application] has it (RFC 7591
// section 2). A backend keeps it unchanged.
type RegistrationRecord struct {
	// Token is the hash of the registration access token, with which the
	// application manages its registration (RFC 7592). If zero, it can't.
	Token SecretHash `json:"token,omitzero"`

	Type       string   `json:"application_type,omitempty"` // "web" or "native"
	AuthMethod string   `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes []string `json:"grant_types,omitempty"`
	Contacts   []string `json:"contacts,omitempty"`

	SoftwareID      string `json:"software_id,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`
}

// clone returns a copy that shares nothing with r.
func (r *RegistrationRecord) clone() *RegistrationRecord {
	if r == nil {
		return nil
	}
	c := *r
	c.GrantTypes, c.Contacts = slices.Clone(r.GrantTypes), slices.Clone(r.Contacts)
	return &c
}

// texts returns the texts of a registration that Check validates.
func (r *RegistrationRecord) texts() []string {
	if r == nil {
		return nil
	}
	texts := []string{r.Type, r.AuthMethod, r.SoftwareID, r.SoftwareVersion}
	return slices.Concat(texts, r.GrantTypes, r.Contacts)
}

// Clone returns a copy that shares nothing with app.
func (app Application) Clone() Application {
	app.RedirectURIs = slices.Clone(app.RedirectURIs)
	app.PostLogoutRedirectURIs = slices.Clone(app.PostLogoutRedirectURIs)
	app.Scopes = slices.Clone(app.Scopes)
	app.MachineScopes = slices.Clone(app.MachineScopes)
	app.Secrets = slices.Clone(app.Secrets)
	app.Applied = slices.Clone(app.Applied)
	app.Metadata = maps.Clone(app.Metadata)
	app.Registration = app.Registration.clone()
	return app
}

// Check returns an error if app breaks a rule that every backend enforces.
func (app Application) Check() error {
	if app.ID == "" || app.ClientID == "" {
		return errors.New("store: the application has no ID or no client ID")
	}
	texts := []string{app.ID, app.ClientID, app.Name, string(app.Origin), app.OwnerID, app.ClientURI, app.LogoURL, app.TermsURI, app.PolicyURI,
		app.Keys.Set, app.Keys.URI, app.IDTokenAlg, string(app.Workspace)}
	texts = append(texts, app.RedirectURIs...)
	texts = append(texts, app.PostLogoutRedirectURIs...)
	texts = append(texts, app.Scopes...)
	texts = append(texts, app.MachineScopes...)
	texts = append(texts, app.Registration.texts()...)
	for _, secret := range app.Secrets {
		texts = append(texts, secret.ID)
	}
	for _, applied := range app.Applied {
		texts = append(texts, applied.Digest)
	}
	for key, value := range app.Metadata {
		texts = append(texts, key, value)
	}
	return checkTexts("application", texts...)
}

// Micro returns a copy of app with its times cut to what a backend keeps.
func (app Application) Micro() Application {
	app = app.Clone()
	app.CreatedAt, app.UpdatedAt = Micro(app.CreatedAt), Micro(app.UpdatedAt)
	for i, secret := range app.Secrets {
		app.Secrets[i].CreatedAt, app.Secrets[i].ExpiresAt = Micro(secret.CreatedAt), Micro(secret.ExpiresAt)
	}
	for i, applied := range app.Applied {
		app.Applied[i].At = Micro(applied.At)
	}
	return app
}

// Revealed returns a copy of app whose hashes encoding/json writes in full. It
// is for a backend that keeps applications as JSON. Otherwise a hash encodes as
// "[redacted]", which can't be read back.
func (app Application) Revealed() Application {
	app = app.Clone()
	for i := range app.Secrets {
		app.Secrets[i].Hash.revealed = true
	}
	if app.Registration != nil {
		app.Registration.Token.revealed = !app.Registration.Token.IsZero()
	}
	return app
}

// ApplicationQuery selects and orders applications.
type ApplicationQuery struct {
	OwnerID string // if empty, all owners

	// Name matches part of the name, ignoring case as strings.ToLower does, or
	// the whole client ID. If empty, all match.
	Name string

	Origin        Origin    // if empty, all origins
	UpdatedBefore time.Time // last changed before this time; if zero, any time

	Order  ApplicationOrder // the default is NewestFirst
	Limit  int              // the default is DefaultLimit; negative is an error
	Offset int              // negative is an error
}

// Matches reports whether the query selects the application, ignoring Limit and
// Offset.
func (q ApplicationQuery) Matches(app *Application) bool {
	return (q.OwnerID == "" || app.OwnerID == q.OwnerID) &&
		(q.Name == "" || app.ClientID == q.Name || strings.Contains(strings.ToLower(app.Name), strings.ToLower(q.Name))) &&
		(q.Origin == "" || app.Origin == q.Origin) &&
		(q.UpdatedBefore.IsZero() || app.UpdatedAt.Before(q.UpdatedBefore))
}

// ApplicationOrder is the order of a list of applications. If two compare
// equal, the ID decides in the same direction, so NewestFirst is exactly the
// reverse of OldestFirst.
type ApplicationOrder uint8

// The orders of a list of applications. Names are compared byte for byte.
const (
	NewestFirst ApplicationOrder = iota
	OldestFirst
	NameAscending
	NameDescending
)

// Compare compares two applications in the order, for [slices.SortFunc].
func (o ApplicationOrder) Compare(a, b *Application) int {
	var order int
	switch o {
	case NameAscending, NameDescending:
		order = cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	default:
		order = cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	}
	if o == NewestFirst || o == NameDescending {
		return -order
	}
	return order
}
