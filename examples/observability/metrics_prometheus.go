package main

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/latchkey-go/latchkey/provider"
)

// newPrometheus returns a hook for provider.Config.Events that counts and times
// requests and events. The provider waits for the hook, so it must be fast.
//
// Every label value comes from a short list in the provider's code, so there are a
// few hundred time series at most. Don't use user or grant IDs as labels: each new
// value adds a time series, and user IDs are personal data. Application IDs are
// left out too, because in many apps anyone can register an application. If you
// have a few fixed applications, add e.ApplicationID to grants and tokens.
func newPrometheus(reg prometheus.Registerer) func(context.Context, provider.Event) {
	auto := promauto.With(reg)
	requests := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_requests_total",
		Help: "Requests that an endpoint or the API middleware handled, by outcome.",
	}, []string{"endpoint", "outcome"})
	duration := auto.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "latchkey_request_duration_seconds",
		Help:    "Time to handle a request; for the API middleware, only its own check.",
		Buckets: []float64{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10},
	}, []string{"endpoint"})
	grants := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_grants_total",
		Help: "Grants created, denied by the user, or revoked.",
	}, []string{"action"})
	tokens := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_tokens_total",
		Help: "Tokens issued, refreshed, returned again to a repeated refresh, or revoked.",
	}, []string{"action"})
	applications := auto.NewCounterVec(prometheus.CounterOpts{
		Name: "latchkey_applications_total",
		Help: "Applications registered, changed, reviewed, disabled, or deleted, by the host or by themselves.",
	}, []string{"action"})
	reuse := auto.NewCounter(prometheus.CounterOpts{
		Name: "latchkey_reuse_detections_total",
		Help: "Spent codes and refresh tokens that were used again and ended their grant.",
	})
	rejected := auto.NewCounter(prometheus.CounterOpts{
		Name: "latchkey_client_rejections_total",
		Help: "Failed client authentications.",
	})
	signOuts := auto.NewCounter(prometheus.CounterOpts{
		Name: "latchkey_sign_outs_total",
		Help: "Sign-outs from the host on the provider's page.",
	})

	// Create the counters now, so that they start at 0. To Prometheus, a series
	// that starts at 1 has not increased, so an alert would miss the first reuse.
	counters := map[provider.EventKind]prometheus.Counter{
		provider.EventGrantCreated:           grants.WithLabelValues("created"),
		provider.EventGrantDenied:            grants.WithLabelValues("denied"),
		provider.EventGrantRevoked:           grants.WithLabelValues("revoked"),
		provider.EventTokenIssued:            tokens.WithLabelValues("issued"),
		provider.EventTokenRefreshed:         tokens.WithLabelValues("refreshed"),
		provider.EventTokenRetried:           tokens.WithLabelValues("retried"),
		provider.EventTokenRevoked:           tokens.WithLabelValues("revoked"),
		provider.EventApplicationRegistered:  applications.WithLabelValues("registered"),
		provider.EventApplicationCreated:     applications.WithLabelValues("created"),
		provider.EventApplicationSecretAdded: applications.WithLabelValues("secret_added"),
		provider.EventApplicationReviewed:    applications.WithLabelValues("reviewed"),
		provider.EventApplicationUnreviewed:  applications.WithLabelValues("unreviewed"),
		provider.EventApplicationDisabled:    applications.WithLabelValues("disabled"),
		provider.EventApplicationEnabled:     applications.WithLabelValues("enabled"),
		provider.EventApplicationUpdated:     applications.WithLabelValues("updated"),
		provider.EventApplicationDeleted:     applications.WithLabelValues("deleted"),
		provider.EventReuseDetected:          reuse,
		provider.EventClientRejected:         rejected,
		provider.EventSignedOut:              signOuts,
	}
	return func(_ context.Context, e provider.Event) {
		if e.Kind == provider.EventRequest {
			requests.WithLabelValues(e.Endpoint, e.Outcome).Inc()
			duration.WithLabelValues(e.Endpoint).Observe(e.Duration.Seconds())
		} else if counter, ok := counters[e.Kind]; ok {
			counter.Inc()
		}
	}
}
