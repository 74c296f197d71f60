package rules

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A code is redeemed for the tokens of its grant (RFC 6749 section 4.1.3).
func TestRedeem(t *testing.T) {
	s := newSignIn(t)
	q := s.redemption()
	require.True(t, s.read().Redeemable(q.Code, q.Now))
	require.True(t, s.read().Lives(q.Now))
	s.redeems(q)

	require.False(t, s.read().Redeemable(q.Code, q.Now))
	a, err := s.live(q.Access.Hash, q.Now)
	require.NoError(t, err)
	require.Equal(t, Access{Hash: q.Access.Hash, IssuedAt: q.Now, ExpiresAt: q.Access.ExpiresAt}, *a)
	require.Equal(t, someScopes, s.read().ScopeSetOf(a).String())
	issued, expires, err := s.read().LiveRefresh(&q.Secret, q.Now)
	require.NoError(t, err)
	require.Equal(t, []Instant{q.Now, q.Refresh.ExpiresAt}, []Instant{issued, expires})
	require.Equal(t, q.Now, s.read().LastUsedAt)

	earlier := newSignIn(t)
	earlier.redeems(earlier.redemption(func(q *Redemption) { q.Now = start.Add(-time.Second) }))
	require.Equal(t, start, earlier.read().LastUsedAt, "a clock that runs behind doesn't turn time back")
}

func TestRedeemRefusesInOrder(t *testing.T) {
	type request struct {
		*signIn
		*Redemption
	}
	edit := func(change func(*Redemption)) func(request) { return func(r request) { change(r.Redemption) } }
	causes := []cause[request]{
		{"a code that the grant never had", ErrNotFound, edit(func(q *Redemption) { q.Code[31] ^= 1 })},
		{"another application", ErrOtherApplication, edit(func(q *Redemption) { q.ApplicationID = "app_2" })},
		{"no verifier", ErrNoVerifier, edit(func(q *Redemption) { q.Challenge = "" })},
		{"another verifier", ErrWrongVerifier, edit(func(q *Redemption) { q.Challenge = strings.ToLower(someChallenge) })},
		{"no redirect URI", ErrNoRedirectURI, edit(func(q *Redemption) { q.RedirectURI = "" })},
		{"another redirect URI", ErrOtherRedirectURI, edit(func(q *Redemption) { q.RedirectURI = "https://evil.example/callback" })},
		{"ended", ErrRevoked, func(r request) { r.end() }},
		{"cut off", ErrRevoked, func(r request) { r.cutOff() }},
		{"its own write", nil, func(r request) { r.change(func(g *Grant) { g.note(r.Refresh.Hash) }) }},
		{"spent", ErrReused, func(r request) { r.change(func(g *Grant) { g.code.flags |= codeSpent }) }},
		{"expired", ErrExpired, edit(func(q *Redemption) { q.Now = start.Add(codeLife) })},
		{"another resource", ErrResource, edit(func(q *Redemption) { q.Resource = otherResource })},
	}
	for _, resource := range []string{"", someResource} {
		testOrder(t, causes, func(t *testing.T) request {
			s := newSignIn(t, forResource(resource))
			return request{s, s.redemption()}
		}, func(r request) error {
			step, err := r.redeem(r.Redemption)
			require.Equal(r.t, Keep, step)
			return err
		})
	}
}

// A wrong code or a mismatch doesn't spoil the code for its application, spent
// or not.
func TestRedeemMismatchChangesNothing(t *testing.T) {
	noChallenge := func(_ *Grant, n *NewCode) { n.Challenge = "" }
	optional := func(_ *Grant, n *NewCode) { n.RedirectOptional = true }
	asItIs := func(*Grant, *NewCode) {}
	for name, tt := range map[string]struct {
		code func(*Grant, *NewCode)
		edit func(*Redemption)
		want error
	}{
		"no application":            {asItIs, func(q *Redemption) { q.ApplicationID = "" }, ErrOtherApplication},
		"another application":       {asItIs, func(q *Redemption) { q.ApplicationID = "App_1" }, ErrOtherApplication},
		"a foreign redirect URI":    {asItIs, func(q *Redemption) { q.RedirectURI = "https://evil.example/callback" }, ErrOtherRedirectURI},
		"one in upper case":         {asItIs, func(q *Redemption) { q.RedirectURI = strings.ToUpper(q.RedirectURI) }, ErrOtherRedirectURI},
		"no redirect URI":           {asItIs, func(q *Redemption) { q.RedirectURI = "" }, ErrNoRedirectURI},
		"another where optional":    {optional, func(q *Redemption) { q.RedirectURI = "https://evil.example/callback" }, ErrOtherRedirectURI},
		"optional, other verifier":  {optional, func(q *Redemption) { q.RedirectURI, q.Challenge = "", "x" }, ErrWrongVerifier},
		"no verifier":               {asItIs, func(q *Redemption) { q.Challenge = "" }, ErrNoVerifier},
		"verifier for no challenge": {noChallenge, func(q *Redemption) { q.Challenge = someChallenge }, ErrUnexpectedVerifier},
		"public without challenge":  {noChallenge, func(q *Redemption) { q.Challenge, q.NeedsChallenge = "", true }, ErrNoChallenge},
		"public, verifier for none": {noChallenge, func(q *Redemption) { q.NeedsChallenge = true }, ErrNoChallenge},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, tt.code)
			s.refuses(tt.want, s.redemption(tt.edit))
			right := s.redemption(func(q *Redemption) {
				if s.read().code.flags&codeChallenged == 0 {
					q.Challenge = ""
				}
			})
			s.redeems(right)
			s.refuses(tt.want, s.redemption(tt.edit), "spent")
			_, err := s.live(right.Access.Hash, right.Now)
			require.NoError(t, err)
		})
	}
}

func TestRedeemUnknownCode(t *testing.T) {
	s := newSignIn(t)
	first, last := s.code, s.code
	first[0] ^= 0x80
	last[31] ^= 1
	for name, h := range map[string]Hash{
		"the zero hash": {}, "a first bit": first.Hash(KindCode), "a last bit": last.Hash(KindCode),
		"the code as an access token": s.code.Hash(KindAccess), "the code as a refresh token": s.code.Hash(KindRefresh),
	} {
		s.refuses(ErrNotFound, s.redemption(func(q *Redemption) { q.Code = h }), name)
	}
	q := s.redemption()
	s.redeems(q)
	for _, h := range []Hash{{}, q.Access.Hash, q.Refresh.Hash} {
		s.refuses(ErrNotFound, s.redemption(func(q *Redemption) { q.Code = h }))
	}

	var access Secret
	g := NewGrant(s.doc.ID, someKey, s.cuts, start)
	g.WithAccess(NewToken{access.Hash(KindAccess), start.Add(accessLife)})
	s.keep(&g)
	s.refuses(ErrNotFound, s.redemption(func(q *Redemption) { q.Code = Hash{} }), "a grant without a code")
	require.False(t, g.Redeemable(Hash{}, start))
}

// At the expiry time itself it is too late.
func TestRedeemExpiry(t *testing.T) {
	s := newSignIn(t)
	for _, late := range []time.Duration{0, tick, time.Hour} {
		s.refuses(ErrExpired, s.redemption(func(q *Redemption) { q.Now = start.Add(codeLife + late) }))
		require.False(t, s.read().Redeemable(s.code.Hash(KindCode), start.Add(codeLife+late)))
	}
	s.redeems(s.redemption(func(q *Redemption) { q.Now = start.Add(codeLife - tick) }))
}

// A code that was spent, and has expired since, is a reuse, or forgotten, and
// never just expired.
func TestRedeemSpentAndExpired(t *testing.T) {
	s := signedIn(t)
	late := s.redemption(func(q *Redemption) { q.Now = start.Add(2 * time.Hour) })
	s.refuses(ErrReused, late)
	s.rotates(s.rotation(time.Hour)) // forgets it
	s.refuses(ErrNotFound, late)
}

func TestRedeemOptions(t *testing.T) {
	for name, tt := range map[string]struct {
		code func(*Grant, *NewCode)
		edit func(*Redemption)
	}{
		"redirect URI left out":        {func(_ *Grant, n *NewCode) { n.RedirectOptional = true }, func(q *Redemption) { q.RedirectURI = "" }},
		"redirect URI named":           {func(_ *Grant, n *NewCode) { n.RedirectOptional = true }, func(*Redemption) {}},
		"no challenge, confidential":   {func(_ *Grant, n *NewCode) { n.Challenge = "" }, func(q *Redemption) { q.Challenge = "" }},
		"challenge, public":            {func(*Grant, *NewCode) {}, func(q *Redemption) { q.NeedsChallenge = true }},
		"resource named":               {forResource(someResource), func(q *Redemption) { q.Resource = someResource }},
		"resource not named":           {forResource(someResource), func(*Redemption) {}},
		"a device, without a redirect": {func(_ *Grant, n *NewCode) { n.RedirectURI, n.Challenge = "", "" }, func(q *Redemption) { q.RedirectURI, q.Challenge = "", "" }},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSignIn(t, tt.code)
			s.redeems(s.redemption(tt.edit))
		})
	}
}

// A wrong resource is refused unspent, so the client can ask again.
func TestRedeemResource(t *testing.T) {
	for _, bound := range []string{someResource, ""} {
		s := newSignIn(t, forResource(bound))
		for _, asked := range []string{otherResource, someResource + "/", strings.ToUpper(someResource), "/", " "} {
			s.refuses(ErrResource, s.redemption(func(q *Redemption) { q.Resource = asked }))
		}
		s.redeems(s.redemption())
	}
}

func TestRedeemWithoutRefresh(t *testing.T) {
	s := newSignIn(t)
	q := s.redemption(func(q *Redemption) { q.Refresh, q.Secret = NewToken{}, Secret{} })
	s.redeems(q)
	_, err := s.live(q.Access.Hash, q.Now)
	require.NoError(t, err)
	s.noRotation(ErrNotFound, s.rotation(time.Minute), "the zero secret")
	step, err := s.redeem(q)
	require.NoError(t, err, "its own write is known by the access token")
	require.Equal(t, Keep, step)
	q.Access.Hash[0] ^= 1
	s.refuses(ErrReused, q)
}

// A request that finds its own write succeeds, even with other writes after it.
func TestRedeemFindsItsOwnWrite(t *testing.T) {
	s := newSignIn(t)
	q := s.redemption()
	s.redeems(q)
	for i := range maxRecent {
		step, err := s.redeem(q)
		require.NoError(t, err, i)
		require.Equal(t, Keep, step)
		s.rotates(s.rotation(time.Duration(i) * time.Second))
	}
	s.refuses(ErrReused, q, "after more writes than are remembered")
}
