package measure

import (
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

func TestInProcessCostsSomethingOfEachKind(t *testing.T) {
	for _, m := range []Maker{Limit, Latchkey} {
		s, err := m.Make()
		if err != nil {
			t.Fatal(err)
		}
		costs, err := inProcess(s, 300)
		if err != nil {
			t.Fatal(err)
		}
		r := result{rounds: map[string][]float64{}}
		r.add(costs)
		for _, kind := range kinds {
			if r.median(kind) <= 0 {
				t.Errorf("%s: %s costs nothing", m.Name, kind)
			}
		}
	}
}

// A wrong answer ends the run, so that only what works is measured.
func TestWrongAnswersEndTheRun(t *testing.T) {
	s := benchtest.NewLimit()
	s.UserInfo = s.Guarded // which answers without a user
	if _, err := inProcess(s, 1); err == nil || !strings.Contains(err.Error(), "userinfo") {
		t.Errorf("the error is %v", err)
	}
}

func TestTableHasMediansAndRatios(t *testing.T) {
	results := map[string]*result{}
	for name, rounds := range map[string][]float64{"limit": {4, 100, 2}, "other": {6, 5, 7}} {
		results[name] = &result{rounds: map[string][]float64{}}
		for _, micros := range rounds {
			results[name].add(map[string]float64{"userinfo": micros})
		}
	}
	var out strings.Builder
	if err := table(&out, "CPU", []string{"limit", "other"}, results); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"| limit | | | 4.0 = 1.00 × |", "| other | | | 6.0 = 1.50 × |"} {
		if !strings.Contains(out.String(), text) {
			t.Errorf("%q is not in\n%s", text, &out)
		}
	}
}
