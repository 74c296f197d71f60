package keys

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// publishEvery is how old the copy may be before PublicKeys, or Verify for
	// an unknown key, reads it again. So a key that signs at once, such as
	// after Retire, is published on all instances within seconds.
	publishEvery = 5 * time.Second

	// retryEvery is how long requests don't try to read the keys again after a
	// failure, while the copy is usable.
	retryEvery = 5 * time.Second

	// patience is how long a request waits for a read while the copy is usable,
	// and readTimeout while it is not.
	patience    = 500 * time.Millisecond
	readTimeout = 5 * time.Second
)

// flight is one read of the keys, for all who wait for it.
type flight struct {
	done   chan struct{}
	err    error
	writes int // the number of writes of this instance when it started
}

// current returns the instance's copy of the keys, and reads it again if it is
// older than maxAge. One request does that; the others continue with the copy
// if it isn't much older.
func (k *Keys) current(ctx context.Context, maxAge time.Duration) (*set, error) {
	s := k.set.Load()
	if k.kept == nil {
		return s, nil
	}
	now := k.now()
	age := now.Sub(s.at).Abs() // The clock may have been set back.
	if age < maxAge {
		return s, nil
	}
	serves := age < maxStale

	k.mu.Lock()
	f, first := k.flight, false
	if f == nil {
		if serves && now.Sub(k.failedAt).Abs() < retryEvery {
			k.mu.Unlock()
			return s, nil
		}
		f, first = &flight{done: make(chan struct{}), writes: k.writes}, true
		k.flight = f
	}
	k.mu.Unlock()

	var err error
	switch {
	case first:
		err = k.fly(ctx, f, now, serves)
	case serves && age < 2*maxAge:
		return s, nil
	default:
		err = f.wait(ctx, serves)
	}
	if s = k.set.Load(); now.Sub(s.at).Abs() < maxStale {
		return s, nil
	}
	if err == nil { // The clock was set during the read.
		err = errors.New("the time has changed")
	}
	return nil, fmt.Errorf("keys: the signing keys were last read at %s, which is too long ago: %w", s.at.UTC().Format(time.RFC3339), err)
}

// fly reads the keys for all who wait. It continues if the client of this
// request hangs up.
func (k *Keys) fly(ctx context.Context, f *flight, now time.Time, serves bool) error {
	timeout := readTimeout
	if serves {
		timeout = patience
	}
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), timeout)
	defer stop()
	f.err = errors.New("reading the keys has panicked") // in the host's store
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.flight = nil
		k.failedAt = time.Time{}
		if f.err != nil {
			k.failedAt = now
		}
		close(f.done)
	}()
	f.err = k.read(ctx, f, now)
	return f.err
}

func (k *Keys) read(ctx context.Context, f *flight, now time.Time) error {
	before := k.set.Load()
	kept, _, keys, _, err := k.kept.read(ctx, before.mark)
	if err != nil {
		return err
	}
	next := *before
	next.at = now
	if kept.Mark != before.mark {
		after, err := newSet(keys, before, now, kept.Mark)
		if err != nil {
			return fmt.Errorf("keys: the document %s has the signing keys, but %w", documentID, err)
		}
		next = *after
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.writes == f.writes { // Otherwise this may be older than a write of this instance.
		k.set.Store(&next)
	}
	return nil
}

// adopt makes the keys that this instance has read for a write, or has written,
// its copy.
func (k *Keys) adopt(keys []entry, at time.Time, mark int64) error {
	s, err := newSet(keys, k.set.Load(), at, mark)
	if err != nil {
		return fmt.Errorf("keys: the document %s has the signing keys, but %w", documentID, err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.writes++
	k.failedAt = time.Time{}
	k.set.Store(s)
	return nil
}

func (f *flight) wait(ctx context.Context, serves bool) error {
	var enough <-chan time.Time
	if serves {
		enough = time.After(patience)
	}
	select {
	case <-f.done:
		return f.err
	case <-enough:
		return errors.New("the store is slow")
	case <-ctx.Done():
		return ctx.Err()
	}
}
