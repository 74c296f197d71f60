package provider

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends with its parent or after a time, as one of
// context.WithTimeout does. But it sets its timer only when a caller waits for
// its end, and reads the clock only when a caller looks at it, from which moment
// on its time runs: a store in memory never waits, a host's lookup may not even
// look, and both timer and clock cost more than what is asked of them.
type deadline struct {
	context.Context // the parent

	timeout time.Duration

	mu      sync.Mutex
	at      time.Time       // zero until a caller looks
	waited  context.Context // with the timer; nil until a caller waits
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

// end returns when the context ends by itself, and sets it if no caller has looked
// before. The caller holds the lock.
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

// Value implements [context.Context]. Once there is a timer it answers, so that
// contexts made from this one hang on it without a goroutine.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	waited := d.waited
	d.mu.Unlock()
	if waited != nil {
		return waited.Value(key)
	}
	return d.Context.Value(key)
}
