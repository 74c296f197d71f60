package provider

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends with its parent or after a time, like one of
// context.WithTimeout. But it sets its timer only when a caller waits for it,
// and starts its time only when a caller first checks it. A store in memory
// never waits, a host's lookup may not even check, and both timer and clock
// cost more than such a call.
type deadline struct {
	context.Context // the parent

	timeout time.Duration

	mu      sync.Mutex
	at      time.Time       // zero until the first check
	waited  context.Context // with the timer; nil until the first wait
	cancel  context.CancelFunc
	stopped bool
}

// withTimeout is context.WithTimeout with a [deadline]. The caller must call
// stop.
func withTimeout(parent context.Context, timeout time.Duration) (_ context.Context, stop context.CancelFunc) {
	d := &deadline{Context: parent, timeout: timeout}
	return d, d.stop
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

// end returns when the context ends, and sets that time at the first check. The
// caller holds the lock.
func (d *deadline) end(now time.Time) time.Time {
	if d.at.IsZero() {
		d.at = now.Add(d.timeout)
	}
	return d.at
}

// Deadline implements [context.Context].
func (d *deadline) Deadline() (time.Time, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	end := d.end(time.Now())
	if at, ok := d.Context.Deadline(); ok && at.Before(end) {
		return at, true
	}
	return end, true
}

// Done implements [context.Context].
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited == nil {
		d.waited, d.cancel = context.WithDeadline(d.Context, d.end(time.Now()))
		if d.stopped {
			d.cancel()
		}
	}
	return d.waited.Done()
}

// Err implements [context.Context].
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.waited != nil {
		return d.waited.Err()
	}
	if err := d.Context.Err(); err != nil {
		return err
	}
	if d.stopped {
		return context.Canceled
	}
	if now := time.Now(); !now.Before(d.end(now)) {
		return context.DeadlineExceeded
	}
	return nil
}

// Value implements [context.Context]. Once there is a timer, it asks the
// timer's context, so contexts derived from this one need no goroutine.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	waited := d.waited
	d.mu.Unlock()
	if waited != nil {
		return waited.Value(key)
	}
	return d.Context.Value(key)
}
