package main

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/store/memory"
)

// serve runs the app, its metrics, and the load.
func serve(ctx context.Context, e *run.Example, opts options, t *telemetry) error {
	issuer := opts.addr.URL()
	host, err := newHost(issuer, memory.New(), t.logger, t.hooks.call)
	if err != nil {
		return err
	}
	wiki, err := newLoad(ctx, issuer, host.Provider)
	if err != nil {
		return err
	}
	// The metrics have a separate address, because they're not for the public.
	metrics := http.NewServeMux()
	metrics.Handle("GET /metrics", promhttp.HandlerFor(t.registry, promhttp.HandlerOpts{}))
	metrics.Handle("GET /{$}", http.RedirectHandler("/metrics", http.StatusFound))

	e.Go(host.Provider.Run)
	e.Serve(opts.addr, t.trace(handler(host)))
	e.Serve(opts.metricsAddr, metrics)
	if opts.load > 0 {
		e.Go(func(ctx context.Context) { wiki.run(ctx, opts.load, t.logger) })
	}
	e.Printf(`Acme Notes is at %[1]s and its metrics are at %[2]s/metrics
The users are ada and grace; the password of both is: %[3]s
For an error page with a reference, which is also in the log, open %[1]s/oauth/authorize?client_id=unknown
The traffic includes bad requests on purpose, so that the log and the metrics show rejections.
`, issuer, opts.metricsAddr.URL(), acme.Password)
	return e.Wait()
}

// handler serves Acme Notes with an API to read and to add notes.
func handler(host *acme.Host) http.Handler {
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	mux.Handle("POST /api/notes", host.Provider.Require("notes:write")(http.HandlerFunc(addNote)))
	return mux
}

func addNote(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }
