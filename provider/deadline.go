package provider

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends with its parent or after a time, as one of
// context.WithTimeout does. But it sets its timer only when somebody waits for
// its end: a store in memory never does, and the timer costs more than what
// such a store is asked.
type deadline struct {
	context.Context // the parent

	at time.Time

	mu      sync.Mutex
	waited  context.Context // with the timer; nil: nobody has waited
	cancel  context.CancelFunc
	stopped bool
}

// withTimeout returns the context twice, as what it is to be used for and as
// what is to be stopped: a function for that would have to be allocated.
func withTimeout(parent context.Context, d time.Duration) (context.Context, *deadline) {
	c := &deadline{Context: parent, at: time.Now().Add(d)}
	return c, c
}

// stop ends the context.
func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped = true
	if d.cancel != nil {
		d.cancel()
	}
}

// timed returns the context with the timer, or nil if there is no need for one.
func (d *deadline) timed(wait bool) context.Context {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited == nil && wait {
		d.waited, d.cancel = context.WithDeadline(d.Context, d.at)
		if d.stopped {
			d.cancel()
		}
	}
	return d.waited
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) {
	if at, ok := d.Context.Deadline(); ok && at.Before(d.at) {
		return at, true
	}
	return d.at, true
}

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} { return d.timed(true).Done() }

// Err implements [context.Context].
func (d *deadline) Err() error {
	if timed := d.timed(false); timed != nil {
		return timed.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	d.mu.Lock()
	stopped := d.stopped
	d.mu.Unlock()
	if stopped {
		return context.Canceled
	}
	if !time.Now().Before(d.at) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements [context.Context]. Once there is a timer it answers, so that
// contexts made from this one hang on it without a goroutine.
func (d *deadline) Value(key any) any {
	if timed := d.timed(false); timed != nil {
		return timed.Value(key)
	}
	return d.Context.Value(key)
}
