package faults

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is a database server for one test, which may be stopped, filled, or
// reconfigured.
type server struct {
	kind    string // "postgres" or "mysql"
	folder  string
	port    string
	options []string
	cmd     *exec.Cmd
	log     output
}

// account is the user that a server runs as, because PostgreSQL refuses to run
// as root.
type account struct{ uid, gid int }

// unprivileged returns the account of PostgreSQL's user, if the tests run as
// root.
func unprivileged(t *testing.T) *account {
	t.Helper()
	if os.Getuid() != 0 {
		return nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		missing(t, "the tests run as root, which PostgreSQL refuses to do, and the user postgres doesn't exist: %v", err)
	}
	uid, err := strconv.Atoi(found.Uid)
	require.NoError(t, err)
	gid, err := strconv.Atoi(found.Gid)
	require.NoError(t, err)
	return &account{uid, gid}
}

// own makes the account the owner of a folder.
func (a *account) own(t *testing.T, folder string) {
	t.Helper()
	if a != nil {
		require.NoError(t, os.Chown(folder, a.uid, a.gid))
	}
}

// command returns a command that runs as the account.
func (a *account) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = "/"
	if a != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}}
	}
	return cmd
}

// run runs the command to its end.
func run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s: %s", cmd, said)
}

// program returns the path of a program. Debian doesn't put those of PostgreSQL
// into the PATH.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
		slices.Sort(found)
		if len(found) > 0 {
			return found[len(found)-1]
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		if path := "/usr/sbin/" + name; executable(path) {
			return path
		}
	}
	missing(t, "the program %s isn't installed", names[0])
	return ""
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode()&0o111 != 0
}

// newFolder creates a folder for a server. The server's user can't read
// t.TempDir.
func newFolder(t *testing.T, owner *account) string {
	t.Helper()
	folder, err := os.MkdirTemp("", "latchkey-server")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(folder) })
	require.NoError(t, os.Chmod(folder, 0o755))
	owner.own(t, folder)
	return folder
}

func freePort(t *testing.T) string {
	t.Helper()
	// The port is free now, and no other program will ask for it in the next
	// moment.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer listener.Close()
	_, port, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	return port
}

// templates are data folders in the state after the installation, one for each
// kind. Copying one is faster than creating one.
var templates struct {
	sync.Mutex
	folders map[string]string
}

// removeTemplates removes them after all tests.
func removeTemplates() {
	for _, folder := range templates.folders {
		os.RemoveAll(folder)
	}
}

// template returns the data folder of a server that has never run.
func template(t *testing.T, kind string) string {
	t.Helper()
	templates.Lock()
	defer templates.Unlock()
	if folder, ok := templates.folders[kind]; ok {
		return folder
	}
	folder, err := os.MkdirTemp("", "latchkey-template")
	require.NoError(t, err)
	if templates.folders == nil {
		templates.folders = map[string]string{}
	}
	data := filepath.Join(folder, "data")
	if kind == "postgres" {
		as := unprivileged(t)
		as.own(t, folder)
		run(t, as.command(program(t, "initdb"), "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"))
	} else {
		run(t, exec.Command(program(t, "mariadb-install-db", "mysql_install_db"), "--no-defaults", "--datadir="+data,
			"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"))
	}
	templates.folders[kind] = data
	return data
}

// newServer starts a server with the options, in a new folder.
func newServer(t *testing.T, kind string, options ...string) *server {
	t.Helper()
	var as *account
	if kind == "postgres" {
		as = unprivileged(t)
	}
	return newServerIn(t, newFolder(t, as), kind, options...)
}

// newServerIn starts a server with its data in the folder.
func newServerIn(t *testing.T, folder, kind string, options ...string) *server {
	t.Helper()
	s := &server{kind: kind, folder: filepath.Join(folder, "data"), port: freePort(t), options: options}
	run(t, exec.Command("cp", "-a", template(t, kind), s.folder))
	t.Cleanup(func() {
		s.kill()
		if t.Failed() {
			t.Logf("last output of the %s: %s", s.kind, &s.log)
		}
	})
	s.start(t)
	return s
}

// start starts the server and waits until it accepts connections.
func (s *server) start(t *testing.T) {
	t.Helper()
	require.NoError(t, s.begin(t))
	require.Eventually(t, func() bool { return s.at().ping(t.Context()) == nil }, 60*time.Second, 50*time.Millisecond, "the %s doesn't start: %s", s.kind, &s.log)
}

// begin starts the server.
func (s *server) begin(t *testing.T) error {
	t.Helper()
	if s.kind == "postgres" {
		args := []string{"-D", s.folder, "-p", s.port, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="}
		for _, option := range s.options {
			args = append(args, "-c", option)
		}
		s.cmd = unprivileged(t).command(program(t, "postgres"), args...)
	} else {
		args := []string{"--no-defaults", "--datadir=" + s.folder, "--port=" + s.port, "--bind-address=127.0.0.1",
			"--socket=" + filepath.Join(s.folder, "socket"), "--pid-file=" + filepath.Join(s.folder, "pid"), "--skip-name-resolve"}
		if os.Getuid() == 0 {
			args = append(args, "--user=root")
		}
		for _, option := range s.options {
			args = append(args, "--"+option)
		}
		s.cmd = exec.Command(program(t, "mariadbd", "mysqld"), args...)
	}
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	return s.cmd.Start()
}

// kill ends the server without giving it time to write anything.
func (s *server) kill() {
	signal := syscall.SIGKILL
	if s.kind == "postgres" {
		signal = syscall.SIGQUIT // It ends its processes at once, and recovers like after a crash.
	}
	s.cmd.Process.Signal(signal)
	s.cmd.Wait()
}

// at returns the server's address for its administrator.
func (s *server) at() target {
	if s.kind == "postgres" {
		return target{Kind: "postgres", Source: "postgres://postgres@127.0.0.1:" + s.port + "/postgres?sslmode=disable", Prefix: "latchkey_"}
	}
	return target{Kind: "mysql", Source: "root@tcp(127.0.0.1:" + s.port + ")/mysql?timeout=2s", Prefix: "latchkey_"}
}

// forHost returns the server's address for a host without special rights.
func (s *server) forHost(t *testing.T) target {
	t.Helper()
	at := s.at()
	if s.kind == "postgres" {
		s.do(t, "create role host login", "create database host owner host")
		at.Source = "postgres://host@127.0.0.1:" + s.port + "/host?sslmode=disable"
	} else {
		s.do(t, "create database host", "create user host@'%'", "grant all on host.* to host@'%'")
		at.Source = "host@tcp(127.0.0.1:" + s.port + ")/host"
	}
	return at
}

// do runs statements as the administrator.
func (s *server) do(t *testing.T, statements ...string) {
	t.Helper()
	db, err := s.at().connect()
	require.NoError(t, err)
	defer db.Close()
	for _, text := range statements {
		_, err := db.ExecContext(t.Context(), text)
		require.NoError(t, err, "%s", text)
	}
}

// small mounts a file system of n MB for the rest of the test.
func small(t *testing.T, owner *account, megabytes int) string {
	t.Helper()
	folder := newFolder(t, owner)
	said, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm,mode=755", megabytes), "tmpfs", folder).CombinedOutput()
	if err != nil {
		missing(t, "can't mount a small file system: %v: %s", err, bytes.TrimSpace(said))
	}
	t.Cleanup(func() { exec.Command("umount", "-l", folder).Run() })
	owner.own(t, folder)
	return folder
}
