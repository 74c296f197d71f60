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
	"github.com/latchkey-go/latchkey/provider/keys"
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

	// before makes the request from an earlier request of the same kind, or
	// from nothing. It is not measured.
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

func BenchmarkAuthorize(b *testing.B)  { run(b, operations["authorize"].measure) }
func BenchmarkToken(b *testing.B)      { run(b, operations["token"].measure) }
func BenchmarkTokenPKCE(b *testing.B)  { run(b, operations["token PKCE"].measure) }
func BenchmarkRefresh(b *testing.B)    { run(b, chains) }
func BenchmarkUserInfo(b *testing.B)   { run(b, operations["userinfo"].measure) }
func BenchmarkRequire(b *testing.B)    { run(b, operations["Require"].measure) }
func BenchmarkIntrospect(b *testing.B) { run(b, operations["introspect"].measure) }

// BenchmarkIDToken is a code exchange without an ID token, and with one by each
// algorithm.
func BenchmarkIDToken(b *testing.B) {
	plain, err := benchtest.NewMemory()
	if err != nil {
		b.Fatal(err)
	}
	stacks := []*benchtest.Stack{plain}
	for _, alg := range []string{keys.EdDSA, keys.ES256, keys.RS256} {
		s, err := benchtest.NewOpenID(b.Context(), alg)
		if err != nil {
			b.Fatal(err)
		}
		stacks = append(stacks, s)
	}
	for _, s := range stacks {
		b.Run(s.Name, func(b *testing.B) { token(false).measure(b, s, 1, s.Do) })
	}
}

// BenchmarkFlow is a whole sign-in: authorize, token and userinfo.
func BenchmarkFlow(b *testing.B) { run(b, flow) }

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

// A sender sends a request to a stack, with or without a network.
type sender func(benchtest.Request) (benchtest.Answer, error)

// run measures each stack: in process without a network, and over loopback
// HTTP, by one client and by several at once.
func run(b *testing.B, measure func(b *testing.B, s *benchtest.Stack, clients int, send sender)) {
	for _, s := range stacks(b) {
		server := httptest.NewServer(s.Handler)
		b.Cleanup(server.Close)
		client := &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 64},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		for _, clients := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/process/%d", s.Name, clients), func(b *testing.B) { measure(b, s, clients, s.Do) })
			b.Run(fmt.Sprintf("%s/loopback/%d", s.Name, clients), func(b *testing.B) {
				measure(b, s, clients, func(q benchtest.Request) (benchtest.Answer, error) { return overHTTP(client, server.URL, q) })
			})
		}
	}
}

func overHTTP(client *http.Client, base string, q benchtest.Request) (a benchtest.Answer, err error) {
	r, err := http.NewRequest(q.Method, base+q.Path, strings.NewReader(q.Body))
	if err != nil {
		return a, err
	}
	r.Header = q.Header.Clone()
	answer, err := client.Do(r)
	if err != nil {
		return a, err
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	return benchtest.Answer{Status: answer.StatusCode, Location: answer.Header.Get("Location"), Body: content}, err
}

// measure sends b.N requests from the given number of clients at once.
func (o operation) measure(b *testing.B, s *benchtest.Stack, clients int, send sender) {
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
	atOnce(b, clients, func(i int) {
		answer, err := send(requests[i])
		if err != nil || answer.Status != o.status {
			b.Errorf("status %d, error %v; want %d", answer.Status, err, o.status)
		}
	})
}

// flow measures b.N sign-ins.
func flow(b *testing.B, s *benchtest.Stack, clients int, send sender) {
	signIn := func() error {
		answer, err := send(s.AuthorizeRequest(false))
		if err != nil {
			return err
		}
		code, err := answer.Code()
		if err != nil {
			return err
		}
		if answer, err = send(s.CodeRequest(code, false)); err != nil {
			return err
		}
		access, _, err := answer.Tokens()
		if err != nil {
			return err
		}
		if answer, err = send(benchtest.BearerRequest(s.UserInfo, access)); err == nil && answer.Status != http.StatusOK {
			err = fmt.Errorf("userinfo says %d %s", answer.Status, answer.Body)
		}
		return err
	}
	atOnce(b, clients, func(int) {
		if err := signIn(); err != nil {
			b.Error(err)
		}
	})
}

// chainLength is how often each grant is refreshed, as by clients that stay
// signed in for months.
const chainLength = 2000

// chains measures b.N refreshes. Each client follows one chain of refresh
// tokens, and signs in anew after chainLength.
func chains(b *testing.B, s *benchtest.Stack, clients int, send sender) {
	follow := func(next func() bool) {
		refresh := ""
		for i := 0; next(); i++ {
			var err error
			if i%chainLength == 0 {
				_, refresh, err = tokens(s)
			}
			var answer benchtest.Answer
			if err == nil {
				answer, err = send(s.RefreshRequest(refresh))
			}
			if err == nil {
				_, refresh, err = answer.Tokens()
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	}
	runtime.GC()
	b.ReportAllocs()
	b.ResetTimer()
	if clients == 1 {
		follow(b.Loop)
		return
	}
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	b.RunParallel(func(pb *testing.PB) { follow(pb.Next) })
}

// atOnce calls act for 0 to b.N-1, in the given number of goroutines.
func atOnce(b *testing.B, clients int, act func(i int)) {
	runtime.GC()
	b.ReportAllocs()
	b.SetParallelism(max(1, clients/runtime.GOMAXPROCS(0)))
	var next atomic.Int64
	b.ResetTimer()
	if clients == 1 {
		for i := range b.N {
			act(i)
		}
		return
	}
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			act(int(next.Add(1) - 1))
		}
	})
}
