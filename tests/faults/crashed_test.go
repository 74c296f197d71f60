package faults

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// slowVariable is the environment variable that turns on the tests that take
// too long for each change.
const slowVariable = "LATCHKEY_ENGINES"

// slow skips the test unless slow tests are turned on.
func slow(t *testing.T) {
	t.Helper()
	if os.Getenv(slowVariable) == "" {
		t.Skipf("it takes minutes: set %s=1 to run it", slowVariable)
	}
}

// A database server crashes under load and is started again. It has every
// acknowledged write, and the host recovers by itself.
func TestCrashedServer(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			slow(t)
			s := newServer(t, kind)
			at := s.forHost(t)
			h := serve(t, at, 5*time.Second)
			for range killRounds {
				chains := h.load(t, h.process(), true, s.kill)
				s.start(t)
				h.reach(t, h.process())
				audit(t, h.client, h.kept, at, h.process(), chains)
			}
		})
	}
}

// reads checks that requests that only read keep working, with the newest
// tokens of some of the chains. It returns how many were answered.
func (h *local) reads(t *testing.T, chains []*chain) (answered int) {
	t.Helper()
	for _, next := range chains {
		if len(next.pairs) == 0 || answered >= 150 {
			continue
		}
		token := next.pairs[len(next.pairs)-1].Access
		r, err := h.notes(h.url, token)
		mustStatus(t, http.StatusOK, r, err)
		r, err = h.bearer(h.url, "/oauth/userinfo", token)
		mustStatus(t, http.StatusOK, r, err)
		r, err = h.post(h.url, "/oauth/token_info", "token", token)
		mustStatus(t, http.StatusOK, r, err)
		require.Contains(t, r.body, `"active":true`)
		answered += 3
	}
	require.NotZero(t, answered)
	return answered
}

// writes are requests that each need a write. If one is refused, it was not
// done. They leave the chain unchanged.
func (h *local) writes(next *chain) []request {
	list := []request{
		{"authorize", func() (reply, error) {
			_, r, err := h.authorize(h.url, next.user+"_other")
			return r, err
		}},
		{"device authorization", func() (reply, error) { return h.askForDevice(h.url) }},
		{"register", func() (reply, error) { return h.register(h.url) }},
	}
	if len(next.pairs) == 0 {
		return append(list, request{"redeem", func() (reply, error) { return h.redeem(h.url, next.code) }})
	}
	newest := next.pairs[len(next.pairs)-1]
	return append(list,
		request{"refresh", func() (reply, error) { return h.refresh(h.url, newest.Refresh) }},
		request{"revoke an access token", func() (reply, error) { return h.post(h.url, "/oauth/token/revoke", "token", newest.Access) }},
		request{"revoke a refresh token", func() (reply, error) { return h.post(h.url, "/oauth/token/revoke", "token", newest.Refresh) }},
	)
}

// refuses checks that every write is answered with 503 and a time to retry, and
// that the log says why. It returns how many there were.
func (h *local) refuses(t *testing.T, chains []*chain, cause string) (refused int) {
	t.Helper()
	for _, next := range chains {
		if next.code == "" || refused >= 100 {
			continue
		}
		for _, q := range h.writes(next) {
			r, err := q.send()
			require.NoError(t, err, q.name)
			require.Equal(t, http.StatusServiceUnavailable, r.status, "%s: %s", q.name, r)
			require.NotEmpty(t, r.header.Get("Retry-After"), q.name)
			refused++
		}
	}
	require.NotZero(t, refused)
	require.True(t, h.log.says(cause), "the log doesn't name the cause: %s", h.log)
	return refused
}

// undo records that unanswered requests of the chains were certainly not done.
func undo(chains []*chain) {
	for _, next := range chains {
		next.undone = true
	}
}
