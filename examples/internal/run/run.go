// Package run is the part of an example that isn't about OAuth: flags, ports,
// servers, signals, and exit codes. A whole program looks like this:
//
//	func main() { run.Main(start) }
//
//	func start(ctx context.Context, e *run.Example) error {
//		e.About = "Openid runs Acme Notes as an OpenID Provider, and Wiki, its client."
//		acmeAddr := e.Addr("addr", "localhost:8080", "Acme Notes, the provider")
//		wikiAddr := e.Addr("wiki-addr", "127.0.0.1:8081", "Wiki, the client")
//		lifetime := e.Flags.Duration("access-lifetime", 0, "how long access tokens work")
//		if err := e.Listen(); err != nil { // It parses the flags too.
//			return err
//		}
//		p, err := provider.New(provider.Config{Issuer: acmeAddr.URL(), ...})
//		...
//		e.Go(p.Run)
//		e.Serve(acmeAddr, hostHandler(p))
//		e.Serve(wikiAddr, wikiHandler(p, wikiAddr.URL()))
//		e.Printf("Open %s\n", wikiAddr.URL())
//		return e.Wait() // It prints "Press Ctrl+C to stop."
//	}
//
// Return [Usage] for a bad flag. Tests call [Run], or runtest.Start for a
// program that serves until the test ends. See [Example.Defer] for what must be
// closed last, [Example.Parse] for a program that decides between flags and
// ports, and Example.Args for one that takes arguments.
package run

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Main runs a program and exits: with 2 for wrong usage, and with 1 for other
// failures. The first SIGINT or SIGTERM ends ctx; a second one ends the program
// at once.
func Main(start func(context.Context, *Example) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	os.Exit(Run(ctx, start, os.Args[1:], os.Stdout, os.Stderr))
}

// Run is Main without the signals. It returns the exit code.
func Run(ctx context.Context, start func(context.Context, *Example) error, args []string, stdout, stderr io.Writer) int {
	ctx, fail := context.WithCancelCause(ctx)
	name := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(os.Args[0]), ".exe"), ".test")
	e := &Example{
		Flags:  flag.NewFlagSet(name, flag.ContinueOnError),
		Stdout: stdout,
		Stderr: stderr,
		ctx:    ctx,
		fail:   fail,
		args:   args,
	}
	e.Flags.SetOutput(io.Discard) // Run prints errors, each on one line.
	err := start(ctx, e)
	err = errors.Join(err, e.stop())
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		e.report(name, err)
		return 2
	}
	e.report(name, err)
	return 1
}

// report prints an error on one line, even if a driver's message has several.
func (e *Example) report(name string, err error) {
	fmt.Fprintf(e.Stderr, "%s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
}

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage returns an error about the command line. The program exits with 2.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// Example is a program while it runs.
type Example struct {
	// About is what -h prints before the flags.
	About string
	// Args names the arguments that follow the flags, such as "FILE".
	// The default is none.
	Args string
	// Flags are the program's flags.
	Flags *flag.FlagSet
	// Stdout and Stderr are where the program writes.
	Stdout, Stderr io.Writer

	ctx        context.Context
	fail       context.CancelCauseFunc
	args       []string
	addrs      []*Addr
	servers    []*http.Server
	background sync.WaitGroup
	last       []func() error
}

// Parse parses the flags. [Example.Listen] does it too, so call Parse only if
// something happens between the two.
func (e *Example) Parse() error {
	err := e.Flags.Parse(e.args)
	want := strings.Fields(e.Args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(e.Stdout, e.About)
		if e.Args != "" {
			fmt.Fprintf(e.Stdout, "Usage: %s [flags] %s\n", e.Flags.Name(), e.Args)
		}
		e.Flags.SetOutput(e.Stdout)
		e.Flags.PrintDefaults()
		return err
	case err != nil:
		return Usage("%w (-h lists the flags)", err)
	case e.Flags.NArg() > len(want):
		return Usage("%q is not a flag (-h lists the flags)", e.Flags.Arg(len(want)))
	case e.Flags.NArg() < len(want):
		return Usage("%s is missing (-h lists the flags)", want[e.Flags.NArg()])
	}
	return nil
}

// Printf prints for the user.
func (e *Example) Printf(format string, args ...any) { fmt.Fprintf(e.Stdout, format, args...) }

// Go calls f in the background, with a context that ends when the program
// stops. The program waits for f. It's meant for provider.Run.
func (e *Example) Go(f func(context.Context)) {
	e.background.Go(func() { f(e.ctx) })
}

// Serve serves on an address in the background, until the program stops.
func (e *Example) Serve(addr *Addr, handler http.Handler) {
	server := NewServer(handler)
	e.servers = append(e.servers, server)
	listener := addr.listener
	e.background.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			e.fail(serveError{fmt.Errorf("-%s: %w", addr.flag, err)})
		}
	})
}

type serveError struct{ error }

// NewServer returns a server with timeouts. An http.Server has none by default.
func NewServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
}

// Defer calls f when the servers and everything started with Go have ended. It's
// for databases. The last f is called first.
func (e *Example) Defer(f func() error) { e.last = append(e.last, f) }

// Wait tells the user to press Ctrl+C, and waits until they do or a server fails.
func (e *Example) Wait() error {
	e.Printf("Press Ctrl+C to stop.\n")
	<-e.ctx.Done()
	var failed serveError
	if errors.As(context.Cause(e.ctx), &failed) {
		return failed.error
	}
	return nil
}

// stop ends everything, and lets requests finish for a few seconds.
func (e *Example) stop() error {
	grace, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	// The client stops before the provider, because its requests may need it.
	for i := len(e.servers) - 1; i >= 0; i-- {
		if e.servers[i].Shutdown(grace) != nil {
			e.servers[i].Close()
		}
	}
	e.fail(nil)
	for _, addr := range e.addrs {
		if addr.listener != nil {
			addr.listener.Close() // Shutdown has closed it, unless nothing was served there.
		}
	}
	e.background.Wait()
	var err error
	for i := len(e.last) - 1; i >= 0; i-- {
		err = errors.Join(err, e.last[i]())
	}
	return err
}
