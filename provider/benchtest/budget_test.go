package benchtest_test

import (
	"testing"

	"github.com/latchkey-go/latchkey/provider/benchtest"
	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store/memory"
)

// budgets are the allocations that a request may cost in the handler, with the
// memory store, including those of the request itself here. They are counts, so
// the machine doesn't matter. A change that raises one must say why.
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
			// Every page view can cost one of these, so its limit is lower.
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

// An ID token costs a signature and almost nothing else: no call of the host,
// and no additional call of the store.
func TestIDTokenCostsASignature(t *testing.T) {
	plain, err := benchtest.NewMemory()
	if err != nil {
		t.Fatal(err)
	}
	plain.Scope = "profile"
	algorithms := []string{keys.ES256, keys.EdDSA, keys.RS256}
	if raceDetector {
		// The race detector allocates too, so only the answers are tested. It
		// makes RSA ten times slower.
		algorithms = algorithms[:2]
	}
	for _, alg := range algorithms {
		t.Run(alg, func(t *testing.T) {
			openID, err := benchtest.NewOpenID(t.Context(), alg)
			if err != nil {
				t.Fatal(err)
			}
			kept := memory.New()
			signing, err := keys.New(t.Context(), keys.Options{Store: kept, Secrets: []string{"a secret of the host's for this test alone"}, Algorithms: []string{alg}})
			if err != nil {
				t.Fatal(err)
			}
			signature := testing.AllocsPerRun(100, func() {
				if _, err := signing.Sign(t.Context(), alg, []byte(`{"iss":"http://localhost:8080","sub":"user_ada","aud":"1234567890123456","exp":1,"iat":1,"at_hash":"1234567890123456789012"}`)); err != nil {
					t.Fatal(err)
				}
			})
			for _, name := range []string{"token", "refresh"} {
				with, without := operations[name].allocations(t, openID), operations[name].allocations(t, plain)
				t.Logf("%s: %.0f allocations, %.0f without an ID token, of which the signature has %.0f", name, with, without, signature)
				if !raceDetector && with-without-signature > 10 {
					t.Errorf("%s: %.0f allocations more than a request without an ID token and a signature", name, with-without-signature)
				}
			}
		})
	}
}
