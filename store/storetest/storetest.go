// Package storetest tests backends of package store, and programs that use a
// store. [Run] is the conformance suite that every backend must pass:
//
//	func TestStore(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) store.Store {
//			return open(t) // a new, empty store
//		})
//	}
//
// Run it under the race detector too, because part of the suite calls the store
// from many goroutines at once. [RunCost] tests that no step gets slower as the
// store fills up. It takes minutes; run it without the race detector.
//
// Each subtest is named after a promise of the contract, and each failure says
// why the promise matters. The suite checks only what package store documents.
// For example, a backend may return an empty collection as nil or not.
//
// To start a backend, copy package plain and replace its maps step by step.
//
// # Testing a program that uses a store
//
// A [Breakable] fails, hangs, or loses its answers when a test says so.
// [Intercept], which it is built on, runs a function around each step.
package storetest

import (
	"context"
	"testing"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// Run tests the stores that open returns. It calls open once for each subtest.
// Use t.Cleanup in open to close the store.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	for _, c := range chapters {
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

var chapters = []chapter{
	{"applications", applicationPromises},
	{"application lists", applicationListPromises},
	{"documents", documentPromises},
	{"ending", endingPromises},
	{"cut-offs", cutPromises},
	{"lists", listPromises},
	{"sweeping", sweepPromises},
	{"values", valuePromises},
	{"texts", textPromises},
	{"races", racePromises},
	{"together", togetherPromises},
}

// A promise is something that the contract says.
type promise struct {
	name  string // the rule
	why   string // what it is for; each failure repeats it
	check func(t *trial)
}

// test checks the promise on a new, empty store.
func (p promise) test(r reporter, s store.Store) {
	// The microseconds are never all zero, so that losing them is seen.
	start := time.Now().UTC().Truncate(time.Second).Add(654_321 * time.Microsecond)
	p.check(&trial{reporter: r, Store: s, why: p.why, start: start})
}

// A reporter is what the suite needs of a *testing.T. It is an interface so
// that the suite's own tests can see it fail.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}
