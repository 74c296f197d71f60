// Package userinfo describes users: the [User] that a host's [Lookup] returns,
// and the userinfo [Document] that an application gets, limited to its granted
// scopes.
//
//	func findUser(ctx context.Context, id string) (userinfo.User, error) {
//		u, err := db.UserByID(ctx, id)
//		if errors.Is(err, sql.ErrNoRows) {
//			return userinfo.User{}, userinfo.ErrNotFound
//		}
//		return userinfo.User{ID: u.ID, Name: u.Name, Email: u.Email}, err
//	}
package userinfo

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

// ErrNotFound is the error that a [Lookup] returns for a user who doesn't exist
// or is disabled. The user's next refresh then revokes everything they have.
var ErrNotFound = errors.New("userinfo: user not found")

// Lookup finds a user by the host's ID. It returns [ErrNotFound], or an error
// that wraps it, only if the user doesn't exist or is disabled; otherwise an
// outage would sign people out. For a database error return that error:
// requests that need the user are answered with 503. A Lookup must be safe for
// concurrent use.
type Lookup func(ctx context.Context, userID string) (User, error)

// User is what the host knows about a user. Only ID is required. An empty text field
// is left out of the document.
type User struct {
	// ID must not change, and must never be given to another user. Applications
	// see it as user_id and sub.
	ID string

	// Email and EmailVerified are revealed by the scope email.
	Email         string
	EmailVerified bool

	// Name, GivenName, FamilyName, Username, and Picture are revealed by the
	// scope profile. Picture is an absolute URL.
	Name, GivenName, FamilyName, Username, Picture string

	// MiddleName and the following fields are revealed by the scope profile to
	// applications that use OpenID Connect (Core section 5.1). Profile and
	// Website are URLs; Birthdate is "2006-01-02"; Zoneinfo is a name such as
	// "Europe/Paris"; and Locale is one such as "fr-CA".
	MiddleName, Nickname, Profile, Website, Gender, Birthdate, Zoneinfo, Locale string

	// UpdatedAt is when the user's data last changed. The scope profile reveals
	// it to applications that use OpenID Connect.
	UpdatedAt time.Time

	// PhoneNumber, such as "+1 555 0100", and PhoneNumberVerified are revealed
	// by the scope phone, and Address by the scope address, to applications that
	// use OpenID Connect.
	PhoneNumber         string
	PhoneNumberVerified bool
	Address             Address

	// PublicMetadata and UnsafeMetadata are revealed by the scope
	// public_metadata, and PrivateMetadata by private_metadata. encoding/json
	// must be able to encode the values.
	PublicMetadata, PrivateMetadata, UnsafeMetadata map[string]any
}

// Address is a postal address (OpenID Connect Core section 5.1.1).
type Address struct {
	Formatted     string `json:"formatted,omitempty"` // all of it, with line breaks
	StreetAddress string `json:"street_address,omitempty"`
	Locality      string `json:"locality,omitempty"` // city
	Region        string `json:"region,omitempty"`
	PostalCode    string `json:"postal_code,omitempty"`
	Country       string `json:"country,omitempty"`
}

// Document is the userinfo document. Its first four fields are always present.
// Fields that are not granted or empty are absent from the JSON.
type Document struct {
	Object     string `json:"object"` // always "oauth_user_info"
	InstanceID string `json:"instance_id"`
	UserID     string `json:"user_id"`
	Subject    string `json:"sub"` // the same as UserID

	// WorkspaceID is the workspace that the token acts for. It is empty if it
	// acts for the user alone.
	WorkspaceID string `json:"workspace_id,omitempty"`

	Claims
	Username string `json:"username,omitempty"` // the same as PreferredUsername

	// A granted map that the host left nil is an empty object.
	PublicMetadata  map[string]any `json:"public_metadata,omitzero"`
	PrivateMetadata map[string]any `json:"private_metadata,omitzero"`
	UnsafeMetadata  map[string]any `json:"unsafe_metadata,omitzero"`
}

// Claims are the user's data under their OpenID Connect names (Core section
// 5.1), limited to the granted scopes.
type Claims struct {
	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"`

	Name              string `json:"name,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"`
	Picture           string `json:"picture,omitempty"`

	*MoreClaims
}

// MoreClaims are the claims that only applications that use OpenID Connect get.
type MoreClaims struct {
	MiddleName string `json:"middle_name,omitempty"`
	Nickname   string `json:"nickname,omitempty"`
	Profile    string `json:"profile,omitempty"`
	Website    string `json:"website,omitempty"`
	Gender     string `json:"gender,omitempty"`
	Birthdate  string `json:"birthdate,omitempty"`
	Zoneinfo   string `json:"zoneinfo,omitempty"`
	Locale     string `json:"locale,omitempty"`
	UpdatedAt  int64  `json:"updated_at,omitempty"` // seconds since 1970

	PhoneNumber         string   `json:"phone_number,omitempty"`
	PhoneNumberVerified *bool    `json:"phone_number_verified,omitempty"`
	Address             *Address `json:"address,omitempty"`
}

// Document returns the userinfo document of u for an application with the
// granted scopes. It shares the metadata maps with u.
func (u User) Document(instanceID string, granted scopes.Set) Document {
	d := Document{Object: "oauth_user_info", InstanceID: instanceID, UserID: u.ID, Subject: u.ID, Claims: u.claims(granted)}
	if granted.Has(scopes.Profile) {
		d.Username = u.Username
	}
	if granted.Has(scopes.PublicMetadata) {
		d.PublicMetadata, d.UnsafeMetadata = object(u.PublicMetadata), object(u.UnsafeMetadata)
	}
	if granted.Has(scopes.PrivateMetadata) {
		d.PrivateMetadata = object(u.PrivateMetadata)
	}
	return d
}

// claims has the fields of MoreClaims only if "openid" is granted.
func (u *User) claims(granted scopes.Set) (c Claims) {
	if granted.Has(scopes.Profile) {
		c.Name, c.GivenName, c.FamilyName = u.Name, u.GivenName, u.FamilyName
		c.PreferredUsername, c.Picture = u.Username, u.Picture
	}
	if granted.Has(scopes.Email) && u.Email != "" {
		verified := u.EmailVerified // allocates only this, not u
		c.Email, c.EmailVerified = u.Email, &verified
	}
	if granted.Has("openid") {
		c.MoreClaims = u.moreClaims(granted)
	}
	return c
}

// moreClaims returns nil if all its fields are empty.
func (u *User) moreClaims(granted scopes.Set) *MoreClaims {
	var c MoreClaims
	if granted.Has(scopes.Profile) {
		c = MoreClaims{
			MiddleName: u.MiddleName, Nickname: u.Nickname, Profile: u.Profile, Website: u.Website, Gender: u.Gender,
			Birthdate: u.Birthdate, Zoneinfo: u.Zoneinfo, Locale: u.Locale,
		}
		if !u.UpdatedAt.IsZero() {
			c.UpdatedAt = u.UpdatedAt.Unix()
		}
	}
	if granted.Has(scopes.Phone) && u.PhoneNumber != "" {
		verified := u.PhoneNumberVerified
		c.PhoneNumber, c.PhoneNumberVerified = u.PhoneNumber, &verified
	}
	if granted.Has(scopes.Address) && u.Address != (Address{}) {
		address := u.Address
		c.Address = &address
	}
	if c == (MoreClaims{}) {
		return nil
	}
	return &c
}

func object(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
