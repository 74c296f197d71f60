package redisstore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A promised is what a worker knows about one document. If a step failed, it
// may or may not have taken effect.
type promised struct {
	document     store.Document // as last stored
	next         store.Document // as the failed step would have stored it
	created      bool
	ended, isCut bool
	unknown      bool // whether the last step was acknowledged
}

// A load is a number of workers that use a store.
type load struct {
	s       store.Store
	at      time.Time
	timeout func() time.Duration // of each call; zero for no limit

	stop  atomic.Bool
	done  atomic.Int64 // documents in a known state
	names atomic.Int64
	mu    sync.Mutex
	all   []*promised
	errs  map[string]int // how often steps failed, by reason
	wrong []error        // what no trouble excuses
}

const loadWorkers = 8

// during puts load on the store while f runs. If a worker's step fails, it
// continues with another document.
func (l *load) during(f func()) {
	l.stop.Store(false)
	var workers sync.WaitGroup
	for range loadWorkers {
		workers.Go(func() {
			for !l.stop.Load() {
				l.work()
			}
		})
	}
	f()
	l.stop.Store(true)
	workers.Wait()
}

// reach waits until the load has created n more documents.
func (l *load) reach(t *testing.T, more int64) {
	t.Helper()
	enough := l.done.Load() + more
	require.Eventually(t, func() bool { return l.done.Load() >= enough }, 60*time.Second, time.Millisecond, "the load makes no progress")
}

// call makes one call, and reports whether it was acknowledged.
func (l *load) call(f func(ctx context.Context) error) bool {
	ctx := context.Background()
	if l.timeout != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, l.timeout())
		defer cancel()
	}
	err := f(ctx)
	if err == nil {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.errs == nil {
		l.errs = map[string]int{}
	}
	l.errs[err.Error()]++
	// Each document has one worker only.
	if errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrExists) || errors.Is(err, store.ErrNotFound) {
		l.wrong = append(l.wrong, err)
	}
	return false
}

// work uses the store until a step fails or the load stops.
func (l *load) work() {
	for !l.stop.Load() {
		i := l.names.Add(1)
		d := newDocument(fmt.Sprintf("user_%d", i), l.at)
		p := &promised{document: d, next: d, unknown: true}
		l.mu.Lock()
		l.all = append(l.all, p)
		l.mu.Unlock()
		if !l.document(p, int(i)) {
			time.Sleep(time.Millisecond)
			return
		}
		p.unknown = false
		l.done.Add(1)
	}
}

// document takes one document through its life, and reports whether each step
// was acknowledged.
func (l *load) document(p *promised, i int) bool {
	if !l.call(func(ctx context.Context) error { return l.s.Create(ctx, p.document) }) {
		return false
	}
	p.created = true
	for range i % 4 {
		p.next = replaced(p.document, func(d *store.Document) {
			d.SweepAt, d.CreatedAt = d.SweepAt.Add(time.Hour), d.CreatedAt.Add(time.Second)
		})
		if !l.call(func(ctx context.Context) error { return l.s.Replace(ctx, p.next, p.document.Mark) }) {
			return false
		}
		p.document = p.next
	}
	switch i % 5 {
	case 3:
		p.ended = l.call(func(ctx context.Context) error { return l.s.End(ctx, p.document.ID, l.at, l.at.Add(time.Hour)) })
		return p.ended
	case 4:
		p.isCut = l.call(func(ctx context.Context) error { return l.s.CutOff(ctx, p.document.Key(), store.CutNumber(l.at)) })
		return p.isCut
	}
	return true
}

// unknown returns the number of documents in an unknown state.
func (l *load) unknown() (n int) {
	for _, p := range l.all {
		if p.unknown {
			n++
		}
	}
	return n
}

// check checks that every acknowledged write is present.
func (l *load) check(t *testing.T) {
	t.Helper()
	require.Empty(t, l.wrong, "answers that no fault explains")
	require.Empty(t, l.lost(t, l.s), "acknowledged writes that were lost")
}

// lost counts the acknowledged writes that are lost, by what they are.
func (l *load) lost(t *testing.T, s store.Store) map[string]int {
	t.Helper()
	lost := map[string]int{}
	for _, p := range l.all {
		if what := p.lost(t, s); what != "" {
			lost[what]++
		}
	}
	return lost
}

// lost returns which acknowledged writes of a document are lost.
func (p *promised) lost(t *testing.T, s store.Store) string {
	t.Helper()
	d, cuts, err := s.Find(t.Context(), p.document.ID)
	if errors.Is(err, store.ErrNotFound) {
		if p.created {
			return "a document"
		}
		return ""
	}
	require.NoError(t, err)
	known := p.document
	if p.unknown && d.Mark == p.next.Mark {
		known = p.next
	}
	if d.Mark != known.Mark {
		return "a replacement"
	}
	if !d.EndedAt.IsZero() {
		known.EndedAt, known.SweepAt = d.EndedAt, d.SweepAt
	}
	require.Equal(t, known, d, "a document that no worker wrote")
	ended, isCut := !d.EndedAt.IsZero(), cuts.Exceed(&d.Seen)
	switch {
	case p.ended && !ended:
		return "an end"
	case p.isCut && !isCut:
		return "a cut-off"
	}
	if !p.unknown {
		require.Equal(t, p.ended, ended, "whether a document has ended")
		require.Equal(t, p.isCut, isCut, "whether a document is cut off")
	}
	return ""
}
