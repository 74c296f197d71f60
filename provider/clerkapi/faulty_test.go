package clerkapi_test

import (
	"context"
	"errors"
	"sync"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A faultyStore is a store whose steps a test breaks.
type faultyStore struct {
	store.Store

	mu     sync.Mutex
	before func(step string) error
}

var errFire = errors.New("dial tcp: the database is on fire")

func newFaulty(kept store.Store) *faultyStore {
	s := &faultyStore{}
	s.Store = storetest.Intercept(kept, func(_ context.Context, step string, do func() error) error {
		s.mu.Lock()
		before := s.before
		s.mu.Unlock()
		if before != nil {
			if err := before(step); err != nil {
				return err
			}
		}
		return do()
	})
	return s
}

// watch sets a function that runs before each step and whose error is returned
// in its place. Nil: nothing fails.
func (s *faultyStore) watch(before func(step string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = before
}

// fail makes one step fail.
func (s *faultyStore) fail(step string) {
	s.watch(func(name string) error {
		if name == step {
			return errFire
		}
		return nil
	})
}
