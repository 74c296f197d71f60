// Package storetest holds the one suite that every backend of package store
// runs. A backend's test is
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return open(t) // a new and empty store
//		})
//	}
//
// and it should run under the race detector, as part of the suite lets many
// goroutines at the store at once.
//
// Each subtest is named after a promise of the contract and says in each
// failure what the promise is for. What is not promised is not tested: a
// backend may order the consents that were last used at the same time as it
// likes, or return nil or not for an empty collection.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Run tests the stores that open returns. It calls open once for each subtest;
// what a store needs to be closed with, open hands to t.Cleanup.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range chapters() {
		t.Run(c.name, func(t *testing.T) {
			for _, p := range c.promises {
				t.Run(p.name, func(t *testing.T) { p.test(t, open(t)) })
			}
		})
	}
}

// A chapter is the promises about one subject.
type chapter struct {
	name     string
	promises []promise
}

func chapters() []chapter {
	return []chapter{
		{"applications", applicationPromises},
		{"lists", listPromises},
		{"codes", codePromises},
		{"refresh", refreshPromises},
		{"retries", retryPromises},
		{"tokens", tokenPromises},
		{"consents", consentPromises},
		{"revocation", revocationPromises},
		{"cleanup", cleanupPromises},
		{"values", valuePromises},
		{"texts", textPromises},
		{"races", racePromises},
	}
}

// A promise is something that the contract says.
type promise struct {
	name  string // the rule
	why   string // what it is for; each failure repeats it
	check func(t *trial)
}

// test checks the promise on a new store.
func (p promise) test(r reporter, s store.Store) {
	p.check(&trial{
		reporter: r,
		Store:    s,
		why:      p.why,
		// The microseconds are never all zero, so that losing them is seen.
		start: time.Now().UTC().Truncate(time.Second).Add(654_321 * time.Microsecond),
	})
}

// A reporter is what the suite needs of a *testing.T. That it is an interface
// lets the suite's own tests see it fail.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}
