package storetest

import (
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var refreshPromises = []promise{
	{"a rotation replaces the refresh token and keeps the access tokens",
		"It is how an application stays signed in (RFC 6749 section 6); what it still uses goes on working.",
		rotationReplaces},
	{"a chain of rotations goes on",
		"A device stays signed in for years.",
		longChain},
	{"a refresh token that the grant never had is not found and changes nothing",
		"Whoever reads a grant id in a log must not be able to end the grant.",
		unknownRefresh},
	{"another application's refresh token is a mismatch and changes nothing",
		"Only its own application can use a token, or end its grant.",
		refreshMismatch},
	{"every earlier refresh token is a reuse",
		"A stolen token is noticed however old it is (RFC 9700 section 4.14.2).",
		earlierIsReuse},
	{"a reuse ends the grant with everything on it",
		"Nobody can tell the thief's tokens from the user's.",
		reuseRevokes},
	{"a refresh token works until just before its expiry",
		"The time of expiry itself is already too late, on every backend alike.",
		refreshExpiry},
	{"refusals of a refresh token come in the documented order",
		"Which refusal is given decides whether the grant is revoked.",
		refreshOrder},
	{"more than the grant's scopes are refused unspent",
		"An application that asks for too much can ask again (RFC 6749 section 6).",
		refreshScopeRefused},
	{"narrowed scopes do not stick to the refresh token",
		"The grant stays what the user agreed to (RFC 6749 section 6).",
		narrowedScopes},
	{"another resource than the grant's cannot be had by a refresh",
		"A token for one API must not open another (RFC 8707 section 2.2).",
		refreshResourceRefused},
	{"no resource can be had by a refresh where the grant is for none",
		"The user was not asked whether the application may go there.",
		refreshUnboundRefused},
	{"a refresh may name the grant's own resource",
		"Many clients always name it (RFC 8707 section 2.2).",
		refreshResource},
	{"no rotated token outlives the grant",
		"The host has promised its users that a sign-in ends.",
		refreshExpiryIsCut},
}

func rotationReplaces(t *trial) {
	first := t.signIn(someUser, someApp, boundTo(someResource))
	other := t.signIn(someUser, someApp)
	second := t.rotates(first, t.rotation(first, time.Hour), "rotating")

	t.keeps(second, "after a rotation")
	spent := first.refresh
	spent.Spent = true
	t.finds(spent, second.grant, "a refresh token that was rotated away")
	t.finds(first.access, second.grant, "an access token that was issued before the rotation")
	t.keeps(other, "another grant of the same user and application")
}

func longChain(t *trial) {
	d := t.signIn(someUser, someApp)
	var earlier []device
	for i := range 8 {
		earlier = append(earlier, d)
		d = t.rotates(d, t.rotation(d, time.Duration(i+1)*10*time.Minute), "rotation %d", i+1)
	}
	t.keeps(d, "after 8 rotations")
	for i, old := range earlier {
		t.finds(old.access, d.grant, "access token %d of a chain, not expired yet", i)
		old.refresh.Spent = true
		t.finds(old.refresh, d.grant, "refresh token %d of a chain", i)
	}
}

func unknownRefresh(t *trial) {
	d := t.signIn(someUser, someApp)
	for name, hash := range t.wrongHashes(d.refresh.Hash) {
		r := t.rotation(d, time.Hour)
		r.Key.Hash = hash
		t.noRotation(r, store.ErrNotFound, "rotating %s", name)
		r.ApplicationID = otherApp
		t.noRotation(r, store.ErrNotFound, "rotating %s as another application", name)
	}
	for name, key := range map[string]store.Key{
		"a code": d.redemption.Key, "an access token": d.key(d.access),
		"a refresh token under a grant that never was": {GrantID: store.NewGrantID(t.start, someUser), Hash: d.refresh.Hash},
	} {
		r := t.rotation(d, time.Hour)
		r.Key = key
		t.noRotation(r, store.ErrNotFound, "rotating %s", name)
	}
	t.keeps(d, "after unknown refresh tokens were presented")
	d = t.rotates(d, t.rotation(d, time.Hour), "rotating after all that")

	r := t.rotation(d, time.Hour+time.Second)
	r.Key.Hash = t.hash()
	t.noRotation(r, store.ErrNotFound, "rotating a random hash within the grace of a rotation")
	t.keeps(d, "after an unknown refresh token was presented within the grace")
	t.rotates(d, t.rotation(d, 2*time.Hour), "rotating again after that")
}

func refreshMismatch(t *trial) {
	first := t.signIn(someUser, someApp)
	foreign := func(d device, after time.Duration) store.RefreshRotation {
		r := t.rotation(d, after)
		r.ApplicationID = otherApp
		return r
	}
	t.noRotation(foreign(first, time.Hour), store.ErrMismatch, "rotating the current token as another application")
	t.keeps(first, "after another application presented the current token")

	second := t.rotates(first, t.rotation(first, time.Hour), "rotating")
	t.noRotation(foreign(first, time.Hour+time.Second), store.ErrMismatch, "retrying as another application")
	t.noRotation(foreign(first, 10*time.Hour), store.ErrMismatch, "rotating the previous token as another application")
	third := t.rotates(second, t.rotation(second, 2*time.Hour), "rotating after that")
	t.noRotation(foreign(first, 3*time.Hour), store.ErrMismatch, "rotating an earlier token as another application")
	t.keeps(third, "after another application presented spent tokens")
}

func earlierIsReuse(t *trial) {
	for generation := range 4 {
		d := t.signIn(someUser, someApp)
		var old store.Token
		for i := range 4 {
			if i == generation {
				old = d.refresh
			}
			d = t.rotates(d, t.rotation(d, time.Duration(i+1)*time.Hour), "rotation %d", i+1)
		}
		r := t.rotation(d, 6*time.Hour)
		r.Key.Hash = old.Hash
		t.noRotation(r, store.ErrReused, "presenting refresh token %d of 4 that were rotated away", generation+1)
		t.revoked(d, r.At, "after refresh token %d of 4 came again", generation+1)
		old.Spent = true
		d.grant.RevokedAt = r.At
		t.finds(old, d.grant, "a refresh token that came again")
	}
}

func reuseRevokes(t *trial) {
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	second := t.rotates(first, r, "rotating")
	other := t.signIn(someUser, someApp)

	late := t.retry(r, 2*time.Hour)
	t.noRotation(late, store.ErrReused, "presenting a token long after it was rotated away")
	first.grant = second.grant
	first.refresh.Spent = true
	t.revoked(first, late.At, "the first pair after a reuse")
	t.revoked(second, late.At, "the second pair after a reuse")

	t.noRotation(t.rotation(second, 4*time.Hour), store.ErrRevoked, "rotating the current token after a reuse")
	t.noRotation(t.retry(r, time.Second), store.ErrRevoked, "a retry after a reuse")
	t.noRotation(t.retry(r, 5*time.Hour), store.ErrRevoked, "a second reuse")
	t.revoked(second, late.At, "after a second reuse")
	t.keeps(other, "another grant of the same user and application")
	_, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent after a reuse")
}

func refreshExpiry(t *trial) {
	d := t.signIn(someUser, someApp)
	for _, late := range []time.Duration{0, tick, 24 * time.Hour} {
		r := t.rotation(d, 0)
		r.At = d.refresh.ExpiresAt.Add(late)
		t.noRotation(r, store.ErrExpired, "rotating a refresh token %v after its expiry", late)
		t.keeps(d, "after its expired refresh token was presented")
	}
	r := t.rotation(d, 0)
	r.At = d.refresh.ExpiresAt.Add(-tick)
	t.rotates(d, r, "rotating a refresh token just before its expiry, by a clock that is behind")
}

func refreshOrder(t *trial) {
	foreign := func(r *store.RefreshRotation) { r.ApplicationID = otherApp }
	expired := func(r *store.RefreshRotation) { r.At = t.after(refreshLifetime + time.Hour) }
	scope := func(r *store.RefreshRotation) { r.Scopes = scopes.New("admin") }
	resource := func(r *store.RefreshRotation) { r.Resource = otherResource }
	for _, tt := range []struct {
		name           string
		spent, revoked bool
		edits          []func(*store.RefreshRotation)
		want           error
	}{
		{"a revoked token of another application", false, true, []func(*store.RefreshRotation){foreign}, store.ErrMismatch},
		{"an expired token of another application", false, false, []func(*store.RefreshRotation){foreign, expired}, store.ErrMismatch},
		{"a token of another application for too much", false, false, []func(*store.RefreshRotation){foreign, scope, resource}, store.ErrMismatch},
		{"a spent token of another application, revoked", true, true, []func(*store.RefreshRotation){foreign}, store.ErrMismatch},
		{"a spent and revoked token", true, true, nil, store.ErrRevoked},
		{"a revoked and expired token", false, true, []func(*store.RefreshRotation){expired}, store.ErrRevoked},
		{"a revoked token for too much", false, true, []func(*store.RefreshRotation){scope, resource}, store.ErrRevoked},
		{"a spent token for too much", true, false, []func(*store.RefreshRotation){scope, resource}, store.ErrReused},
		{"an expired token for more scopes", false, false, []func(*store.RefreshRotation){expired, scope}, store.ErrExpired},
		{"an expired token for another resource", false, false, []func(*store.RefreshRotation){expired, resource}, store.ErrExpired},
		{"a token for more scopes and another resource", false, false, []func(*store.RefreshRotation){scope, resource}, store.ErrScope},
	} {
		for _, bound := range []string{someResource, ""} {
			first := t.signIn(someUser, someApp, boundTo(bound))
			if tt.spent {
				t.rotates(first, t.rotation(first, time.Hour), "rotating")
			}
			if tt.revoked {
				_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: first.grant.ID}, t.after(time.Hour))
				t.must(err, "revoking a grant")
			}
			r := t.rotation(first, 2*time.Hour)
			for _, edit := range tt.edits {
				edit(&r)
			}
			t.noRotation(r, tt.want, "rotating %s, of a grant for %q", tt.name, bound)
		}
	}

	// A spent token need not be remembered after its expiry, but it is never
	// one that has merely expired.
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	t.rotates(first, r, "rotating")
	r = t.retry(r, 0)
	r.At = first.refresh.ExpiresAt
	if _, err := t.RotateRefresh(t.Context(), r); !errors.Is(err, store.ErrReused) && !errors.Is(err, store.ErrNotFound) {
		t.errorf("rotating a spent token at its expiry: got error %v, want %q or %q", err, store.ErrReused, store.ErrNotFound)
	}
}

func refreshScopeRefused(t *trial) {
	d := t.signIn(someUser, someApp)
	for _, asked := range []scopes.Set{scopes.New("admin"), someScopes().Union(scopes.New("admin")), scopes.New("Email"), scopes.New("emai"), scopes.New("email", "notes")} {
		r := t.rotation(d, time.Hour)
		r.Scopes = asked
		t.noRotation(r, store.ErrScope, "rotating for the scopes %q of %q", asked, d.grant.Scopes)
		t.keeps(d, "after more scopes were asked for")
	}
	t.rotates(d, t.rotation(d, time.Hour), "rotating for the right scopes after that")
}

func narrowedScopes(t *trial) {
	d := t.signIn(someUser, someApp)
	for i, asked := range []scopes.Set{scopes.New("email"), nil, scopes.New("notes:read", "profile"), someScopes(), {}, scopes.New("profile")} {
		r := t.rotation(d, time.Duration(i+1)*time.Hour)
		r.Scopes = asked
		d = t.rotates(d, r, "rotating for the scopes %q", asked)
		t.keeps(d, "after the scopes %q were asked for", asked)
	}
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")
	t.equal(consent.Scopes, someScopes(), "the consent's scopes after rotations for fewer")
}

func refreshResourceRefused(t *trial) {
	d := t.signIn(someUser, someApp, boundTo(someResource))
	for _, asked := range []string{otherResource, someResource + "/", strings.ToUpper(someResource)} {
		r := t.rotation(d, time.Hour)
		r.Resource = asked
		t.noRotation(r, store.ErrResource, "rotating the token of a bound grant for %s", asked)
		t.keeps(d, "after another resource was asked for")
	}
	d = t.rotates(d, t.rotation(d, time.Hour), "rotating for the right resource after that")
	t.keeps(d, "after the right resource was asked for")
}

func refreshUnboundRefused(t *trial) {
	d := t.signIn(someUser, someApp)
	for _, asked := range []string{someResource, "/", " "} {
		r := t.rotation(d, time.Hour)
		r.Resource = asked
		t.noRotation(r, store.ErrResource, "rotating the token of a grant for no resource for %q", asked)
		t.keeps(d, "after a resource was asked for")
	}
	d = t.rotates(d, t.rotation(d, time.Hour), "rotating for no resource after that")
	t.keeps(d, "after no resource was asked for")
}

func refreshResource(t *trial) {
	d := t.signIn(someUser, someApp, boundTo(someResource))
	for i, asked := range []string{someResource, "", someResource} {
		r := t.rotation(d, time.Duration(i+1)*time.Hour)
		r.Resource = asked
		d = t.rotates(d, r, "rotating the token of a grant for %q for %q", someResource, asked)
		t.keeps(d, "after %q was asked for", asked)
	}
}

func refreshExpiryIsCut(t *trial) {
	end := t.after(3 * time.Hour)
	first := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Grant.ExpiresAt = end })
	r := t.rotation(first, time.Hour)
	r.Access.ExpiresAt = end.Add(-tick)
	issued, err := t.RotateRefresh(t.Context(), r)
	t.must(err, "rotating")
	t.equal(issued.Access.ExpiresAt, end.Add(-tick), "the expiry of an access token that ends before the grant")

	first.refresh.Hash = r.Refresh.Hash
	r = t.rotation(first, 2*time.Hour)
	issued, err = t.RotateRefresh(t.Context(), r)
	t.must(err, "rotating")
	t.equal(issued.Access.ExpiresAt, end, "the expiry of an access token that was to outlive its grant")
	first.grant.LastUsedAt = r.At
	t.finds(store.Token{
		Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: first.grant.Scopes, IssuedAt: r.At, ExpiresAt: end,
	}, first.grant, "after a rotation near the end of the grant")
	t.finds(store.Token{
		Hash: r.Refresh.Hash, Kind: store.KindRefresh, Scopes: first.grant.Scopes, IssuedAt: r.At, ExpiresAt: end,
	}, first.grant, "after a rotation near the end of the grant")

	retry := t.retry(r, time.Second)
	issued, err = t.RotateRefresh(t.Context(), retry)
	t.must(err, "retrying")
	t.equal(issued.Access.ExpiresAt, end, "the expiry that a retry returns")

	last := first
	last.refresh.Hash = r.Refresh.Hash
	late := t.rotation(last, 3*time.Hour)
	t.noRotation(late, store.ErrExpired, "rotating at the end of the grant")
}
