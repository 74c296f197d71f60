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

	// maxRecent is how many of the last writes a grant remembers.
	maxRecent = 8

	// maxRotations is how many of its last rotations a grant remembers, for as
	// long as they are within the grace. It is twice as many as the processes that
	// share one file of credentials in the worst case that is planned for: eight,
	// each of which has read the file at another time and refreshes once in the
	// grace. A refresh with an old token makes no rotation while the current
	// access token works, so most get by with far fewer.
	maxRotations = 16
)

// Grant is one sign-in of one user to one application on one device: its code,
// its chain of refresh tokens, and its live access tokens. A machine's grant has
// no user and one access token. [ReadGrant] reads one, [NewGrant] begins one.
type Grant struct {
	ID                                 store.ID
	UserID, ApplicationID, WorkspaceID string

	Scopes   string // names with single spaces between them
	Resource string // RFC 8707; empty: none

	CreatedAt, LastUsedAt Instant
	AgreedAt              Instant // when the user agreed on the page; zero: the page was skipped
	ExpiresAt             Instant // no token outlives it; zero: no such end
	EndedAt               Instant // zero: it lives

	Label string // what its user calls it; empty: nothing

	// SignIn is what ID tokens say of how the user signed in. It is zero if there are none.
	SignIn SignIn

	// CutOff is set if a cut-off has come since the grant was decided on.
	CutOff bool

	seen store.Cuts
	mark int64

	code code

	current    refreshToken
	family     [16]byte // the hash of what all refresh tokens share
	generation uint32   // of current; zero: there was never one

	rotations     [maxRotations]rotation // the last that led to current, oldest first; those before are forgotten
	rotationCount int

	recent      [maxRecent]uint64 // prefixes of the hashes of the last successors that were written
	recentCount int

	access      [maxAccess]Access // oldest first
	accessCount int

	unknown string // fields of a newer version, kept as they are
}

// code is the authorization code of a grant. It stays while it could be
// redeemed, spent or not.
type code struct {
	hash                Hash
	redirect, challenge [16]byte // digests
	expiresAt           Instant
	flags               byte
}

const (
	codeSpent            = 1 << iota
	codeRedirectOptional // it may be redeemed without naming the redirect URI
	codeChallenged       // it has a challenge
)

type refreshToken struct {
	hash                Hash
	issuedAt, expiresAt Instant
}

// rotation is what is kept of one, so that the successor can be derived again
// from the token that was presented.
type rotation struct {
	salt     Salt
	secretID uint32 // of the host's secret that went into it; zero: none
	at       Instant
}

// Access is an access token of a grant.
type Access struct {
	Hash                Hash
	Scopes              string // empty: the grant's
	IssuedAt, ExpiresAt Instant

	// ended is set for one that was revoked while a retry may still ask for it.
	ended bool
}

// NewToken is a token that is about to be issued.
type NewToken struct {
	Hash      Hash
	ExpiresAt Instant // cut to the grant's end
}

// NewCode is the authorization code of a new grant.
type NewCode struct {
	Hash             Hash
	RedirectURI      string  // where it is sent
	RedirectOptional bool    // it may be redeemed without naming the redirect URI
	Challenge        string  // the S256 challenge (RFC 7636); empty: none
	ExpiresAt        Instant // cut to the grant's end
}

// WithCode gives a new grant, whose ExpiresAt is set, its authorization code.
func (g *Grant) WithCode(n NewCode) {
	g.code = code{hash: n.Hash, redirect: digest(n.RedirectURI), challenge: digest(n.Challenge), expiresAt: g.Until(n.ExpiresAt)}
	if n.RedirectOptional {
		g.code.flags |= codeRedirectOptional
	}
	if n.Challenge != "" {
		g.code.flags |= codeChallenged
	}
}

// WithAccess gives a new grant, whose ExpiresAt is set, an access token at once
// and no code.
func (g *Grant) WithAccess(n NewToken) { g.give(n, "", g.CreatedAt) }

// Machine reports whether the grant is an application's own, without a user.
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

// revoked reports whether no token of the grant works any more.
func (g *Grant) revoked() bool { return g.EndedAt != 0 || g.CutOff }

// Until cuts a time of expiry to the end of the grant.
func (g *Grant) Until(t Instant) Instant {
	if g.ExpiresAt != 0 {
		return min(t, g.ExpiresAt)
	}
	return t
}

// wrote reports whether the successor with the hash is in the grant, or was
// among the last of its chain: then the write that brought it has happened, and
// only its answer was lost.
func (g *Grant) wrote(h Hash) bool {
	for _, prefix := range g.recent[:g.recentCount] {
		if prefix == h.prefix() {
			return true
		}
	}
	return false
}

// note remembers a successor that is about to be written.
func (g *Grant) note(h Hash) {
	if g.recentCount == maxRecent {
		copy(g.recent[:], g.recent[1:])
		g.recentCount--
	}
	g.recent[g.recentCount] = h.prefix()
	g.recentCount++
}

// give adds an access token, drops those that ended or expired a while ago, and
// reports whether a live one had to make room.
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

// tidy forgets what no request may use any more: a code that has expired, and
// the salts of rotations past their grace.
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

// forget drops the oldest rotations that are remembered.
func (g *Grant) forget(n int) {
	if n > 0 {
		kept := copy(g.rotations[:], g.rotations[n:g.rotationCount])
		clear(g.rotations[kept:g.rotationCount])
		g.rotationCount = kept
	}
}

// remember notes a rotation, and drops the oldest if there are too many.
func (g *Grant) remember(r rotation) {
	if g.rotationCount == maxRotations {
		g.forget(1)
	}
	g.rotations[g.rotationCount] = r
	g.rotationCount++
}

// lastUse returns when the last of what is in the grant stops working.
func (g *Grant) lastUse() Instant {
	last := max(g.code.expiresAt, g.current.expiresAt)
	for i := range g.accessCount {
		last = max(last, g.access[i].ExpiresAt)
	}
	return last
}

// Lives reports whether anything in the grant works now: a code that can be
// redeemed, or a token.
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

// formLife is longer than any form lives whose answer could make the grant
// again.
const formLife = 2 * time.Hour

// machineSlack is how long a machine's grant is kept after its token has expired:
// the clocks of two instances may differ by as much.
const machineSlack = 5 * time.Minute

// sweepAt returns when the grant may be swept. It is coarse and never comes
// sooner than a form that could make the grant again is too old. No form makes a
// machine's grant and none is written often, but there may be many: those go soon.
func (g *Grant) sweepAt() Instant {
	if g.Machine() {
		return g.lastUse().Add(machineSlack)
	}
	return sweepAfter(max(g.CreatedAt.Add(formLife), g.lastUse()))
}

// Tombstone returns when a grant may be swept that ends now: not before every
// form that could make it again is too old.
func Tombstone(now Instant) Instant { return sweepAfter(now.Add(formLife)) }
