package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"runtime"
	"strings"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// processRound measures a stack inside its handler, in a separate process.
func processRound(ctx context.Context, name string, requests int) (map[string]float64, error) {
	c, err := self(ctx, "process", name, "-requests", fmt.Sprint(requests))
	if err != nil {
		return nil, err
	}
	said, err := c.Output()
	if err != nil {
		return nil, err
	}
	var costs map[string]float64
	return costs, json.Unmarshal(said, &costs)
}

// inProcess returns what each kind of request costs, in microseconds.
func inProcess(s *benchtest.Stack, requests int) (map[string]float64, error) {
	n := count(s, requests)
	if _, err := serial(s, warmUp(n)); err != nil {
		return nil, err
	}
	return serial(s, n)
}

// batch is how many requests are prepared before they are sent, each for
// another grant.
const batch = 250

// serial sends n requests of each kind, one at a time, with httptest. The work
// of httptest is in all figures. Requests are prepared in batches, so that
// waiting ones don't burden the garbage collector.
func serial(s *benchtest.Stack, n int) (map[string]float64, error) {
	costs := map[string]float64{}
	for _, p := range phases(s, n, batch) {
		runtime.GC()
		var used int64
		var requests [batch]benchtest.Request
		var answers [batch]*httptest.ResponseRecorder
		for done := 0; done < n; {
			now := min(batch, n-done)
			for i := range now {
				requests[i] = p.request(done + i)
			}
			before, err := cpuTime()
			if err != nil {
				return nil, err
			}
			for i, q := range requests[:now] {
				r := httptest.NewRequest(q.Method, q.Path, strings.NewReader(q.Body))
				r.Header = q.Header
				answers[i] = httptest.NewRecorder()
				s.Handler.ServeHTTP(answers[i], r)
			}
			after, err := cpuTime()
			if err != nil {
				return nil, err
			}
			used += after - before
			for i := range now {
				if err := p.take(done+i, answerOf(answers[i])); err != nil {
					return nil, fmt.Errorf("%s: %w", p.kind, err)
				}
			}
			done += now
		}
		if p.kind != "" {
			costs[p.kind] = float64(used) / float64(n)
		}
	}
	return costs, nil
}

func answerOf(w *httptest.ResponseRecorder) benchtest.Answer {
	return benchtest.Answer{Status: w.Code, Location: w.Header().Get("Location"), Body: w.Body.Bytes()}
}
