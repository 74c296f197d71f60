package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var codePromises = []promise{
	{"a code is redeemed for the tokens of its grant",
		"It is how every sign-in ends (RFC 6749 section 4.1.3).",
		codeIsRedeemed},
	{"a grant id is taken once",
		"A second grant under the same id would inherit the first one's tokens.",
		grantIDTaken},
	{"an access token can be kept with a new grant",
		"The host issues tokens without a code for its own purposes.",
		accessWithGrant},
	{"a code that the grant never had is not found and changes nothing",
		"Whoever reads a grant id in a log must not be able to end the grant.",
		unknownCode},
	{"a mismatch is refused and changes nothing",
		"Who intercepts a code can neither use it nor spoil it for its application.",
		codeMismatch},
	{"a redirect uri may be left out if the code says so",
		"OAuth 2.1 clients do not repeat it; RFC 6749 ones must.",
		redirectOptional},
	{"a code without a challenge is redeemed without a verifier",
		"Confidential applications need not use PKCE.",
		withoutChallenge},
	{"a spent code revokes the grant",
		"Two parties have the code, and one of them stole it (RFC 6749 section 4.1.2).",
		spentCode},
	{"a spent code of another application changes nothing",
		"Only its own application can end a grant.",
		spentCodeMismatch},
	{"a code works until just before its expiry",
		"The time of expiry itself is already too late, on every backend alike.",
		codeExpiry},
	{"refusals of a code come in the documented order",
		"Which refusal is given decides whether the grant is revoked.",
		codeOrder},
	{"another resource than the grant's is refused unspent",
		"The client can ask again for the right one (RFC 8707 section 2.2).",
		codeResourceRefused},
	{"a resource is refused unspent where the grant is for none",
		"The user was not asked whether the application may go there.",
		codeUnboundRefused},
	{"the grant's own resource may be named",
		"Many clients always name it (RFC 8707 section 2.2).",
		codeResource},
	{"no refresh token is issued if none is offered",
		"Not every application may stay signed in.",
		withoutRefresh},
	{"no token outlives the grant",
		"The host has promised its users that a sign-in ends.",
		codeExpiryIsCut},
	{"a credential counts only under its own grant",
		"The grant decides what a credential opens.",
		ownGrantOnly},
}

func codeIsRedeemed(t *trial) {
	n := t.create(someUser, someApp, boundTo(someResource))
	t.gone(store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash}, "code as if it were a token")

	r := t.redemption(n)
	issued, d := t.redeems(r, "redeeming a code"), deviceOf(n, r)
	t.equal(issued.Grant, d.grant, "the grant that a redemption returns")
	t.equal(issued.Access, d.access, "the access token that a redemption returns")
	if issued.Retried {
		t.errorf("redeeming a code: got Retried, which is for refresh tokens")
	}
	t.keeps(d, "after the redemption")
	t.gone(store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash}, "spent code as if it were a token")
}

func grantIDTaken(t *trial) {
	d := t.signIn(someUser, someApp)
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")

	again := t.newGrant(someUser, someApp, func(n *store.NewGrant) {
		n.Grant.ID = d.grant.ID
		n.Grant.Scopes = n.Grant.Scopes.Union([]string{"more"})
		n.Grant.CreatedAt = t.after(time.Hour)
	})
	t.fails(t.CreateGrant(t.Context(), again), store.ErrExists, "creating a grant with a taken id")
	elsewhere := again
	elsewhere.Grant.ApplicationID = otherApp
	t.fails(t.CreateGrant(t.Context(), elsewhere), store.ErrExists, "creating a grant with a taken id for another application")

	t.keeps(d, "after a second grant with its id was refused")
	t.noRedemption(t.redemption(again), store.ErrNotFound, "redeeming the code of a grant that was refused")
	kept, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent again")
	t.equal(kept, consent, "the consent after a second grant was refused")
	_, err = t.FindConsent(t.Context(), someUser, otherApp)
	t.fails(err, store.ErrNotFound, "finding the consent of a grant that was refused")
}

func accessWithGrant(t *trial) {
	for _, resource := range []string{"", someResource} {
		n := t.newGrant(someUser, someApp, boundTo(resource))
		n.Code, n.Access = nil, &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(accessLifetime)}
		t.must(t.CreateGrant(t.Context(), n), "creating a grant with an access token")
		t.finds(store.Token{
			Hash: n.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes,
			IssuedAt: n.Grant.CreatedAt, ExpiresAt: n.Access.ExpiresAt,
		}, n.Grant, "a grant created with an access token for resource %q", resource)

		n.Code = &store.Code{RedirectURI: someRedirect}
		t.noRedemption(t.redemption(n), store.ErrNotFound, "redeeming the zero hash on a grant without a code")
		d := device{grant: n.Grant}
		t.noRotation(t.rotation(d, time.Hour), store.ErrNotFound, "rotating the zero hash on a grant without a refresh token")
		d.refresh.Hash = n.Access.Hash
		t.noRotation(t.rotation(d, time.Hour), store.ErrNotFound, "rotating an access token")
	}

	n := t.newGrant(someUser, someApp, func(n *store.NewGrant) { n.Grant.ExpiresAt = t.after(time.Hour) })
	n.Code, n.Access = nil, &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(accessLifetime)}
	t.must(t.CreateGrant(t.Context(), n), "creating a grant with an access token")
	t.finds(store.Token{
		Hash: n.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes,
		IssuedAt: n.Grant.CreatedAt, ExpiresAt: n.Grant.ExpiresAt,
	}, n.Grant, "an access token that was to outlive its grant")
}

// wrongHashes are hashes that are not h, however little they differ from it.
func (t *trial) wrongHashes(h store.Hash) map[string]store.Hash {
	first, last := h, h
	first[0] ^= 0x80
	last[len(last)-1] ^= 1
	return map[string]store.Hash{
		"a random hash": t.hash(), "the zero hash": {}, "a hash that differs in its first bit": first, "a hash that differs in its last bit": last,
	}
}

func unknownCode(t *trial) {
	n := t.create(someUser, someApp)
	for name, hash := range t.wrongHashes(n.Code.Hash) {
		r := t.redemption(n)
		r.Key.Hash = hash
		t.noRedemption(r, store.ErrNotFound, "redeeming %s", name)
		r.ApplicationID = otherApp
		t.noRedemption(r, store.ErrNotFound, "redeeming %s as another application", name)
	}
	r := t.redemption(n)
	r.Key.GrantID = store.NewGrantID(t.start, someUser)
	t.noRedemption(r, store.ErrNotFound, "redeeming a code under a grant that never was")

	r = t.redemption(n)
	t.redeems(r, "redeeming the code after all that")
	for name, hash := range map[string]store.Hash{"an access token": r.Access.Hash, "a refresh token": r.Refresh.Hash} {
		wrong := t.redemption(n)
		wrong.Key.Hash = hash
		t.noRedemption(wrong, store.ErrNotFound, "redeeming %s", name)
	}
	wrong := t.redemption(n)
	wrong.Key.Hash = t.hash()
	t.noRedemption(wrong, store.ErrNotFound, "redeeming a random hash on a grant whose code is spent")
	_, grant, err := t.FindToken(t.Context(), store.Key{GrantID: n.Grant.ID, Hash: r.Access.Hash})
	t.must(err, "finding the access token after all that")
	t.equal(grant, n.Grant, "the grant after all that")
}

func codeMismatch(t *trial) {
	noChallenge := func(n *store.NewGrant) { n.Code.Challenge = "" }
	optional := func(n *store.NewGrant) { n.Code.RedirectOptional = true }
	asItIs := func(*store.NewGrant) {}
	for _, tt := range []struct {
		name string
		code func(*store.NewGrant)
		edit func(*store.CodeRedemption)
	}{
		{"another application", asItIs, func(r *store.CodeRedemption) { r.ApplicationID = otherApp }},
		{"no application", asItIs, func(r *store.CodeRedemption) { r.ApplicationID = "" }},
		{"another redirect uri", asItIs, func(r *store.CodeRedemption) { r.RedirectURI = "https://evil.example/callback" }},
		{"a longer redirect uri", asItIs, func(r *store.CodeRedemption) { r.RedirectURI += "/" }},
		{"a redirect uri in upper case", asItIs, func(r *store.CodeRedemption) { r.RedirectURI = strings.ToUpper(r.RedirectURI) }},
		{"no redirect uri", asItIs, func(r *store.CodeRedemption) { r.RedirectURI = "" }},
		{"another verifier", asItIs, func(r *store.CodeRedemption) { r.Challenge = strings.Repeat("A", 43) }},
		{"a verifier whose challenge differs in case", asItIs, func(r *store.CodeRedemption) { r.Challenge = strings.ToLower(r.Challenge) }},
		{"no verifier", asItIs, func(r *store.CodeRedemption) { r.Challenge = "" }},
		{"a verifier for a code without a challenge", noChallenge, func(r *store.CodeRedemption) { r.Challenge = someChallenge }},
		{"another redirect uri where it is optional", optional, func(r *store.CodeRedemption) { r.RedirectURI = "https://evil.example/callback" }},
		{"no redirect uri, where it is optional, but another verifier", optional, func(r *store.CodeRedemption) { r.RedirectURI, r.Challenge = "", "x" }},
		{"everything wrong", asItIs, func(r *store.CodeRedemption) { r.ApplicationID, r.RedirectURI, r.Challenge = otherApp, "x", "x" }},
	} {
		n := t.create(someUser, someApp, tt.code)
		wrong := t.redemption(n)
		tt.edit(&wrong)
		t.noRedemption(wrong, store.ErrMismatch, "redeeming with %s", tt.name)
		t.noRedemption(wrong, store.ErrMismatch, "redeeming with %s once more", tt.name)
		issued := t.redeems(t.redemption(n), "redeeming rightly after a redemption with %s", tt.name)
		t.equal(issued.Grant, n.Grant, "the grant after a redemption with %s", tt.name)
	}
}

func redirectOptional(t *trial) {
	for name, redirectURI := range map[string]string{"left out": "", "named": someRedirect} {
		n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.RedirectOptional = true })
		r := t.redemption(n)
		r.RedirectURI = redirectURI
		t.redeems(r, "redeeming with the redirect uri %s where it is optional", name)
	}
}

func withoutChallenge(t *trial) {
	n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.Challenge = "" })
	t.redeems(t.redemption(n), "redeeming a code without a challenge")
}

func spentCode(t *trial) {
	d := t.signIn(someUser, someApp)
	other := t.signIn(someUser, someApp)

	again := d.redemption
	again.Access.Hash, again.Refresh = t.hash(), &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(refreshLifetime)}
	again.At = t.after(time.Minute)
	t.noRedemption(again, store.ErrReused, "redeeming a spent code")
	t.revoked(d, again.At, "after its code came again")
	t.noRotation(t.rotation(d, 2*time.Minute), store.ErrRevoked, "rotating the refresh token of a revoked grant")
	again.At = t.after(3 * time.Minute)
	t.noRedemption(again, store.ErrRevoked, "redeeming a spent code of a revoked grant")
	t.revoked(d, t.after(time.Minute), "after its code came a third time")
	t.keeps(other, "another grant of the same user and application")
}

func spentCodeMismatch(t *trial) {
	d := t.signIn(someUser, someApp)
	for name, edit := range map[string]func(*store.CodeRedemption){
		"another application":  func(r *store.CodeRedemption) { r.ApplicationID = otherApp },
		"another redirect uri": func(r *store.CodeRedemption) { r.RedirectURI = "x" },
		"another verifier":     func(r *store.CodeRedemption) { r.Challenge = "x" },
	} {
		again := d.redemption
		again.Access.Hash, again.Refresh = t.hash(), nil
		edit(&again)
		t.noRedemption(again, store.ErrMismatch, "redeeming a spent code with %s", name)
		t.keeps(d, "after its spent code was presented with %s", name)
	}
}

func codeExpiry(t *trial) {
	n := t.create(someUser, someApp)
	r := t.redemption(n)
	for _, late := range []time.Duration{0, tick, time.Hour} {
		r.At = n.Code.ExpiresAt.Add(late)
		t.noRedemption(r, store.ErrExpired, "redeeming a code %v after its expiry", late)
	}
	r.At = n.Code.ExpiresAt.Add(-tick)
	t.redeems(r, "redeeming a code just before its expiry, by a clock that is behind")
}

func codeOrder(t *trial) {
	foreign := func(r *store.CodeRedemption) { r.ApplicationID = otherApp }
	expired := func(r *store.CodeRedemption) { r.At = t.after(codeLifetime) }
	resource := func(r *store.CodeRedemption) { r.Resource = otherResource }
	for _, tt := range []struct {
		name           string
		spent, revoked bool
		edits          []func(*store.CodeRedemption)
		want           error
	}{
		{"a revoked code of another application", false, true, []func(*store.CodeRedemption){foreign}, store.ErrMismatch},
		{"an expired code of another application", false, false, []func(*store.CodeRedemption){foreign, expired}, store.ErrMismatch},
		{"a code of another application for another resource", false, false, []func(*store.CodeRedemption){foreign, resource}, store.ErrMismatch},
		{"a spent and revoked code", true, true, nil, store.ErrRevoked},
		{"a revoked and expired code", false, true, []func(*store.CodeRedemption){expired}, store.ErrRevoked},
		{"a revoked code for another resource", false, true, []func(*store.CodeRedemption){resource}, store.ErrRevoked},
		{"a spent code for another resource", true, false, []func(*store.CodeRedemption){resource}, store.ErrReused},
		{"an expired code for another resource", false, false, []func(*store.CodeRedemption){expired, resource}, store.ErrExpired},
	} {
		for _, bound := range []string{someResource, ""} {
			n := t.create(someUser, someApp, boundTo(bound))
			if tt.spent {
				t.redeems(t.redemption(n), "redeeming a code")
			}
			if tt.revoked {
				_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: n.Grant.ID}, t.after(time.Minute))
				t.must(err, "revoking a grant")
			}
			r := t.redemption(n)
			for _, edit := range tt.edits {
				edit(&r)
			}
			t.noRedemption(r, tt.want, "redeeming %s, of a grant for %q", tt.name, bound)
		}
	}

	// A spent code need not be remembered after its expiry, but it is never
	// one that has merely expired.
	d := t.signIn(someUser, someApp)
	again := d.redemption
	again.Access.Hash, again.Refresh, again.At = t.hash(), nil, t.after(codeLifetime)
	if _, err := t.RedeemCode(t.Context(), again); !errors.Is(err, store.ErrReused) && !errors.Is(err, store.ErrNotFound) {
		t.errorf("redeeming a spent code at its expiry: got error %v, want %q or %q", err, store.ErrReused, store.ErrNotFound)
	}
}

func codeResourceRefused(t *trial) {
	n := t.create(someUser, someApp, boundTo(someResource))
	r := t.redemption(n)
	for _, resource := range []string{otherResource, someResource + "/", strings.ToUpper(someResource)} {
		r.Resource = resource
		t.noRedemption(r, store.ErrResource, "redeeming a code of a bound grant for %s", resource)
	}
	t.redeems(t.redemption(n), "redeeming the code for the right resource after that")
}

func codeUnboundRefused(t *trial) {
	n := t.create(someUser, someApp)
	r := t.redemption(n)
	for _, resource := range []string{someResource, "/", " "} {
		r.Resource = resource
		t.noRedemption(r, store.ErrResource, "redeeming a code of a grant for no resource for %q", resource)
	}
	r = t.redemption(n)
	issued := t.redeems(r, "redeeming the code for no resource after that")
	t.equal(issued.Grant, n.Grant, "the grant for no resource")
	t.keeps(deviceOf(n, r), "after a resource was refused")
}

func codeResource(t *trial) {
	n := t.create(someUser, someApp, boundTo(someResource))
	r := t.redemption(n)
	r.Resource = someResource
	issued := t.redeems(r, "redeeming a code for the resource of its grant")
	t.equal(issued.Grant, n.Grant, "the grant whose resource was named")
	t.keeps(deviceOf(n, r), "after its resource was named")
}

func withoutRefresh(t *trial) {
	n := t.create(someUser, someApp)
	r := t.redemption(n)
	r.Refresh = nil
	t.redeems(r, "redeeming a code without a refresh token")
	t.finds(store.Token{
		Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes, IssuedAt: r.At, ExpiresAt: r.Access.ExpiresAt,
	}, n.Grant, "a redemption without a refresh token")

	d := device{grant: n.Grant} // with the zero hash for a refresh token
	t.gone(d.key(d.refresh), "zero hash on a grant without a refresh token")
	t.noRotation(t.rotation(d, time.Hour), store.ErrNotFound, "rotating the zero hash on a grant without a refresh token")
	r.Access.Hash = t.hash()
	t.noRedemption(r, store.ErrReused, "redeeming the spent code of a grant without a refresh token")
}

func codeExpiryIsCut(t *trial) {
	for _, tt := range []struct {
		name      string
		expiresAt time.Time
		cut       bool
	}{
		{"a grant that ends before its tokens", t.after(time.Hour), true},
		{"a grant that ends after its tokens", t.after(1000 * time.Hour), false},
		{"a grant that does not end", time.Time{}, false},
	} {
		n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Grant.ExpiresAt = tt.expiresAt })
		r := t.redemption(n)
		issued := t.redeems(r, "redeeming a code of %s", tt.name)
		d := deviceOf(n, r)
		if tt.cut {
			d.access.ExpiresAt, d.refresh.ExpiresAt = tt.expiresAt, tt.expiresAt
		}
		t.equal(issued.Access, d.access, "the access token that is returned, of %s", tt.name)
		t.keeps(d, "%s", tt.name)
	}
}

func ownGrantOnly(t *trial) {
	a, b := t.signIn(someUser, someApp), t.signIn(someUser, someApp)
	t.gone(store.Key{GrantID: b.grant.ID, Hash: a.access.Hash}, "access token of one grant under another")
	t.gone(store.Key{GrantID: b.grant.ID, Hash: a.refresh.Hash}, "refresh token of one grant under another")

	code := t.redemption(t.create(someUser, someApp))
	code.Key.GrantID = b.grant.ID
	t.noRedemption(code, store.ErrNotFound, "redeeming the code of one grant under another")
	spent := a.redemption
	spent.Key.GrantID, spent.Access.Hash, spent.Refresh = b.grant.ID, t.hash(), nil
	t.noRedemption(spent, store.ErrNotFound, "redeeming the spent code of one grant under another")
	rotation := t.rotation(a, time.Hour)
	rotation.Key.GrantID = b.grant.ID
	t.noRotation(rotation, store.ErrNotFound, "rotating the refresh token of one grant under another")
	t.must(t.RevokeToken(t.Context(), store.TokenRevocation{
		Key: store.Key{GrantID: b.grant.ID, Hash: a.refresh.Hash}, ApplicationID: someApp, At: t.after(time.Hour),
	}), "revoking the refresh token of one grant under another")
	t.keeps(a, "after its tokens were presented under another grant")
	t.keeps(b, "after another grant's tokens were presented under it")
}
