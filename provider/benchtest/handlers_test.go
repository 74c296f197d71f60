package benchtest_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// stacks are what each benchmark measures, the limit first.
func stacks(b *testing.B) []*benchtest.Stack {
	b.Helper()
	latchkey, err := benchtest.NewMemory()
	if err != nil {
		b.Fatal(err)
	}
	all := []*benchtest.Stack{benchtest.NewLimit(), latchkey}
	postgres, stop, err := benchtest.NewPostgres(context.Background(), 8)
	if err != nil {
		if os.Getenv("CI") == "true" {
			b.Fatal(err)
		}
		b.Log("without a database: ", err)
		return all
	}
	b.Cleanup(func() {
		if err := stop(); err != nil {
			b.Error(err)
		}
	})
	return append(all, postgres)
}

// An operation is one request that is measured.
type operation struct {
	status int // of its answer

	// before makes the request, from a request of the same kind that went
	// before or from nothing. It is not measured.
	before func(s *benchtest.Stack) (benchtest.Request, error)

	// same is set if one request can be sent any number of times.
	same bool
}

var operations = map[string]operation{
	"authorize":  {302, func(s *benchtest.Stack) (benchtest.Request, error) { return s.AuthorizeRequest(false), nil }, true},
	"token":      token(false),
	"token PKCE": token(true),
	"refresh": {200, func(s *benchtest.Stack) (benchtest.Request, error) {
		_, refresh, err := tokens(s)
		return s.RefreshRequest(refresh), err
	}, false},
	"userinfo": {200, func(s *benchtest.Stack) (benchtest.Request, error) {
		access, _, err := tokens(s)
		return benchtest.BearerRequest(s.UserInfo, access), err
	}, true},
	"Require": {204, func(s *benchtest.Stack) (benchtest.Request, error) {
		access, _, err := tokens(s)
		return benchtest.BearerRequest(s.Guarded, access), err
	}, true},
	"introspect": {200, func(s *benchtest.Stack) (benchtest.Request, error) {
		access, _, err := tokens(s)
		return s.IntrospectRequest(access), err
	}, true},
}

func BenchmarkAuthorize(b *testing.B)  { run(b, operations["authorize"]) }
func BenchmarkToken(b *testing.B)      { run(b, operations["token"]) }
func BenchmarkTokenPKCE(b *testing.B)  { run(b, operations["token PKCE"]) }
func BenchmarkRefresh(b *testing.B)    { run(b, operations["refresh"]) }
func BenchmarkUserInfo(b *testing.B)   { run(b, operations["userinfo"]) }
func BenchmarkRequire(b *testing.B)    { run(b, operations["Require"]) }
func BenchmarkIntrospect(b *testing.B) { run(b, operations["introspect"]) }

func token(pkce bool) operation {
	return operation{200, func(s *benchtest.Stack) (benchtest.Request, error) { return codeRequest(s, pkce) }, false}
}

func codeRequest(s *benchtest.Stack, pkce bool) (q benchtest.Request, err error) {
	answer, err := s.Do(s.AuthorizeRequest(pkce))
	if err != nil {
		return q, err
	}
	code, err := answer.Code()
	return s.CodeRequest(code, pkce), err
}

func tokens(s *benchtest.Stack) (access, refresh string, err error) {
	q, err := codeRequest(s, false)
	if err != nil {
		return "", "", err
	}
	answer, err := s.Do(q)
	if err != nil {
		return "", "", err
	}
	return answer.Tokens()
}

// run measures an operation on each stack: in process without a network, and
// over loopback HTTP, by one client and by several at once.
func run(b *testing.B, o operation) {
	for _, s := range stacks(b) {
		server := httptest.NewServer(s.Handler)
		b.Cleanup(server.Close)
		client := &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		for _, clients := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/process/%d", s.Name, clients), func(b *testing.B) {
				o.measure(b, s, clients, func(q benchtest.Request) (int, error) {
					answer, err := s.Do(q)
					return answer.Status, err
				})
			})
			b.Run(fmt.Sprintf("%s/loopback/%d", s.Name, clients), func(b *testing.B) {
				o.measure(b, s, clients, func(q benchtest.Request) (int, error) { return overHTTP(client, server.URL, q) })
			})
		}
	}
}

func overHTTP(client *http.Client, base string, q benchtest.Request) (int, error) {
	r, err := http.NewRequest(q.Method, base+q.Path, strings.NewReader(q.Body))
	if err != nil {
		return 0, err
	}
	r.Header = q.Header.Clone()
	answer, err := client.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, err = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode, err
}

// measure sends b.N requests by so many clients at once.
func (o operation) measure(b *testing.B, s *benchtest.Stack, clients int, send func(benchtest.Request) (int, error)) {
	requests := make([]benchtest.Request, b.N)
	for i := range requests {
		if o.same && i > 0 {
			requests[i] = requests[0]
			continue
		}
		q, err := o.before(s)
		if err != nil {
			b.Fatal(err)
		}
		requests[i] = q
	}
	runtime.GC()
	b.ReportAllocs()
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	var next atomic.Int64
	b.ResetTimer()
	if clients == 1 {
		for _, q := range requests {
			o.check(b, send, q)
		}
		return
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			o.check(b, send, requests[next.Add(1)-1])
		}
	})
}

func (o operation) check(b *testing.B, send func(benchtest.Request) (int, error), q benchtest.Request) {
	status, err := send(q)
	if err != nil || status != o.status {
		b.Errorf("status %d, error %v; want %d", status, err, o.status)
	}
}
