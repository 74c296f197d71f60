package storetest_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// This is the whole test of a backend. Each subtest gets a new, empty store.
func Example() {
	open := func(t *testing.T) store.Store {
		s := memory.New()    // the backend to test
		t.Cleanup(func() {}) // Close it here.
		return s
	}
	testStore := func(t *testing.T) { storetest.Run(t, open) }
	testCost := func(t *testing.T) { storetest.RunCost(t, open) }

	_, _ = testStore, testCost // In a test file they are TestStore and TestCost.
}
