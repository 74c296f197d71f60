package provider_test

import (
	"context"
	"errors"
	"sync"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A faultyStore is a store whose steps a test watches, delays, or breaks.
type faultyStore struct {
	store.Store

	mu            sync.Mutex
	before, after func(ctx context.Context, step string) error
}

func newFaulty(kept store.Store) *faultyStore {
	s := &faultyStore{}
	s.Store = storetest.Intercept(kept, func(ctx context.Context, step string, do func() error) error {
		s.mu.Lock()
		before, after := s.before, s.after
		s.mu.Unlock()
		if before != nil {
			if err := before(ctx, step); err != nil {
				return err
			}
		}
		err := do()
		if err == nil && after != nil {
			err = after(ctx, step)
		}
		return err
	})
	return s
}

// watch sets a function that runs before each step and whose error is returned
// in its place. Nil: nothing fails.
func (s *faultyStore) watch(before func(ctx context.Context, step string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// watchAfter sets a function that runs after each step that was done, and whose
// error is returned in its place: the answer is lost.
func (s *faultyStore) watchAfter(after func(ctx context.Context, step string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = after
}

// fail makes one step fail with the error.
func (s *faultyStore) fail(step string, err error) {
	s.watch(func(_ context.Context, name string) error {
		if name == step {
			return err
		}
		return nil
	})
}

// at runs f once, before the step of a request that is on its way.
func (s *faultyStore) at(step string, f func()) {
	done := false
	s.watch(func(_ context.Context, name string) error {
		if name == step && !done {
			done = true
			f()
		}
		return nil
	})
}

var errFire = errors.New("dial tcp: the database is on fire")
