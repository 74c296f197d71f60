package faults

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// mostAnswers is far more than the database gives in one request.
const mostAnswers = 60

// The connection to the database may break at any point of a request, after a
// statement was done and before its answer arrives, so the host can't tell
// whether it was done. A repeated refresh gets a working pair anyway, and a
// code is never redeemed twice.
func TestLostAnswers(t *testing.T) {
	for _, kind := range []string{"postgres", "redis", "mysql"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newStopped(t, kind)
			refreshes := s.loseRefreshes(t)
			t.Logf("%d refreshes were not answered, and all of them could be repeated", refreshes)
			require.NotZero(t, refreshes)
			codes, spent := s.loseRedemptions(t)
			t.Logf("%d redemptions were not answered, but %d of them were done", codes, spent)
			require.NotZero(t, codes)
			require.NotZero(t, spent)
		})
	}
}

// loseRefreshes breaks the connection one answer later each time, until a
// refresh succeeds.
func (s *stopped) loseRefreshes(t *testing.T) (lost int) {
	host := s.host.url
	current := s.mustRedeem(t, host, s.mustAuthorize(t, host, "user_ada"))
	for answers := range mostAnswers {
		// This prepares a connection up to the last statement.
		current = s.mustRefresh(t, host, current.Refresh)
		s.proxy.set(losing, answers)
		r, err := s.refresh(host, current.Refresh)
		require.NoError(t, err)
		s.proxy.set(passing, 0)
		s.recover(t, current.Access)
		next := s.mustRefresh(t, host, current.Refresh)
		works, err := s.notes(host, next.Access)
		mustStatus(t, http.StatusOK, works, err)
		if first, ok := r.pair(); ok {
			require.Equal(t, first, next, "a repeated refresh")
			return lost
		}
		mustStatus(t, http.StatusServiceUnavailable, r, nil)
		require.NotEmpty(t, r.header.Get("Retry-After"))
		lost++
		current = next
	}
	require.Fail(t, "no refresh came through")
	return lost
}

// loseRedemptions does the same to codes.
func (s *stopped) loseRedemptions(t *testing.T) (lost, done int) {
	host := s.host.url
	for answers := range mostAnswers {
		code := s.mustAuthorize(t, host, "user_ada")
		other := s.mustRedeem(t, host, s.mustAuthorize(t, host, "user_ada"))
		s.proxy.set(losing, answers)
		r, err := s.redeem(host, code)
		require.NoError(t, err)
		s.proxy.set(passing, 0)
		s.recover(t, other.Access)
		again, err := s.redeem(host, code)
		require.NoError(t, err)
		first, ok := r.pair()
		second, twice := again.pair()
		if !ok {
			mustStatus(t, http.StatusServiceUnavailable, r, nil)
			require.NotEmpty(t, r.header.Get("Retry-After"))
			lost++
		}
		switch {
		case ok:
			mustRefuse(t, again, nil)
			// Redeeming a code again ends its grant.
			r, err = s.notes(host, first.Access)
			mustStatus(t, http.StatusUnauthorized, r, err)
			return lost, done
		case twice:
			r, err = s.notes(host, second.Access)
			mustStatus(t, http.StatusOK, r, err)
			r, err = s.redeem(host, code)
			mustRefuse(t, r, err)
		default:
			mustRefuse(t, again, nil)
			done++
		}
	}
	require.Fail(t, "no redemption came through")
	return lost, done
}

// recover waits until the host reaches its database again, and makes it find
// broken connections.
func (s *stopped) recover(t *testing.T, token string) {
	t.Helper()
	require.Eventually(t, func() bool {
		r, err := s.notes(s.host.url, token)
		return err == nil && r.status == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond, "the host doesn't recover")
	s.warm(t, token)
}
