package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"syscall"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// makers make the stacks, in the order in which they are shown.
var makers = []struct {
	name string
	make func() (*benchtest.Stack, error)
}{
	{"limit", func() (*benchtest.Stack, error) { return benchtest.NewLimit(), nil }},
	{"latchkey", benchtest.NewMemory},
}

func stackNames() (names []string) {
	for _, m := range makers {
		names = append(names, m.name)
	}
	return names
}

// described is what the measuring process has to know of a stack, and the
// address of its server.
type described struct {
	benchtest.Stack
	Address string
}

// serveStack serves a stack until the context ends or nobody reads what it
// says. Its CPU time is at /cpu.
func serveStack(ctx context.Context, name string, out io.Writer) error {
	var stack *benchtest.Stack
	for _, m := range makers {
		if m.name == name {
			var err error
			if stack, err = m.make(); err != nil {
				return err
			}
		}
	}
	if stack == nil {
		return fmt.Errorf("there is no stack %q", name)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", stack.Handler)
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC() // so that each phase pays for its own garbage
		var usage syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, usage.Utime.Nano()/1000+usage.Stime.Nano()/1000)
	})
	d := described{*stack, "http://" + listener.Addr().String()}
	d.Handler = nil
	if err := json.NewEncoder(out).Encode(d); err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
