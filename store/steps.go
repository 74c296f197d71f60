package store

import (
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

// NewToken is a token that is about to be kept. Its scopes and kind follow from
// the step that brings it, and so does its IssuedAt: the step's At, or the
// CreatedAt of a new grant.
type NewToken struct {
	Hash Hash

	// ExpiresAt is cut to the grant's ExpiresAt where that is set.
	ExpiresAt time.Time
}

// NewGrant is the input of [Grants.CreateGrant]: the grant, and either the
// code that will be redeemed for its tokens or an access token at once, never
// both.
type NewGrant struct {
	Grant  Grant
	Code   *Code
	Access *NewToken
}

// CodeRedemption is the input of [Grants.RedeemCode].
type CodeRedemption struct {
	Key           Key
	ApplicationID string
	RedirectURI   string // as presented; empty: not presented
	Challenge     string // S256 of the presented verifier; empty: none presented

	// Resource is what the tokens are asked for (RFC 8707 section 2.2). Empty:
	// whatever the grant is for. Another one than the grant's is ErrResource.
	Resource string

	Access  NewToken
	Refresh *NewToken // nil: none is issued

	At time.Time
}

// RefreshRotation is the input of [Grants.RotateRefresh].
type RefreshRotation struct {
	Key           Key // of the presented refresh token
	ApplicationID string

	// Scopes narrow the access token; the refresh token keeps what the grant
	// holds (RFC 6749 section 6). Nil: the grant's. More than these is
	// ErrScope.
	Scopes scopes.Set

	// Resource is what the tokens are asked for, as in [CodeRedemption].
	Resource string

	Access, Refresh NewToken // the successors

	Salt  Salt          // what the successors were derived with
	Grace time.Duration // how long a repeated request is a retry; 0 or less: never
	At    time.Time
}

// Issued is the result of [Grants.RedeemCode] and [Grants.RotateRefresh].
type Issued struct {
	Grant Grant

	// Access is the access token that is now kept, with its scopes and expiry. Its Hash may be zero when Retried is set: the caller derives
	// the token from the Salt.
	Access Token

	Retried bool // by RotateRefresh: nothing was changed
	Salt    Salt // by RotateRefresh: what the pair was derived with
}

// TokenRevocation is the input of [Grants.RevokeToken].
type TokenRevocation struct {
	Key           Key
	ApplicationID string
	At            time.Time
}

// ApplicationQuery selects and orders applications.
type ApplicationQuery struct {
	OwnerID string // empty: of all owners

	// Name selects by a part of the name, upper and lower case alike as
	// strings.ToLower has them, or by the whole client id. Empty: all.
	Name string

	Origin        Origin    // empty: of all origins
	UpdatedBefore time.Time // changed last before this time; zero: whenever

	Order  ApplicationOrder // zero: NewestFirst
	Limit  int              // 0: 10, which is Clerk's default; negative: an error
	Offset int              // negative: an error
}

// DefaultLimit is the page size when a query does not give one.
const DefaultLimit = 10

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

// GrantFilter selects grants: those that match every field that is not empty.
// With no field set it matches nothing.
type GrantFilter struct {
	ID            GrantID
	UserID        string
	ApplicationID string
}

// IsZero reports whether f matches nothing.
func (f GrantFilter) IsZero() bool { return f == GrantFilter{} }

// GrantQuery selects one page of grants.
type GrantQuery struct {
	GrantFilter
	Limit  int // 0: 10; negative: an error
	Offset int // negative: an error
}

// Expiry is the input of [Grants.DeleteExpired].
type Expiry struct {
	Before        time.Time
	RotatedBefore time.Time // zero: keep the salts
	Limit         int       // must be positive
}
