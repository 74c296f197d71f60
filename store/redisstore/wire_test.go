package redisstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
)

// A counter counts how often a client waits for answers.
type counter struct{ trips atomic.Int64 }

func (c *counter) DialHook(next redis.DialHook) redis.DialHook { return next }

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.trips.Add(1)
		return next(ctx, cmds)
	}
}

// A step is one call, and its round trips on a single server and on a cluster.
type step struct {
	name           string
	alone, cluster int64
	run            func(ctx context.Context) error
}

// steps returns calls that touch everything that is stored, in an order that
// works.
func steps(s store.Store, user string) []step {
	at := now()
	d := newDocument(user, at)
	consent := newDocument(user, at)
	consent.ID, consent.Kind = store.ConsentID(user, application, workspace), store.KindConsent
	device := store.Document{
		ID: store.NewID(at, user), Kind: store.KindDevice, CreatedAt: at, SweepAt: at, Mark: newMark(), State: "a device",
	}
	used := replaced(d, func(d *store.Document) { d.LastUsedAt = at.Add(time.Hour) })
	moved := replaced(used, func(d *store.Document) { d.CreatedAt = at.Add(time.Hour) })
	app := store.Application{ID: "app of " + user, ClientID: "client of " + user, Name: "Wiki", OwnerID: user, Version: 1}
	list := func(q store.Query) func(context.Context) error {
		q.Kind, q.Limit = store.KindGrant, 10
		return func(ctx context.Context) error { _, _, err := s.List(ctx, q); return err }
	}
	cut := func(key store.CutKey) func(context.Context) error {
		return func(ctx context.Context) error { return s.CutOff(ctx, key, store.CutNumber(at)) }
	}
	return []step{
		{"Create", 1, 2, func(ctx context.Context) error { return s.Create(ctx, d) }},
		{"Create, of a consent", 1, 2, func(ctx context.Context) error { return s.Create(ctx, consent) }},
		{"Create, of a device", 1, 1, func(ctx context.Context) error { return s.Create(ctx, device) }},
		{"Find", 1, 2, func(ctx context.Context) error { _, _, err := s.Find(ctx, d.ID); return err }},
		{"FindConsent", 1, 2, func(ctx context.Context) error {
			_, _, err := s.FindConsent(ctx, user, application, workspace)
			return err
		}},
		{"Replace", 1, 1, func(ctx context.Context) error { return s.Replace(ctx, used, d.Mark) }},
		{"Replace, with another time of creation", 1, 5, func(ctx context.Context) error { return s.Replace(ctx, moved, used.Mark) }},
		{"List, by user", 2, 3, list(store.Query{UserID: user})},
		{"List, by application", 2, 3, list(store.Query{ApplicationID: application})},
		{"List, by workspace", 2, 3, list(store.Query{WorkspaceID: workspace})},
		{"CutOff, of a user", 1, 1, cut(store.CutKey{UserID: user})},
		{"CutOff, of an application", 1, 1, cut(store.CutKey{ApplicationID: application})},
		{"CutOff, of everything", 1, 1, cut(store.CutKey{})},
		{"End", 1, 1, func(ctx context.Context) error { return s.End(ctx, d.ID, at, at.Add(time.Hour)) }},
		{"Sweep, with nothing due", 4, 4, func(ctx context.Context) error {
			_, err := s.Sweep(ctx, at.Add(-time.Hour), 100)
			return err
		}},
		{"CreateApplication", 1, 1, func(ctx context.Context) error { return s.CreateApplication(ctx, app) }},
		{"FindApplication", 1, 1, func(ctx context.Context) error { _, err := s.FindApplication(ctx, app.ID); return err }},
		{"FindClient", 1, 1, func(ctx context.Context) error { _, err := s.FindClient(ctx, app.ClientID); return err }},
		{"UpdateApplication", 1, 1, func(ctx context.Context) error { return s.UpdateApplication(ctx, app) }},
		{"ListApplications", 3, 3, func(ctx context.Context) error {
			_, _, err := s.ListApplications(ctx, store.ApplicationQuery{OwnerID: user})
			return err
		}},
		{"DeleteApplication", 1, 1, func(ctx context.Context) error { return s.DeleteApplication(ctx, app.ID) }},
	}
}

// Users wait for one round trip each, or two on a cluster.
func TestRoundTrips(t *testing.T) {
	client := single(t)
	testRoundTrips(t, client, func(s step) int64 { return s.alone })
}

func TestRoundTripsOnCluster(t *testing.T) {
	testRoundTrips(t, newCluster(t), func(s step) int64 { return s.cluster })
}

func testRoundTrips(t *testing.T, client redis.UniversalClient, want func(step) int64) {
	c := &counter{}
	client.AddHook(c)
	s := open(t, client)
	for _, user := range []string{"user_1", "user_2", "user_3", "user_4"} { // so that each server has loaded the scripts
		for _, step := range steps(s, user) {
			require.NoError(t, step.run(t.Context()), step.name)
		}
	}
	for _, step := range steps(s, "user_5") {
		c.trips.Store(0)
		require.NoError(t, step.run(t.Context()), step.name)
		require.Equal(t, want(step), c.trips.Load(), "round trips of %s", step.name)
	}
}

// A lossy network loses the next answer after lose is set: the server has done
// what it was asked, and the client sees only a broken connection.
//
// If each is set, it loses one answer in that many.
type lossy struct {
	lose atomic.Bool
	each atomic.Int64
	lost atomic.Int64
}

func (l *lossy) dial(ctx context.Context, kind, addr string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, kind, addr)
	return lossyConn{conn, l}, err
}

// loses reports whether the next answer is lost.
func (l *lossy) loses() bool {
	each := l.each.Load()
	return l.lose.CompareAndSwap(true, false) || each > 0 && rand.N(each) == 0
}

type lossyConn struct {
	net.Conn
	network *lossy
}

func (c lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.network.loses() {
		c.network.lost.Add(1)
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// openLossy returns a store over a lossy network.
func openLossy(t *testing.T) (*redisstore.Store, *lossy) {
	t.Helper()
	network := &lossy{}
	addr := single(t).Options().Addr
	client := redis.NewClient(&redis.Options{Addr: addr, Dialer: network.dial})
	t.Cleanup(func() { client.Close() })
	return open(t, client), network
}

// The client library sends a command again when the connection breaks before
// the answer. That must not look like another call.
func TestLostAnswers(t *testing.T) {
	s, network := openLossy(t)
	for _, step := range steps(s, "user_1") { // so that the scripts are loaded
		require.NoError(t, step.run(t.Context()), step.name)
	}
	all := steps(s, "user_2")
	for i, step := range all {
		network.lose.Store(true)
		require.NoError(t, step.run(t.Context()), "%s, whose answer is lost", step.name)
		require.EqualValues(t, i+1, network.lost.Load(), "answers lost by %s", step.name)
	}
}

// A script that arrives twice takes effect once.
func TestLostAnswerOfCutOff(t *testing.T) {
	s, network := openLossy(t)
	ctx := t.Context()
	number := func() int64 {
		_, cuts, err := s.FindConsent(ctx, "user_1", application, "")
		require.NoError(t, err)
		return cuts[store.CutKey{UserID: "user_1"}.Index()]
	}
	key := store.CutKey{UserID: "user_1"}
	require.NoError(t, s.CutOff(ctx, key, 7))
	network.lose.Store(true)
	require.NoError(t, s.CutOff(ctx, key, 7))
	require.EqualValues(t, 1, network.lost.Load())
	require.EqualValues(t, 8, number(), "a cut-off whose answer was lost")
	require.NoError(t, s.CutOff(ctx, key, 7))
	require.EqualValues(t, 9, number(), "a cut-off by another call")
}

// A server that accepts connections and never answers must not hold up a caller
// with a deadline, with any configuration of the client.
func TestServerThatNeverAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			if _, err := l.Accept(); err != nil {
				return
			}
		}
	}()
	client := redis.NewClient(&redis.Options{Addr: l.Addr().String(), ReadTimeout: 2 * time.Second})
	t.Cleanup(func() { client.Close() })
	s, err := redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
	for _, step := range append(steps(s, "user_1"), step{name: "Check", run: s.Check}) {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		require.ErrorIs(t, step.run(ctx), context.DeadlineExceeded, step.name)
		require.Less(t, time.Since(begin), time.Second, step.name)
		cancel()
	}
}

// New reports at once what it can find out without a connection.
func TestNewRefuses(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { client.Close() })
	_, err := redisstore.New(nil, redisstore.Options{Prefix: "{x}"})
	require.ErrorContains(t, err, "the client is nil")
	require.ErrorContains(t, err, "braces")
	for _, o := range []redis.ClusterOptions{{ReadOnly: true}, {RouteByLatency: true}, {RouteRandomly: true}} {
		cluster := redis.NewClusterClient(&o)
		_, err = redisstore.New(cluster, redisstore.Options{})
		require.ErrorContains(t, err, "replicas", fmt.Sprintf("%+v", o))
		cluster.Close()
	}
	ring := redis.NewRing(&redis.RingOptions{})
	t.Cleanup(func() { ring.Close() })
	_, err = redisstore.New(ring, redisstore.Options{})
	require.ErrorContains(t, err, "redis.Ring")
	_, err = redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
}
