// Package userinfo says who a user is: the record that a host's lookup
// returns, and the userinfo document that an application gets of it, cut to
// the scopes it was granted.
package userinfo

import (
	"context"
	"errors"

	"github.com/latchkey-go/latchkey/scopes"
)

// ErrNotFound is what a [Lookup] returns for a user who is gone or disabled.
// Tokens of that user stop working.
var ErrNotFound = errors.New("userinfo: user not found")

// Lookup finds a user by the id that the host knows the user by. It returns
// [ErrNotFound] (or an error that wraps it) when the user is gone or disabled;
// every other error means that the answer is not known now, and requests that
// need it are answered with 503. It must be safe for concurrent use.
type Lookup func(ctx context.Context, userID string) (User, error)

// User is what the host knows of a user. Only ID is required. An empty text
// field is unknown and left out of the document.
type User struct {
	// ID is stable for as long as the user exists and never given to another
	// user. Applications see it as user_id and sub.
	ID string

	// Email and EmailVerified are revealed by the scope email.
	Email         string
	EmailVerified bool

	// These are revealed by the scope profile. Picture is an absolute URL.
	Name, GivenName, FamilyName, Username, Picture string

	// PublicMetadata and UnsafeMetadata are revealed by the scope
	// public_metadata, PrivateMetadata by private_metadata. Values must be
	// such that encoding/json can encode them.
	PublicMetadata, PrivateMetadata, UnsafeMetadata map[string]any
}

// Document is the userinfo document. Its first four fields are always there;
// what was not granted, or is not known, is absent from the JSON.
type Document struct {
	Object     string `json:"object"` // always "oauth_user_info"
	InstanceID string `json:"instance_id"`
	UserID     string `json:"user_id"`
	Subject    string `json:"sub"` // the same as UserID

	Email         string `json:"email,omitempty"`
	EmailVerified *bool  `json:"email_verified,omitempty"`

	Name              string `json:"name,omitempty"`
	GivenName         string `json:"given_name,omitempty"`
	FamilyName        string `json:"family_name,omitempty"`
	Username          string `json:"username,omitempty"`
	PreferredUsername string `json:"preferred_username,omitempty"` // the same as Username
	Picture           string `json:"picture,omitempty"`

	// A granted map that the host left nil is an empty object.
	PublicMetadata  map[string]any `json:"public_metadata,omitzero"`
	PrivateMetadata map[string]any `json:"private_metadata,omitzero"`
	UnsafeMetadata  map[string]any `json:"unsafe_metadata,omitzero"`
}

// Document returns the userinfo document of u for an application that holds
// the granted scopes. The metadata maps are u's own, not copies.
func (u User) Document(instanceID string, granted scopes.Set) Document {
	d := Document{Object: "oauth_user_info", InstanceID: instanceID, UserID: u.ID, Subject: u.ID}
	if granted.Has(scopes.Profile) {
		d.Name, d.GivenName, d.FamilyName = u.Name, u.GivenName, u.FamilyName
		d.Username, d.PreferredUsername = u.Username, u.Username
		d.Picture = u.Picture
	}
	if granted.Has(scopes.Email) && u.Email != "" {
		verified := u.EmailVerified // so that only this is allocated, and not u
		d.Email, d.EmailVerified = u.Email, &verified
	}
	if granted.Has(scopes.PublicMetadata) {
		d.PublicMetadata, d.UnsafeMetadata = object(u.PublicMetadata), object(u.UnsafeMetadata)
	}
	if granted.Has(scopes.PrivateMetadata) {
		d.PrivateMetadata = object(u.PrivateMetadata)
	}
	return d
}

func object(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
