package faulttest

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisServer is a Redis of the test's own, which may be killed.
type redisServer struct {
	address string
	folder  string
	cmd     *exec.Cmd
}

// startRedis starts a Redis that has written every change to its disk before
// it acknowledges it.
func startRedis(t *testing.T) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "no program redis-server: %v", err)
	}
	// The port is free now and, as nobody else asks for it, in a moment too.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &redisServer{address: listener.Addr().String(), folder: t.TempDir()}
	require.NoError(t, listener.Close())
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// start starts the server and waits until it has read what it had written.
func (s *redisServer) start(t *testing.T) {
	t.Helper()
	host, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	s.cmd = exec.Command("redis-server", "--bind", host, "--port", port, "--dir", s.folder,
		"--appendonly", "yes", "--appendfsync", "always", "--save", "", "--daemonize", "no", "--logfile", "redis.log")
	require.NoError(t, s.cmd.Start())
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer client.Close()
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 30*time.Second, 20*time.Millisecond, "the Redis does not start")
}

func (s *redisServer) kill() {
	s.cmd.Process.Kill() // SIGKILL
	s.cmd.Wait()
}
