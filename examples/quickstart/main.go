// Quickstart runs two apps to try Latchkey with: Acme Notes, which has users
// and is the OAuth 2.0 provider, and Wiki, which has a "Sign in with Acme"
// button.
//
//	go run ./examples/quickstart        and open the address that it prints
//	go run ./examples/quickstart -walk  to have it sign in by itself and say how
//
// The code that makes Acme a provider is in host.go. Wiki, in client.go, knows
// nothing of Latchkey: it is written with golang.org/x/oauth2 alone.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/latchkey-go/latchkey/store/memory"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the program stops in its own time; with the
	// handler gone, a second one ends it at once.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for signals. It returns the exit status: 2 for
// wrong usage, 1 for other failures.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stdout)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err == nil {
		err = serve(ctx, opts, stdout)
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "quickstart:", strings.Join(strings.Fields(err.Error()), " ")) // A driver's error can have lines.
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// usageError is the fault of whoever wrote the command line.
type usageError struct{ error }

func badUsage(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// options are the command line.
type options struct {
	addr, clientAddr string
	issuer           string // empty: where Acme listens
	store            string
	secretKey        string // empty: the Backend API is off
	perMinute        int
	walk             bool
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` where Acme Notes, the provider, listens; port 0 takes a free one")
	flags.StringVar(&o.clientAddr, "client-addr", "127.0.0.1:8081", "`host:port` where Wiki, the client, listens; port 0 takes a free one")
	flags.StringVar(&o.issuer, "issuer", "", "the `URL` by which browsers reach Acme, if it is not the one it listens on")
	flags.StringVar(&o.secretKey, "secret-key", "", "a `key` of your choice, by which programs manage applications at /v1/oauth_applications; without it that is off")
	flags.StringVar(&o.store, "store", defaultStore, "where applications and tokens are kept: "+storeForms+"; with -walk: memory unless told otherwise")
	flags.IntVar(&o.perMinute, "limit", 600, "how often a minute a client may call the token endpoint; measuring needs more")
	flags.BoolVar(&o.walk, "walk", false, "sign in as a browser would, print each step and exit; takes free ports unless told otherwise")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(help, "Quickstart runs Acme Notes, an OAuth 2.0 provider, and Wiki, an app to sign in to with it.")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return o, err
	}
	if err != nil {
		return o, badUsage("%w (-h lists the flags)", err)
	}
	if flags.NArg() > 0 {
		return o, badUsage("%q is not a flag (-h lists the flags)", flags.Arg(0))
	}
	if o.walk {
		given := map[string]bool{}
		flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
		if !given["addr"] {
			o.addr = "127.0.0.1:0"
		}
		if !given["client-addr"] {
			o.clientAddr = "127.0.0.1:0"
		}
		if !given["store"] {
			o.store = "memory"
		}
	}
	for _, f := range []struct{ name, addr string }{{"-addr", o.addr}, {"-client-addr", o.clientAddr}} {
		_, port, err := net.SplitHostPort(f.addr)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			return o, badUsage("%s %q is not an address: write host:port, such as 127.0.0.1:8080", f.name, f.addr)
		}
	}
	if u, err := url.Parse(o.issuer); err == nil && u.Path != "" {
		return o, badUsage("-issuer %q has a path: leave it out, as the pages of this example live at the root", o.issuer)
	}
	if o.issuer != "" {
		if _, err := newHost(o.issuer, memory.New(), o.perMinute); err != nil {
			return o, badUsage("%w (-issuer says by which URL browsers reach Acme)", err)
		}
	}
	_, err = parseStore(o.store)
	return o, err
}

// serve runs both apps until ctx ends, or for as long as -walk takes.
func serve(ctx context.Context, opts options, stdout io.Writer) error {
	// Listening comes first, because what is free is known only afterwards and
	// the addresses go into everything else.
	acmeListener, err := listen(ctx, "-addr", opts.addr)
	if err != nil {
		return err
	}
	defer acmeListener.Close()
	wikiListener, err := listen(ctx, "-client-addr", opts.clientAddr)
	if err != nil {
		return err
	}
	defer wikiListener.Close()
	wikiURL, issuer := localURL(wikiListener), opts.issuer
	if issuer == "" {
		issuer = localURL(acmeListener)
	}

	kept, err := openStore(ctx, opts.store)
	if err != nil {
		return err
	}
	defer kept.close()
	acme, err := newHost(issuer, kept.Store, opts.perMinute)
	if err != nil {
		return badUsage("%w (-issuer says by which URL browsers reach Acme)", err)
	}
	acme.secretKey = opts.secretKey
	app, secret, err := acme.registerWiki(ctx, wikiURL+"/callback")
	if err != nil {
		return badUsage("%w (-client-addr says where Wiki listens)", err)
	}
	transport := http.DefaultTransport
	if opts.walk {
		transport = &tracer{next: transport, who: "Wiki", out: stdout}
	}
	wiki := newWiki(wikiURL, issuer, app.ClientID, secret.Reveal(), transport)

	// Run must have ended before the program does; the servers below are
	// waited for by Shutdown.
	var background sync.WaitGroup
	defer background.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	background.Go(func() { acme.provider.Run(ctx) })

	failed := make(chan error, 2)
	acmeServer, wikiServer := newServer(acme.handler()), newServer(wiki.handler())
	go func() { failed <- acmeServer.Serve(acmeListener) }()
	go func() { failed <- wikiServer.Serve(wikiListener) }()
	defer stop(wikiServer, acmeServer) // Wiki first: what it is doing may need Acme.

	if opts.walk {
		return walk(ctx, stdout, wikiURL, issuer)
	}
	fmt.Fprintf(stdout, `Acme Notes (the provider)   %s
Wiki (an app to sign in to) %s
Applications and tokens are kept %s.
%s

%sOpen %s and press "Sign in with Acme".
The users are ada and grace; the password of both is: %s
Press Ctrl+C to stop.
`, issuer, wikiURL, kept.where, acme.backendAPI(), beforeProduction(acme), wikiURL, password)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// beforeProduction says what is unwise outside of a trial.
func beforeProduction(h *host) string {
	var text strings.Builder
	for _, advice := range h.provider.Check(h.secretKey) {
		what, _, _ := strings.Cut(advice.Text, ". ")
		fmt.Fprintf(&text, "  %s: %s.\n", advice.Code, strings.TrimSuffix(what, "."))
	}
	if text.Len() == 0 {
		return ""
	}
	return "Before production (docs/start/go-live.md says what to do):\n" + text.String() + "\n"
}

// listen takes a port, and says which flag to change if it cannot have it.
func listen(ctx context.Context, name, addr string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err == nil {
		return l, nil
	}
	host, port, _ := net.SplitHostPort(addr) // It was checked by parseOptions.
	free := net.JoinHostPort(host, "0")
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %s is taken by another program: choose another with %s, or any free one with %s %s", port, name, name, free)
	}
	return nil, fmt.Errorf("cannot listen on %s: choose another address with %s: %w", addr, name, err)
}

// localURL is how a browser on this machine reaches a listener.
func localURL(l net.Listener) string {
	addr := l.Addr().(*net.TCPAddr)
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, strconv.Itoa(addr.Port))
}

// newServer bounds how long a client may take, as http.Server by itself does
// not.
func newServer(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
	}
}

// stop lets the servers finish what they are doing, for a few seconds.
func stop(servers ...*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
	}
}
