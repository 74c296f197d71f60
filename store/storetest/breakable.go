package storetest

import (
	"context"
	"slices"
	"sync"

	"github.com/latchkey-go/latchkey/store"
)

// A Breakable is a store that a test breaks on purpose, to see what the program
// under test does. Until then it passes each call to the store in it. Its
// methods may be called while the program runs, from any goroutine.
//
// Steps are named after the methods of [store.Store], such as "Find". One fault
// can be set before a step, and one after it: [Breakable.Fail],
// [Breakable.Hang], [Breakable.Once], and [Breakable.Before] replace each
// other, and so do [Breakable.Lose] and [Breakable.After]. [Breakable.Heal]
// removes both.
type Breakable struct {
	intercepted

	mu            sync.Mutex
	before, after func(ctx context.Context, step string) error
}

// NewBreakable returns a store that does what s does until a test breaks it.
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

// Fail makes steps return err without being done: those with the given names,
// or all if none is given.
func (b *Breakable) Fail(err error, steps ...string) { b.Before(failing(err, steps)) }

// Lose makes steps return err after they were done, as if their answer was
// lost: those with the given names, or all if none is given.
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

// Hang makes steps wait until their context ends, and return its error without
// being done: those with the given names, or all if none is given.
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
// that runs the step, and not again. f may use the store and set other faults.
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

// Before runs f before each step. If f returns an error, the step returns it
// without being done. f may run in many goroutines at once.
func (b *Breakable) Before(f func(ctx context.Context, step string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

// After runs f after each step that succeeded. If f returns an error, the step
// returns it, although it was done. f may run in many goroutines at once.
func (b *Breakable) After(f func(ctx context.Context, step string) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.after = f
}

// Heal removes all faults.
func (b *Breakable) Heal() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before, b.after = nil, nil
}
