package drivers_test

import (
	"database/sql"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/keys"
)

// Instances on a real database that start at once, and rotate at once, have the
// same keys.
func TestKeysOnDatabases(t *testing.T) {
	eachServer(t, func(t *testing.T, server server, db *sql.DB) {
		s, _ := fresh(t, db, server.dialect)
		now := time.Now()
		options := keys.Options{
			Store: s, Secrets: []string{strings.Repeat("secret", 6)}, Algorithms: []string{keys.ES256},
			Now: func() time.Time { return now },
		}
		const n = 10
		instances, errs := make([]*keys.Keys, n), make([]error, n)
		atOnce := func(do func(i int) error) {
			t.Helper()
			var all sync.WaitGroup
			for i := range n {
				all.Go(func() { errs[i] = do(i) })
			}
			all.Wait()
			for _, err := range errs {
				require.NoError(t, err)
			}
		}
		same := func(count int) {
			t.Helper()
			first, err := instances[0].List(t.Context())
			require.NoError(t, err)
			require.Len(t, first, count)
			for _, k := range instances {
				list, err := k.List(t.Context())
				require.NoError(t, err)
				require.Equal(t, first, list)
			}
		}
		atOnce(func(i int) (err error) {
			instances[i], err = keys.New(t.Context(), options)
			return err
		})
		same(1)
		now = now.Add(90 * 24 * time.Hour)
		atOnce(func(i int) error { return instances[i].Maintain(t.Context()) })
		now = now.Add(time.Minute)
		same(2)
	})
}
