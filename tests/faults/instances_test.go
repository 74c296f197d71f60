package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const instanceCount = 3

// Three instances on one store are one provider: an answer of one of them holds
// for the others with the next request, and races are decided as on a single
// instance.
func TestInstances(t *testing.T) {
	for _, kind := range []string{"postgres", "postgres serializable", "mysql", "redis", "cluster", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			if kind != "postgres" && kind != "redis" {
				slow(t)
			}
			at := newTarget(t, kind)
			l := newLoad(t, at, startAll(t, instanceCount, hostConfig{At: at, StoreTimeout: 20 * time.Second}))
			l.run(loadTime(t))
			l.audit()
		})
	}
}

// Ten instances that start at once, on an empty database, create the tables
// once and all work.
func TestMigrateAtOnce(t *testing.T) {
	for _, kind := range []string{"postgres", "mysql", "sqlite"} {
		t.Run(kind, func(t *testing.T) {
			at := newTarget(t, kind)
			hosts := startAll(t, 10, hostConfig{At: at, StoreTimeout: 20 * time.Second})
			l := newLoad(t, at, hosts)
			require.NotZero(t, count(t, l.kept, at, "select count(*) from p_migrations"))
			require.Zero(t, count(t, l.kept, at, "select count(*) - count(distinct version) from p_migrations"))
			l.run(200 * time.Millisecond)
			l.audit()
		})
	}
}
