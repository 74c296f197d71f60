package main

import (
	"github.com/latchkey-go/latchkey/examples/internal/run"
)

// options are the command line.
type options struct {
	addr, metricsAddr *run.Addr
	otel              string  // the exporter, or empty for no OpenTelemetry
	load              float64 // visits per second
}

func parseOptions(e *run.Example) (options, error) {
	e.About = "Observability runs Acme Notes, an OAuth 2.0 provider with metrics, traces, and logs."
	o := options{
		addr:        e.Addr("addr", "127.0.0.1:8080", "Acme Notes"),
		metricsAddr: e.Addr("metrics-addr", "127.0.0.1:9464", "the metrics page"),
	}
	e.Flags.StringVar(&o.otel, "otel", "", "also use OpenTelemetry with this `exporter`: stdout, or otlp (to OTEL_EXPORTER_OTLP_ENDPOINT)")
	e.Flags.Float64Var(&o.load, "load", 1, "how many sign-ins `per-second` the program makes; 0 makes none")
	if err := e.Parse(); err != nil {
		return o, err
	}
	if !(o.load >= 0 && o.load <= 10) { // Checking passwords is slow. This condition is also true for NaN.
		return o, run.Usage("-load %v is not a number from 0 to 10", o.load)
	}
	return o, e.Listen()
}
