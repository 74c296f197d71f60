//go:build !race

package redisstore_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// size is the number of grants that the size tests create: LATCHKEY_SIZE, or
// few.
func size(t *testing.T) int {
	t.Helper()
	text := os.Getenv("LATCHKEY_SIZE")
	if text == "" {
		return 5_000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// An application with very many grants, a tenth of which, up to 100,000, belong
// to one user, is cut off, listed, and swept while others are served. No script
// or command touches more than a bounded number of records.
func TestSizeOfOneApplication(t *testing.T) {
	if os.Getenv("LATCHKEY_SIZE") == "" {
		t.Skip(`it takes minutes: "make size" runs it`)
	}
	n := size(t)
	ofUser := min(n/10, 100_000)
	server := newServer(t, "slowlog-log-slower-than 1000", "slowlog-max-len 1000")
	client := server.client(t)
	s, ctx, at := open(t, client), t.Context(), now()
	before := kept(t, client)
	began := time.Now()
	user := fill(t, s, ofUser, "user_1", at)
	fillUsers(t, s, n-ofUser, at)
	t.Logf("%d grants, %d of one user, created in %v: %d bytes each", n, ofUser, time.Since(began), (kept(t, client)-before)/int64(n))
	rotate(t, s, client, user[:min(len(user), 2_000)])

	// Another client is served meanwhile.
	other := newDocument("user_2", at)
	other.ApplicationID, other.WorkspaceID = "another application", ""
	other.SweepAt = at.Add(1000 * time.Hour)
	require.NoError(t, s.Create(ctx, other))
	p := &prober{t, server.client(t), newServer(t).client(t)}
	for _, key := range []store.CutKey{{UserID: "user_1"}, {ApplicationID: application}} {
		q := store.Query{UserID: key.UserID, ApplicationID: key.ApplicationID}
		p.step(fmt.Sprintf("List %+v", key), 20, func() { require.NoError(t, listAll(t, s, q, n)) })
		p.step(fmt.Sprintf("CutOff %+v", key), 5, func() { require.NoError(t, s.CutOff(ctx, key, store.CutNumber(at))) })
		p.step(fmt.Sprintf("List of cut-off documents, %+v", key), 20, func() { require.NoError(t, listAll(t, s, q, n)) })
		p.step(fmt.Sprintf("Sweep %+v", key), 20, func() { t.Logf("removed %d records", sweepAll(t, s, at.Add(25*time.Hour))) })
	}
	_, _, err := s.Find(ctx, other.ID)
	require.NoError(t, err)
}

// fillUsers creates documents, each of another user.
func fillUsers(t *testing.T, s store.Documents, n int, at time.Time) {
	t.Helper()
	const workers = 32
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := w; i < n; i += workers {
				d := newDocument(fmt.Sprintf("user_2abcdefghijklmnopqrst%07d", i), at)
				d.WorkspaceID = ""
				if err := s.Create(context.Background(), d); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// kept is how much memory the records take, without connections and the log of
// slow commands.
func kept(t *testing.T, client *redis.Client) int64 {
	t.Helper()
	require.NoError(t, client.Do(t.Context(), "slowlog", "reset").Err())
	return memory(t, client, "used_memory") - memory(t, client, "mem_clients_normal")
}

// rotate replaces documents 36 times, as often as tokens are refreshed in three
// days, and reports the added memory.
func rotate(t *testing.T, s store.Documents, client *redis.Client, all []store.Document) {
	t.Helper()
	before := kept(t, client)
	for i, d := range all {
		for range 36 {
			next := replaced(d, func(d *store.Document) { d.LastUsedAt = d.LastUsedAt.Add(2 * time.Hour) })
			require.NoError(t, s.Replace(t.Context(), next, d.Mark))
			d = next
		}
		all[i] = d
	}
	const others = 512 << 10 // memory that the scripts may have taken meanwhile
	added := kept(t, client) - before
	t.Logf("after 36 rotations a grant takes %d bytes more", added/int64(len(all)))
	require.LessOrEqual(t, added, int64(64*len(all)+others))
}

// A prober is another client with small requests. Its waits also depend on the
// machine's other load, so only a run for sizes judges them.
type prober struct {
	t      *testing.T
	client *redis.Client
	idle   *redis.Client // of an idle server
}

// step runs f, and reports how long the other client waited and how long the
// server's longest command took. A script may run only so many commands on
// average.
func (p *prober) step(name string, most float64, f func()) {
	t, ctx := p.t, context.Background()
	t.Helper()
	require.NoError(t, p.client.Do(ctx, "slowlog", "reset").Err())
	require.NoError(t, p.client.ConfigResetStat(ctx).Err())
	stop, waits, noise := make(chan struct{}), []time.Duration{}, time.Duration(0)
	var probing sync.WaitGroup
	probing.Go(func() {
		for i := 0; ; i++ {
			began := time.Now()
			if i%2 == 0 {
				p.client.Ping(ctx)
			} else {
				p.client.Get(ctx, "a key of another program")
			}
			waits = append(waits, time.Since(began))
			began = time.Now()
			p.idle.Ping(ctx)
			noise = max(noise, time.Since(began))
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
		}
	})
	began := time.Now()
	f()
	took := time.Since(began)
	close(stop)
	probing.Wait()
	slices.Sort(waits)
	slowest := p.slowest()
	inScripts, scripts := p.commands()
	t.Logf("%s: took %v; %d other commands waited p50 %v, p99 %v, max %v, and at an idle server max %v; slowest command %v; %d commands in %d scripts",
		name, took.Round(time.Millisecond), len(waits), waits[len(waits)/2], waits[len(waits)*99/100], waits[len(waits)-1], noise, slowest, inScripts, scripts)
	if os.Getenv("LATCHKEY_SIZE") != "" {
		require.Less(t, slowest, 50*time.Millisecond+3*noise, name)
	}
	require.LessOrEqual(t, float64(inScripts), most*float64(scripts)+most, name)
}

func (p *prober) slowest() (slowest time.Duration) {
	logs, err := p.client.SlowLogGet(context.Background(), 1000).Result()
	require.NoError(p.t, err)
	for _, log := range logs {
		slowest = max(slowest, log.Duration)
	}
	return slowest
}

// commands counts the scripts that ran, and the commands that only scripts use.
func (p *prober) commands() (inScripts, scripts int64) {
	info, err := p.client.Info(context.Background(), "commandstats").Result()
	require.NoError(p.t, err)
	for line := range strings.Lines(info) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "cmdstat_"), ":")
		calls, _, _ := strings.Cut(strings.TrimPrefix(rest, "calls="), ",")
		n, _ := strconv.ParseInt(calls, 10, 64)
		switch name {
		case "evalsha", "eval":
			scripts += n
		case "set", "del", "zadd", "zrem", "mget", "getrange", "setrange":
			inScripts += n
		}
	}
	return inScripts, scripts
}
