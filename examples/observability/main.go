// Observability runs Acme Notes, an app that is an OAuth 2.0 provider, and shows
// how to watch one: metrics for Prometheus or OpenTelemetry, traces, and JSON
// logs. It brings its own traffic, so that there is something to watch.
//
//	go run ./examples/observability               metrics for Prometheus
//	go run ./examples/observability -otel stdout  OpenTelemetry too, printed
//	go run ./examples/observability -otel otlp    the same, sent to a collector
//
// What to copy is in metrics_prometheus.go or metrics_otel.go, with
// grafana-dashboard.json and alerts.yml. To see them at work:
//
//	prometheus --config.file examples/observability/prometheus.yml
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // A second signal ends the program at once.
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the whole program but for signals. It returns the exit status: 2 for
// wrong usage, 1 for other failures.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	opts, err := parseOptions(args, stdout)
	if err == nil {
		err = serve(ctx, opts, stdout, stderr)
	}
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, new(usageError)):
		fmt.Fprintln(stderr, "observability:", err)
		return 2
	}
	fmt.Fprintln(stderr, "observability:", err)
	return 1
}

// usageError is the fault of whoever wrote the command line.
type usageError struct{ error }

func badUsage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// options are the command line.
type options struct {
	addr, metricsAddr string
	otel              string  // the exporter; empty: no OpenTelemetry
	load              float64 // visits per second; 0: none
}

func parseOptions(args []string, help io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("observability", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // Errors are printed by run, in one line.
	flags.StringVar(&o.addr, "addr", "127.0.0.1:8080", "`host:port` where Acme Notes listens; port 0 takes a free one")
	flags.StringVar(&o.metricsAddr, "metrics-addr", "127.0.0.1:9464", "`host:port` where Prometheus finds /metrics; port 0 takes a free one")
	flags.StringVar(&o.otel, "otel", "", "use OpenTelemetry too, with this `exporter`: stdout, or otlp (to OTEL_EXPORTER_OTLP_ENDPOINT)")
	flags.Float64Var(&o.load, "load", 1, "how many sign-ins `per-second` the program makes itself, with what follows; 0 leaves that to you")
	err := flags.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintln(help, "Observability runs Acme Notes, an OAuth 2.0 provider with metrics, traces and logs.")
		flags.SetOutput(help)
		flags.PrintDefaults()
		return o, err
	case err != nil:
		return o, badUsage("%w (-h lists the flags)", err)
	case flags.NArg() > 0:
		return o, badUsage("%q is not a flag (-h lists the flags)", flags.Arg(0))
	case !(o.load >= 0 && o.load <= 10): // Checking a password takes time. This way round it refuses NaN too.
		return o, badUsage("-load %v is not a number from 0 to 10", o.load)
	}
	return o, nil
}

// serve runs the app until ctx ends.
func serve(ctx context.Context, opts options, stdout, stderr io.Writer) error {
	appListener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.addr)
	if err != nil {
		return fmt.Errorf("choose another address with -addr: %w", err)
	}
	defer appListener.Close()
	metricsListener, err := new(net.ListenConfig).Listen(ctx, "tcp", opts.metricsAddr)
	if err != nil {
		return fmt.Errorf("choose another address with -metrics-addr: %w", err)
	}
	defer metricsListener.Close()
	issuer := "http://" + appListener.Addr().String()

	// This is what makes the provider visible: a logger, and hooks for its
	// events.
	logger := newLogger(stderr)
	registry := prometheus.NewRegistry()
	events := hooks{newWatch(logger), newPrometheus(registry)}
	trace := func(next http.Handler) http.Handler { return next }
	if opts.otel != "" {
		t, err := newTelemetry(ctx, opts.otel, stdout, logger)
		if err != nil {
			return err
		}
		defer func() {
			if err := t.stop(); err != nil {
				logger.Error("OpenTelemetry could not send everything", "error", err)
			}
		}()
		toOTel, err := newOTel(t.meters.Meter(scopeName))
		if err != nil {
			return err
		}
		events = append(events, toOTel)
		trace = func(next http.Handler) http.Handler { return traced(t.tracers.Tracer(scopeName), next) }
	}
	acme, err := newHost(issuer, memory.New(), logger, events.call)
	if err != nil {
		return err
	}

	// The metrics have an address of their own: how busy an app is, and what
	// goes wrong in it, is not for everybody.
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))

	wiki, err := newLoad(ctx, issuer, acme.provider)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel()
	failed := make(chan error, 2)
	servers := []*http.Server{newServer(trace(acme.handler())), newServer(metrics)}
	go func() { failed <- servers[0].Serve(appListener) }()
	go func() { failed <- servers[1].Serve(metricsListener) }()
	defer shutDown(servers)
	background.Go(func() { acme.provider.Run(ctx) })
	if opts.load > 0 {
		background.Go(func() { wiki.run(ctx, opts.load, logger) })
	}

	fmt.Fprintf(stdout, "The metrics of Acme Notes are at http://%s/metrics; its users ada and grace have the password: %s\n", metricsListener.Addr(), password)
	fmt.Fprintf(stdout, "For an error page, whose reference is in the log below, open %s/oauth/authorize?client_id=nobody\n", issuer)
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// hooks are called one after the other.
type hooks []func(context.Context, provider.Event)

func (h hooks) call(ctx context.Context, e provider.Event) {
	for _, hook := range h {
		hook(ctx, e)
	}
}

func newServer(handler http.Handler) *http.Server {
	return &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 30 * time.Second}
}

// shutDown lets the servers finish what they are doing, for a few seconds.
func shutDown(servers []*http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	for _, s := range servers {
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
	}
}
