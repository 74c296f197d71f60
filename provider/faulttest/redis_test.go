package faulttest

import (
	"net"
	"os/exec"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

// redisServer is a Redis of the test's own, or one of its sentinels, which may
// be killed.
type redisServer struct {
	address   string
	arguments []string
	cmd       *exec.Cmd
}

// startRedis starts a Redis that has written every change to its disk before
// it acknowledges it. The settings are more arguments of the program.
func startRedis(t *testing.T, settings ...string) *redisServer {
	t.Helper()
	return startServer(t, append([]string{"--appendonly", "yes", "--appendfsync", "always", "--save", "",
		"--repl-diskless-sync-delay", "0"}, settings...)...)
}

// startServer starts the program of Redis with the arguments.
func startServer(t *testing.T, arguments ...string) *redisServer {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		missing(t, "no program redis-server: %v", err)
	}
	// The port is free now and, as nobody else asks for it, in a moment too.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := &redisServer{address: listener.Addr().String()}
	require.NoError(t, listener.Close())
	host, port, err := net.SplitHostPort(s.address)
	require.NoError(t, err)
	s.arguments = append(arguments, "--bind", host, "--port", port, "--dir", t.TempDir(), "--daemonize", "no", "--logfile", "redis.log")
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// start starts the server and waits until it has read what it had written.
func (s *redisServer) start(t *testing.T) {
	t.Helper()
	s.cmd = exec.Command("redis-server", s.arguments...)
	require.NoError(t, s.cmd.Start())
	client := redis.NewClient(&redis.Options{Addr: s.address})
	defer client.Close()
	require.Eventually(t, func() bool { return client.Ping(t.Context()).Err() == nil }, 30*time.Second, 20*time.Millisecond, "the Redis does not start")
}

func (s *redisServer) kill() {
	s.cmd.Process.Kill() // SIGKILL
	s.cmd.Wait()
}
