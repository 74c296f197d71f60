package storetest_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// These are the complete tests of a backend. Each subtest gets a new, empty
// store.
func Example() {
	open := func(t *testing.T) store.Store {
		s := memory.New()    // the backend to test
		t.Cleanup(func() {}) // close it here
		return s
	}
	testStore := func(t *testing.T) { storetest.Run(t, open) }
	testCost := func(t *testing.T) { storetest.RunCost(t, open) }

	_, _ = testStore, testCost // in a test file: TestStore and TestCost
}
