package measure

import (
	"bytes"
	"fmt"
	"syscall"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// A phase is many requests of one kind, with the results of earlier phases.
type phase struct {
	kind    string // empty if it only prepares others and isn't measured
	request func(i int) benchtest.Request
	take    func(i int, a benchtest.Answer) error // checks the answer
}

// phases returns n requests of each kind that the stack has. The refreshes
// follow the given number of chains of refresh tokens.
func phases(s *benchtest.Stack, n, chains int) []phase {
	codes, access, refresh := make([]string, n), make([]string, n), make([]string, n)
	authorize := func(kind string, pkce bool) phase {
		return phase{kind, func(int) benchtest.Request { return s.AuthorizeRequest(pkce) }, func(i int, a benchtest.Answer) (err error) {
			codes[i], err = a.Code()
			return err
		}}
	}
	tokens := func(i int, a benchtest.Answer) (err error) {
		access[i], refresh[i], err = a.Tokens()
		return err
	}
	all := []phase{
		authorize("authorize", false),
		{"token", func(i int) benchtest.Request { return s.CodeRequest(codes[i], false) }, tokens},
		{"userinfo", func(i int) benchtest.Request { return benchtest.BearerRequest(s.UserInfo, access[i]) }, says(`"user_ada"`)},
	}
	if s.Guarded != "" {
		all = append(all, phase{"Require", func(i int) benchtest.Request { return benchtest.BearerRequest(s.Guarded, access[i]) }, says("")})
	}
	if s.Introspect != "" {
		all = append(all, phase{"introspect", func(i int) benchtest.Request { return s.IntrospectRequest(access[i]) }, says(`"active":true`)})
	}
	// The last phase with these grants, because it ends their oldest access
	// tokens.
	refreshed := phase{"refresh", func(i int) benchtest.Request { return s.RefreshRequest(refresh[i%chains]) }, func(i int, a benchtest.Answer) (err error) {
		_, refresh[i%chains], err = a.Tokens()
		return err
	}}
	return append(all, refreshed, authorize("", true),
		phase{"token PKCE", func(i int) benchtest.Request { return s.CodeRequest(codes[i], true) }, tokens})
}

// says expects success, and a text in the answer: one of the stacks answers
// errors with status 200.
func says(text string) func(int, benchtest.Answer) error {
	return func(_ int, a benchtest.Answer) error {
		if a.Status >= 300 || !bytes.Contains(a.Body, []byte(text)) {
			return fmt.Errorf("status %d: %s", a.Status, a.Body)
		}
		return nil
	}
}

// count returns how many requests of each kind a stack gets.
func count(s *benchtest.Stack, requests int) int {
	if s.Slow {
		return max(5, requests/200)
	}
	return requests
}

// warmUp returns how many requests come first, unmeasured.
func warmUp(n int) int { return max(5, n/10) }

// cpuTime returns the CPU time of this process in microseconds.
func cpuTime() (int64, error) {
	var usage syscall.Rusage
	err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	return (usage.Utime.Nano() + usage.Stime.Nano()) / 1000, err
}
