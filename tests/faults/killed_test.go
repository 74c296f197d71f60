package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	// killRounds is how often each backend's host is killed.
	killRounds = 3

	// killWorkers is the number of workers that send requests meanwhile.
	killWorkers = 8
)

// A host is killed under load, again and again, each time with a new one on the
// same store afterwards. Every answer of one host holds for the next.
func TestKilledHost(t *testing.T) {
	for _, kind := range []string{"postgres", "redis", "sqlite", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			c := newClient(t, kept)
			config := hostConfig{At: at, StoreTimeout: 20 * time.Second}
			for range killRounds {
				host := start(t, config)
				chains := c.load(t, host, false, host.kill)
				audit(t, c, kept, at, start(t, config), chains)
			}
		})
	}
}

// A Redis server that syncs to disk before it answers loses nothing when it is
// killed, alone or together with the host.
func TestKilledRedis(t *testing.T) {
	for _, name := range []string{"alone", "with the host"} {
		t.Run(name, func(t *testing.T) {
			server := startRedis(t)
			at := target{Kind: "redis", Source: server.Addr, Prefix: "latchkey:"}
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			c := newClient(t, kept)
			config := hostConfig{At: at, StoreTimeout: 20 * time.Second}
			host := start(t, config)
			for range killRounds {
				chains := c.load(t, host, true, func() {
					server.Kill()
					if name != "alone" {
						host.kill()
					}
				})
				server.Start(t)
				if name != "alone" {
					host = start(t, config)
				}
				c.reach(t, host)
				audit(t, c, kept, at, host, chains)
			}
		})
	}
}

// reach waits until the host reaches its store again: a Redis client that could
// not connect retries once a second.
func (c *client) reach(t *testing.T, host *process) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := c.post(host.url, "/oauth/token_info", "token", "unknown")
		return err == nil && r.status == http.StatusOK
	}, 10*time.Second, 20*time.Millisecond, "the host doesn't recover")
}

// A chain is one sign-in and its tokens, as far as requests were answered.
type chain struct {
	user    string
	pending string // the request that was sent and not answered: "authorize", "redeem", "refresh", or none
	undone  bool   // the pending request has certainly not been done
	code    string
	pairs   []pair // the newest last
}

var users atomic.Int64

// load runs chains in workers until the kill at a random moment, and returns
// the chains. If the store is killed, the host answers 503, which tells as
// little as no answer.
func (c *client) load(t *testing.T, host *process, storeDies bool, kill func()) []*chain {
	t.Helper()
	var all sync.WaitGroup
	var done atomic.Int64
	worked := make(chan struct{})
	chains := make([][]*chain, killWorkers)
	for i := range chains {
		all.Go(func() {
			for {
				next := &chain{user: fmt.Sprintf("user_%06d", users.Add(1))}
				chains[i] = append(chains[i], next)
				if r, err := c.run(host.url, next); next.pending != "" {
					if err == nil && (!storeDies || r.status != http.StatusServiceUnavailable) {
						t.Errorf("%s: %s", next.pending, r)
					}
					return
				}
				if done.Add(1) == 2*killWorkers {
					close(worked)
				}
			}
		})
	}
	select {
	case <-worked:
		time.Sleep(rand.N(500 * time.Millisecond))
	case <-time.After(60 * time.Second):
		t.Error("the host is too slow to be killed at work")
	}
	kill()
	all.Wait()
	var list []*chain
	for _, some := range chains {
		list = append(list, some...)
	}
	return list
}

// run runs a chain to its end or until a request isn't answered as expected,
// which is then pending.
func (c *client) run(host string, next *chain) (reply, error) {
	next.pending = "authorize"
	code, r, err := c.authorize(host, next.user)
	if code == "" {
		return r, err
	}
	next.code = code
	if rand.N(8) == 0 {
		next.pending = "" // an application that has not come yet
		return r, nil
	}
	next.pending = "redeem"
	r, err = c.redeem(host, code)
	for refreshes := rand.N(4); ; refreshes-- {
		p, ok := r.pair()
		if err != nil || !ok {
			return r, err
		}
		next.pairs = append(next.pairs, p)
		if refreshes == 0 {
			next.pending = ""
			return r, nil
		}
		next.pending = "refresh"
		r, err = c.refresh(host, p.Refresh)
	}
}

// audit compares the store with the answers that the chains got before the
// fault interrupted something.
func audit(t *testing.T, c *client, kept opened, at target, host *process, chains []*chain) {
	t.Helper()
	require.NotZero(t, audited(t, c, kept, at, host, chains), "the fault didn't interrupt any request")
}

// audited is audit, and returns how many requests were not answered.
func audited(t *testing.T, c *client, kept opened, at target, host *process, chains []*chain) int64 {
	t.Helper()
	whole(t, kept, at)
	work := make(chan *chain)
	var all sync.WaitGroup
	var codes, tokens, pending atomic.Int64
	for range killWorkers {
		all.Go(func() {
			for next := range work {
				a := auditor{t, c, kept, host.url}
				a.grant(next)
				a.code(next)
				a.pairs(next)
				if next.pending != "" {
					pending.Add(1)
				}
				if next.code != "" {
					codes.Add(1)
				}
				tokens.Add(2 * int64(len(next.pairs)))
			}
		})
	}
	for _, next := range chains {
		work <- next
	}
	close(work)
	all.Wait()
	whole(t, kept, at)
	t.Logf("%d chains with %d codes and %d tokens; %d requests were not answered", len(chains), codes.Load(), tokens.Load(), pending.Load())
	return pending.Load()
}

// whole fails the test if a step was half done. A document is one record, so
// only a step that writes two could be: the consent is written before its
// grant.
func whole(t *testing.T, kept opened, at target) {
	t.Helper()
	if !at.isSQL() {
		return
	}
	require.Zero(t, count(t, kept, at, `select count(*) from p_documents g where kind = 1 and not exists (
		select 1 from p_documents c where c.kind = 2 and c.user_id = g.user_id and c.application_id = g.application_id)`), "grants without a consent")
}

// auditor asks a host, and the store, about one chain.
type auditor struct {
	t    *testing.T
	c    *client
	kept opened
	host string
}

// fails reports what is wrong with a chain. The test continues with the others.
func (a auditor) fails(next *chain, r reply, err error, what string) {
	a.t.Errorf("%s: %s: %s %v (pending: %q, pairs: %d)", next.user, what, r, err, next.pending, len(next.pairs))
}

// expect sends a request and reports whether the answer is a success, or a
// refusal if that is expected.
func (a auditor) expect(next *chain, what string, good bool, r reply, err error) pair {
	p, ok := r.pair()
	if err != nil || good && !ok || !good && !r.refused() {
		a.fails(next, r, err, what)
	}
	return p
}

// access expects that an access token works, or that it doesn't.
func (a auditor) access(next *chain, what, token string, works bool) {
	want := http.StatusUnauthorized
	if works {
		want = http.StatusOK
	}
	if r, err := a.c.notes(a.host, token); err != nil || r.status != want {
		a.fails(next, r, err, what)
	}
}

// grant checks that a user who was given a code has a grant and a consent. The
// consent is written first, so a user whose request was not answered may have
// only a consent, but never only a grant.
func (a auditor) grant(next *chain) {
	granted, agreed := a.finds(next.user)
	if granted && !agreed && next.pending == "authorize" {
		// The database was still working for the killed host, between the two.
		granted, agreed = a.finds(next.user)
	}
	if granted && !agreed || !granted && next.code != "" || !granted && agreed && next.pending != "authorize" {
		a.t.Errorf("%s: grant %t and consent %t (pending: %q, code: %t)", next.user, granted, agreed, next.pending, next.code != "")
	}
}

// finds reports whether a user has a grant, and a consent.
func (a auditor) finds(user string) (granted, agreed bool) {
	ctx := a.t.Context()
	grants, _, err := a.kept.List(ctx, store.Query{Kind: store.KindGrant, UserID: user, ApplicationID: a.c.ID, Limit: 10})
	consent, _, failed := a.kept.FindConsent(ctx, user, a.c.ID, "")
	if err != nil || failed != nil || len(grants) > 1 {
		a.t.Errorf("%s: %d grants, %v, %v", user, len(grants), err, failed)
	}
	return len(grants) == 1, consent.Mark != 0
}

// code checks a code that, as far as known, was not redeemed. If its redemption
// was pending, it may be spent; otherwise it is not. It can be redeemed at most
// once.
func (a auditor) code(next *chain) {
	if next.code == "" || len(next.pairs) > 0 {
		return
	}
	r, err := a.c.redeem(a.host, next.code)
	if next.pending == "redeem" && !next.undone && r.refused() {
		return
	}
	p := a.expect(next, "a code that was not redeemed", true, r, err)
	a.access(next, "the token for a code", p.Access, true)
	r, err = a.c.redeem(a.host, next.code)
	a.expect(next, "a code, redeemed again", false, r, err)
}

// pairs checks that the tokens of a chain work, and the newest refresh token as
// often as allowed, and then that spent ones don't work any more.
func (a auditor) pairs(next *chain) {
	if len(next.pairs) == 0 {
		return
	}
	for _, p := range next.pairs {
		a.access(next, "an acknowledged access token", p.Access, true)
	}
	newest := next.pairs[len(next.pairs)-1]
	r, err := a.c.refresh(a.host, newest.Refresh)
	first := a.expect(next, "the newest refresh token", true, r, err)
	r, err = a.c.refresh(a.host, newest.Refresh)
	if second := a.expect(next, "the newest refresh token, repeated", true, r, err); second != first {
		a.fails(next, r, err, "a repeated refresh gave another pair")
	}
	a.access(next, "a refreshed access token", first.Access, true)
	r, err = a.c.refresh(a.host, first.Refresh)
	last := a.expect(next, "the refresh token after it", true, r, err)

	r, err = a.c.refresh(a.host, newest.Refresh)
	if again := a.expect(next, "a refresh token within the grace", true, r, err); again != last {
		a.fails(next, r, err, "a refresh token within the grace gave another pair than the current one")
	}

	// This ends the grant.
	r, err = a.c.redeem(a.host, next.code)
	a.expect(next, "a code that was redeemed", false, r, err)
	a.access(next, "an access token of a grant that has ended", last.Access, false)
	r, err = a.c.redeem(a.host, next.code)
	a.expect(next, "a code of a grant that has ended", false, r, err)
}
