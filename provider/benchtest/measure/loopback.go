package measure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// A load sends requests to one server.
type load struct {
	described
	client  *http.Client
	clients int
}

// loopbackRound starts a server of the stack, sends it each kind of request
// from the given number of clients at once, and returns what each kind cost the
// server, in microseconds per request.
func loopbackRound(ctx context.Context, name string, requests, clients int) (map[string]float64, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server, err := self(ctx, "serve", name)
	if err != nil {
		return nil, err
	}
	said, err := server.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() {
		cancel()
		_ = server.Wait() // It was killed.
	}()
	l := load{clients: clients, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: clients},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	defer l.client.CloseIdleConnections()
	if err := json.NewDecoder(said).Decode(&l.described); err != nil {
		return nil, fmt.Errorf("the server said nothing: %w", err)
	}
	n := count(&l.Stack, requests)
	if _, err := l.all(ctx, warmUp(n)); err != nil {
		return nil, err
	}
	return l.all(ctx, n)
}

// all sends n requests of each kind and returns what each kind cost.
func (l *load) all(ctx context.Context, n int) (map[string]float64, error) {
	costs := map[string]float64{}
	for _, p := range phases(&l.Stack, n, l.clients) {
		before, err := l.cpu(ctx)
		if err != nil {
			return nil, err
		}
		err = l.each(n, func(i int) error {
			answer, err := l.send(ctx, p.request(i))
			if err != nil {
				return err
			}
			return p.take(i, answer)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p.kind, err)
		}
		after, err := l.cpu(ctx)
		if err != nil {
			return nil, err
		}
		if p.kind != "" {
			costs[p.kind] = float64(after-before) / float64(n)
		}
	}
	return costs, nil
}

// each calls send for 0 to n-1, in one goroutine for each client. Each takes
// its share in order, so that one client has a whole chain of refresh tokens.
func (l *load) each(n int, send func(i int) error) error {
	var wg sync.WaitGroup
	failed := make([]error, l.clients)
	for c := range l.clients {
		wg.Go(func() {
			for i := c; i < n && failed[c] == nil; i += l.clients {
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
