// Package store is the contract between the provider and whatever keeps its
// records. A backend implements [Store]; package storetest holds the suite
// that proves it, and package memory is the smallest complete one.
//
// The contract is a handful of business steps. Each one is atomic: it happens
// whole or not at all, and two that run at once behave as if one had run
// first. A step brings all its input with it, so that a database can do it in
// one statement and Redis in one script. A backend never reads a record, lets
// go of it, and writes it back.
//
// # What a backend never sees
//
// Codes, tokens and client secrets reach a backend only as a [Hash] or a
// [SecretHash]. Neither type can be made from a plain text by conversion, so
// that storing a secret does not compile.
//
// # Rules for every method
//
// Absence is [ErrNotFound]; deleting what is absent is nil. An error that is
// none of this package's means that the backend could not do the step, and
// that nothing of it was done, or that it cannot tell. Records are copies:
// changing what was passed in or returned changes nothing that is kept.
//
// Times are kept in UTC to the microsecond. The provider passes times that are
// already cut to it. A zero time means "never" or "none", as each field says;
// the time of a step is never zero.
//
// Texts are any valid UTF-8 without NUL. They come back byte for byte and are
// compared byte for byte. A backend has room for ids of 512 bytes and for
// other texts of 8 KiB at least; what it cannot keep it refuses, and never
// cuts. Whether an empty collection comes back as nil is not promised.
//
// Every method gives up when its context ends; the provider runs writes under
// a context that the client's hanging up does not end.
package store

import (
	"context"
	"errors"
	"time"
)

// The outcomes that a caller tells apart. A backend returns them as they are
// or wrapped, to be found with [errors.Is].
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("store: not found")
	// ErrExists: a record with this id is there already.
	ErrExists = errors.New("store: already exists")
	// ErrConflict: the record was changed since it was read.
	ErrConflict = errors.New("store: changed since it was read")
	// ErrMismatch: the code or token belongs to another application, or was
	// presented with another redirect URI or verifier. Nothing was changed.
	ErrMismatch = errors.New("store: presented by another application or with other parameters")
	// ErrRevoked: the grant was revoked before. Nothing was changed.
	ErrRevoked = errors.New("store: grant revoked")
	// ErrReused: a spent code or a rotated-away refresh token was presented
	// again. The grant is now revoked.
	ErrReused = errors.New("store: presented again after it was spent")
	// ErrExpired: the code or token has expired. Nothing was changed.
	ErrExpired = errors.New("store: expired")
	// ErrScope: more scopes were asked for than the grant holds. Nothing was
	// spent.
	ErrScope = errors.New("store: scope exceeds the grant")
	// ErrResource: a resource was asked for that is not the grant's, or of a
	// grant that is for none. Nothing was spent.
	ErrResource = errors.New("store: resource differs from the grant's")
	// ErrDiffers: a refresh was repeated within its grace, but asks for
	// another scope than the first time. Nothing was changed.
	ErrDiffers = errors.New("store: repeated with another scope")
)

// Store is everything that a provider needs kept. The two halves have no
// connection: a host may keep them in different places by embedding both in
// one struct,
//
//	struct {
//		store.Applications
//		store.Grants
//	}
//
// which is why a backend keeps no foreign key from grants to applications. A
// host that offers the device authorization grant embeds [Devices] beside them.
type Store interface {
	Applications
	Grants
}

// Volatile is an optional interface of a store that may forget: one that keeps
// its records in memory, for example. It is there for [Store] to be looked at
// before production, by the provider's Check; nothing else asks. A host that
// composes its store embeds it, or implements it, where a part forgets.
type Volatile interface {
	// Forgets reports whether the records are gone when the process ends.
	Forgets() bool
}

// Applications keeps the applications that may ask for access: OAuth 2.0
// calls them clients.
type Applications interface {
	// CreateApplication keeps a new application with Version 1, whatever app
	// says. ErrExists when its ID or its ClientID is taken.
	CreateApplication(ctx context.Context, app Application) error

	// FindApplication finds an application by its ID. ErrNotFound.
	FindApplication(ctx context.Context, id string) (Application, error)

	// FindClient finds an application by its ClientID. ErrNotFound.
	FindClient(ctx context.Context, clientID string) (Application, error)

	// ListApplications returns one page of the applications that match q and
	// the number of all that match. An empty page is no error.
	ListApplications(ctx context.Context, q ApplicationQuery) (page []Application, total int, err error)

	// UpdateApplication replaces the application of the same ID if the kept
	// one still has app.Version, and keeps it with Version+1. It compares and
	// swaps in one step: of many that race with the same Version exactly one
	// succeeds. ErrConflict when the version has moved on, ErrNotFound when
	// there is no such application. ID, ClientID and CreatedAt never change:
	// the kept ones stay, whatever app says.
	UpdateApplication(ctx context.Context, app Application) error

	// DeleteApplication removes an application. Grants are not its business:
	// the provider revokes them.
	DeleteApplication(ctx context.Context, id string) error
}

// Grants keeps who has allowed what to which application, and the codes and
// tokens that hang from it. Whatever is asked about a code or token is asked
// with a [Key], so that one lookup by the grant's id leads to everything.
//
// Codes and refresh tokens are refused in this order, and only ErrReused
// changes anything:
//
//  1. ErrNotFound: no such grant, or a hash that the grant never had.
//  2. ErrMismatch.
//  3. ErrRevoked.
//  4. ErrReused: the grant is revoked in the same step.
//  5. ErrExpired: the time of expiry itself is already too late.
//  6. ErrScope, or ErrDiffers for a retry.
//  7. ErrResource: a resource is named that does not equal the grant's. The
//     user has agreed to the grant's only, or to none (RFC 8707 section 2.2).
//
// So an unknown or foreign party can never end a grant: only its own
// application can, by presenting what it has already spent (RFC 6749 section
// 4.1.2, RFC 9700 section 4.14.2). The hash of a spent code or refresh token
// is remembered at least until its own expiry or the end of its grant.
//
// Hashes are compared in constant time wherever the backend's own code
// compares them.
type Grants interface {
	// CreateGrant keeps a new grant, its code or its token, and the user's
	// consent, in one step. ErrExists when the grant's ID is taken. The ID is
	// one that [NewGrantID] made for the grant's user; a backend that relies on
	// its tag refuses any other.
	//
	// The consent of the grant's user and application is made if there is
	// none, with CreatedAt the grant's. Its Scopes grow by the grant's and its
	// LastUsedAt becomes the grant's CreatedAt. If the grant's AgreedAt is not
	// zero, then AgreedAt becomes the grant's, and Agreed grows by the grant's
	// scopes, or starts anew from them if the consent's Resource was another
	// or nothing had been agreed; Resource becomes the grant's. If it is zero,
	// these three stay as they are.
	CreateGrant(ctx context.Context, n NewGrant) error

	// RedeemCode spends a code and keeps the tokens that are issued for it
	// (RFC 6749 section 4.1.3). Of many that race for one code exactly one
	// succeeds, and the next revokes the grant.
	//
	// It is a mismatch unless ApplicationID and Challenge equal the code's,
	// and RedirectURI too; an empty RedirectURI also matches a code whose
	// RedirectOptional is set.
	RedeemCode(ctx context.Context, r CodeRedemption) (Issued, error)

	// RotateRefresh replaces the current refresh token of a grant by its
	// successor and keeps the new access token (RFC 6749 section 6).
	//
	// The current token rotates: the presented one becomes the previous one,
	// r.Salt is kept, LastUsedAt becomes At, and the result's Salt is r.Salt.
	//
	// The previous token, presented again by its own application while
	// r.Grace > 0 and |At - time of its rotation| <= r.Grace, is a retry, even
	// if it has expired since: nothing changes and the result has Retried set,
	// the kept Salt and what remains of the pair that was issued then. A retry
	// that asks for another scope than the rotation did, be it more than the
	// grant holds, is ErrDiffers. As "previous" means that the successor has
	// not itself been rotated, a retry after the successor was used is a reuse,
	// like every other spent token.
	//
	// Of many that race with one token and with Grace > 0, exactly one
	// rotates and the rest are retries with its salt.
	RotateRefresh(ctx context.Context, r RefreshRotation) (Issued, error)

	// FindToken finds an access or refresh token and its grant in one read:
	// it is the path of every request to the host's API. It returns them as
	// they are, expired, spent or revoked; judging that is the caller's.
	// ErrNotFound for what has been removed, and for a code's hash.
	FindToken(ctx context.Context, k Key) (Token, Grant, error)

	// RevokeToken ends a token at its application's wish (RFC 7009). An
	// access token ends alone and is removed; a refresh token, spent ones too,
	// takes its grant with it. ErrMismatch when it is another application's;
	// nil when there is no such token or it has ended before.
	RevokeToken(ctx context.Context, r TokenRevocation) error

	// FindConsent finds what a user has agreed to give an application.
	// ErrNotFound.
	FindConsent(ctx context.Context, userID, applicationID string) (Consent, error)

	// ListConsents returns all consents of a user, most recently used first.
	ListConsents(ctx context.Context, userID string) ([]Consent, error)

	// ListGrants returns one page of the grants that match q and are not
	// revoked, newest first, and the number of all that match. Where two were
	// created at once, the greater ID comes first.
	ListGrants(ctx context.Context, q GrantQuery) (page []Grant, total int, err error)

	// RevokeGrants revokes every grant that matches f and returns how many it
	// revoked; those revoked before do not count and keep their time. A
	// filter without an ID also deletes the consents of the user, the
	// application, or both, that it names. The empty filter matches nothing.
	// When it returns, it is complete: no token of a grant that was there at
	// the call works.
	RevokeGrants(ctx context.Context, f GrantFilter, at time.Time) (int, error)

	// DeleteExpired removes what is dead and returns how many records it
	// touched, at most e.Limit: fewer means that nothing is left to do but
	// what another step, or another cleanup, had in hand just then.
	// Dead at e.Before are tokens that have expired, grants that have been
	// revoked, and grants on which nothing lives: no code that is neither
	// spent nor expired, and no unexpired token but spent ones. A grant takes
	// everything on it along. The salt of a rotation before e.RotatedBefore is
	// forgotten, and its token is then no longer retried: it is a reuse. Until
	// then a retry is answered, though its tokens may have expired and been
	// removed. Consents stay. Whatever lives is untouched, so it may run
	// beside traffic and in many processes at once.
	//
	// A step that writes a grant may remove what has expired on it well before
	// the time of the step, as DeleteExpired would.
	DeleteExpired(ctx context.Context, e Expiry) (int, error)
}
