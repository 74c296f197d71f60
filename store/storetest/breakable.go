package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// A Breakable is a store that a test breaks on purpose, to see what the program
// that uses it does. Until then it does what the store in it does. Its methods
// may be called while the program runs, from any goroutine.
//
// Steps are named after the methods of [store.Store], such as "Find". One thing
// can go wrong before a step, and one after it: [Breakable.Fail],
// [Breakable.Hang], [Breakable.Once], and [Breakable.Before] replace each other,
// and so do [Breakable.Lose] and [Breakable.After].
type Breakable struct {
	intercepted

	mu            sync.Mutex
	before, after func(ctx context.Context, step string) error
}

// NewBreakable returns a store that does what s does until it is broken.
func NewBreakable(s store.Store) *Breakable {
	b := &Breakable{}
	b.intercepted = intercepted{s, b.around}
	return b
}

func (b *Breakable) around(ctx context.Context, step string, do func() error) error {
	b.mu.Lock()
	before, after := b.before, b.after
	b.mu.Unlock()
	if before != nil {
		if err := before(ctx, step); err != nil {
			return err
		}
	}
	if err := do(); err != nil || after == nil {
		return err
	}
	return after(ctx, step)
}

// Fail makes the steps with these names, or all if there are none, return err
// without being done.
func (b *Breakable) Fail(err error, steps ...string) { b.Before(failing(err, steps)) }

// Lose makes the steps with these names, or all if there are none, return err
// after they were done: their answer is lost.
func (b *Breakable) Lose(err error, steps ...string) { b.After(failing(err, steps)) }

func failing(err error, steps []string) func(context.Context, string) error {
	return func(_ context.Context, step string) error {
		if named(step, steps) {
			return err
		}
		return nil
	}
}

func named(step string, steps []string) bool { return len(steps) == 0 || slices.Contains(steps, step) }

// Hang makes the steps with these names, or all if there are none, wait until
// their context ends. They return its error without being done.
func (b *Breakable) Hang(steps ...string) {
	b.Before(func(ctx context.Context, step string) error {
		if !named(step, steps) {
			return nil
		}
		<-ctx.Done()
		return ctx.Err()
	})
}

// Once runs f before the next step with this name, in the middle of the request
// that does the step, and not again. f may use the store and break it anew.
func (b *Breakable) Once(step string, f func()) {
	done := false
	b.Before(func(_ context.Context, name string) error {
		if name != step {
			return nil
		}
		b.mu.Lock()
		first := !done
		done = true
		b.mu.Unlock()
		if first {
			f()
		}
		return nil
	})
}

// Before makes f run before each step. If f returns an error, the step returns
// it without being done. f may run in many goroutines at once.
func (b *Breakable) Before(f func(ctx context.Context, step string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

// After makes f run after each step that returned no error. If f returns one,
// the step returns it, although it was done. f may run in many goroutines at
// once.
func (b *Breakable) After(f func(ctx context.Context, step string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after = f
}

// Heal ends all that was set.
func (b *Breakable) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = nil, nil
}
