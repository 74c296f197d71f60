package conformance

import (
	"time"

	"github.com/stretchr/testify/require"
)

// The modules that check whether the user must sign in again.
var promptModules = map[string]suiteModule{
	"oidcc-prompt-login": {"`prompt=login` makes the user sign in again: `auth_time` is later.",
		promptLogin, nil},
	"oidcc-prompt-none-not-logged-in": {"`prompt=none` without a session: `login_required`, at once, with a `state` of 128 characters.",
		promptNoneWithoutSession, nil},
	"oidcc-prompt-none-logged-in": {"`prompt=none` with a session: a code without a page; `sub` and `auth_time` stay the same.",
		promptNone, nil},
	"oidcc-max-age-1": {"`max_age=1` two seconds later makes the user sign in again: `auth_time` is there, and later.",
		shortMaxAge, nil},
	"oidcc-max-age-10000": {"`max_age=15000`, then `max_age=10000`: the user isn't asked again; `auth_time` is present, and the same.",
		longMaxAge, nil},
	"oidcc-id-token-hint": {"`prompt=none` with `id_token_hint`: a code without a page; `sub` and `auth_time` stay the same.",
		idTokenHint, nil},
}

// again signs in a second time, later, without any page.
func (r *suiteRun) again(first signedIn, pairs ...string) signedIn {
	r.Helper()
	r.h.clock.Add(3 * time.Second)
	signIns, asked := r.browser.signIns, r.browser.asked
	second := r.signIn(pairs...)
	require.Equal(r, signIns, r.browser.signIns, "the person was asked to sign in")
	require.Equal(r, asked, r.browser.asked, "the person was asked to agree")
	require.Equal(r, first.id["sub"], second.id["sub"])
	require.Equal(r, first.id["auth_time"], second.id["auth_time"])
	return second
}

func promptLogin(r *suiteRun) {
	first := r.signIn()
	r.h.clock.Add(time.Second)
	second := r.signIn("prompt", "login")
	require.Equal(r, 2, r.browser.signIns)
	require.True(r, instant(r, second.id, "auth_time").After(instant(r, first.id, "auth_time")))
}

func promptNoneWithoutSession(r *suiteRun) {
	asked := r.request("prompt", "none", "state", random(128))
	require.Len(r, asked.Get("state"), 128)
	r.failed(asked, r.visit(asked), "login_required")
	require.Zero(r, r.browser.signIns)
}

func promptNone(r *suiteRun) { r.again(r.signIn(), "prompt", "none") }

func shortMaxAge(r *suiteRun) {
	first := r.signIn()
	r.h.clock.Add(2 * time.Second)
	second := r.signIn("max_age", "1")
	require.Equal(r, 2, r.browser.signIns)
	at := instant(r, second.id, "auth_time")
	require.True(r, at.After(instant(r, first.id, "auth_time")))
	require.WithinRange(r, at, r.h.clock.Now().Add(-skew-time.Second), r.h.clock.Now())
}

func longMaxAge(r *suiteRun) {
	first := r.signIn("max_age", "15000")
	instant(r, first.id, "auth_time")
	r.again(first, "max_age", "10000")
}

func idTokenHint(r *suiteRun) {
	first := r.signIn()
	r.again(first, "prompt", "none", "id_token_hint", first.raw)
}
