package redisstore_test

import (
	"bufio"
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// The suite runs over a cluster, which refuses a script whose keys lie in
// several slots. Each of its servers is watched: Redis would let a script touch
// a key that was not handed to it if it happens to lie in the right slot, but
// promises nothing about that, and other servers do not.
func TestStoreOnCluster(t *testing.T) {
	cluster := newCluster(t)
	w := &watcher{seen: map[string]bool{}}
	stop := w.watch(t, cluster)
	storetest.Run(t, func(t *testing.T) store.Store { return open(t, cluster) })
	storetest.RunDevices(t, func(t *testing.T) store.Devices { return open(t, cluster) })
	stop()

	require.Empty(t, w.undeclared, "commands of scripts on keys that were not handed to them")
	require.GreaterOrEqual(t, len(w.seen), 16, "scripts that were watched")
}

// A watcher looks at all commands that servers run.
type watcher struct {
	mu         sync.Mutex
	seen       map[string]bool // the digests of scripts
	undeclared []string        // commands on keys that were not handed to their script
}

// watch begins to look at the cluster, until stop is called.
func (w *watcher) watch(t *testing.T, cluster *redis.ClusterClient) (stop func()) {
	t.Helper()
	var watching sync.WaitGroup
	require.NoError(t, cluster.ForEachMaster(t.Context(), func(_ context.Context, c *redis.Client) error {
		conn, err := net.Dial("tcp", c.Options().Addr)
		if err != nil {
			return err
		}
		if _, err := conn.Write([]byte("MONITOR\r\n")); err != nil {
			return err
		}
		lines := bufio.NewReader(conn)
		if _, err := lines.ReadString('\n'); err != nil { // the answer: watching from here on
			return err
		}
		watching.Go(func() {
			defer conn.Close()
			var handed []string
			for {
				line, err := lines.ReadString('\n')
				if err != nil || strings.Contains(line, `"the end"`) {
					return
				}
				handed = w.look(line, handed)
			}
		})
		return nil
	}))
	return func() {
		require.NoError(t, cluster.ForEachMaster(context.Background(), func(ctx context.Context, c *redis.Client) error {
			return c.Echo(ctx, "the end").Err()
		}))
		watching.Wait()
	}
}

// look looks at a line like
//
//	1700000000.000000 [0 127.0.0.1:50000] "evalsha" "6b1b…" "1" "key" "argument"
//	1700000000.000000 [0 lua] "HGET" "key" "field"
//
// and returns the keys that were handed to the script that is running.
func (w *watcher) look(line string, handed []string) []string {
	_, rest, _ := strings.Cut(line, "[")
	from, rest, _ := strings.Cut(rest, "] ")
	words := unquoted(rest)
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case len(words) < 2:
	case strings.HasSuffix(from, "lua"):
		if !slices.Contains(handed, words[1]) {
			w.undeclared = append(w.undeclared, line)
		}
	case strings.EqualFold(words[0], "evalsha"):
		w.seen[words[1]] = true
		n, _ := strconv.Atoi(words[2])
		return words[3 : 3+n]
	case strings.EqualFold(words[0], "eval"):
		n, _ := strconv.Atoi(words[2])
		return words[3 : 3+n]
	}
	return handed
}

// unquoted returns the words of a line, each of which is quoted.
func unquoted(line string) (words []string) {
	for line != "" {
		quoted, err := strconv.QuotedPrefix(line)
		if err != nil {
			return words
		}
		word, _ := strconv.Unquote(quoted)
		words = append(words, word)
		line = strings.TrimPrefix(line[len(quoted):], " ")
	}
	return words
}
