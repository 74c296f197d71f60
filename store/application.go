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

// Application is a registered application: what OAuth 2.0 calls a client.
type Application struct {
	ID       string // names it for its administrators; never changes
	ClientID string // names it in the protocol; never changes
	Name     string // shown on the consent page

	// RedirectURIs are compared byte for byte. An application without any
	// cannot be authorized.
	RedirectURIs []string

	// Scopes is what it may ask for, and what it gets when it asks for
	// nothing.
	Scopes scopes.Set

	// MachineScopes are what it may ask for by itself, without a user (RFC 6749
	// section 4.4). Empty: it may not.
	MachineScopes scopes.Set `json:",omitempty"`

	// Lifetimes go before those of the provider.
	Lifetimes ApplicationLifetimes `json:",omitzero"`

	// Workspace says whether its users choose a workspace.
	Workspace WorkspaceUse `json:",omitempty"`

	// Secrets are its hashed client secrets; a public application has none.
	Secrets []ClientSecret

	// Public is set for an application that cannot keep a secret, such as a
	// native or single-page one (RFC 6749 section 2.1). It must use PKCE.
	Public bool

	// PKCERequired demands PKCE of a confidential application too.
	PKCERequired bool

	// SkipConsent is set for the host's own applications, which need not ask.
	SkipConsent bool

	// Reviewed is set if the host vouches for the application.
	Reviewed bool

	// Disabled is set while every request of the application is refused.
	Disabled bool `json:",omitempty"`

	// Origin says how the application came to be registered, and Registration
	// what it said then. Registration is nil for a manual one.
	Origin       Origin
	Registration *RegistrationRecord

	// Applied are the settings that the host's code has put in force lately,
	// newest first. A manual application may have some.
	Applied []AppliedSettings

	// Keys are the public keys by which it authenticates in place of a secret
	// (RFC 7523). Zero: it has none.
	Keys ClientKeys `json:",omitzero"`

	// PostLogoutRedirectURIs are where its users may be sent after they have
	// signed out, compared byte for byte.
	PostLogoutRedirectURIs []string `json:",omitempty"`

	// IDTokenAlg is the JWS algorithm of its ID tokens. Empty: the provider's
	// usual one.
	IDTokenAlg string `json:",omitempty"`

	OwnerID   string // the host's user who manages it; empty: nobody
	ClientURI string // its home page
	LogoURL   string
	TermsURI  string            `json:",omitempty"` // its terms of service
	PolicyURI string            `json:",omitempty"` // its privacy policy
	Metadata  map[string]string // the host's own notes

	CreatedAt, UpdatedAt time.Time
	Version              int64 // set by the store: 1 at first, one more with each update
}

// ApplicationLifetimes are how long the codes, tokens, and sign-ins of an application last.
// Zero means that the application has no lifetime of its own.
type ApplicationLifetimes struct {
	Code    time.Duration `json:"code,omitempty"`
	Access  time.Duration `json:"access,omitempty"`
	Refresh time.Duration `json:"refresh,omitempty"`
	Grant   time.Duration `json:"grant,omitempty"`
	Grace   time.Duration `json:"grace,omitempty"`
}

// WorkspaceUse says whether the users of an application choose the workspace
// that it acts for.
type WorkspaceUse string

// The ways in which an application uses workspaces.
const (
	WorkspaceNone     WorkspaceUse = ""         // it acts for the user alone
	WorkspaceOptional WorkspaceUse = "optional" // for a workspace, if the user has one and chooses it
	WorkspaceRequired WorkspaceUse = "required" // for a workspace, always
)

// ClientKeys are the public keys of an application: a JWK Set (RFC 7517), or the
// address of one.
type ClientKeys struct {
	Set string `json:"jwks,omitempty"`
	URI string `json:"jwks_uri,omitempty"`
}

// IsZero reports whether there are no keys.
func (k ClientKeys) IsZero() bool { return k == ClientKeys{} }

// AppliedSettings notes that the host's code has put settings in force, so that
// two versions of it don't overwrite each other's for ever.
type AppliedSettings struct {
	Digest string // of the settings
	At     time.Time
}

// Origin says how an application came to be registered.
type Origin string

// The origins of an application.
const (
	OriginManual       Origin = "manual"       // by the host
	OriginRegistration Origin = "registration" // by itself (RFC 7591)
	OriginDocument     Origin = "document"     // by a document at the URL that is its ClientID
)

// RegistrationRecord is what an application that registered itself said of
// itself, where no other field of [Application] has it (RFC 7591 section 2). A
// backend keeps it as it is.
type RegistrationRecord struct {
	// Token is the hash of the registration access token, by which the
	// application manages its registration (RFC 7592). Zero: it cannot.
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

// texts are what the texts of a registration have to be checked for.
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

// Check returns an error if no backend can keep the application.
func (app Application) Check() error {
	if app.ID == "" || app.ClientID == "" {
		return errors.New("store: an application without an ID or a client ID")
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

// Micro returns a copy of app with its times as a backend keeps them.
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

// Revealed returns a copy of app whose hashes encoding/json writes as they are.
// It is for a backend that keeps applications as JSON; everywhere else a hash
// encodes as "[redacted]", which can't be read back.
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
	OwnerID string // empty: of all owners

	// Name selects by a part of the name, upper and lower case alike as
	// strings.ToLower has them, or by the whole client ID. Empty: all.
	Name string

	Origin        Origin    // empty: of all origins
	UpdatedBefore time.Time // last changed before this time; zero: whenever

	Order  ApplicationOrder // zero: NewestFirst
	Limit  int              // 0: DefaultLimit; negative: an error
	Offset int              // negative: an error
}

// Matches reports whether the query selects the application, apart from the
// page.
func (q ApplicationQuery) Matches(app *Application) bool {
	return (q.OwnerID == "" || app.OwnerID == q.OwnerID) &&
		(q.Name == "" || app.ClientID == q.Name || strings.Contains(strings.ToLower(app.Name), strings.ToLower(q.Name))) &&
		(q.Origin == "" || app.Origin == q.Origin) &&
		(q.UpdatedBefore.IsZero() || app.UpdatedAt.Before(q.UpdatedBefore))
}

// ApplicationOrder is the order of a list of applications. Where two compare
// equal, the ID decides in the same direction, so that NewestFirst is exactly
// the reverse of OldestFirst.
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
