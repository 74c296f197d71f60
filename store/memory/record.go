package memory

import (
	"encoding/binary"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// An instant is a time in microseconds since the zero time.Time, so that the
// zero instant is the zero time. It takes a third of a time.Time's memory.
type instant int64

// unixEpoch is 1 January 1970 as an instant.
const unixEpoch = 62_135_596_800_000_000

func instantOf(t time.Time) instant { return instant(t.UnixMicro() + unixEpoch) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i) - unixEpoch).UTC() }

// A text is a string that many records have in common. It is kept once, for
// as long as there is one of them.
type text = unique.Handle[string]

// A scopeSet is a set of scopes, likewise kept once: its sorted names, with NUL
// between them, which no name contains. Two equal sets are one handle.
type scopeSet struct{ names text }

func scopeSetOf(set scopes.Set) scopeSet {
	return scopeSet{unique.Make(strings.Join(scopes.New(set...), "\x00"))}
}

// set returns the names in a slice that is the caller's.
func (s scopeSet) set() scopes.Set {
	names := s.names.Value()
	if names == "" {
		return nil
	}
	return strings.Split(names, "\x00")
}

// union returns the names that are in either set.
func (s scopeSet) union(other scopeSet) scopeSet {
	if s == other {
		return s
	}
	return scopeSetOf(s.set().Union(other.set()))
}

// A grant is a store.Grant with the code and the tokens on it, packed: there
// is one for every signed-in device. The lock of its shard guards it.
type grant struct {
	id          store.GrantID
	user        *user
	application text
	resource    text
	scopes      scopeSet

	createdAt, lastUsedAt, agreedAt, expiresAt, revokedAt instant

	code *code // nil: none, or forgotten

	// access holds the access tokens from the oldest to the newest. While a
	// retry may ask what became of the newest it stays here, even if it has
	// ended: it then only seems to be gone.
	access      []accessToken
	newestEnded bool

	index int32 // of the grant in user.grants

	// The chain of refresh tokens: the one that will rotate, and the one that
	// was rotated last, by which salt and when. A zero rotatedAt means that
	// nothing has been rotated or that the salt is forgotten.
	refresh, previous refreshToken
	salt              store.Salt
	rotatedAt         instant

	spent []spentToken // the refresh tokens before previous, oldest first
}

// A code is an authorization code. It is kept after it is redeemed, to notice
// when it comes again.
type code struct {
	hash             store.Hash
	redirectURI      text
	challenge        string
	expiresAt        instant
	redirectOptional bool
	spent            bool
}

type accessToken struct {
	hash                store.Hash
	scopes              scopeSet
	issuedAt, expiresAt instant
}

// A refreshToken is the current refresh token of a grant or the previous one.
// The zero refreshToken means that there is none.
type refreshToken struct {
	hash                store.Hash
	issuedAt, expiresAt instant
}

// A spentToken is what is remembered of a refresh token that has been rotated
// away for longer, only so that it is noticed when it comes again. There may
// be dozens on each grant, so half of it is the first eight bytes of its hash.
// Those are plenty: nobody can aim for a hash that is not known to anyone, and
// whoever met one by chance, once in 2^64 tries for each, would have a token
// that is refused and end a grant of the application that presented it.
type spentToken struct {
	prefix    uint64
	expiresAt instant
}

func prefixOf(h store.Hash) uint64 { return binary.BigEndian.Uint64(h[:]) }

// out returns the grant as the contract has it.
func (g *grant) out() store.Grant {
	return store.Grant{
		ID:            g.id,
		UserID:        g.user.id,
		ApplicationID: g.application.Value(),
		Scopes:        g.scopes.set(),
		Resource:      g.resource.Value(),
		CreatedAt:     g.createdAt.time(),
		LastUsedAt:    g.lastUsedAt.time(),
		AgreedAt:      g.agreedAt.time(),
		ExpiresAt:     g.expiresAt.time(),
		RevokedAt:     g.revokedAt.time(),
	}
}

// withToken returns the grant and a token on it that holds the scopes. Mostly
// they are the same for both, and a copy is cheaper than unpacking them again.
func (g *grant) withToken(t store.Token, scopes scopeSet) (store.Token, store.Grant) {
	out := g.out()
	if scopes == g.scopes {
		t.Scopes = slices.Clone(out.Scopes)
	} else {
		t.Scopes = scopes.set()
	}
	return t, out
}

// out returns the access token as the contract has it, but for its scopes.
func (t *accessToken) out() store.Token {
	return store.Token{
		Hash:      t.hash,
		Kind:      store.KindAccess,
		IssuedAt:  t.issuedAt.time(),
		ExpiresAt: t.expiresAt.time(),
	}
}

// refreshOut returns a refresh token of the grant as the contract has it, but
// for its scopes, which are always the grant's.
func (g *grant) refreshOut(t refreshToken, spent bool) store.Token {
	return store.Token{
		Hash:      t.hash,
		Kind:      store.KindRefresh,
		IssuedAt:  t.issuedAt.time(),
		ExpiresAt: t.expiresAt.time(),
		Spent:     spent,
	}
}

// findAccess returns the index of the access token with the hash, or -1. The
// newest is tried first, as it is the one that is mostly asked for.
func (g *grant) findAccess(h store.Hash) int {
	usable := g.usableAccess()
	for i := len(usable) - 1; i >= 0; i-- {
		if usable[i].hash.Equal(h) {
			return i
		}
	}
	return -1
}

// usableAccess returns the access tokens without a newest one that has ended.
func (g *grant) usableAccess() []accessToken {
	if g.newestEnded {
		return g.access[:len(g.access)-1]
	}
	return g.access
}

// A place is where in a grant's chain a refresh token stands.
type place uint8

const (
	nowhere  place = iota
	current        // it is the one to rotate
	previous       // it was rotated last
	earlier        // it was rotated before that
)

// findRefresh returns the refresh token with the hash and its place.
func (g *grant) findRefresh(h store.Hash) (refreshToken, place) {
	if h.IsZero() {
		return refreshToken{}, nowhere // what an empty place would equal
	}
	if g.refresh.hash.Equal(h) {
		return g.refresh, current
	}
	if g.previous.hash.Equal(h) {
		return g.previous, previous
	}
	prefix := prefixOf(h)
	for i := len(g.spent) - 1; i >= 0; i-- {
		if t := g.spent[i]; t.prefix == prefix { // one machine word: takes the same time however much of it differs
			return refreshToken{hash: h, expiresAt: t.expiresAt}, earlier
		}
	}
	return refreshToken{}, nowhere
}

// expiry returns when a token of the grant expires that is to expire at t: no
// token outlives its grant.
func (g *grant) expiry(t time.Time) instant {
	i := instantOf(t)
	if g.expiresAt != 0 {
		i = min(i, g.expiresAt)
	}
	return i
}

// giveAccess keeps a new access token as the newest.
func (g *grant) giveAccess(n store.NewToken, scopes scopeSet, at instant) {
	g.access = append(g.access, accessToken{
		hash:      n.Hash,
		scopes:    scopes,
		issuedAt:  at,
		expiresAt: g.expiry(n.ExpiresAt),
	})
}

// endAccess removes an access token, or as much of it as may be removed.
func (g *grant) endAccess(i int) {
	if g.rotatedAt != 0 && i == len(g.access)-1 {
		g.newestEnded = true
		return
	}
	g.access = slices.Delete(g.access, i, i+1)
}

// giveRefresh keeps a new refresh token as the current one.
func (g *grant) giveRefresh(n store.NewToken, at instant) {
	g.refresh = refreshToken{hash: n.Hash, issuedAt: at, expiresAt: g.expiry(n.ExpiresAt)}
}

// remember keeps of a rotated-away token what is needed to notice it.
func (g *grant) remember(t refreshToken) {
	if len(g.spent) == cap(g.spent) {
		// An eighth more room, where append would double it.
		more := make([]spentToken, len(g.spent), len(g.spent)+len(g.spent)/8+1)
		copy(more, g.spent)
		g.spent = more
	}
	g.spent = append(g.spent, spentToken{prefixOf(t.hash), t.expiresAt})
}

// revoke ends the grant and everything on it. A grant that has been revoked
// keeps its time.
func (g *grant) revoke(at instant) (changed bool) {
	if g.revokedAt != 0 {
		return false
	}
	g.revokedAt = at
	g.forgetSalt()
	return true
}

// forgetSalt makes the previous token a spent one like every other. No retry
// can then ask for the newest access token any more.
func (g *grant) forgetSalt() {
	g.salt, g.rotatedAt = store.Salt{}, 0
	if g.newestEnded {
		g.access = slices.Delete(g.access, len(g.access)-1, len(g.access))
		g.newestEnded = false
	}
}

// lives reports whether anything on the grant can still be used at the time.
func (g *grant) lives(at instant) bool {
	return g.code != nil && !g.code.spent && g.code.expiresAt > at ||
		g.refresh.expiresAt > at ||
		slices.ContainsFunc(g.usableAccess(), func(t accessToken) bool { return t.expiresAt > at })
}

// prune removes what had expired by the given time, and reports whether there
// was anything. The previous token stays while it can be retried.
func (g *grant) prune(by instant) (changed bool) {
	if g.code != nil && g.code.expiresAt <= by {
		g.code, changed = nil, true
	}
	usable := g.usableAccess()
	for i := len(usable) - 1; i >= 0; i-- {
		if usable[i].expiresAt <= by {
			g.endAccess(i)
			changed = true
		}
	}
	if g.refresh != (refreshToken{}) && g.refresh.expiresAt <= by {
		g.refresh, changed = refreshToken{}, true
	}
	if g.previous != (refreshToken{}) && g.previous.expiresAt <= by && g.rotatedAt == 0 {
		g.previous, changed = refreshToken{}, true
	}
	remembered := len(g.spent)
	g.spent = slices.DeleteFunc(g.spent, func(t spentToken) bool { return t.expiresAt <= by })
	return changed || len(g.spent) < remembered
}
