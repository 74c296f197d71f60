package rules

import (
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const (
	// maxAccess bounds the live access tokens of one grant. With one more, the
	// oldest ends.
	maxAccess = 16

	// maxRecent is how many of its last writes a grant remembers.
	maxRecent = 8

	// maxRotations is how many of its last rotations within the grace period a
	// grant remembers. The worst case that Latchkey plans for is eight
	// processes that share a credentials file, each of which read the file at
	// another time and refreshes once in the grace period. The limit is twice
	// that. A refresh with an old token makes no rotation while the current
	// access token works, so most need far fewer.
	maxRotations = 16
)

// Grant is one sign-in of one user to one application on one device: its code,
// its chain of refresh tokens, and its live access tokens. A machine's grant
// has no user and one access token. [ReadGrant] reads one, and [NewGrant] makes
// one.
type Grant struct {
	ID                                 store.ID
	UserID, ApplicationID, WorkspaceID string

	Scopes   string // names with single spaces between them
	Resource string // RFC 8707; may be empty

	CreatedAt, LastUsedAt Instant
	AgreedAt              Instant // when the user agreed on the page; zero if it was skipped
	ExpiresAt             Instant // no token outlives it; zero if there is no limit
	EndedAt               Instant // zero if live

	Label string // the user's name for it; may be empty

	// SignIn is what ID tokens say about how the user signed in. It is zero if
	// there are no ID tokens.
	SignIn SignIn

	// CutOff reports whether a cut-off came after the decision on the grant.
	CutOff bool

	seen store.Cuts
	mark int64

	code code

	current    refreshToken
	family     [16]byte // the hash of what all refresh tokens have in common
	generation uint32   // of current; zero if there was none

	rotations     [maxRotations]rotation // the latest that led to current, oldest first; earlier ones are forgotten
	rotationCount int

	recent      [maxRecent]uint64 // prefixes of the hashes of the last successors that were written
	recentCount int

	access      [maxAccess]Access // oldest first
	accessCount int

	unknown string // fields of a newer version, kept as they are
}

// code is the authorization code of a grant. It stays while it could be
// redeemed, even if it is spent.
type code struct {
	hash                Hash
	redirect, challenge [16]byte // digests
	expiresAt           Instant
	flags               byte
}

const (
	codeSpent            = 1 << iota
	codeRedirectOptional // it may be redeemed without the redirect URI
	codeChallenged       // it has a challenge
)

type refreshToken struct {
	hash                Hash
	issuedAt, expiresAt Instant
}

// rotation is the stored data of a rotation. With it, the successor can be
// derived again from the presented token.
type rotation struct {
	salt     Salt
	secretID uint32 // of the host's secret in the derivation; zero if none
	at       Instant
}

// Access is an access token of a grant.
type Access struct {
	Hash                Hash
	Scopes              string // empty if the same as the grant's
	IssuedAt, ExpiresAt Instant

	// ended means that the token was revoked while a retry may still ask for
	// it.
	ended bool
}

// NewToken is a token that will be issued.
type NewToken struct {
	Hash      Hash
	ExpiresAt Instant // limited to the grant's end
}

// NewCode is the authorization code of a new grant.
type NewCode struct {
	Hash             Hash
	RedirectURI      string  // where it is sent
	RedirectOptional bool    // it may be redeemed without the redirect URI
	Challenge        string  // the S256 challenge (RFC 7636); may be empty
	ExpiresAt        Instant // limited to the grant's end
}

// WithCode sets the authorization code of a new grant whose ExpiresAt is set.
func (g *Grant) WithCode(n NewCode) {
	g.code = code{hash: n.Hash, redirect: digest(n.RedirectURI), challenge: digest(n.Challenge), expiresAt: g.Until(n.ExpiresAt)}
	if n.RedirectOptional {
		g.code.flags |= codeRedirectOptional
	}
	if n.Challenge != "" {
		g.code.flags |= codeChallenged
	}
}

// WithAccess gives a new grant whose ExpiresAt is set an access token, instead
// of a code.
func (g *Grant) WithAccess(n NewToken) { g.give(n, "", g.CreatedAt) }

// Machine reports whether the grant belongs to an application without a user.
func (g *Grant) Machine() bool { return g.UserID == "" }

// ScopeSet returns the scopes as a set.
func (g *Grant) ScopeSet() scopes.Set { return set(g.Scopes) }

// ScopesOf returns the scopes of an access token of the grant.
func (g *Grant) ScopesOf(a *Access) string {
	if a.Scopes == "" {
		return g.Scopes
	}
	return a.Scopes
}

// ScopeSetOf returns the scopes of an access token of the grant as a set.
func (g *Grant) ScopeSetOf(a *Access) scopes.Set { return set(g.ScopesOf(a)) }

// set returns the set of names with single spaces between them.
func set(names string) scopes.Set {
	if names == "" {
		return nil
	}
	return strings.Split(names, " ")
}

// revoked reports whether the grant was revoked, so none of its tokens work.
func (g *Grant) revoked() bool { return g.EndedAt != 0 || g.CutOff }

// Until limits an expiry time to the end of the grant.
func (g *Grant) Until(t Instant) Instant {
	if g.ExpiresAt != 0 {
		return min(t, g.ExpiresAt)
	}
	return t
}

// wrote reports whether the successor with the hash is in the grant, or was
// among the last of its chain. Then its write succeeded, and only the answer
// was lost.
func (g *Grant) wrote(h Hash) bool {
	for _, prefix := range g.recent[:g.recentCount] {
		if prefix == h.prefix() {
			return true
		}
	}
	return false
}

// note remembers a successor that will be written.
func (g *Grant) note(h Hash) {
	if g.recentCount == maxRecent {
		copy(g.recent[:], g.recent[1:])
		g.recentCount--
	}
	g.recent[g.recentCount] = h.prefix()
	g.recentCount++
}

// give adds an access token, drops those that ended or expired a while ago, and
// reports whether it had to drop a live one.
func (g *Grant) give(t NewToken, narrowed string, now Instant) (evicted bool) {
	kept := 0
	for i := range g.accessCount {
		if a := &g.access[i]; !a.ended && a.ExpiresAt > now.Add(-slack) {
			g.access[kept] = *a
			kept++
		}
	}
	if kept == maxAccess {
		evicted = g.access[0].ExpiresAt > now
		copy(g.access[:], g.access[1:])
		kept--
	}
	g.access[kept] = Access{Hash: t.Hash, Scopes: narrowed, IssuedAt: now, ExpiresAt: g.Until(t.ExpiresAt)}
	g.accessCount = kept + 1
	return evicted
}

// newest returns the access token that was issued last.
func (g *Grant) newest() *Access { return &g.access[g.accessCount-1] }

// tidy drops what no request may use anymore: an expired code, and the salts of
// rotations past their grace period.
func (g *Grant) tidy(now Instant, grace time.Duration) {
	if !g.code.hash.IsZero() && g.code.expiresAt <= now.Add(-slack) {
		g.code = code{}
	}
	forget := 0
	for i := range g.rotationCount {
		if now.Sub(g.rotations[i].at) > grace+slack {
			forget = i + 1
		}
	}
	g.forget(forget)
}

// forget drops the n oldest rotations.
func (g *Grant) forget(n int) {
	if n > 0 {
		kept := copy(g.rotations[:], g.rotations[n:g.rotationCount])
		clear(g.rotations[kept:g.rotationCount])
		g.rotationCount = kept
	}
}

// remember records a rotation, and drops the oldest if there are too many.
func (g *Grant) remember(r rotation) {
	if g.rotationCount == maxRotations {
		g.forget(1)
	}
	g.rotations[g.rotationCount] = r
	g.rotationCount++
}

// lastUse returns when the last code or token of the grant stops working.
func (g *Grant) lastUse() Instant {
	last := max(g.code.expiresAt, g.current.expiresAt)
	for i := range g.accessCount {
		last = max(last, g.access[i].ExpiresAt)
	}
	return last
}

// Lives reports whether anything in the grant works now: a redeemable code, or
// a token.
func (g *Grant) Lives(now Instant) bool {
	if g.revoked() {
		return false
	}
	if g.code.flags&codeSpent == 0 && now < g.code.expiresAt || now < g.current.expiresAt {
		return true
	}
	for i := range g.accessCount {
		if a := &g.access[i]; !a.ended && now < a.ExpiresAt {
			return true
		}
	}
	return false
}

// formLife is longer than the lifetime of any form whose answer could make the
// grant again.
const formLife = 2 * time.Hour

// machineSlack is how long a machine's grant is kept after its token has
// expired, because the clocks of two instances may differ.
const machineSlack = 5 * time.Minute

// sweepAt returns when the grant may be deleted. It is coarse, and never before
// every form that could make the grant again has expired. A machine's grant has
// no form and is rarely written, but there may be many, so they are deleted
// soon.
func (g *Grant) sweepAt() Instant {
	if g.Machine() {
		return g.lastUse().Add(machineSlack)
	}
	return sweepAfter(max(g.CreatedAt.Add(formLife), g.lastUse()))
}

// Tombstone returns when a grant that ends now may be deleted: not before every
// form that could make it again has expired.
func Tombstone(now Instant) Instant { return sweepAfter(now.Add(formLife)) }
