package plain_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) store.Store { return plain.New() })
}
