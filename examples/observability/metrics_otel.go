package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/latchkey-go/latchkey/provider"
)

// newOTel returns a hook for provider.Config.Events that does the same as
// newPrometheus with OpenTelemetry, and adds the events to the span of the request.
// The error code of a rejected request is in error.type; on success there is none.
// Like labels, metric attributes must not have unbounded values. A span is about
// one request, so it has the application ID, but no user ID.
func newOTel(meter metric.Meter) (func(context.Context, provider.Event), error) {
	requests, err1 := meter.Int64Counter("latchkey.requests", metric.WithUnit("{request}"),
		metric.WithDescription("Requests that an endpoint or the API middleware handled, by outcome."))
	duration, err2 := meter.Float64Histogram("latchkey.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Time to handle a request; for the API middleware, only its own check."),
		metric.WithExplicitBucketBoundaries(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10))
	grants, err3 := meter.Int64Counter("latchkey.grants", metric.WithUnit("{grant}"),
		metric.WithDescription("Grants created, denied by the user, or revoked."))
	tokens, err4 := meter.Int64Counter("latchkey.tokens", metric.WithUnit("{token}"),
		metric.WithDescription("Tokens issued, refreshed, returned again to a repeated refresh, or revoked."))
	applications, err5 := meter.Int64Counter("latchkey.applications", metric.WithUnit("{application}"),
		metric.WithDescription("Applications registered, changed, reviewed, disabled, or deleted, by the host or by themselves."))
	reuse, err6 := meter.Int64Counter("latchkey.reuse_detections", metric.WithUnit("{detection}"),
		metric.WithDescription("Spent codes and refresh tokens that were used again and ended their grant."))
	rejected, err7 := meter.Int64Counter("latchkey.client_rejections", metric.WithUnit("{rejection}"),
		metric.WithDescription("Failed client authentications."))
	signOuts, err8 := meter.Int64Counter("latchkey.sign_outs", metric.WithUnit("{sign-out}"),
		metric.WithDescription("Sign-outs from the host on the provider's page."))
	if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		return nil, err
	}

	type counter struct {
		metric.Int64Counter
		with metric.AddOption
	}
	action := func(name string) metric.AddOption {
		return metric.WithAttributes(attribute.String("latchkey.action", name))
	}
	counters := map[provider.EventKind]counter{
		provider.EventGrantCreated:           {grants, action("created")},
		provider.EventGrantDenied:            {grants, action("denied")},
		provider.EventGrantRevoked:           {grants, action("revoked")},
		provider.EventTokenIssued:            {tokens, action("issued")},
		provider.EventTokenRefreshed:         {tokens, action("refreshed")},
		provider.EventTokenRetried:           {tokens, action("retried")},
		provider.EventTokenRevoked:           {tokens, action("revoked")},
		provider.EventApplicationRegistered:  {applications, action("registered")},
		provider.EventApplicationCreated:     {applications, action("created")},
		provider.EventApplicationSecretAdded: {applications, action("secret_added")},
		provider.EventApplicationReviewed:    {applications, action("reviewed")},
		provider.EventApplicationUnreviewed:  {applications, action("unreviewed")},
		provider.EventApplicationDisabled:    {applications, action("disabled")},
		provider.EventApplicationEnabled:     {applications, action("enabled")},
		provider.EventApplicationUpdated:     {applications, action("updated")},
		provider.EventApplicationDeleted:     {applications, action("deleted")},
		provider.EventReuseDetected:          {reuse, metric.WithAttributes()},
		provider.EventClientRejected:         {rejected, metric.WithAttributes()},
		provider.EventSignedOut:              {signOuts, metric.WithAttributes()},
	}
	for _, c := range counters {
		c.Add(context.Background(), 0, c.with) // Start at 0, so that the first event is an increase.
	}

	return func(ctx context.Context, e provider.Event) {
		span := trace.SpanFromContext(ctx) // Without a span, this one does nothing.
		if e.Kind == provider.EventRequest {
			endpoint := attribute.String("latchkey.endpoint", e.Endpoint)
			attributes := []attribute.KeyValue{endpoint}
			if e.Outcome != "ok" {
				attributes = append(attributes, attribute.String("error.type", e.Outcome))
			}
			requests.Add(ctx, 1, metric.WithAttributes(attributes...))
			duration.Record(ctx, e.Duration.Seconds(), metric.WithAttributes(endpoint))
			span.SetAttributes(attributes...)
			if isFault(e.Outcome) {
				span.SetStatus(codes.Error, e.Outcome)
			}
			return
		}
		if c, ok := counters[e.Kind]; ok {
			c.Add(ctx, 1, c.with)
		}
		span.AddEvent("latchkey."+string(e.Kind), trace.WithAttributes(attribute.String("latchkey.application.id", e.ApplicationID)))
	}, nil
}

// isFault reports whether the provider or something that it depends on caused the
// outcome, and not the client.
func isFault(outcome string) bool {
	switch outcome {
	case "server_error", "temporarily_unavailable", "service_unavailable": // The last one comes from the Backend API.
		return true
	}
	return false
}
