// Package redisserver runs Redis servers for single tests, alone or as a
// cluster. The tests of several modules use it, so it imports only the standard
// library.
package redisserver

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Server is a running Redis.
type Server struct {
	Addr string // host and port

	args []string
	cmd  *exec.Cmd
}

// Durable are the settings with which a server syncs every change to disk
// before it acknowledges it.
var Durable = []string{"appendonly yes", "appendfsync always"}

// Program is the server of all tests: redis-server, or the program that
// LATCHKEY_REDIS_SERVER names.
func Program() string { return cmp.Or(os.Getenv("LATCHKEY_REDIS_SERVER"), "redis-server") }

// Start starts a Redis server with the settings, each like "appendonly yes". It
// stops with the test. If the program isn't installed, the error is
// exec.ErrNotFound.
func Start(t testing.TB, settings ...string) (*Server, error) {
	t.Helper()
	if _, err := exec.LookPath(Program()); err != nil {
		return nil, err
	}
	port := freePort(t)
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), args: []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", t.TempDir(), "--save", "", "--loglevel", "warning", "--daemonize", "no",
		"--repl-diskless-sync-delay", "0", "--logfile", "redis.log",
	}}
	for _, setting := range settings {
		name, value, _ := strings.Cut(setting, " ")
		s.args = append(append(s.args, "--"+name), strings.Fields(value)...)
	}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s, nil
}

// StartSentinel starts a sentinel that watches the Redis server at the address
// under the given name. It considers a server down after a second without an
// answer.
func StartSentinel(t testing.TB, name, addr string) *Server {
	t.Helper()
	port, folder := freePort(t), t.TempDir()
	file := filepath.Join(folder, "sentinel.conf")
	host, watched, _ := net.SplitHostPort(addr)
	settings := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nlogfile sentinel.log\nsentinel monitor %[3]s %s %s 2\n"+
		"sentinel down-after-milliseconds %[3]s 1000\nsentinel failover-timeout %[3]s 5000\n", port, folder, name, host, watched)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: net.JoinHostPort("127.0.0.1", port), args: []string{file, "--sentinel"}}
	s.Start(t)
	t.Cleanup(s.Kill)
	return s
}

// Start starts a killed server again, and waits until it has read its data.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	s.cmd = exec.Command(Program(), s.args...)
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.await(t, "start", func() bool {
		_, err := s.ask("ping")
		return err == nil
	})
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	s.cmd.Process.Kill() // SIGKILL
	s.cmd.Wait()
}

// Pause stops the server, as on a machine without free CPU time, until Resume.
func (s *Server) Pause() { s.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume ends a Pause.
func (s *Server) Resume() { s.cmd.Process.Signal(syscall.SIGCONT) }

// PID is the number of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// await waits until the condition is met.
func (s *Server) await(t testing.TB, what string, met func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the Redis at %s doesn't %s", s.Addr, what)
		}
	}
}

// ask sends a command and returns the answer, or an error.
func (s *Server) ask(command string) (string, error) {
	c, err := net.DialTimeout("tcp", s.Addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "%s\r\n", command)
	answer := bufio.NewReader(c)
	line, err := answer.ReadString('\n')
	switch {
	case err != nil:
		return "", err
	case line[0] == '-':
		return "", errors.New(line)
	case line[0] != '$':
		return line, nil
	}
	size, err := strconv.Atoi(strings.TrimSpace(line[1:]))
	if err != nil {
		return "", err
	}
	text := make([]byte, size)
	_, err = io.ReadFull(answer, text)
	return string(text), err
}

// freePort returns a free port. The port 10,000 above it, which a server in a
// cluster also uses, is free too.
func freePort(t testing.TB) string {
	t.Helper()
	for range 100 {
		port := 20_000 + rand.IntN(10_000)
		if isFree(port) && isFree(port+10_000) {
			return strconv.Itoa(port)
		}
	}
	t.Fatal("no free port")
	return ""
}

func isFree(port int) bool {
	l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// StartCluster starts a Redis Cluster of three servers without replicas, with
// the settings for each.
func StartCluster(t testing.TB, settings ...string) ([]*Server, error) {
	t.Helper()
	const servers, slots = 3, 16384
	all := make([]*Server, servers)
	for i := range all {
		s, err := Start(t, append([]string{"cluster-enabled yes", "cluster-config-file nodes.conf"}, settings...)...)
		if err != nil {
			return nil, err
		}
		all[i] = s
		commands := []string{
			fmt.Sprintf("cluster addslotsrange %d %d", i*slots/servers, (i+1)*slots/servers-1),
			fmt.Sprintf("cluster set-config-epoch %d", i+1),
		}
		if i > 0 {
			commands = append(commands, "cluster meet "+strings.Replace(all[0].Addr, ":", " ", 1))
		}
		for _, command := range commands {
			if _, err := s.ask(command); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
		}
	}
	AwaitCluster(t, all)
	return all, nil
}

// AwaitCluster waits until each server knows that the cluster is complete.
func AwaitCluster(t testing.TB, all []*Server) {
	t.Helper()
	for _, s := range all {
		s.await(t, "join the cluster", func() bool {
			info, err := s.ask("cluster info")
			return err == nil && strings.Contains(info, "cluster_state:ok") && strings.Contains(info, "cluster_slots_ok:16384") &&
				strings.Contains(info, fmt.Sprint("cluster_known_nodes:", len(all)))
		})
	}
}
