package faults

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// newStandby starts a server that follows the primary at the given port.
func newStandby(t *testing.T, primary *server, port string) *server {
	t.Helper()
	as := unprivileged(t)
	s := &server{kind: "postgres", folder: filepath.Join(newFolder(t, as), "data"), port: freePort(t), options: primary.options}
	run(t, as.command(program(t, "pg_basebackup"), "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-D", s.folder, "-R", "-X", "stream", "-c", "fast", "--no-sync"))
	t.Cleanup(s.kill)
	s.start(t)
	return s
}

// pairOfServers is a primary and its standby, and a host that uses the one that
// accepts writes.
type pairOfServers struct {
	*local
	primary, standby *server
	between          *proxy // where the standby reaches the primary
	at               target
	reuses           atomic.Int64
}

func newPair(t *testing.T, options ...string) *pairOfServers {
	t.Helper()
	s := &pairOfServers{primary: newServer(t, "postgres", options...)}
	s.at = s.primary.forHost(t)
	s.between = newProxy(t, "127.0.0.1:"+s.primary.port)
	_, port, err := net.SplitHostPort(s.between.address)
	require.NoError(t, err)
	s.standby = newStandby(t, s.primary, port)
	s.at.Source = fmt.Sprintf("postgres://host@127.0.0.1:%s,127.0.0.1:%s/host?sslmode=disable&target_session_attrs=read-write", s.primary.port, s.standby.port)
	s.local = serve(t, s.at, 5*time.Second, func(c *provider.Config) {
		c.Events = func(_ context.Context, e provider.Event) {
			if e.Kind == provider.EventReuseDetected {
				s.reuses.Add(1)
			}
		}
	})
	return s
}

// failOver kills the primary and promotes the standby.
func (s *pairOfServers) failOver(t *testing.T) {
	t.Helper()
	s.primary.kill()
	s.standby.do(t, "select pg_promote()")
}

// caughtUp waits until the standby has everything that the primary has.
func (s *pairOfServers) caughtUp(t *testing.T, sync string) {
	t.Helper()
	admin, err := s.primary.at().connect()
	require.NoError(t, err)
	defer admin.Close()
	require.Eventually(t, func() bool {
		n := 0
		err := admin.QueryRow("select count(*) from pg_stat_replication where sync_state = $1 and replay_lsn = pg_current_wal_lsn()", sync).Scan(&n)
		return err == nil && n == 1
	}, 30*time.Second, 20*time.Millisecond, "the standby doesn't catch up")
}

// A primary that waits for its standby before it acknowledges dies under load.
// The standby, once promoted, has every acknowledged write, and the host finds
// it by itself.
func TestFailOverSynchronous(t *testing.T) {
	slow(t)
	for _, commit := range []string{"on", "remote_apply"} {
		t.Run(commit, func(t *testing.T) {
			s := newPair(t, "synchronous_commit="+commit)
			s.primary.do(t, "alter system set synchronous_standby_names = '*'", "select pg_reload_conf()")
			s.caughtUp(t, "sync")
			var killed time.Time
			chains := s.load(t, s.process(), true, func() {
				killed = time.Now()
				s.failOver(t)
			})
			s.reach(t, s.process())
			t.Logf("the host writes again %v after the kill", time.Since(killed).Round(time.Millisecond))
			audit(t, s.client, s.kept, s.at, s.process(), chains)
		})
	}
}

// losses counts what a failover has lost.
type losses struct {
	intact, rotations, redemptions, signIns int
}

// A primary that doesn't wait dies when its standby hasn't received anything
// for a while. The last writes are lost, but no user is mistaken for a thief: a
// token that the new primary doesn't know ends nothing, and the previous one
// works.
func TestFailOverAsynchronous(t *testing.T) {
	slow(t)
	s := newPair(t)
	var revoked []pair
	for i := range 10 {
		revoked = append(revoked, s.mustRedeem(t, s.url, s.mustAuthorize(t, s.url, fmt.Sprintf("user_revoked_%d", i))))
	}
	s.caughtUp(t, "async")
	chains := s.load(t, s.process(), true, func() {
		s.between.set(refusing, 0)
		for i, p := range revoked {
			if i%2 == 0 {
				r, err := s.post(s.url, "/oauth/token/revoke", "token", p.Refresh)
				mustStatus(t, http.StatusOK, r, err)
			} else {
				require.NoError(t, s.RevokeGrants(t.Context(), provider.GrantFilter{UserID: fmt.Sprintf("user_revoked_%d", i)}))
			}
		}
		time.Sleep(500 * time.Millisecond)
		s.failOver(t)
	})
	s.reach(t, s.process())
	revived := 0
	for _, p := range revoked {
		if r, err := s.notes(s.url, p.Access); err == nil && r.status == http.StatusOK {
			revived++
		}
	}
	var l losses
	for _, next := range chains {
		s.assess(t, next, &l)
	}
	require.Zero(t, s.reuses.Load(), "false alarms about reuse")
	require.NotZero(t, l.signIns, "nothing was lost")
	t.Logf("of %d chains, %d are intact, %d lost rotations, %d lost their redemption, and %d are lost; %d of %d revocations are undone",
		len(chains), l.intact, l.rotations, l.redemptions, l.signIns, revived, len(revoked))
}

// assess finds out what happened to a chain as a client would, starting with
// its newest token.
func (s *pairOfServers) assess(t *testing.T, next *chain, l *losses) {
	t.Helper()
	if next.code == "" {
		return
	}
	for i := len(next.pairs) - 1; i >= 0; i-- {
		r, err := s.refresh(s.url, next.pairs[i].Refresh)
		p, ok := r.pair()
		if !ok {
			mustRefuse(t, r, err)
			continue
		}
		r, err = s.notes(s.url, p.Access)
		mustStatus(t, http.StatusOK, r, err)
		if i == len(next.pairs)-1 {
			l.intact++
		} else {
			l.rotations++
		}
		return
	}
	r, err := s.redeem(s.url, next.code)
	if _, ok := r.pair(); ok {
		if len(next.pairs) == 0 {
			l.intact++
		} else {
			l.redemptions++
		}
		return
	}
	mustRefuse(t, r, err)
	grants, _, err := s.ListGrants(t.Context(), provider.GrantFilter{UserID: next.user}, "", 0)
	require.NoError(t, err)
	if len(grants) > 0 && next.pending == "redeem" {
		l.intact++ // It was redeemed, and only the answer was lost.
		return
	}
	require.Empty(t, grants, "%s has a grant, but none of its tokens works", next.user)
	l.signIns++
	again := s.mustRedeem(t, s.url, s.mustAuthorize(t, s.url, next.user))
	r, err = s.notes(s.url, again.Access)
	mustStatus(t, http.StatusOK, r, err)
}
