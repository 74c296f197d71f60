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
// goroutines at the store at once. A backend that keeps device authorizations
// too, as [store.Devices] has them, calls [RunDevices] in a test beside it.
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
	run(t, chapters(), func(t *testing.T) trial { return trial{Store: open(t)} })
}

// RunDevices tests what open returns, the part of a store that keeps device
// authorizations. Like [Run] it calls open once for each subtest.
func RunDevices(t *testing.T, open func(t *testing.T) store.Devices) {
	run(t, deviceChapters(), func(t *testing.T) trial { return trial{Devices: open(t)} })
}

func run(t *testing.T, chapters []chapter, open func(t *testing.T) trial) {
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

func deviceChapters() []chapter {
	return []chapter{
		{"devices", devicePromises},
		{"device values", deviceValuePromises},
		{"decisions", decisionPromises},
		{"polls", pollPromises},
		{"device cleanup", deviceCleanupPromises},
		{"device races", deviceRacePromises},
	}
}

// A promise is something that the contract says.
type promise struct {
	name  string // the rule
	why   string // what it is for; each failure repeats it
	check func(t *trial)
}

// test checks the promise in a trial that has what is tested, new and empty.
func (p promise) test(r reporter, t trial) {
	t.reporter, t.why = r, p.why
	// The microseconds are never all zero, so that losing them is seen.
	t.start = time.Now().UTC().Truncate(time.Second).Add(654_321 * time.Microsecond)
	p.check(&t)
}

// A reporter is what the suite needs of a *testing.T. That it is an interface
// lets the suite's own tests see it fail.
type reporter interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Context() context.Context
}
