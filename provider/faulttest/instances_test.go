package faulttest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	instanceCount = 3

	// raceRounds is how often each race is run, and racers how many requests
	// there are in each.
	raceRounds = 3
	racers     = 64
)

// cluster is several hosts on one store.
type cluster struct {
	*client
	kept  opened
	at    target
	hosts []*process
}

// host returns the URL of an instance; those next to each other differ.
func (s *cluster) host(i int) string { return s.hosts[i%len(s.hosts)].url }

// Three instances on one store are one provider: whatever one of them has
// answered is so for the others with the next request, and whatever races is
// decided as if it came to one. All of it happens beside other traffic.
func TestInstances(t *testing.T) {
	for _, kind := range []string{"postgres", "postgres serializable", "redis", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			var at target
			if kind == "postgres serializable" {
				at = newTarget(t, "postgres").serializable()
			} else {
				at = newTarget(t, kind)
			}
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			s := &cluster{newClient(t, kept), kept, at, startAll(t, instanceCount, hostConfig{At: at, StoreTimeout: 20 * time.Second})}
			stop := s.traffic(t)
			defer stop()
			for _, check := range []struct {
				name string
				run  func(t *testing.T)
			}{
				{"refresh races", s.refreshRaces},
				{"redemption races", s.redemptionRaces},
				{"revocation", s.revocation},
				{"cleanup", s.cleanup},
			} {
				t.Run(check.name, check.run)
			}
			t.Logf("%d sign-ins beside all that, each over all instances", stop())
		})
	}
}

// traffic has sign-ins go on, of which each request goes to another instance,
// until stop, which returns how many there were. None may fail.
func (s *cluster) traffic(t *testing.T) (stop func() int64) {
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	var n atomic.Int64
	for w := range instanceCount {
		all.Go(func() {
			for ctx.Err() == nil && !t.Failed() {
				if err := s.signIn(fmt.Sprintf("user_traffic_%d", w), w); err != nil {
					t.Errorf("beside the test: %v", err)
					return
				}
				n.Add(1)
				// The races are what is to be fast.
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	return func() int64 {
		cancel()
		all.Wait()
		return n.Load()
	}
}

// signIn gets a code from one instance, redeems it at the next, refreshes at
// the one after that and uses and ends what it has got at others.
func (s *cluster) signIn(user string, first int) error {
	code, r, err := s.authorize(s.host(first), user)
	if err != nil || code == "" {
		return fmt.Errorf("authorize: %s %w", r, err)
	}
	r, err = s.redeem(s.host(first+1), code)
	p, ok := r.pair()
	if err != nil || !ok {
		return fmt.Errorf("redeem: %s %w", r, err)
	}
	r, err = s.refresh(s.host(first+2), p.Refresh)
	next, ok := r.pair()
	if err != nil || !ok {
		return fmt.Errorf("refresh: %s %w", r, err)
	}
	for i, token := range []string{p.Access, next.Access} {
		if r, err = s.notes(s.host(first+i), token); err != nil || r.status != http.StatusOK {
			return fmt.Errorf("use: %s %w", r, err)
		}
	}
	if r, err = s.post(s.host(first+2), "/oauth/token/revoke", "token", next.Refresh); err != nil || r.status != http.StatusOK {
		return fmt.Errorf("revoke: %s %w", r, err)
	}
	if r, err = s.notes(s.host(first+1), next.Access); err != nil || r.status != http.StatusUnauthorized {
		return fmt.Errorf("use after revocation: %s %w", r, err)
	}
	return nil
}

// race sends the same request many times at once, spread over the instances,
// and returns the answers.
func (s *cluster) race(t *testing.T, send func(host string) (reply, error)) []reply {
	t.Helper()
	var all sync.WaitGroup
	replies, errs := make([]reply, racers), make([]error, racers)
	begin := make(chan struct{})
	for i := range racers {
		all.Go(func() {
			<-begin
			replies[i], errs[i] = send(s.host(i))
		})
	}
	close(begin)
	all.Wait()
	for _, err := range errs {
		require.NoError(t, err)
	}
	return replies
}

// refreshRaces: all who refresh one token at once get one pair, and it works.
func (s *cluster) refreshRaces(t *testing.T) {
	current := s.mustRedeem(t, s.host(1), s.mustAuthorize(t, s.host(0), "user_ada"))
	for round := range raceRounds {
		var first pair
		for i, r := range s.race(t, func(host string) (reply, error) { return s.refresh(host, current.Refresh) }) {
			p := mustPair(t, r, nil)
			if i == 0 {
				first = p
			}
			require.Equal(t, first, p)
		}
		for i := range instanceCount {
			r, err := s.notes(s.host(i), first.Access)
			mustStatus(t, http.StatusOK, r, err)
		}
		current = s.mustRefresh(t, s.host(round), first.Refresh)
	}
}

// redemptionRaces: one of all who redeem one code at once succeeds, and as the
// code came again, what that one got is worth nothing anywhere.
func (s *cluster) redemptionRaces(t *testing.T) {
	for round := range raceRounds {
		code := s.mustAuthorize(t, s.host(round), "user_ada")
		var got []pair
		for _, r := range s.race(t, func(host string) (reply, error) { return s.redeem(host, code) }) {
			if p, ok := r.pair(); ok {
				got = append(got, p)
			} else {
				mustRefuse(t, r, nil)
			}
		}
		require.Len(t, got, 1)
		for i := range instanceCount {
			r, err := s.notes(s.host(i), got[0].Access)
			mustStatus(t, http.StatusUnauthorized, r, err)
			r, err = s.refresh(s.host(i), got[0].Refresh)
			mustRefuse(t, r, err)
		}
	}
}

// revocation: what one instance has revoked, no instance takes from then on.
func (s *cluster) revocation(t *testing.T) {
	for round := range 2 * instanceCount {
		user := fmt.Sprintf("user_revoked_%d", round)
		p := s.mustRedeem(t, s.host(round), s.mustAuthorize(t, s.host(round+1), user))
		for i := range instanceCount {
			r, err := s.notes(s.host(i), p.Access)
			mustStatus(t, http.StatusOK, r, err)
		}
		if round%2 == 0 {
			r, err := s.post(s.host(round), "/oauth/token/revoke", "token", p.Refresh)
			mustStatus(t, http.StatusOK, r, err)
		} else {
			s.number(t, "POST", s.host(round)+"/test/revoke", user)
		}
		for i := range instanceCount {
			r, err := s.notes(s.host(round+i), p.Access)
			mustStatus(t, http.StatusUnauthorized, r, err)
			r, err = s.bearer(s.host(round+i), "/oauth/userinfo", p.Access)
			mustStatus(t, http.StatusUnauthorized, r, err)
			r, err = s.refresh(s.host(round+i), p.Refresh)
			mustRefuse(t, r, err)
		}
	}
}

// cleanup: all instances clean up at once, more than fits in one batch, and
// take what is dead and nothing else.
func (s *cluster) cleanup(t *testing.T) {
	const dead = 1100
	lives := s.mustRedeem(t, s.host(0), s.mustAuthorize(t, s.host(1), "user_ada"))
	code := s.mustAuthorize(t, s.host(1), "user_ada")
	long := time.Now().Add(-24 * time.Hour)
	work := make(chan int)
	var all sync.WaitGroup
	for range poolSize {
		all.Go(func() {
			for i := range work {
				user := fmt.Sprintf("user_dead_%d", i%50)
				err := s.kept.Create(t.Context(), store.Document{
					ID: store.NewID(long, user), Kind: store.KindGrant, UserID: user, ApplicationID: s.ID,
					CreatedAt: long, LastUsedAt: long, SweepAt: long.Add(time.Hour), Mark: int64(i) + 1,
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range dead {
		work <- i
	}
	close(work)
	all.Wait()

	started := time.Now()
	var removed atomic.Int64
	for i := range 2 * instanceCount {
		all.Go(func() {
			r, err := s.do("POST", s.host(i)+"/test/cleanup", nil, nil)
			if err != nil || r.status != http.StatusOK {
				t.Errorf("cleanup: %s %v", r, err)
				return
			}
			var n int64
			fmt.Sscan(r.body, &n)
			removed.Add(n)
		})
	}
	all.Wait()
	atOnce, took := removed.Load(), time.Since(started).Round(time.Millisecond)
	for i := range instanceCount {
		removed.Add(int64(s.number(t, "POST", s.host(i)+"/test/cleanup", "")))
	}
	for i := range 50 {
		left, _, err := s.kept.List(t.Context(), store.Query{Kind: store.KindGrant, UserID: fmt.Sprintf("user_dead_%d", i), Limit: 100})
		require.NoError(t, err)
		require.Empty(t, left)
	}
	t.Logf("%d of %d dead grants removed at once within %v, %d in the end", atOnce, dead, took, removed.Load())
	// What several remove at once, each may count.
	require.GreaterOrEqual(t, removed.Load(), int64(dead))

	r, err := s.notes(s.host(2), lives.Access)
	mustStatus(t, http.StatusOK, r, err)
	s.mustRefresh(t, s.host(2), lives.Refresh)
	s.mustRedeem(t, s.host(2), code)
}

// Ten instances that start at once, on a database without any tables, make
// them once and all work.
func TestMigrateAtOnce(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			hosts := startAll(t, 10, hostConfig{At: at, StoreTimeout: 20 * time.Second})
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			s := &cluster{newClient(t, kept), kept, at, hosts}
			require.NotZero(t, count(t, kept, at, "select count(*) from p_migrations"))
			require.Zero(t, count(t, kept, at, "select count(*) - count(distinct version) from p_migrations"))
			for i := range hosts {
				require.NoError(t, s.signIn("user_ada", i))
			}
		})
	}
}
