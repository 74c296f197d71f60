package storetest

import (
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var retryPromises = []promise{
	{"a retry gets the pair that was issued and changes nothing",
		"Two requests at once, or an answer that was lost, must not sign the user out.",
		retryGetsThePair},
	{"a retry within the grace, by either clock",
		"The clocks of two processes differ, and the rotation may seem to lie ahead.",
		retryWithinGrace},
	{"a reuse one microsecond after the grace",
		"Every backend draws the line in the same place.",
		reuseAfterGrace},
	{"without grace there is no retry",
		"A host that turns the grace off gets one success for each token.",
		withoutGrace},
	{"a retry after the successor was used is a reuse",
		"Whoever uses the successor has received it, so the other one is a thief, or was robbed.",
		retryAfterSuccessor},
	{"a retry that asks for something else is refused and changes nothing",
		"The salt leads to the pair that was issued, which is not what is asked for now.",
		retryDiffers},
	{"a retry for a resource that is not the grant's is refused and changes nothing",
		"It gets no more than the first request could (RFC 8707 section 2.2).",
		retryForAResource},
	{"a retry of a narrowed rotation asks for the same again",
		"It is the same request.",
		retryOfNarrowed},
	{"a retry is answered even if its token has expired since",
		"The answer that was lost was given in time.",
		retryOfExpired},
	{"a retry is answered though its access token has ended",
		"What the client needs is the refresh token.",
		retryOfEnded},
}

func retryGetsThePair(t *trial) {
	first := t.signIn(someUser, someApp, boundTo(someResource))
	r := t.rotation(first, time.Hour)
	second := t.rotates(first, r, "rotating")
	for i := range 3 {
		t.retries(second, t.retry(r, time.Duration(i)*time.Second), r.Salt, "retry %d", i+1)
	}
	explicit := t.retry(r, time.Second)
	explicit.Scopes, explicit.Resource = second.grant.Scopes, someResource
	t.retries(second, explicit, r.Salt, "a retry that names what the grant holds")
	third := t.rotates(second, t.rotation(second, time.Hour+2*time.Second), "rotating the successor after its retries")

	r = t.rotation(third, 3*time.Hour)
	fourth := t.rotates(third, r, "rotating once more")
	t.retries(fourth, t.retry(r, time.Second), r.Salt, "a retry of a later rotation")
}

func retryWithinGrace(t *trial) {
	for _, after := range []time.Duration{-grace, -grace + tick, -tick, 0, tick, grace - tick, grace} {
		first := t.signIn(someUser, someApp)
		r := t.rotation(first, time.Hour)
		second := t.rotates(first, r, "rotating")
		t.retries(second, t.retry(r, after), r.Salt, "a retry %v after the rotation, with a grace of %v", after, grace)
	}

	// The window is that of the rotation, not of the retry before.
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	second := t.rotates(first, r, "rotating")
	t.retries(second, t.retry(r, grace-tick), r.Salt, "a retry within the grace")
	t.noRotation(t.retry(r, grace+time.Second), store.ErrReused, "a retry within the grace of another retry only")
}

func reuseAfterGrace(t *trial) {
	for _, after := range []time.Duration{-grace - tick, grace + tick, grace + time.Second, 24 * time.Hour, -30 * time.Minute} {
		first := t.signIn(someUser, someApp)
		r := t.rotation(first, time.Hour)
		second := t.rotates(first, r, "rotating")
		late := t.retry(r, after)
		t.noRotation(late, store.ErrReused, "a token that comes again %v after its rotation, with a grace of %v", after, grace)
		t.revoked(second, late.At, "after a token came again %v after its rotation", after)
	}
}

func withoutGrace(t *trial) {
	for _, none := range []time.Duration{0, -1, -grace, -24 * time.Hour} {
		for _, after := range []time.Duration{0, time.Second, -time.Second} {
			first := t.signIn(someUser, someApp)
			r := t.rotation(first, time.Hour)
			r.Grace = none
			second := t.rotates(first, r, "rotating with a grace of %v", none)
			late := t.retry(r, after)
			t.noRotation(late, store.ErrReused, "a token that comes again %v after its rotation, with a grace of %v", after, none)
			t.revoked(second, late.At, "after a token came again with a grace of %v", none)
		}
	}
}

func retryAfterSuccessor(t *trial) {
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	second := t.rotates(first, r, "rotating")
	third := t.rotates(second, t.rotation(second, time.Hour+time.Second), "rotating the successor within the grace")

	late := t.retry(r, 2*time.Second)
	t.noRotation(late, store.ErrReused, "a retry after the successor was rotated")
	t.revoked(third, late.At, "after a retry whose successor was rotated")
}

func retryDiffers(t *trial) {
	for _, tt := range []struct {
		name  string
		first func(*store.RefreshRotation)
		edit  func(*store.RefreshRotation)
	}{
		{"fewer scopes", nil, func(r *store.RefreshRotation) { r.Scopes = scopes.New("email") }},
		{"more scopes than the grant holds", nil, func(r *store.RefreshRotation) { r.Scopes = someScopes().Union(scopes.New("admin")) }},
		{"all scopes, where it was fewer", func(r *store.RefreshRotation) { r.Scopes = scopes.New("email") }, func(r *store.RefreshRotation) { r.Scopes = nil }},
		{"other scopes", func(r *store.RefreshRotation) { r.Scopes = scopes.New("email") }, func(r *store.RefreshRotation) { r.Scopes = scopes.New("profile") }},
		{"fewer scopes and another resource", nil, func(r *store.RefreshRotation) { r.Scopes, r.Resource = scopes.New("email"), otherResource }},
	} {
		first := t.signIn(someUser, someApp)
		r := t.rotation(first, time.Hour)
		if tt.first != nil {
			tt.first(&r)
		}
		second := t.rotates(first, r, "rotating")

		other := t.retry(r, time.Second)
		tt.edit(&other)
		t.noRotation(other, store.ErrDiffers, "a retry that asks for %s", tt.name)
		t.keeps(second, "after a retry that asks for %s", tt.name)
		t.retries(second, t.retry(r, 2*time.Second), r.Salt, "a retry after one that asks for %s", tt.name)
		t.rotates(second, t.rotation(second, 2*time.Hour), "rotating after a retry that asks for %s", tt.name)
	}
}

func retryForAResource(t *trial) {
	for _, bound := range []string{someResource, ""} {
		first := t.signIn(someUser, someApp, boundTo(bound))
		r := t.rotation(first, time.Hour)
		second := t.rotates(first, r, "rotating")

		other := t.retry(r, time.Second)
		other.Resource = otherResource
		t.noRotation(other, store.ErrResource, "a retry for %q of a grant for %q", otherResource, bound)
		t.keeps(second, "after a retry for another resource")
		t.retries(second, t.retry(r, 2*time.Second), r.Salt, "a retry after one for another resource")
		t.rotates(second, t.rotation(second, 2*time.Hour), "rotating after a retry for another resource")
	}
}

func retryOfNarrowed(t *trial) {
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	r.Scopes = scopes.New("email")
	second := t.rotates(first, r, "rotating for fewer scopes")
	t.retries(second, t.retry(r, time.Second), r.Salt, "a retry that asks for the same")
}

func retryOfExpired(t *trial) {
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, 0)
	r.At = first.refresh.ExpiresAt.Add(-time.Second)
	r.Access.ExpiresAt, r.Refresh.ExpiresAt = r.At.Add(accessLifetime), r.At.Add(refreshLifetime)
	second := t.rotates(first, r, "rotating just before the expiry")
	t.retries(second, t.retry(r, 5*time.Second), r.Salt, "a retry after the token's own expiry, within the grace")
}

func retryOfEnded(t *trial) {
	answered := func(r store.RefreshRotation, after time.Duration, what string) {
		t.Helper()
		issued, err := t.RotateRefresh(t.Context(), t.retry(r, after))
		if err != nil || !issued.Retried || issued.Salt != r.Salt || !issued.Access.Scopes.Equal(r.Scopes) || issued.Access.ExpiresAt.After(r.Access.ExpiresAt) {
			t.errorf("a retry after %s: got %+v and error %v, want what was issued with salt %x", what, issued, err, r.Salt)
		}
	}

	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	r.Scopes = scopes.New("email")
	second := t.rotates(first, r, "rotating")
	t.must(t.RevokeToken(t.Context(), t.revocation(second, second.access, time.Hour)), "revoking the new access token")
	answered(r, time.Second, "the new access token was revoked")
	other := t.retry(r, time.Second)
	other.Scopes = scopes.New("profile")
	t.noRotation(other, store.ErrDiffers, "a retry that asks for something else, after the new access token was revoked")
	t.gone(second.key(second.access), "access token that was revoked, after a retry")
	t.finds(first.access, second.grant, "an older access token")
	t.rotates(second, t.rotation(second, 2*time.Hour), "rotating the successor after that")

	first = t.signIn(someUser, someApp)
	r = t.rotation(first, time.Hour)
	r.Scopes, r.Access.ExpiresAt = scopes.New("email"), r.At.Add(5*time.Second)
	second = t.rotates(first, r, "rotating")
	t.cleansUp(store.Expiry{Before: r.At.Add(10 * time.Second), RotatedBefore: r.At, Limit: 10})
	answered(r, 12*time.Second, "the new access token has expired and was removed")
	t.gone(second.key(second.access), "access token that was removed, after a retry")
	t.cleansUp(store.Expiry{Before: r.At.Add(time.Minute), RotatedBefore: r.At.Add(tick), Limit: 10})
	t.gone(second.key(second.access), "access token that was removed, after its salt was forgotten")
	t.rotates(second, t.rotation(second, 2*time.Hour), "rotating the successor after that")

	first = t.signIn(someUser, someApp)
	r = t.rotation(first, 0)
	r.Scopes, r.At = scopes.New("email"), first.refresh.ExpiresAt.Add(-time.Second)
	r.Access.ExpiresAt, r.Refresh.ExpiresAt = r.At.Add(accessLifetime), r.At.Add(refreshLifetime)
	second = t.rotates(first, r, "rotating just before the expiry")
	t.cleansUp(store.Expiry{Before: r.At.Add(5 * time.Second), RotatedBefore: r.At, Limit: 10})
	answered(r, 10*time.Second, "a cleanup at which the presented token had expired")
	t.keeps(second, "after such a retry")
}
