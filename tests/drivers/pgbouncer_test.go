package drivers_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store/sqlstore"
)

// pgbouncer starts a pooler of transactions for PostgreSQL and returns its URL.
func pgbouncer(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("pgbouncer")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("pgbouncer isn't installed")
		}
		t.Skip("pgbouncer isn't installed")
	}
	connect(t, "pgx", postgresURL())
	server, err := url.Parse(postgresURL())
	require.NoError(t, err)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())

	account := "user=" + server.User.Username()
	if password, ok := server.User.Password(); ok {
		account += " password=" + password
	}
	settings := ""
	for name, values := range server.Query() {
		if name != "sslmode" {
			settings += fmt.Sprintf("set %s = ''%s'';", name, values[0])
		}
	}
	config := fmt.Sprintf(`[databases]
bounced = host=%s port=%s dbname=%s %s connect_query='%s'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 4
max_client_conn = 100
`, server.Hostname(), server.Port(), server.Path[1:], account, settings, port)
	dir, err := os.MkdirTemp("", "pgbouncer")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	file := filepath.Join(dir, "pgbouncer.ini")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))

	args := []string{file}
	if me, err := user.Current(); err == nil && me.Uid == "0" {
		args = append([]string{"-u", "nobody"}, args...) // It refuses to run as root.
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, args...)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() { cancel(); <-ended })
	for {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			break
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("pgbouncer ended: %v\n%s", err, &said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return "postgres://anybody@127.0.0.1:" + port + "/bounced?sslmode=disable"
}

// Behind a pooler of transactions, two consecutive statements may run in two
// sessions. Older poolers don't track prepared statements, so the drivers must
// not prepare any.
func TestPgbouncer(t *testing.T) {
	for _, tt := range []struct{ name, driver, option string }{
		{"pgx", "pgx", "&default_query_exec_mode=exec"},
		{"pq", "postgres", "&binary_parameters=yes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			url := pgbouncer(t)
			suite(t, tt.driver, url+tt.option, sqlstore.Postgres)
		})
	}
}

// The pooler of the test must pool transactions.
func TestPgbouncerPoolsTransactions(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("pgx", pgbouncer(t)+"&default_query_exec_mode=exec")
	require.NoError(t, err)
	defer db.Close()
	sessions := map[int]bool{}
	var holding []*sql.Tx
	conn, err := db.Conn(t.Context())
	require.NoError(t, err)
	for range 3 {
		var pid int
		require.NoError(t, conn.QueryRowContext(t.Context(), "select pg_backend_pid()").Scan(&pid))
		sessions[pid] = true
		tx, err := db.BeginTx(t.Context(), nil) // takes the session away
		require.NoError(t, err)
		require.NoError(t, tx.QueryRow("select 1").Scan(new(int)))
		holding = append(holding, tx)
	}
	require.Greater(t, len(sessions), 1, "one client connection kept the same server session")
	for _, tx := range holding {
		require.NoError(t, tx.Rollback())
	}
}
