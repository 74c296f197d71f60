package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// wanted are all series that everything causes, under their Prometheus names.
var wanted = map[string]float64{
	// Ada needs three requests to sign in: one before the sign-in page, one for
	// the consent page, and one to allow. Grace needs three to deny, then two
	// because she is signed in, then one because she has consented before.
	`latchkey_requests_total{endpoint="authorize",outcome="ok"}`:             3 + 2 + 2 + 2,
	`latchkey_requests_total{endpoint="authorize",outcome="access_denied"}`:  1,
	`latchkey_requests_total{endpoint="authorize",outcome="invalid_client"}`: 1,

	`latchkey_requests_total{endpoint="token",outcome="ok"}`:                      4 + 1 + 1,
	`latchkey_requests_total{endpoint="token",outcome="invalid_grant"}`:           1,
	`latchkey_requests_total{endpoint="token",outcome="invalid_client"}`:          2,
	`latchkey_requests_total{endpoint="token",outcome="temporarily_unavailable"}`: 1,

	`latchkey_requests_total{endpoint="guard",outcome="ok"}`:                      1,
	`latchkey_requests_total{endpoint="guard",outcome="insufficient_scope"}`:      1,
	`latchkey_requests_total{endpoint="guard",outcome="invalid_token"}`:           1,
	`latchkey_requests_total{endpoint="guard",outcome="temporarily_unavailable"}`: 1,

	`latchkey_requests_total{endpoint="userinfo",outcome="ok"}`:                   1,
	`latchkey_requests_total{endpoint="userinfo",outcome="invalid_token"}`:        1,
	`latchkey_requests_total{endpoint="introspect",outcome="ok"}`:                 1,
	`latchkey_requests_total{endpoint="revoke",outcome="ok"}`:                     2,
	`latchkey_requests_total{endpoint="metadata",outcome="ok"}`:                   1,
	`latchkey_requests_total{endpoint="register",outcome="ok"}`:                   3,
	`latchkey_requests_total{endpoint="register",outcome="invalid_redirect_uri"}`: 1,
	`latchkey_requests_total{endpoint="register",outcome="invalid_token"}`:        1,
	`latchkey_requests_total{endpoint="backend",outcome="ok"}`:                    1,
	`latchkey_requests_total{endpoint="backend",outcome="service_unavailable"}`:   1,

	`latchkey_request_duration_seconds_count{endpoint="authorize"}`:  11,
	`latchkey_request_duration_seconds_count{endpoint="token"}`:      10,
	`latchkey_request_duration_seconds_count{endpoint="guard"}`:      4,
	`latchkey_request_duration_seconds_count{endpoint="userinfo"}`:   2,
	`latchkey_request_duration_seconds_count{endpoint="introspect"}`: 1,
	`latchkey_request_duration_seconds_count{endpoint="revoke"}`:     2,
	`latchkey_request_duration_seconds_count{endpoint="metadata"}`:   1,
	`latchkey_request_duration_seconds_count{endpoint="register"}`:   5,
	`latchkey_request_duration_seconds_count{endpoint="backend"}`:    2,

	`latchkey_grants_total{action="created"}`: 3 + 1, // the last one is Acme's
	`latchkey_grants_total{action="denied"}`:  1,
	`latchkey_grants_total{action="revoked"}`: 1 + 2 + 1 + 3, // by Wiki, by Acme, with a registration, and with an application that is disabled, let in, and deleted

	`latchkey_tokens_total{action="issued"}`:    3 + 1,
	`latchkey_tokens_total{action="refreshed"}`: 2,
	`latchkey_tokens_total{action="retried"}`:   1,
	`latchkey_tokens_total{action="revoked"}`:   1,

	`latchkey_applications_total{action="registered"}`:   1,
	`latchkey_applications_total{action="created"}`:      2, // Wiki and Board
	`latchkey_applications_total{action="updated"}`:      2,
	`latchkey_applications_total{action="secret_added"}`: 1,
	`latchkey_applications_total{action="reviewed"}`:     1,
	`latchkey_applications_total{action="unreviewed"}`:   1,
	`latchkey_applications_total{action="disabled"}`:     1,
	`latchkey_applications_total{action="enabled"}`:      1,
	`latchkey_applications_total{action="deleted"}`:      2,

	`latchkey_reuse_detections_total`:  1,
	`latchkey_client_rejections_total`: 2,
	`latchkey_sign_outs_total`:         1,
}

func TestPrometheusCountsExactly(t *testing.T) {
	w := newWorld(t)
	w.everything()
	got := scrape(t, w.metrics)
	for name, value := range got {
		if strings.Contains(name, "_bucket{") {
			delete(got, name)
		}
		if strings.HasPrefix(name, "latchkey_request_duration_seconds_sum") {
			require.Greater(t, value, 0.0, name)
			require.Less(t, value, 30.0, "%s is in seconds", name)
			delete(got, name)
		}
	}
	require.Equal(t, wanted, got)
}

// Counters start at 0, so that the first event is an increase.
func TestCountersBeginAtZero(t *testing.T) {
	w := newWorld(t)
	begin := map[string]float64{}
	for name := range wanted {
		if !strings.HasPrefix(name, "latchkey_request") {
			begin[name] = 0
		}
	}
	begin[`latchkey_applications_total{action="created"}`] = 1 // Wiki, at the start
	require.Equal(t, begin, scrape(t, w.metrics))
	require.Equal(t, begin, w.collect())
}

func TestOpenTelemetryCountsTheSame(t *testing.T) {
	w := newWorld(t)
	w.everything()
	require.Equal(t, wanted, w.collect())

	units := map[string]string{}
	for _, m := range w.read() {
		units[m.Name] = m.Unit
	}
	require.Equal(t, map[string]string{
		"latchkey.requests": "{request}", "latchkey.request.duration": "s", "latchkey.grants": "{grant}", "latchkey.tokens": "{token}",
		"latchkey.applications":     "{application}",
		"latchkey.reuse_detections": "{detection}", "latchkey.client_rejections": "{rejection}", "latchkey.sign_outs": "{sign-out}",
	}, units)
}

func (w *world) read() []metricdata.Metrics {
	var data metricdata.ResourceMetrics
	require.NoError(w.t, w.reader.Collect(w.t.Context(), &data))
	require.Len(w.t, data.ScopeMetrics, 1)
	return data.ScopeMetrics[0].Metrics
}

// collect reads OpenTelemetry's values under their Prometheus names.
func (w *world) collect() map[string]float64 {
	series := map[string]float64{}
	for _, m := range w.read() {
		name := strings.ReplaceAll(m.Name, ".", "_")
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			require.True(w.t, data.IsMonotonic, name)
			for _, p := range data.DataPoints {
				series[name+"_total"+labels(m.Name, p.Attributes)] = float64(p.Value)
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				series[name+"_seconds_count"+labels(m.Name, p.Attributes)] = float64(p.Count)
			}
		}
	}
	return series
}

func labels(metric string, attributes attribute.Set) string {
	names := map[attribute.Key]string{"latchkey.endpoint": "endpoint", "latchkey.action": "action", "error.type": "outcome"}
	var pairs []string
	for _, a := range attributes.ToSlice() {
		pairs = append(pairs, fmt.Sprintf("%s=%q", names[a.Key], a.Value.AsString()))
	}
	if metric == "latchkey.requests" && !attributes.HasValue("error.type") {
		pairs = append(pairs, `outcome="ok"`)
	}
	slices.Sort(pairs)
	if len(pairs) == 0 {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// The span of a request has the outcome and the events.
func TestSpansTellWhatHappened(t *testing.T) {
	w := newWorld(t)
	w.everything()
	type span struct {
		Name       string
		Attributes []struct {
			Key   string
			Value struct{ Value any }
		}
		Events      []struct{ Name string }
		SpanContext struct{ TraceID string }
		Status      struct{ Code, Description string }
	}
	found := map[string]span{}
	decoder := json.NewDecoder(strings.NewReader(w.spans.String()))
	for decoder.More() {
		var s span
		require.NoError(t, decoder.Decode(&s))
		key := s.Name
		for _, a := range s.Attributes {
			if a.Key == "latchkey.endpoint" || a.Key == "error.type" {
				key += " " + a.Value.Value.(string)
			}
		}
		for _, e := range s.Events {
			key += " " + e.Name
		}
		found[key] = s
	}
	for key, status := range map[string]string{
		"POST /oauth/token token latchkey.token.issued":                       "Unset",
		"POST /oauth/token token latchkey.token.retried":                      "Unset",
		"POST /oauth/token token invalid_grant latchkey.token.reuse_detected": "Unset",
		"POST /oauth/token token invalid_client latchkey.client.rejected":     "Unset",
		"POST /oauth/token token temporarily_unavailable":                     "Error",
		"POST /oauth/authorize authorize access_denied latchkey.grant.denied": "Unset",
		"GET /api/notes guard temporarily_unavailable":                        "Error",
		"POST /api/notes guard insufficient_scope":                            "Unset",
		"GET /.well-known/oauth-authorization-server metadata":                "Unset",
		"POST /login": "Unset",
	} {
		require.Contains(t, found, key)
		require.Equal(t, status, found[key].Status.Code, key)
	}

	// A log line has the trace ID.
	for _, line := range w.logLines() {
		if line["error"] == "insufficient_scope" {
			require.Equal(t, found["POST /api/notes guard insufficient_scope"].SpanContext.TraceID, line["trace_id"])
			return
		}
	}
	require.Fail(t, "no line about insufficient_scope")
}

// No metric, span, or log line has a secret or a user.
func TestNothingSecretIsTold(t *testing.T) {
	w := newWorld(t)
	w.everything()
	traced, err := json.Marshal(w.read())
	require.NoError(t, err)
	told := map[string]string{
		"the metrics page": get(t, w.metrics), "OpenTelemetry's metrics": string(traced), "the spans": w.spans.String(), "the log": w.log.String(),
	}
	require.Greater(t, len(w.recorder.secrets), 30, "there are secrets to look for")
	secret := []string{"ada@acme.example", "grace@acme.example", "user_1815", "user_1906", "Lovelace", "Hopper", "acme.example", "horse", "oac_", "oat_", "ort_"}
	for s := range w.recorder.secrets {
		secret = append(secret, s)
	}
	for where, text := range told {
		require.Greater(t, len(text), 1000, where)
		for _, s := range secret {
			if s == "secret" || s == "made-up" { // Words, not secrets.
				continue
			}
			for _, form := range []string{s, url.QueryEscape(s)} {
				require.NotContains(t, text, form, where)
			}
		}
	}
	// Metrics don't have the application either.
	apps, _, err := w.host.Provider.ListApplications(t.Context(), store.ApplicationQuery{})
	require.NoError(t, err)
	for _, app := range apps {
		for _, where := range []string{"the metrics page", "OpenTelemetry's metrics"} {
			require.NotContains(t, told[where], app.ID)
			require.NotContains(t, told[where], app.ClientID)
		}
	}
}

// The reference on an error page leads to the log line with the reason.
func TestErrorPagesReferenceIsInTheLog(t *testing.T) {
	w := newWorld(t)
	v := w.visitor()
	page := v.open(400, "/oauth/authorize?client_id=unknown")
	require.NoError(t, v.err)
	reference := regexp.MustCompile(`[0-9A-Z]{4}-[0-9A-Z]{4}`).FindString(page.Text())
	require.NotEmpty(t, reference, page.Text())

	var lines []map[string]any
	for _, line := range w.logLines() {
		if line["reference"] == reference {
			lines = append(lines, line)
		}
	}
	require.Len(t, lines, 1)
	require.Equal(t, "authorize", lines[0]["endpoint"])
	require.Equal(t, "invalid_client", lines[0]["error"])
	require.Equal(t, "INFO", lines[0]["level"])
}

// The log line about token reuse leads to the grant and its user.
func TestReuseIsLoggedWithItsGrant(t *testing.T) {
	w := newWorld(t)
	w.everything()
	var reuse provider.Event
	for _, e := range w.events {
		if e.Kind == provider.EventReuseDetected {
			reuse = e
		}
	}
	for _, line := range w.logLines() {
		if line["level"] == "WARN" && line["grant"] != nil {
			require.Equal(t, reuse.GrantID.String(), line["grant"])
			require.Equal(t, reuse.ApplicationID, line["application"])
			return
		}
	}
	require.Fail(t, "no line about the reuse")
}

// The load does what its comments say, and nothing else.
func TestLoad(t *testing.T) {
	w := newWorld(t)
	const visits = 80 // enough to reach every combination
	for n := 1; n <= visits; n++ {
		require.NoError(t, w.wiki.visit(t.Context(), n), "visit %d", n)
	}
	got := scrape(t, w.metrics)
	for series, want := range map[string]float64{
		`latchkey_grants_total{action="created"}`:                                visits,
		`latchkey_grants_total{action="denied"}`:                                 visits / 7,
		`latchkey_grants_total{action="revoked"}`:                                visits/8 - visits/40,
		`latchkey_tokens_total{action="issued"}`:                                 visits,
		`latchkey_tokens_total{action="refreshed"}`:                              visits + 2*(visits/10),
		`latchkey_tokens_total{action="retried"}`:                                visits / 3,
		`latchkey_tokens_total{action="revoked"}`:                                visits/8 - visits/40,
		`latchkey_reuse_detections_total`:                                        visits / 10,
		`latchkey_client_rejections_total`:                                       visits / 11,
		`latchkey_requests_total{endpoint="guard",outcome="invalid_token"}`:      visits / 5,
		`latchkey_requests_total{endpoint="guard",outcome="insufficient_scope"}`: visits / 6,
		`latchkey_requests_total{endpoint="authorize",outcome="invalid_client"}`: visits / 9,
	} {
		require.Equal(t, want, got[series], series)
	}
}
