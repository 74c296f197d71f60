package storetest

import (
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var cleanupPromises = []promise{
	{"a cleanup of nothing touches nothing",
		"It runs on a timer, whether or not there is anything to do.",
		cleanupOfNothing},
	{"a cleanup without a limit is an error",
		"A zero or negative limit that means all would lock the tables.",
		cleanupWithoutLimit},
	{"expired tokens are removed, and what lives on their grant stays",
		"A device that stays signed in leaves an access token behind every two hours.",
		expiredTokensRemoved},
	{"a grant on which nothing lives is removed",
		"Most devices are never heard of again.",
		deadGrantsRemoved},
	{"a grant lives as long as anything on it",
		"A cleanup must never sign anybody out.",
		livingGrantsStay},
	{"the time of expiry itself is already too late",
		"A cleanup and the checks of a token agree on when it is over.",
		cleanupBoundary},
	{"a revoked grant is removed after its time only",
		"Until then whoever presents its tokens learns that it was revoked.",
		revokedGrantsRemoved},
	{"a cleanup touches no more than its limit",
		"It runs beside traffic, in small bites.",
		cleanupBounded},
	{"a cleanup that touches less than its limit is complete",
		"The caller goes on until then.",
		cleanupComplete},
	{"salts are forgotten that are older than asked",
		"An old token and a copy of the database must not derive a live one.",
		saltsForgotten},
	{"a spent code is remembered until its expiry",
		"A code that was stolen is noticed although a cleanup ran in between.",
		spentCodeRemembered},
	{"a spent refresh token is remembered until its expiry",
		"A token that was stolen is noticed although a cleanup ran in between.",
		spentRefreshRemembered},
	{"a chain goes on after any cleanup",
		"Cleanups run all the time.",
		chainAfterCleanup},
	{"applications and consents stay",
		"They have no expiry.",
		cleanupLeavesRest},
}

// cleansUp cleans up until nothing is left to do, and returns how many records
// it touched.
func (t *trial) cleansUp(e store.Expiry) int {
	t.Helper()
	touched := 0
	for range 1000 {
		n, err := t.DeleteExpired(t.Context(), e)
		t.must(err, "cleaning up")
		if n < 0 || n > e.Limit {
			t.fatalf("cleaning up: touched %d records, with a limit of %d", n, e.Limit)
		}
		touched += n
		if n < e.Limit {
			return touched
		}
	}
	t.fatalf("cleaning up: 1000 times as many records as the limit, %d, were touched, and there was no end", e.Limit)
	return touched
}

// signInUntil signs in with tokens that expire at these times.
func (t *trial) signInUntil(access, refresh time.Time) device {
	t.Helper()
	n := t.create(someUser, someApp)
	r := t.redemption(n)
	r.Access.ExpiresAt, r.Refresh.ExpiresAt = access, refresh
	t.redeems(r, "redeeming a code")
	return deviceOf(n, r)
}

func cleanupOfNothing(t *trial) {
	e := store.Expiry{Before: t.after(time.Hour), RotatedBefore: t.after(time.Hour), Limit: 10}
	t.equal(t.cleansUp(e), 0, "the number of records touched in an empty store")
	waiting, d := t.create(someUser, someApp), t.signIn(someUser, otherApp)
	e.Before = t.after(time.Minute)
	t.equal(t.cleansUp(e), 0, "the number of records touched where everything lives")
	t.keeps(d, "after a cleanup")
	t.redeems(t.redemption(waiting), "redeeming a code after a cleanup")
}

func cleanupWithoutLimit(t *trial) {
	d := t.signIn(someUser, someApp)
	for _, limit := range []int{0, -1} {
		if _, err := t.DeleteExpired(t.Context(), store.Expiry{Before: t.after(10_000 * time.Hour), Limit: limit}); err == nil {
			t.errorf("cleaning up with a limit of %d: got no error", limit)
		}
		t.keeps(d, "after a cleanup with a limit of %d", limit)
	}
}

func expiredTokensRemoved(t *trial) {
	first := t.signIn(someUser, someApp)
	second := t.rotates(first, t.rotation(first, 90*time.Minute), "rotating")

	// The first access token expires after two hours, the second after three
	// and a half.
	at := t.after(2*time.Hour + time.Minute)
	if n := t.cleansUp(store.Expiry{Before: at, Limit: 10}); n == 0 {
		t.errorf("cleaning up an expired access token: touched no record")
	}
	t.gone(first.key(first.access), "expired access token after a cleanup")
	t.keeps(second, "after a cleanup of an older access token")
	t.equal(t.cleansUp(store.Expiry{Before: at, Limit: 10}), 0, "the number of records touched by a second cleanup")

	t.cleansUp(store.Expiry{Before: t.after(4 * time.Hour), RotatedBefore: t.after(4 * time.Hour), Limit: 10})
	t.gone(second.key(second.access), "expired access token after a cleanup")
	t.finds(second.refresh, second.grant, "after all access tokens have expired")
	t.rotates(second, t.rotation(second, 5*time.Hour), "rotating after all access tokens have expired")

	// A refresh token may be the first to expire.
	d := t.signInUntil(t.after(3*time.Hour), t.after(time.Hour))
	t.cleansUp(store.Expiry{Before: t.after(2 * time.Hour), Limit: 10})
	t.gone(d.key(d.refresh), "expired refresh token after a cleanup")
	t.finds(d.access, d.grant, "an access token that outlives its refresh token")
}

// grantIsGone checks that the grant is not listed any more.
func (t *trial) grantIsGone(id store.GrantID, format string, args ...any) {
	t.Helper()
	page, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ID: id}})
	if len(page) != 0 || total != 0 {
		t.errorf("listing %s: got %d of %d grants, want none", fmt.Sprintf(format, args...), len(page), total)
	}
}

func deadGrantsRemoved(t *trial) {
	abandoned := t.create(someUser, someApp)
	used := t.signIn(someUser, someApp)
	longCode := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Code.ExpiresAt = t.after(10_000 * time.Hour) })
	rotated := t.signIn(someUser, someApp)
	current := t.rotates(rotated, t.rotation(rotated, time.Hour), "rotating")
	// Its spent token would have lived for longer than what followed it.
	outlived := t.signInUntil(t.after(accessLifetime), t.after(10_000*time.Hour))
	outlived = t.rotates(outlived, t.rotation(outlived, time.Hour), "rotating")
	bare := t.newGrant(someUser, someApp)
	bare.Code, bare.Access = nil, &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(accessLifetime)}
	t.must(t.CreateGrant(t.Context(), bare), "creating a grant with an access token")
	alive := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Code.ExpiresAt = t.after(10_000 * time.Hour) })
	alive = t.rotates(alive, t.rotation(alive, 60*time.Hour), "rotating")

	at := t.after(100 * time.Hour)
	if n := t.cleansUp(store.Expiry{Before: at, Limit: 100}); n < 6 {
		t.errorf("cleaning up six dead grants: touched %d records", n)
	}
	t.grantIsGone(abandoned.Grant.ID, "a grant whose code was never redeemed")
	t.noRedemption(t.redemption(abandoned), store.ErrNotFound, "redeeming the code of a grant that was removed")
	for _, d := range []device{used, longCode, current, outlived} {
		t.grantIsGone(d.grant.ID, "a grant whose tokens have expired")
		t.gone(d.key(d.access), "access token of a grant that was removed")
		t.gone(d.key(d.refresh), "refresh token of a grant that was removed")
		again := d.redemption
		again.Access.Hash, again.Refresh = t.hash(), nil
		t.noRedemption(again, store.ErrNotFound, "redeeming the spent code of a grant that was removed")
		t.noRotation(t.rotation(d, 2*time.Hour), store.ErrNotFound, "rotating a token of a grant that was removed")
	}
	t.gone(rotated.key(rotated.refresh), "spent refresh token of a grant that was removed")
	t.grantIsGone(bare.Grant.ID, "a grant whose only access token has expired")
	t.gone(store.Key{GrantID: bare.Grant.ID, Hash: bare.Access.Hash}, "access token of a grant that was removed")
	t.finds(alive.refresh, alive.grant, "a grant that lives beside dead ones")
	page, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
	if len(page) != 1 || total != 1 {
		t.errorf("listing the grants of a user of whom one is left: got %d of %d", len(page), total)
	}

	// The id of what was removed may be used again, as far as it goes.
	t.must(t.CreateGrant(t.Context(), abandoned), "creating a grant with the id of one that was removed")
}

func livingGrantsStay(t *trial) {
	day := 24 * time.Hour
	byCode := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.ExpiresAt = t.after(day + tick) })
	byAccess, byRefresh := t.signInUntil(t.after(day+tick), t.after(time.Hour)), t.signInUntil(t.after(time.Hour), t.after(day+tick))
	byOlderAccess := t.signInUntil(t.after(day+tick), t.after(3*time.Hour))
	r := t.rotation(byOlderAccess, time.Hour)
	r.Access.ExpiresAt, r.Refresh.ExpiresAt = t.after(2*time.Hour), t.after(2*time.Hour)
	byOlderAccess.grant = t.rotates(byOlderAccess, r, "rotating").grant

	t.cleansUp(store.Expiry{Before: t.after(day), RotatedBefore: t.after(day), Limit: 100})
	t.finds(byAccess.access, byAccess.grant, "a grant that lives by its access token")
	t.finds(byRefresh.refresh, byRefresh.grant, "a grant that lives by its refresh token")
	t.finds(byOlderAccess.access, byOlderAccess.grant, "a grant that lives by an access token from before a rotation")
	_, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
	t.equal(total, 4, "the number of grants that live")
	t.redeems(t.redemption(byCode), "redeeming the code of a grant that lives by it")
	late := t.rotation(byRefresh, day)
	t.rotates(byRefresh, late, "rotating the refresh token of a grant that lives by it")
}

func cleanupBoundary(t *trial) {
	at := t.after(accessLifetime)
	grantWith := func(expiresAt time.Time) store.NewGrant {
		n := t.newGrant(someUser, someApp)
		n.Code, n.Access = nil, &store.NewToken{Hash: t.hash(), ExpiresAt: expiresAt}
		t.must(t.CreateGrant(t.Context(), n), "creating a grant with an access token")
		return n
	}
	before, exactly, after := grantWith(at.Add(-tick)), grantWith(at), grantWith(at.Add(tick))
	code := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.ExpiresAt = at })
	byRefresh, byAccess := t.signInUntil(at, at.Add(tick)), t.signInUntil(at.Add(tick), at)
	t.cleansUp(store.Expiry{Before: at, Limit: 100})
	t.grantIsGone(before.Grant.ID, "a grant whose token expired a microsecond before the time of the cleanup")
	t.grantIsGone(exactly.Grant.ID, "a grant whose token expired at the time of the cleanup")
	t.grantIsGone(code.Grant.ID, "a grant whose code expired at the time of the cleanup")
	t.finds(store.Token{
		Hash: after.Access.Hash, Kind: store.KindAccess, Scopes: after.Grant.Scopes, IssuedAt: after.Grant.CreatedAt, ExpiresAt: after.Access.ExpiresAt,
	}, after.Grant, "a token that expires a microsecond after the time of the cleanup")
	t.gone(byRefresh.key(byRefresh.access), "access token that expired at the time of the cleanup")
	t.finds(byRefresh.refresh, byRefresh.grant, "a refresh token that expires a microsecond after the time of the cleanup")
	t.gone(byAccess.key(byAccess.refresh), "refresh token that expired at the time of the cleanup")
	t.finds(byAccess.access, byAccess.grant, "an access token that expires a microsecond after the time of the cleanup")
}

func revokedGrantsRemoved(t *trial) {
	early, late := t.signIn(someUser, someApp), t.signIn(someUser, someApp)
	at := t.after(time.Hour)
	for d, revokedAt := range map[*device]time.Time{&early: at, &late: at.Add(tick)} {
		_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: d.grant.ID}, revokedAt)
		t.must(err, "revoking")
	}
	t.cleansUp(store.Expiry{Before: at, Limit: 100})
	t.gone(early.key(early.access), "token of a grant that was revoked by the time of the cleanup")
	t.gone(early.key(early.refresh), "token of a grant that was revoked by the time of the cleanup")
	t.noRotation(t.rotation(early, time.Hour), store.ErrNotFound, "rotating a token of a grant that was removed")
	t.revoked(late, at.Add(tick), "a grant that was revoked after the time of the cleanup")
	t.noRotation(t.rotation(late, time.Hour), store.ErrRevoked, "rotating a token of a revoked grant that is still there")
}

func cleanupBounded(t *trial) {
	const dead, limit = 30, 7
	for i := range dead {
		t.create(fmt.Sprint("user_", i), someApp)
	}
	n, err := t.DeleteExpired(t.Context(), store.Expiry{Before: t.after(time.Hour), Limit: limit})
	t.must(err, "cleaning up")
	if n != limit {
		t.errorf("cleaning up %d dead grants with a limit of %d: touched %d records", dead, limit, n)
	}
	_, left := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ApplicationID: someApp}})
	if left < dead-limit {
		t.errorf("cleaning up with a limit of %d: %d of %d grants are left, want at least %d", limit, left, dead, dead-limit)
	}
}

func cleanupComplete(t *trial) {
	for _, limit := range []int{1, 3, 10, 1000} {
		const each = 12
		app := fmt.Sprint("app_", limit)
		for i := range each {
			user := fmt.Sprint("user_", i)
			t.create(user, app)
			t.signIn(user, app)
			d := t.signIn(user, app)
			t.rotates(d, t.rotation(d, time.Hour), "rotating")
			_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: t.signIn(user, app).grant.ID}, t.after(time.Hour))
			t.must(err, "revoking")
		}
		e := store.Expiry{Before: t.after(10_000 * time.Hour), RotatedBefore: t.after(10_000 * time.Hour), Limit: limit}
		if n := t.cleansUp(e); n < 4*each {
			t.errorf("cleaning up %d dead grants with a limit of %d: touched %d records", 4*each, limit, n)
		}
		_, left := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ApplicationID: app}})
		t.equal(left, 0, "the number of dead grants left after cleanups with a limit of %d", limit)
		t.equal(t.cleansUp(e), 0, "the number of records touched when nothing is left to do")
	}
}

func saltsForgotten(t *trial) {
	rotate := func() (device, store.RefreshRotation) {
		first := t.signIn(someUser, someApp)
		r := t.rotation(first, time.Hour)
		return t.rotates(first, r, "rotating"), r
	}
	for _, kept := range []time.Time{{}, t.after(time.Hour - tick), t.after(time.Hour)} {
		second, r := rotate()
		t.cleansUp(store.Expiry{Before: t.after(time.Minute), RotatedBefore: kept, Limit: 10})
		t.retries(second, t.retry(r, time.Second), r.Salt, "a retry after salts from before %v were forgotten, rotated at %v", kept, r.At)
	}

	second, r := rotate()
	if n := t.cleansUp(store.Expiry{Before: t.after(time.Minute), RotatedBefore: r.At.Add(tick), Limit: 10}); n == 0 {
		t.errorf("forgetting a salt: touched no record")
	}
	t.equal(t.cleansUp(store.Expiry{Before: t.after(time.Minute), RotatedBefore: r.At.Add(tick), Limit: 10}), 0, "the number of salts forgotten twice")
	t.keeps(second, "after its salt was forgotten")
	late := t.retry(r, time.Second)
	t.noRotation(late, store.ErrReused, "a retry after its salt was forgotten")
	t.revoked(second, late.At, "after a retry whose salt was forgotten")

	second, r = rotate()
	t.cleansUp(store.Expiry{Before: t.after(time.Minute), RotatedBefore: r.At.Add(tick), Limit: 10})
	third := t.rotates(second, t.rotation(second, 2*time.Hour), "rotating after the salt was forgotten")
	t.keeps(third, "after a rotation whose predecessor's salt was forgotten")
}

func spentCodeRemembered(t *trial) {
	d := t.signIn(someUser, someApp)
	for _, before := range []time.Duration{time.Minute, codeLifetime - tick} {
		t.cleansUp(store.Expiry{Before: t.after(before), RotatedBefore: t.after(before), Limit: 10})
	}
	again := d.redemption
	again.Access.Hash, again.Refresh, again.At = t.hash(), nil, t.after(codeLifetime-tick)
	t.noRedemption(again, store.ErrReused, "redeeming a spent code after a cleanup")
	t.revoked(d, again.At, "after a spent code came again")
}

func spentRefreshRemembered(t *trial) {
	for generation := range 3 {
		d := t.signIn(someUser, someApp)
		var old device
		for i := range 3 {
			if i == generation {
				old = d
			}
			d = t.rotates(d, t.rotation(d, time.Duration(i+1)*24*time.Hour), "rotation %d", i+1)
		}
		before := old.refresh.ExpiresAt.Add(-tick)
		t.cleansUp(store.Expiry{Before: before, RotatedBefore: before, Limit: 10})
		r := t.rotation(d, 0)
		r.Key, r.At = old.key(old.refresh), before
		t.noRotation(r, store.ErrReused, "presenting refresh token %d of 3 that were rotated away, after a cleanup just before its expiry", generation+1)
		d.grant.RevokedAt = r.At
		t.finds(d.refresh, d.grant, "after a reuse")
	}
}

func chainAfterCleanup(t *trial) {
	d := t.signIn(someUser, someApp)
	for i := range 40 {
		after := time.Duration(i+1) * 3 * time.Hour
		r := t.rotation(d, after)
		d = t.rotates(d, r, "rotation %d, with a cleanup before each", i+1)
		t.cleansUp(store.Expiry{Before: r.At, RotatedBefore: r.At.Add(-grace), Limit: 10})
		t.keeps(d, "after cleanup %d", i+1)
		t.retries(d, t.retry(r, grace), r.Salt, "a retry after cleanup %d", i+1)
	}
}

func cleanupLeavesRest(t *trial) {
	app := t.fullApplication()
	t.createApplication(app)
	g := t.agrees(0, "", false, "email")
	t.cleansUp(store.Expiry{Before: t.after(100_000 * time.Hour), RotatedBefore: t.after(100_000 * time.Hour), Limit: 100})
	t.grantIsGone(g.ID, "a grant after everything has expired")
	t.findsApplication(app, "after everything has expired")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: g.Scopes, Agreed: g.Scopes,
		AgreedAt: g.AgreedAt, CreatedAt: g.CreatedAt, LastUsedAt: g.CreatedAt,
	}, "after everything has expired")
}
