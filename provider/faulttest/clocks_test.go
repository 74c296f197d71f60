package faulttest

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// skew is how far each of two instances is from the right time.
const skew = 30 * time.Second

// The clocks of two instances are a minute apart. Nobody is signed out by that,
// codes and the grace of a refresh work on both, and what one of them has ended
// is dead on the other at once, whichever of them is fast.
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
			t.Logf("%d sign-ins over both, %d refreshes repeated at the other instance, %d cut-offs and endings seen by the other", workers*rounds, grace, cuts)
		})
	}
}

// repeats has a refresh at one instance come again at the other, and a code of
// one redeemed again at the other.
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

// cutsAcross has what one instance gave cut off by the other, and then the user
// sign in again, at once and at either.
func (s *cluster) cutsAcross(t *testing.T, i int) {
	t.Helper()
	user := fmt.Sprintf("user_cut_%d", i)
	for j := range 2 {
		code := s.mustAuthorize(t, s.host(i), user)
		got := s.mustRedeem(t, s.host(i), s.mustAuthorize(t, s.host(i), user))
		s.number(t, "POST", s.host(i+1)+"/test/revoke", user)
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
