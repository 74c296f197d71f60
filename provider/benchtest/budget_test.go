package benchtest_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// budgets are how many allocations a request may cost in the handler, over the
// memory store, with what the request itself takes here. They are counts, so
// the machine makes no difference. Who needs more says why in the change that
// raises them.
var budgets = map[string]float64{
	"authorize": 36, "token": 40, "token PKCE": 44, "refresh": 53, "userinfo": 15, "Require": 11, "introspect": 27,
}

func TestAllocationBudgets(t *testing.T) {
	if raceDetector {
		t.Log("the race detector allocates too: only whether they answer is tested")
	}
	latchkey, err := benchtest.NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	limit := benchtest.NewLimit()
	for name, o := range operations {
		t.Run(name, func(t *testing.T) {
			cost, least := o.allocations(t, latchkey), o.allocations(t, limit)
			t.Logf("%.0f allocations; the limit has %.0f", cost, least)
			if !raceDetector && cost > budgets[name] {
				t.Errorf("%.0f allocations, and the budget is %.0f", cost, budgets[name])
			}
			// Every page view can cost one of these, so it is held to more.
			if !raceDetector && name == "userinfo" && cost > 2*least {
				t.Errorf("%.0f allocations are more than twice the limit's %.0f", cost, least)
			}
		})
	}
}

// allocations counts those of one request.
func (o operation) allocations(t *testing.T, s *benchtest.Stack) float64 {
	t.Helper()
	const runs = 200
	var requests []benchtest.Request
	for range runs + 1 { // AllocsPerRun begins with one that it does not count.
		if o.same && len(requests) > 0 {
			requests = append(requests, requests[0])
			continue
		}
		q, err := o.before(s)
		if err != nil {
			t.Fatal(err)
		}
		requests = append(requests, q)
	}
	next := 0
	return testing.AllocsPerRun(runs, func() {
		answer, err := s.Do(requests[next])
		next++
		if err != nil || answer.Status != o.status {
			t.Fatalf("status %d, error %v; want %d", answer.Status, err, o.status)
		}
	})
}
