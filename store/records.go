package store

import (
	"maps"
	"slices"
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

	// Secrets are its hashed client secrets; a public application has none.
	Secrets []Secret

	// Public is set for an application that cannot keep a secret, such as a
	// native or single-page one (RFC 6749 section 2.1). It must use PKCE.
	Public bool

	// PKCERequired demands PKCE of a confidential application too.
	PKCERequired bool

	// SkipConsent is set for the host's own applications, which need not ask.
	SkipConsent bool

	// Origin says how the application came to be registered, and Registration
	// what it said then. Registration is nil for a manual one.
	Origin       Origin
	Registration *Registration

	OwnerID   string // the host's user who manages it; empty: nobody
	ClientURI string // its home page
	LogoURL   string
	Metadata  map[string]string // the host's own notes

	CreatedAt, UpdatedAt time.Time
	Version              int64 // set by the store: 1 at first, one more with each update
}

// Origin says how an application came to be registered.
type Origin string

// The origins of an application.
const (
	OriginManual       Origin = "manual"       // by the host
	OriginRegistration Origin = "registration" // by itself (RFC 7591)
	OriginDocument     Origin = "document"     // by a document at the URL that is its ClientID
)

// Registration is what an application that registered itself said of itself,
// where no other field of [Application] has it (RFC 7591 section 2). A backend
// keeps it as it is.
type Registration struct {
	// Token is the hash of the registration access token, by which the
	// application manages its registration (RFC 7592). Zero: it cannot.
	Token SecretHash `json:"token,omitzero"`

	Type       string   `json:"application_type,omitempty"` // "web" or "native"
	AuthMethod string   `json:"token_endpoint_auth_method,omitempty"`
	GrantTypes []string `json:"grant_types,omitempty"`
	Contacts   []string `json:"contacts,omitempty"`

	TermsURI        string `json:"tos_uri,omitempty"`
	PolicyURI       string `json:"policy_uri,omitempty"`
	SoftwareID      string `json:"software_id,omitempty"`
	SoftwareVersion string `json:"software_version,omitempty"`
}

// clone returns a copy that shares nothing with r.
func (r *Registration) clone() *Registration {
	if r == nil {
		return nil
	}
	c := *r
	c.GrantTypes, c.Contacts = slices.Clone(r.GrantTypes), slices.Clone(r.Contacts)
	return &c
}

// texts are what the texts of a registration have to be checked for.
func (r *Registration) texts() []string {
	if r == nil {
		return nil
	}
	texts := []string{r.Type, r.AuthMethod, r.TermsURI, r.PolicyURI, r.SoftwareID, r.SoftwareVersion}
	return slices.Concat(texts, r.GrantTypes, r.Contacts)
}

// Clone returns a copy that shares nothing with app.
func (app Application) Clone() Application {
	app.RedirectURIs = slices.Clone(app.RedirectURIs)
	app.Scopes = slices.Clone(app.Scopes)
	app.Secrets = slices.Clone(app.Secrets)
	app.Metadata = maps.Clone(app.Metadata)
	app.Registration = app.Registration.clone()
	return app
}

// Grant is one sign-in of one user to one application on one device. Its code
// and tokens hang from it, so revoking it is one write and all of them die.
type Grant struct {
	ID            GrantID
	UserID        string
	ApplicationID string
	Scopes        scopes.Set
	Resource      string // what its tokens are for (RFC 8707); empty: for none

	CreatedAt  time.Time
	LastUsedAt time.Time // set at authorization and refresh, never by FindToken
	AgreedAt   time.Time // when the user agreed on the consent page; zero: the page was skipped
	ExpiresAt  time.Time // no token outlives it; zero: no such end
	RevokedAt  time.Time // zero: not revoked
}

// Code is an authorization code, waiting on its grant to be redeemed.
type Code struct {
	Hash        Hash
	RedirectURI string // where it was sent

	// RedirectOptional lets it be redeemed without naming the redirect URI.
	RedirectOptional bool

	Challenge string // PKCE S256 code challenge (RFC 7636); empty: none
	ExpiresAt time.Time
}

// Token is an access or refresh token.
type Token struct {
	Hash      Hash
	Kind      Kind
	Scopes    scopes.Set
	IssuedAt  time.Time // of the step that brought it; may be zero when Spent
	ExpiresAt time.Time
	Spent     bool // a refresh token that has been rotated away
}

// Consent is what a user has agreed to give an application. There is one for
// each user and application. It outlives the tokens, until the user takes it
// back.
type Consent struct {
	UserID        string
	ApplicationID string
	Scopes        scopes.Set // all that was ever granted under it

	// Agreed is what the user said yes to on the consent page, for Resource,
	// most recently at AgreedAt. While it covers what is asked, the page need
	// not be shown again. AgreedAt is zero while the page was always skipped.
	Agreed   scopes.Set
	Resource string
	AgreedAt time.Time

	CreatedAt, LastUsedAt time.Time
}
