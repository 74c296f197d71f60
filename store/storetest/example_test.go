package storetest_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// The whole test of a backend: each subtest gets an empty store of its own.
func Example() {
	testStore := func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			s := memory.New()    // the backend that is tested
			t.Cleanup(func() {}) // which may have to be closed
			return s
		})
		storetest.RunDevices(t, func(*testing.T) store.Devices { return memory.New() })
	}
	_ = testStore // is called TestStore in a test file of the backend's
}
