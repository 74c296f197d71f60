package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const backendKey = "sk_test_of_the_observability_example"

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost
	os.Exit(m.Run())
}

// world is the program's app with all its telemetry, on a real port.
type world struct {
	t        *testing.T
	host     *acme.Host
	hooks    hooks
	wiki     *load
	url      string // of the app
	metrics  string // of the page for Prometheus
	kept     *storetest.Breakable
	reader   *sdkmetric.ManualReader
	log      *buffer
	spans    *buffer
	recorder *recorder

	mu     sync.Mutex
	events []provider.Event
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, kept: storetest.NewBreakable(memory.New()), reader: sdkmetric.NewManualReader(), log: &buffer{}, spans: &buffer{}, recorder: &recorder{}}
	app := httptest.NewUnstartedServer(nil)
	w.url = "http://" + app.Listener.Addr().String()

	registry := prometheus.NewRegistry()
	toOTel, err := newOTel(sdkmetric.NewMeterProvider(sdkmetric.WithReader(w.reader)).Meter(scopeName))
	require.NoError(t, err)
	logger := newLogger(w.log)
	w.hooks = hooks{newWatch(logger), newPrometheus(registry), toOTel, w.keep}
	w.host, err = newHost(w.url, w.kept, logger, w.hooks.call)
	require.NoError(t, err)
	w.wiki, err = newLoad(t.Context(), w.url, w.host.Provider)
	require.NoError(t, err)
	w.wiki.transport = w.recorder

	spans, err := stdouttrace.New(stdouttrace.WithWriter(w.spans))
	require.NoError(t, err)
	tracers := sdktrace.NewTracerProvider(sdktrace.WithSyncer(spans))
	mux := http.NewServeMux()
	mux.Handle("/", handler(w.host))
	mux.Handle("/v1/", clerkapi.Handler(w.host.Provider, provider.BearerKey(backendKey), clerkapi.Options{}))
	app.Config.Handler = traced(tracers.Tracer(scopeName), mux)
	app.Start()
	t.Cleanup(app.Close)
	metrics := httptest.NewServer(promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	t.Cleanup(metrics.Close)
	w.metrics = metrics.URL
	return w
}

func (w *world) keep(_ context.Context, e provider.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, e)
}

// visitor is a new user.
func (w *world) visitor() *visitor {
	return &visitor{load: w.wiki, ctx: w.t.Context(), browser: browser.New(w.recorder)}
}

// everything causes each event and each rejection that the alerts and the dashboard
// use.
func (w *world) everything() {
	t, ada, grace := w.t, w.visitor(), w.visitor()

	// Ada signs in, and Wiki uses its tokens: it refreshes, repeats the refresh,
	// refreshes again, and then reuses the code, which revokes the grant.
	code := url.Values{"grant_type": {"authorization_code"}, "redirect_uri": {callback}, "code": {ada.authorize("ada", "Allow", nil).Get("code")}}
	first := ada.tokens(code)
	ada.api(200, "GET", "/api/notes", first.Access)
	ada.api(200, "GET", "/oauth/userinfo", first.Access)
	ada.api(403, "POST", "/api/notes", first.Access)
	second := ada.refresh(first)
	require.Equal(t, second, ada.refresh(first), "a repeated refresh gets the same pair")
	third := ada.refresh(second)
	ada.post(400, "/oauth/token", w.wiki.secret, code)
	replay := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {first.Refresh}}
	ada.api(401, "GET", "/api/notes", third.Access)
	ada.api(401, "GET", "/oauth/userinfo", third.Access)

	// A wrong secret, an unknown client, and a broken link.
	ada.post(401, "/oauth/token", "an-old-secret", replay)
	unknown := *w.wiki
	unknown.clientID = "unknown"
	(&visitor{load: &unknown, ctx: ada.ctx}).post(401, "/oauth/token", "secret", replay)
	ada.open(400, "/oauth/authorize?client_id=unknown")
	ada.open(200, "/.well-known/oauth-authorization-server")

	// Grace denies access, then allows it, and signs out of Wiki.
	grace.authorize("grace", "Cancel", nil)
	code.Set("code", grace.authorize("grace", "Allow", nil).Get("code"))
	first = grace.tokens(code)
	grace.post(200, "/oauth/token_info", w.wiki.secret, url.Values{"token": {first.Access}})
	grace.post(200, "/oauth/token/revoke", w.wiki.secret, url.Values{"token": {first.Access}})
	grace.post(200, "/oauth/token/revoke", w.wiki.secret, url.Values{"token": {first.Refresh}})

	// She signs in again, and Acme revokes her grants.
	code.Set("code", grace.authorize("grace", "Allow", nil).Get("code"))
	first = grace.tokens(code)
	require.NoError(t, w.host.Provider.RevokeGrants(t.Context(), provider.GrantFilter{UserID: "user_1906"}))

	// Acme issues a token for her, and revokes all grants of Wiki.
	wiki, err := w.host.Provider.FindClient(t.Context(), w.wiki.clientID)
	require.NoError(t, err)
	_, secret, err := w.host.Provider.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_1906", ApplicationID: wiki.ID})
	require.NoError(t, err)
	w.recorder.add(secret.Reveal())
	require.NoError(t, w.host.Provider.RevokeGrants(t.Context(), provider.GrantFilter{ApplicationID: wiki.ID}))

	// A program registers itself, changes its registration, and deletes it.
	ada.register(400, "POST", "", "", `{}`)
	var own struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret"`
		Token  string `json:"registration_access_token"`
	}
	require.NoError(t, json.Unmarshal(ada.register(201, "POST", "", "", `{"redirect_uris":["https://agent.example.com/callback"]}`), &own))
	w.recorder.add(own.Secret)
	ada.register(200, "PUT", "/"+own.ID, own.Token, `{"client_id":"`+own.ID+`","redirect_uris":["https://agent.example.com/callback"]}`)
	ada.register(204, "DELETE", "/"+own.ID, own.Token, "")
	ada.register(401, "GET", "/"+own.ID, own.Token, "")

	// A named administrator registers an application and makes every change to it.
	as, p := provider.WithActor(t.Context(), "user_root"), w.host.Provider
	board, secret, err := p.CreateApplication(as, provider.ApplicationSettings{Name: "Board"})
	require.NoError(t, err)
	w.recorder.add(secret.Reveal())
	_, err = p.UpdateApplication(as, board.ID, func(s *provider.ApplicationSettings) error { s.Name = "Boards"; return nil })
	require.NoError(t, err)
	secret, err = p.AddSecret(as, board.ID, time.Now().Add(time.Hour))
	require.NoError(t, err)
	w.recorder.add(secret.Reveal())
	for _, on := range []bool{true, false} {
		_, err = p.ReviewApplication(as, board.ID, on)
		require.NoError(t, err)
		_, err = p.DisableApplication(as, board.ID, on)
		require.NoError(t, err)
	}
	require.NoError(t, p.DeleteApplication(as, board.ID))

	// An administrator lists the applications, with and without a working store.
	ada.api(200, "GET", "/v1/oauth_applications", backendKey)
	w.kept.Fail(errDown)
	ada.api(503, "GET", "/v1/oauth_applications", backendKey)
	ada.api(503, "GET", "/api/notes", first.Access)
	ada.post(503, "/oauth/token", w.wiki.secret, replay)
	w.kept.Heal()

	require.NoError(t, ada.err)
	require.NoError(t, grace.err)
	w.signsOut()
	w.runsAJob()
}

// runsAJob gets and revokes the token of a machine, at another provider, because
// Acme doesn't accept machines.
func (w *world) runsAJob() {
	h := providertest.New(w.t, func(c *provider.Config) {
		c.Machines = &provider.Machines{}
		c.Events = func(ctx context.Context, e provider.Event) {
			if e.Machine {
				w.keep(ctx, e)
			}
		}
	})
	job, secret, err := h.Provider.CreateApplication(w.t.Context(), provider.ApplicationSettings{Name: "Nightly job", MachineScopes: scopes.New(scopes.Email)})
	require.NoError(w.t, err)
	nightly := *w.wiki
	nightly.issuer, nightly.clientID, nightly.secret = h.URL, job.ClientID, secret.Reveal()
	v := &visitor{load: &nightly, ctx: w.t.Context()}
	got := v.tokens(url.Values{"grant_type": {"client_credentials"}})
	v.post(200, "/oauth/token/revoke", nightly.secret, url.Values{"token": {got.Access}})
	require.NoError(w.t, v.err)
}

// signsOut signs a user out at another provider, because Acme has no sign-out
// endpoint.
func (w *world) signsOut() {
	h := providertest.New(w.t, func(c *provider.Config) {
		c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{SignOut: func(http.ResponseWriter, *http.Request) error { return nil }}
		c.Events = func(ctx context.Context, e provider.Event) {
			if e.Kind == provider.EventSignedOut {
				w.hooks.call(ctx, e)
			}
		}
	})
	h.SignIn("user_ada")
	send := func(method string, form url.Values) string {
		r, err := http.NewRequestWithContext(w.t.Context(), method, h.Provider.Endpoints().Logout, strings.NewReader(form.Encode()))
		require.NoError(w.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		_, page := hosttest.Send(w.t, h.Client, r)
		return page
	}
	form := hosttest.Fields(send("GET", nil))
	form.Set("decision", "allow")
	send("POST", form)
}

// register sends a request to the registration endpoint or a path below it.
func (v *visitor) register(want int, method, path, token, body string) []byte {
	return v.send(want, method, "/oauth/register"+path, strings.NewReader(body), func(r *http.Request) {
		r.Header.Set("Content-Type", "application/json")
		if token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
	})
}

// get reads a page.
func get(t *testing.T, address string) string {
	answer, err := http.Get(address)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode, string(body))
	return string(body)
}

// scrape reads the page for Prometheus and returns the value of each series, by its
// name and labels.
func scrape(t *testing.T, address string) map[string]float64 {
	series := map[string]float64{}
	lines := bufio.NewScanner(strings.NewReader(get(t, address)))
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		if name == "#" {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		require.NoError(t, err, lines.Text())
		series[name] = number
	}
	return series
}

// logLines reads the log, which has a JSON object on each line.
func (w *world) logLines() []map[string]any {
	var lines []map[string]any
	for _, text := range strings.Split(strings.TrimSpace(w.log.String()), "\n") {
		var line map[string]any
		require.NoError(w.t, json.Unmarshal([]byte(text), &line), text)
		lines = append(lines, line)
	}
	return lines
}

// buffer is a bytes.Buffer for several goroutines.
type buffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

var errDown = errors.New("the store is down")

// recorder is an http.RoundTripper that records every secret in requests and
// responses.
type recorder struct {
	mu      sync.Mutex
	secrets map[string]bool
}

func (rec *recorder) RoundTrip(r *http.Request) (*http.Response, error) {
	if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		rec.add(token)
	}
	if _, secret, ok := r.BasicAuth(); ok {
		rec.add(secret)
	}
	for _, c := range r.Cookies() {
		rec.add(c.Value)
	}
	if r.GetBody != nil {
		body, _ := r.GetBody()
		text, _ := io.ReadAll(body)
		form, _ := url.ParseQuery(string(text))
		rec.addForm(form)
	}
	rec.addForm(r.URL.Query())
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	for _, c := range answer.Cookies() {
		rec.add(c.Value)
	}
	if to, err := answer.Location(); err == nil {
		rec.addForm(to.Query())
	}
	body, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	answer.Body = io.NopCloser(bytes.NewReader(body))
	var p pair
	if json.Unmarshal(body, &p) == nil {
		rec.add(p.Access)
		rec.add(p.Refresh)
	}
	return answer, err
}

// addForm adds the secret fields of a form.
func (rec *recorder) addForm(form url.Values) {
	for _, name := range []string{"code", "token", "refresh_token", "client_secret", "password", "seal", "request"} {
		for _, value := range form[name] {
			rec.add(value)
		}
	}
}

func (rec *recorder) add(secret string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	if rec.secrets == nil {
		rec.secrets = map[string]bool{}
	}
	if secret != "" {
		rec.secrets[secret] = true
	}
}
