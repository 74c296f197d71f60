package faults

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// skew is how far each of two instances is from the correct time.
const skew = 30 * time.Second

// The clocks of two instances are a minute apart. No user is signed out by
// that, codes and the grace of a refresh work on both, and what one of them has
// ended is dead on the other at once, no matter which one is fast.
func TestClocksApart(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			kept, err := at.open(t.Context())
			require.NoError(t, err)
			t.Cleanup(kept.close)
			c := newClient(t, kept)
			fast := start(t, hostConfig{At: at, StoreTimeout: 20 * time.Second, Skew: skew})
			late := start(t, hostConfig{At: at, StoreTimeout: 20 * time.Second, Skew: -skew})
			s := &cluster{c, kept, at, []*process{fast, late}}

			const workers, rounds = 4, 6
			var all sync.WaitGroup
			for w := range workers {
				all.Go(func() {
					for range rounds {
						if err := s.signIn(person(), w); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			grace, cuts := 0, 0
			for i := range 8 {
				s.repeats(t, i)
				grace += 2
				s.cutsAcross(t, i)
				cuts += 2
			}
			t.Logf("%d sign-ins over both, %d refreshes repeated at the other instance, %d cut-offs and ends seen by the other", workers*rounds, grace, cuts)
		})
	}
}

// repeats repeats a refresh from one instance at the other, and redeems a code
// of one again at the other.
func (s *cluster) repeats(t *testing.T, i int) {
	t.Helper()
	code := s.mustAuthorize(t, s.host(i), person())
	first := s.mustRedeem(t, s.host(i+1), code)
	second := s.mustRefresh(t, s.host(i), first.Refresh)
	require.Equal(t, second, s.mustRefresh(t, s.host(i+1), first.Refresh), "a refresh that came again")
	third := s.mustRefresh(t, s.host(i+1), second.Refresh)
	require.Equal(t, third, s.mustRefresh(t, s.host(i), second.Refresh), "a refresh that came again")
	for j := range 2 {
		r, err := s.notes(s.host(j), third.Access)
		mustStatus(t, http.StatusOK, r, err)
	}
	r, err := s.redeem(s.host(i), code)
	mustRefuse(t, r, err)
	for j := range 2 {
		r, err := s.notes(s.host(j), third.Access)
		mustStatus(t, http.StatusUnauthorized, r, err)
	}
}

// cutsAcross has one instance cut off what the other gave. Then the user signs
// in again, at once and at either.
func (s *cluster) cutsAcross(t *testing.T, i int) {
	t.Helper()
	user := fmt.Sprintf("user_cut_%d", i)
	for j := range 2 {
		code := s.mustAuthorize(t, s.host(i), user)
		got := s.mustRedeem(t, s.host(i), s.mustAuthorize(t, s.host(i), user))
		s.number(t, "POST", s.host(i+1)+"/test/revoke?user="+user, "")
		for k := range 2 {
			r, err := s.notes(s.host(k), got.Access)
			mustStatus(t, http.StatusUnauthorized, r, err)
			r, err = s.refresh(s.host(k), got.Refresh)
			mustRefuse(t, r, err)
			r, err = s.redeem(s.host(k), code)
			mustRefuse(t, r, err)
		}
		again := s.mustRedeem(t, s.host(j), s.mustAuthorize(t, s.host(i), user))
		r, err := s.notes(s.host(i+1), again.Access)
		mustStatus(t, http.StatusOK, r, err)
	}
}

// cluster is several hosts on one store.
type cluster struct {
	*client
	kept  opened
	at    target
	hosts []*process
}

// host returns the URL of an instance; consecutive calls return different ones.
func (s *cluster) host(i int) string { return s.hosts[i%len(s.hosts)].url }

// signIn gets a code from one instance, redeems it at the next, refreshes at
// the one after that, and uses and ends the tokens at others.
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
