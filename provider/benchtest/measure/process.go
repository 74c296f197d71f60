package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// processRound measures a stack inside its handler, in a process of its own.
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

// serial sends n requests of each kind, one at a time. They are prepared some
// at a time, so that what net/http does for a request is not measured and what
// waits does not burden the garbage collector.
func serial(s *benchtest.Stack, n int) (map[string]float64, error) {
	const batch = 250
	costs := map[string]float64{}
	for _, p := range phases(s, n) {
		runtime.GC()
		var used int64
		var requests [batch]*http.Request
		var answers [batch]*benchtest.Recorder
		for done := 0; done < n; {
			now := min(batch, n-done)
			for i := range now {
				var err error
				if requests[i], err = p.request(done + i).Prepare(); err != nil {
					return nil, err
				}
				answers[i] = benchtest.NewRecorder()
			}
			before, err := cpuTime()
			if err != nil {
				return nil, err
			}
			for i := range now {
				s.Handler.ServeHTTP(answers[i], requests[i])
			}
			after, err := cpuTime()
			if err != nil {
				return nil, err
			}
			used += after - before
			for i := range now {
				if err := p.take(done+i, answers[i].Answer()); err != nil {
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
