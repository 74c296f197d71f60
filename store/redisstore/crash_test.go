package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/redisserver"
	"github.com/latchkey-go/latchkey/store"
)

// A promised is what a worker was told about one document before the crash. Of
// a step that failed nobody knows whether it was done.
type promised struct {
	document     store.Document // as it was kept last
	next         store.Document // as the step that failed would have kept it
	created      bool
	ended, isCut bool
	unknown      bool // whether the last step was done
}

// work uses the store until a step fails.
func work(s store.Store, worker, round int, at time.Time, done *atomic.Int64) (all []*promised) {
	ctx := context.Background()
	for i := 0; ; i++ {
		d := newDocument(fmt.Sprintf("user_%d_%d_%d", round, worker, i), at)
		p := &promised{document: d, next: d, unknown: true}
		all = append(all, p)
		if s.Create(ctx, d) != nil {
			return all
		}
		p.created = true
		for range i % 4 {
			p.next = replaced(p.document, func(d *store.Document) {
				d.SweepAt, d.CreatedAt = d.SweepAt.Add(time.Hour), d.CreatedAt.Add(time.Second)
			})
			if s.Replace(ctx, p.next, p.document.Mark) != nil {
				return all
			}
			p.document = p.next
		}
		switch i % 5 {
		case 3:
			if s.End(ctx, d.ID, at, at.Add(time.Hour)) != nil {
				return all
			}
			p.ended = true
		case 4:
			if s.CutOff(ctx, d.Key(), store.CutNumber(at)) != nil {
				return all
			}
			p.isCut = true
		}
		p.unknown = false
		done.Add(1)
	}
}

// With appendonly and appendfsync always, what was answered survives a crash.
func TestCrash(t *testing.T) {
	server := newServer(t, redisserver.Durable...)
	client := redis.NewClient(&redis.Options{Addr: server.Addr, MaxRetries: -1, DialTimeout: time.Second})
	t.Cleanup(func() { client.Close() })
	s, prefix := openWithPrefix(t, client)
	at := now()

	var all []*promised
	for round := range 3 {
		var mu sync.Mutex
		var workers sync.WaitGroup
		var done atomic.Int64
		for worker := range 8 {
			workers.Go(func() {
				mine := work(s, worker, round, at, &done)
				mu.Lock()
				defer mu.Unlock()
				all = append(all, mine...)
			})
		}
		require.Eventually(t, func() bool { return done.Load() > 200 }, 30*time.Second, time.Millisecond)
		server.Kill()
		workers.Wait()
		server.Start(t)
	}
	unknown := 0
	for _, p := range all {
		p.check(t, s)
		if p.unknown {
			unknown++
		}
	}
	t.Logf("%d documents, killed 3 times, %d steps of which nobody knows", len(all), unknown)
	require.GreaterOrEqual(t, len(all), checkKeys(t, client, prefix, s))
}

// check checks that everything is there that the worker was told.
func (p *promised) check(t *testing.T, s store.Store) {
	t.Helper()
	d, cuts, err := s.Find(t.Context(), p.document.ID)
	if !p.created && errors.Is(err, store.ErrNotFound) {
		return
	}
	require.NoError(t, err)
	if p.unknown {
		require.Contains(t, []int64{p.document.Mark, p.next.Mark}, d.Mark)
		return
	}
	require.Equal(t, p.document.Mark, d.Mark)
	require.Equal(t, p.ended, !d.EndedAt.IsZero(), "whether a document has ended")
	require.Equal(t, p.isCut, cuts.Exceed(&d.Seen), "whether a document is cut off")
}
