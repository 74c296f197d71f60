package faults

import (
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	// storeTimeout is the StoreTimeout of the hosts whose database is stopped.
	storeTimeout = time.Second

	// margin is how much later an answer may come, because the machine may be busy
	// with other tests.
	margin = 3 * time.Second

	// settleTime is how long goroutines may take to end. A driver that gives up on
	// a connection keeps waiting for it in the background for up to 15 seconds.
	settleTime = 30 * time.Second

	// slack is how many more goroutines than before don't count as a leak. It is
	// well below the number of requests that the tests send.
	slack = 6
)

// stopped is a host whose database is behind a proxy.
type stopped struct {
	*client
	proxy *proxy
	host  *process
}

func newStopped(t *testing.T, kind string) *stopped {
	at := newTarget(t, kind)
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	p := newProxy(t, at.address())
	return &stopped{newClient(t, kept), p, start(t, hostConfig{At: at.through(p.address), StoreTimeout: storeTimeout})}
}

// A request is one that needs the store.
type request struct {
	name string
	send func() (reply, error)
}

// requests are requests to every endpoint.
func (s *stopped) requests(user, code string, p pair) []request {
	host := s.host.url
	return []request{
		{"authorize", func() (reply, error) {
			_, r, err := s.authorize(host, user)
			return r, err
		}},
		{"code", func() (reply, error) { return s.redeem(host, code) }},
		{"refresh", func() (reply, error) { return s.refresh(host, p.Refresh) }},
		{"userinfo", func() (reply, error) { return s.bearer(host, "/oauth/userinfo", p.Access) }},
		{"guarded API", func() (reply, error) { return s.notes(host, p.Access) }},
		{"revoke", func() (reply, error) { return s.post(host, "/oauth/token/revoke", "token", p.Refresh) }},
		{"introspect", func() (reply, error) { return s.post(host, "/oauth/token_info", "token", p.Access) }},
	}
}

// goroutines returns the number of the host's goroutines.
func (s *stopped) goroutines(t *testing.T) int {
	t.Helper()
	s.http.CloseIdleConnections()
	return s.number(t, "GET", s.host.url+"/test/goroutines", "")
}

// mostGoroutines returns the highest of several counts. A connection from the
// previous count may still be closing, so a single count says little.
func (s *stopped) mostGoroutines(t *testing.T) int {
	t.Helper()
	most := 0
	for range 10 {
		most = max(most, s.goroutines(t))
		time.Sleep(100 * time.Millisecond)
	}
	return most
}

// settle waits until the host has at most n goroutines, and returns how many it
// has then.
func (s *stopped) settle(t *testing.T, atMost int) int {
	t.Helper()
	var n int
	for end := time.Now().Add(settleTime); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		if n = s.goroutines(t); n <= atMost {
			return n
		}
	}
	r, _ := s.do("GET", s.host.url+"/test/stacks", nil, nil)
	require.Fail(t, "goroutines leak", "%d, where at most %d were expected:\n%s", n, atMost, r.body)
	return 0
}

// warm sends requests in parallel, so that the host opens all connections that
// it keeps.
func (s *stopped) warm(t *testing.T, token string) {
	t.Helper()
	var all sync.WaitGroup
	for range 4 * poolSize {
		all.Go(func() {
			for range 5 {
				s.notes(s.host.url, token)
			}
		})
	}
	all.Wait()
}

// The database may refuse connections, or accept them and never answer. In both
// cases every endpoint reports in time that it is unavailable, nothing leaks,
// and everything that was not spent works when the database is back.
func TestStoppedDatabase(t *testing.T) {
	for _, kind := range []string{"postgres", "redis", "mysql"} {
		for name, how := range map[string]mode{"refuses": refusing, "hangs": hanging} {
			t.Run(kind+" "+name, func(t *testing.T) {
				t.Parallel()
				testStopped(t, kind, how)
			})
		}
	}
}

func testStopped(t *testing.T, kind string, how mode) {
	s := newStopped(t, kind)
	host := s.host.url
	got := s.mustRedeem(t, host, s.mustAuthorize(t, host, "user_ada"))
	code := s.mustAuthorize(t, host, "user_ada")
	waiting := s.mustAskForDevice(t, host)
	s.warm(t, got.Access)
	before := s.mostGoroutines(t)

	s.proxy.set(how, 0)
	slowest := s.unavailable(t, append(s.requests("user_ada", code, got), s.deviceRequests("user_ada", waiting)...))
	during := s.settle(t, before+slack)

	s.proxy.set(passing, 0)
	back := time.Now()
	require.Eventually(t, func() bool {
		r, err := s.notes(host, got.Access)
		return err == nil && r.status == http.StatusOK
	}, 10*time.Second, 10*time.Millisecond, "the host doesn't recover")
	recovered := time.Since(back)
	// These requests find connections that broke unnoticed.
	s.warm(t, got.Access)

	redeemed := s.mustRedeem(t, host, code)
	r, err := s.notes(host, redeemed.Access)
	mustStatus(t, http.StatusOK, r, err)
	next := s.mustRefresh(t, host, got.Refresh)
	for _, q := range s.requests("user_ada", s.mustAuthorize(t, host, "user_ada"), next) {
		r, err := q.send()
		require.NoError(t, err, q.name)
		require.Less(t, r.status, 400, "%s: %s", q.name, r)
	}
	r, err = s.notes(host, s.allowDevice(t, host, "user_ada", waiting).Access)
	mustStatus(t, http.StatusOK, r, err)
	r, err = s.register(host)
	mustStatus(t, http.StatusCreated, r, err)
	s.warm(t, redeemed.Access)
	after := s.settle(t, before+slack)
	t.Logf("slowest answer %v; recovered within %v; %d goroutines before, %d during, %d after", slowest.Round(time.Millisecond), recovered.Round(time.Millisecond), before, during, after)
}

// unavailable sends more requests than there are connections, to every
// endpoint, and returns the longest time until a 503.
func (s *stopped) unavailable(t *testing.T, requests []request) time.Duration {
	t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	var slowest time.Duration
	var wrong []string
	for _, q := range requests {
		for range 4 {
			all.Go(func() {
				started := time.Now()
				r, err := q.send()
				took := time.Since(started)
				advice, _ := strconv.Atoi(r.header.Get("Retry-After"))
				mu.Lock()
				defer mu.Unlock()
				slowest = max(slowest, took)
				if err != nil || r.status != http.StatusServiceUnavailable || advice < 1 || took > storeTimeout+margin {
					wrong = append(wrong, fmt.Sprintf("%s: %s, Retry-After %d, %v, after %v", q.name, r, advice, err, took))
				}
			})
		}
	}
	all.Wait()
	require.Empty(t, wrong)
	return slowest
}
