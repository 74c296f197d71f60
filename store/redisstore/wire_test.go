package redisstore_test

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/redisstore"
)

// A counter counts how often a client waits for an answer.
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

// What users wait for is one round trip each.
func TestRoundTrips(t *testing.T) {
	client := single(t)
	c := &counter{}
	client.AddHook(c)
	s, ctx, at := open(t, client), t.Context(), time.Now().UTC()
	app := store.Application{ID: "app_1", ClientID: "client_1"}

	// The first use of a script loads it.
	warm := signIn(t, s, "user_0", at)
	warm.rotate(t, s, at)
	require.NoError(t, s.RevokeToken(ctx, store.TokenRevocation{Key: warm.access, ApplicationID: application, At: at}))
	require.NoError(t, s.CreateApplication(ctx, app))
	require.NoError(t, s.UpdateApplication(ctx, store.Application{ID: "app_1", Version: 1}))
	_, err := s.FindClient(ctx, "client_1")
	require.NoError(t, err)
	_, err = s.RevokeGrants(ctx, store.GrantFilter{UserID: "user_0"}, at)
	require.NoError(t, err)
	useDevice(t, s, at)

	n := newGrant("user_1", at)
	redeemed := redemption(n, at)
	rotated := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeemed.Refresh.Hash}, at)
	device := authorization(at)
	find := func(h store.Hash) error {
		_, _, err := s.FindToken(ctx, store.Key{GrantID: n.Grant.ID, Hash: h})
		return err
	}
	for _, step := range []struct {
		name string
		want int64
		run  func() error
	}{
		{"CreateGrant", 1, func() error { return s.CreateGrant(ctx, n) }},
		{"RedeemCode", 1, func() error { _, err := s.RedeemCode(ctx, redeemed); return err }},
		{"FindToken, access", 1, func() error { return find(redeemed.Access.Hash) }},
		{"FindToken, refresh", 1, func() error { return find(redeemed.Refresh.Hash) }},
		{"RotateRefresh", 1, func() error { _, err := s.RotateRefresh(ctx, rotated); return err }},
		{"RotateRefresh, a retry", 1, func() error { _, err := s.RotateRefresh(ctx, rotated); return err }},
		{"FindConsent", 1, func() error { _, err := s.FindConsent(ctx, "user_1", application); return err }},
		{"ListConsents", 1, func() error { _, err := s.ListConsents(ctx, "user_1"); return err }},
		{"FindApplication", 1, func() error { _, err := s.FindApplication(ctx, "app_1"); return err }},
		{"FindClient", 1, func() error { _, err := s.FindClient(ctx, "client_1"); return err }},
		{"ListGrants, by user", 2, func() error {
			_, _, err := s.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{UserID: "user_1"}})
			return err
		}},
		{"RevokeToken", 1, func() error {
			return s.RevokeToken(ctx, store.TokenRevocation{Key: rotated.Key, ApplicationID: application, At: at})
		}},
		{"RevokeGrants, by user and application", 3, func() error {
			_, err := s.RevokeGrants(ctx, store.GrantFilter{UserID: "user_1", ApplicationID: application}, at)
			return err
		}},
		{"RevokeGrants, by user", 4, func() error {
			_, err := s.RevokeGrants(ctx, store.GrantFilter{UserID: "user_1"}, at)
			return err
		}},
		{"CreateDevice", 1, func() error { return s.CreateDevice(ctx, device) }},
		{"PollDevice", 1, func() error { _, err := s.PollDevice(ctx, pollOf(device, at)); return err }},
		{"FindDevice", 2, func() error { _, err := s.FindDevice(ctx, device.UserCode); return err }},
		{"DecideDevice", 1, func() error { return s.DecideDevice(ctx, store.DeviceDecision{ID: device.ID, At: at}) }},
		{"DeleteDevices, with nothing to do", 4, func() error { _, err := s.DeleteDevices(ctx, at, 10); return err }},
	} {
		c.trips.Store(0)
		require.NoError(t, step.run(), step.name)
		require.Equal(t, step.want, c.trips.Load(), "round trips of %s", step.name)
	}
}

// useDevice takes each step with a device authorization, so that their scripts
// are loaded.
func useDevice(t testing.TB, s store.Devices, at time.Time) {
	t.Helper()
	d := authorization(at)
	require.NoError(t, s.CreateDevice(t.Context(), d))
	_, err := s.PollDevice(t.Context(), pollOf(d, at))
	require.NoError(t, err)
	require.NoError(t, s.DecideDevice(t.Context(), store.DeviceDecision{ID: d.ID, At: at}))
}

// A lossy network loses the next answer after lose is set: the server has done
// what it was asked, and the client learns of nothing but a broken connection.
type lossy struct {
	lose atomic.Bool
	lost atomic.Int64
}

type lossyConn struct {
	net.Conn
	network *lossy
}

func (c lossyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil && c.network.lose.CompareAndSwap(true, false) {
		c.network.lost.Add(1)
		c.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// The client library sends a command again when the connection breaks before
// the answer. That must not look like a code or token that is presented twice,
// or like an id that is taken.
func TestLostAnswers(t *testing.T) {
	network := &lossy{}
	addr := single(t).Options().Addr
	client := redis.NewClient(&redis.Options{Addr: addr, Dialer: func(ctx context.Context, kind, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, kind, addr)
		return lossyConn{conn, network}, err
	}})
	t.Cleanup(func() { client.Close() })
	s, ctx, at := open(t, client), t.Context(), time.Now().UTC()
	signedIn := signIn(t, s, "user_0", at) // so that scripts are loaded
	signedIn.rotate(t, s, at)
	require.NoError(t, s.CreateApplication(ctx, store.Application{ID: "app_0", ClientID: "client_0"}))
	require.NoError(t, s.UpdateApplication(ctx, store.Application{ID: "app_0", Version: 1}))
	useDevice(t, s, at)

	n := newGrant("user_1", at)
	redeemed := redemption(n, at)
	rotated := rotation(store.Key{GrantID: n.Grant.ID, Hash: redeemed.Refresh.Hash}, at)
	rotated.Grace = 0
	app := store.Application{ID: "app_1", ClientID: "client_1", Version: 1}
	device := authorization(at)
	for i, step := range []struct {
		name string
		run  func() error
	}{
		{"CreateGrant", func() error { return s.CreateGrant(ctx, n) }},
		{"RedeemCode", func() error {
			issued, err := s.RedeemCode(ctx, redeemed)
			require.Equal(t, cutTime(redeemed.Access.ExpiresAt), issued.Access.ExpiresAt)
			return err
		}},
		{"RotateRefresh", func() error {
			issued, err := s.RotateRefresh(ctx, rotated)
			require.False(t, issued.Retried)
			require.Equal(t, rotated.Salt, issued.Salt)
			require.Equal(t, cutTime(rotated.Access.ExpiresAt), issued.Access.ExpiresAt)
			return err
		}},
		{"CreateApplication", func() error { return s.CreateApplication(ctx, app) }},
		{"UpdateApplication", func() error { return s.UpdateApplication(ctx, app) }},
		{"CreateDevice", func() error { return s.CreateDevice(ctx, device) }},
		{"PollDevice", func() error {
			polled, err := s.PollDevice(ctx, pollOf(device, at.Add(time.Minute)))
			require.False(t, polled.TooSoon)
			require.Equal(t, interval, polled.Interval)
			return err
		}},
		{"PollDevice, too soon", func() error {
			polled, err := s.PollDevice(ctx, pollOf(device, at.Add(time.Minute+interval-time.Second)))
			require.True(t, polled.TooSoon)
			require.Equal(t, 2*interval, polled.Interval)
			return err
		}},
		{"DecideDevice", func() error { return s.DecideDevice(ctx, store.DeviceDecision{ID: device.ID, At: at}) }},
	} {
		network.lose.Store(true)
		require.NoError(t, step.run(), "%s, whose answer is lost", step.name)
		require.EqualValues(t, i+1, network.lost.Load(), "answers lost by %s", step.name)
	}

	_, grant, err := s.FindToken(ctx, store.Key{GrantID: n.Grant.ID, Hash: rotated.Access.Hash})
	require.NoError(t, err)
	require.Zero(t, grant.RevokedAt)
	found, err := s.FindApplication(ctx, "app_1")
	require.NoError(t, err)
	require.EqualValues(t, 2, found.Version)

	// The same call by the caller is another attempt.
	_, err = s.RotateRefresh(ctx, rotated)
	require.ErrorIs(t, err, store.ErrReused)
	require.ErrorIs(t, s.CreateGrant(ctx, n), store.ErrExists)
	require.ErrorIs(t, s.CreateApplication(ctx, app), store.ErrExists)
	require.ErrorIs(t, s.CreateDevice(ctx, device), store.ErrExists)
	polled, err := s.PollDevice(ctx, pollOf(device, at.Add(time.Minute+interval-time.Second)))
	require.NoError(t, err)
	require.True(t, polled.TooSoon)
	require.Equal(t, 3*interval, polled.Interval)
}

func cutTime(at time.Time) time.Time { return at.Truncate(time.Microsecond) }

// A server that accepts and never answers must not hold up a caller who has a
// deadline, however the client is configured.
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

	at := time.Now().UTC()
	n := newGrant("user_1", at)
	r := redemption(n, at)
	d := authorization(at)
	for i, step := range []func(ctx context.Context) error{
		func(ctx context.Context) error { return s.CreateGrant(ctx, n) },
		func(ctx context.Context) error { _, err := s.RedeemCode(ctx, r); return err },
		func(ctx context.Context) error { _, err := s.RotateRefresh(ctx, rotation(r.Key, at)); return err },
		func(ctx context.Context) error { _, _, err := s.FindToken(ctx, r.Key); return err },
		func(ctx context.Context) error { _, err := s.FindConsent(ctx, "user_1", application); return err },
		func(ctx context.Context) error {
			_, err := s.RevokeGrants(ctx, store.GrantFilter{ApplicationID: application}, at)
			return err
		},
		func(ctx context.Context) error {
			_, err := s.DeleteExpired(ctx, store.Expiry{Before: at, Limit: 1})
			return err
		},
		func(ctx context.Context) error { return s.CreateDevice(ctx, d) },
		func(ctx context.Context) error { _, err := s.FindDevice(ctx, d.UserCode); return err },
		func(ctx context.Context) error {
			return s.DecideDevice(ctx, store.DeviceDecision{ID: d.ID, At: at})
		},
		func(ctx context.Context) error { _, err := s.PollDevice(ctx, pollOf(d, at)); return err },
		func(ctx context.Context) error { _, err := s.DeleteDevices(ctx, at, 1); return err },
		func(ctx context.Context) error { _, err := s.FindClient(ctx, "client_1"); return err },
		func(ctx context.Context) error {
			_, _, err := s.ListApplications(ctx, store.ApplicationQuery{})
			return err
		},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		begin := time.Now()
		require.ErrorIs(t, step(ctx), context.DeadlineExceeded, "step %d", i)
		require.Less(t, time.Since(begin), time.Second, "step %d", i)
		cancel()
	}
}

// What New can find out, it says at once.
func TestNewRefuses(t *testing.T) {
	client := redis.NewClient(&redis.Options{})
	t.Cleanup(func() { client.Close() })
	_, err := redisstore.New(nil, redisstore.Options{Prefix: "{x}"})
	require.ErrorContains(t, err, "no client")
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
	require.ErrorContains(t, err, "ring")
	_, err = redisstore.New(client, redisstore.Options{})
	require.NoError(t, err)
}
