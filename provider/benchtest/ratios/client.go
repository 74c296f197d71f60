package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// kinds are the kinds of requests, and the flow of the first three.
var kinds = []string{"authorize", "token", "userinfo", "refresh", "Require", "flow"}

// A result is the CPU time per request in microseconds, of each round.
type result struct{ rounds map[string][]float64 }

func (r *result) add(kind string, micros float64) {
	if r.rounds == nil {
		r.rounds = map[string][]float64{}
	}
	r.rounds[kind] = append(r.rounds[kind], micros)
}

func (r *result) median(kind string) float64 {
	all := slices.Sorted(slices.Values(r.rounds[kind]))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// A load asks one server.
type load struct {
	described
	client  *http.Client
	clients int
}

// round starts a server of the stack and sends it each kind of request.
func (r *result) round(ctx context.Context, name string, requests, clients int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	server := exec.CommandContext(ctx, self, "-serve", name)
	server.Stderr = os.Stderr
	said, err := server.StdoutPipe()
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	defer func() {
		cancel()
		_ = server.Wait() // It was killed.
	}()
	l := load{clients: clients, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if err := json.NewDecoder(said).Decode(&l.described); err != nil {
		return fmt.Errorf("the server said nothing: %w", err)
	}
	warm := max(100, requests/10)
	if _, err := l.all(ctx, warm); err != nil {
		return err
	}
	costs, err := l.all(ctx, requests)
	if err != nil {
		return err
	}
	for kind, cost := range costs {
		r.add(kind, cost)
	}
	return nil
}

// all sends n requests of each kind and returns what each kind cost.
func (l *load) all(ctx context.Context, n int) (map[string]float64, error) {
	costs := map[string]float64{}
	codes, access, refresh := make([]string, n), make([]string, n), make([]string, n)
	phases := []struct {
		kind string
		send func(i int) error
	}{
		{"authorize", func(i int) error {
			answer, err := l.send(ctx, l.AuthorizeRequest(false))
			if err == nil {
				codes[i], err = answer.Code()
			}
			return err
		}},
		{"token", func(i int) error {
			answer, err := l.send(ctx, l.CodeRequest(codes[i], false))
			if err == nil {
				access[i], refresh[i], err = answer.Tokens()
			}
			return err
		}},
		{"userinfo", func(i int) error { return l.ok(ctx, benchtest.BearerRequest(l.UserInfo, access[i])) }},
		{"refresh", func(i int) error {
			answer, err := l.send(ctx, l.RefreshRequest(refresh[i]))
			if err == nil {
				access[i], _, err = answer.Tokens()
			}
			return err
		}},
		{"Require", func(i int) error { return l.ok(ctx, benchtest.BearerRequest(l.Guarded, access[i])) }},
	}
	for _, p := range phases {
		if p.kind == "Require" && l.Guarded == "" {
			continue
		}
		before, err := l.cpu(ctx)
		if err != nil {
			return nil, err
		}
		if err := l.each(n, p.send); err != nil {
			return nil, fmt.Errorf("%s: %w", p.kind, err)
		}
		after, err := l.cpu(ctx)
		if err != nil {
			return nil, err
		}
		costs[p.kind] = float64(after-before) / float64(n)
	}
	costs["flow"] = costs["authorize"] + costs["token"] + costs["userinfo"]
	return costs, nil
}

// each calls send for 0 to n-1, by as many goroutines as there are clients.
func (l *load) each(n int, send func(i int) error) error {
	var next atomic.Int64
	var wg sync.WaitGroup
	failed := make([]error, l.clients)
	for c := range l.clients {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n && failed[c] == nil; i = int(next.Add(1) - 1) {
				failed[c] = send(i)
			}
		})
	}
	wg.Wait()
	return errors.Join(failed...)
}

func (l *load) cpu(ctx context.Context) (int64, error) {
	answer, err := l.send(ctx, benchtest.Request{Method: "GET", Path: "/cpu"})
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(string(answer.Body), 10, 64)
}

func (l *load) ok(ctx context.Context, q benchtest.Request) error {
	answer, err := l.send(ctx, q)
	if err == nil && answer.Status >= 300 {
		err = fmt.Errorf("status %d: %s", answer.Status, answer.Body)
	}
	return err
}

func (l *load) send(ctx context.Context, q benchtest.Request) (a benchtest.Answer, err error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, l.Address+q.Path, strings.NewReader(q.Body))
	if err != nil {
		return a, err
	}
	if q.Header != nil {
		r.Header = q.Header.Clone()
	}
	answer, err := l.client.Do(r)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return benchtest.Answer{Status: answer.StatusCode, Location: answer.Header.Get("Location"), Body: content}, err
}
