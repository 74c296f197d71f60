package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // It is slow under the race detector.
	m.Run()
}

// world is Acme Notes on a free port for one test.
type world struct {
	*app
	t   *testing.T
	url string

	vendor    *httptest.Server // serves the client document of an agent
	documents atomic.Int32     // how often it was fetched

	mu       sync.Mutex
	events   map[provider.EventKind]int
	requests []string // methods and paths
}

func newWorld(t *testing.T, edit ...func(*provider.Config)) *world {
	t.Helper()
	w := &world{t: t, events: map[provider.EventKind]int{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(w.serve))
	w.url = "http://localhost:" + strconv.Itoa(server.Listener.Addr().(*net.TCPAddr).Port)
	cfg := forAgents(provider.Config{Issuer: w.url, Store: memory.New(), Events: w.note, Logger: slog.New(slog.DiscardHandler)})
	cfg.Transport = w.newVendor()
	for _, e := range edit {
		e(&cfg)
	}
	var err error
	w.app, err = newApp(cfg)
	require.NoError(t, err)
	server.Start()
	t.Cleanup(server.Close)
	return w
}

// documentURL is the client_id of the agent with a document. httptest has a
// certificate for this host.
const documentURL = "https://agent.example.com/agent.json"

// newVendor starts a server with a document, and returns a transport that reaches
// it under documentURL. By default, a provider fetches nothing from its own
// machine.
func (w *world) newVendor() http.RoundTripper {
	w.vendor = httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		w.documents.Add(1)
		rw.Header().Set("Content-Type", "application/json")
		json.NewEncoder(rw).Encode(map[string]any{
			"client_id": documentURL, "client_name": "Documented agent", "redirect_uris": []string{redirectURI},
			"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"},
		})
	}))
	w.t.Cleanup(w.vendor.Close)
	transport := w.vendor.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, w.vendor.Listener.Addr().String())
	}
	return transport
}

func (w *world) serve(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	w.requests = append(w.requests, r.Method+" "+r.URL.Path)
	w.mu.Unlock()
	w.ServeHTTP(rw, r)
}

func (w *world) note(_ context.Context, e provider.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Kind != provider.EventRequest {
		w.events[e.Kind]++
	}
}

// happened returns the events since the last call.
func (w *world) happened() map[provider.EventKind]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = map[provider.EventKind]int{}
	return events
}

// requested returns the requests since the last call, without those of browsers.
func (w *world) requested() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests := slices.DeleteFunc(w.requests, func(r string) bool {
		return strings.HasSuffix(r, "/oauth/authorize") || strings.HasSuffix(r, "/login")
	})
	w.requests = nil
	return requests
}

// agent is the SDK's client with its user.
type agent struct {
	*world
	*mcp.ClientSession

	person  *browser.Browser
	login   string
	back    string       // its redirect URI
	asked   []url.Values // the authorization requests, in order
	consent []string     // the texts of the consent pages
	token   string       // the newest that it has sent
}

const redirectURI = "http://127.0.0.1:3142/callback"

// agent connects a client for ada or grace, registered as the caller chooses.
func (w *world) agent(login string, register func(*auth.AuthorizationCodeHandlerConfig)) *agent {
	w.t.Helper()
	a := &agent{world: w, person: browser.New(nil), login: login}
	config := &auth.AuthorizationCodeHandlerConfig{RedirectURL: redirectURI, AuthorizationCodeFetcher: a.signIn, RequestRefreshToken: true}
	register(config)
	a.back = config.RedirectURL
	handler, err := auth.NewAuthorizationCodeHandler(config)
	require.NoError(w.t, err)
	client := mcp.NewClient(&mcp.Implementation{Name: "test", Version: "1"}, nil)
	transport := &mcp.StreamableClientTransport{Endpoint: w.url + "/mcp", OAuthHandler: handler, HTTPClient: &http.Client{Transport: a}}
	a.ClientSession, err = client.Connect(w.t.Context(), transport, nil)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, a.Close()) })
	return a
}

// RoundTrip records the token of each request to the MCP server.
func (a *agent) RoundTrip(r *http.Request) (*http.Response, error) {
	if token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); token != "" {
		a.mu.Lock()
		a.token = token
		a.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// signIn answers the client's authorization request.
func (a *agent) signIn(_ context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
	request, err := url.Parse(args.URL)
	require.NoError(a.t, err)
	a.asked = append(a.asked, request.Query())
	answer := a.answer(args.URL)
	return &auth.AuthorizationResult{Code: answer.Get("code"), State: answer.Get("state"), Iss: answer.Get("iss")}, nil
}

// answer opens an authorization request, signs in if necessary, and allows
// everything. It returns the authorization response.
func (a *agent) answer(address string) url.Values {
	a.t.Helper()
	ctx := a.t.Context()
	page, err := a.person.Open(ctx, address)
	require.NoError(a.t, err)
	if strings.HasPrefix(page.Leads(), a.url+"/login") {
		page, err = a.person.Follow(ctx, page)
		require.NoError(a.t, err)
		page, err = a.person.Press(ctx, page, "Sign in", map[string]string{"login": a.login, "password": acme.Password})
		require.NoError(a.t, err)
		page, err = a.person.Follow(ctx, page)
		require.NoError(a.t, err)
	}
	a.consent = append(a.consent, page.Text())
	page, err = a.person.Press(ctx, page, "Allow", nil)
	require.NoError(a.t, err)
	require.True(a.t, strings.HasPrefix(page.Leads(), a.back+"?"), page.Describe())
	back, err := url.Parse(page.Leads())
	require.NoError(a.t, err)
	return back.Query()
}

// scopes returns the scopes of each authorization request, sorted, because the SDK
// sends them in any order.
func (a *agent) scopes() (asked []string) {
	for _, request := range a.asked {
		names := strings.Fields(request.Get("scope"))
		slices.Sort(names)
		asked = append(asked, strings.Join(names, " "))
	}
	return asked
}

// call calls a tool and decodes its result.
func (a *agent) call(name string, arguments map[string]any, into any) {
	a.t.Helper()
	result, err := a.CallTool(a.t.Context(), &mcp.CallToolParams{Name: name, Arguments: arguments})
	require.NoError(a.t, err)
	require.False(a.t, result.IsError, "%v", result.Content)
	content, err := json.Marshal(result.StructuredContent)
	require.NoError(a.t, err)
	require.NoError(a.t, json.Unmarshal(content, into))
}

// titles returns the titles of the notes from list_notes.
func (a *agent) titles() []string {
	a.t.Helper()
	var got struct{ Notes []acme.Note }
	a.call("list_notes", nil, &got)
	var titles []string
	for _, n := range got.Notes {
		titles = append(titles, n.Title)
	}
	return titles
}

func (a *agent) addNote(title string) {
	a.t.Helper()
	a.call("add_note", map[string]any{"title": title, "text": "x"}, &struct{}{})
}

// The notes at the start.
var (
	notesOfAda   = []string{"Bernoulli numbers", "Flying machine"}
	notesOfGrace = []string{"Nanoseconds", "Relay 70, panel F"}
)

// known registers a client in advance.
func (w *world) known(public bool) *oauthex.ClientCredentials {
	w.t.Helper()
	app, secret, err := w.Provider.CreateApplication(w.t.Context(), provider.ApplicationSettings{
		Name: "Known agent", Public: public, RedirectURIs: []string{redirectURI}, Scopes: scopes.New("notes:read", "notes:write")})
	require.NoError(w.t, err)
	credentials := &oauthex.ClientCredentials{ClientID: app.ClientID, Issuer: w.url}
	if !public {
		credentials.ClientSecretAuth = &oauthex.ClientSecretAuth{ClientSecret: secret.Reveal()}
	}
	return credentials
}

// The ways to register a client.

func (w *world) registered() func(*auth.AuthorizationCodeHandlerConfig) {
	credentials := w.known(true)
	return func(c *auth.AuthorizationCodeHandlerConfig) { c.PreregisteredClient = credentials }
}

func (w *world) registeredWithSecret() func(*auth.AuthorizationCodeHandlerConfig) {
	credentials := w.known(false)
	return func(c *auth.AuthorizationCodeHandlerConfig) { c.PreregisteredClient = credentials }
}

func (w *world) isDocumented() func(*auth.AuthorizationCodeHandlerConfig) {
	return func(c *auth.AuthorizationCodeHandlerConfig) {
		c.ClientIDMetadataDocumentConfig = &auth.ClientIDMetadataDocumentConfig{URL: documentURL}
	}
}

func (w *world) registersItself() func(*auth.AuthorizationCodeHandlerConfig) {
	return registersWith("none")
}

// Without a method, the client gets a secret (RFC 7591).
func (w *world) registersItselfWithSecret() func(*auth.AuthorizationCodeHandlerConfig) {
	return registersWith("")
}

func registersWith(method string) func(*auth.AuthorizationCodeHandlerConfig) {
	return func(c *auth.AuthorizationCodeHandlerConfig) {
		c.DynamicClientRegistrationConfig = &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName: "Unknown agent", RedirectURIs: []string{redirectURI}, TokenEndpointAuthMethod: method,
			GrantTypes: []string{"authorization_code", "refresh_token"}}}
	}
}

// reply is a response with its body.
type reply struct {
	*http.Response
	body string
}

// send sends a request like a program.
func (w *world) send(method, path, token, body string, header ...string) reply {
	w.t.Helper()
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	require.NoError(w.t, err)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Accept", "application/json, text/event-stream")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(w.t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(w.t, err)
	return reply{answer, string(content)}
}
