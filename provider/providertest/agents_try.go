package providertest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider"
)

// TryAgents signs in to the host as each agent does, and fails the test for
// each agent that the host would refuse, with the reason and the field of the
// Config to change. Without agents, it tries all of [Agents].
//
// An agent reads the metadata, uses its document or registers itself, has the
// user agree, gets tokens for each of Config.Resources, and refreshes them. As
// in [Authorize], the user must be signed in in the browser. Applications that
// it makes are deleted when the test ends.
//
// Set [AgentDocuments] as Config.Transport, because documents are on the
// agents' hosts. If your host doesn't allow all agents, pass those to try.
func TryAgents(t testing.TB, p *provider.Provider, browser *http.Client, agents ...Agent) {
	t.Helper()
	if len(agents) == 0 {
		agents = Agents()
	}
	h, err := findWay(t.Context(), p, browser)
	if err != nil {
		t.Fatalf("providertest: TryAgents: no agent can find the endpoints: %v", err)
	}
	for _, a := range agents {
		if err := h.try(t, a); err != nil {
			t.Errorf("providertest: TryAgents: %s would be refused: %v\nSource: %s", a.Name, err, a.Source)
		}
	}
}

// agentHost is what an agent knows about a host.
type agentHost struct {
	p         *provider.Provider
	browser   *http.Client
	program   *http.Client // the agent's client
	metadata  serverMetadata
	resources []resourceMetadata
}

// serverMetadata is the part of RFC 8414's document that agents read.
type serverMetadata struct {
	Authorize   string   `json:"authorization_endpoint"`
	Token       string   `json:"token_endpoint"`
	Register    string   `json:"registration_endpoint"`
	Documents   bool     `json:"client_id_metadata_document_supported"`
	AuthMethods []string `json:"token_endpoint_auth_methods_supported"`
	Scopes      []string `json:"scopes_supported"`
	Resources   []string `json:"protected_resources"`
}

// resourceMetadata is the part of RFC 9728's document that agents read.
type resourceMetadata struct {
	Resource string   `json:"resource"`
	Scopes   []string `json:"scopes_supported"`
}

// refusedAgent says why an agent is refused, and which field of the Config to
// change.
type refusedAgent struct {
	why   error
	field string
}

func (e *refusedAgent) Error() string { return fmt.Sprintf("%v\nChange %s.", e.why, e.field) }
func (e *refusedAgent) Unwrap() error { return e.why }

// findWay reads the metadata, as agents do first.
func findWay(ctx context.Context, p *provider.Provider, browser *http.Client) (*agentHost, error) {
	if browser == nil {
		return nil, errors.New("the browser is nil: pass a client with a cookie jar and a signed-in user, such as Host.Client")
	}
	h := &agentHost{p: p, browser: browser, program: &http.Client{Transport: browser.Transport, Timeout: patience, CheckRedirect: stay}}
	at := p.Endpoints()
	if at.Metadata == "" {
		return nil, &refusedAgent{errors.New("there is no metadata document, where agents look for the endpoints"), "Config.Paths.NoMetadata"}
	}
	if err := h.read(ctx, at.Metadata, &h.metadata); err != nil {
		return nil, err
	}
	if h.metadata.Authorize == "" || h.metadata.Token == "" {
		return nil, &refusedAgent{errors.New("the metadata has no authorization endpoint or no token endpoint"), "Config.Paths"}
	}
	own, _, _ := strings.Cut(at.Metadata, "/.well-known/")
	for _, name := range h.metadata.Resources {
		var found resourceMetadata
		resource := p.Resource(name)
		if !strings.HasPrefix(resource.MetadataURL(), own+"/") {
			// It is on another host, which may not be running in this test.
			w := httptest.NewRecorder()
			resource.MetadataHandler().ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, resource.MetadataURL(), nil))
			if err := json.Unmarshal(w.Body.Bytes(), &found); err != nil {
				return nil, err
			}
		} else if err := h.read(ctx, resource.MetadataURL(), &found); err != nil {
			return nil, err
		}
		h.resources = append(h.resources, found)
	}
	return h, nil
}

// read fetches a metadata document.
func (h *agentHost) read(ctx context.Context, address string, into any) error {
	status, body, err := h.send(ctx, http.MethodGet, address, "")
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(body), into); err != nil || status != http.StatusOK {
		return fmt.Errorf("the metadata at %s is answered with status %d: %s\nMount it there, and let requests without cookies through to it (Provider.Mount, Provider.Routes)", address, status, excerpt(body))
	}
	return nil
}

// send makes a request as a program does. A body is JSON.
func (h *agentHost) send(ctx context.Context, method, address, body string) (status int, answer string, err error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	w, err := h.program.Do(r)
	if err != nil {
		return 0, "", fmt.Errorf("the host cannot be reached; is Config.Issuer the URL of the test's server? %w", err)
	}
	answer, err = readBody(w)
	return w.StatusCode, answer, err
}

// try runs the whole sign-in of one agent.
func (h *agentHost) try(t testing.TB, a Agent) error {
	ctx := t.Context()
	clientID, err := h.introduce(t, a)
	if err != nil {
		return err
	}
	targets := h.resources
	if a.NoResource || len(targets) == 0 {
		targets = []resourceMetadata{{}}
	}
	for _, target := range targets {
		tokens, err := h.signIn(ctx, a, clientID, target)
		if err != nil {
			return err
		}
		if err := h.checkToken(ctx, a, tokens, target); err != nil {
			return err
		}
	}
	return nil
}

// introduce returns the client_id that the agent has at the host: its document
// if the host accepts it, or one that it gets by registering itself.
func (h *agentHost) introduce(t testing.TB, a Agent) (clientID string, err error) {
	if h.usesDocument(a) {
		clientID = a.ClientID
		if _, err := h.p.FindClient(t.Context(), clientID); err == nil {
			return clientID, nil // It existed before the test.
		}
	} else if clientID, err = h.register(t.Context(), a); err != nil {
		return "", err
	}
	ctx := context.WithoutCancel(t.Context()) // The test's context has ended by the cleanup.
	t.Cleanup(func() {
		app, err := h.p.FindClient(ctx, clientID)
		if err != nil {
			return // No one agreed to it, so nothing was saved.
		}
		if err := h.p.DeleteApplication(ctx, app.ID); err != nil {
			t.Logf("providertest: the application %s is left over: %v", app.ID, err)
		}
	})
	return clientID, nil
}

func (h *agentHost) usesDocument(a Agent) bool {
	return a.ClientID != "" && h.metadata.Documents && slices.Contains(h.metadata.AuthMethods, "none")
}

func (h *agentHost) register(ctx context.Context, a Agent) (clientID string, err error) {
	switch {
	case h.metadata.Register == "" && a.ClientID != "":
		return "", &refusedAgent{errors.New("neither its document nor its registration is accepted"), "Config.ClientIDDocuments, or Config.Registration,"}
	case h.metadata.Register == "" || a.Registration == "":
		return "", &refusedAgent{errors.New("it must register itself, but registration is off"), "Config.Registration"}
	}
	status, body, err := h.send(ctx, http.MethodPost, h.metadata.Register, a.Registration)
	if err != nil {
		return "", err
	}
	var answer struct {
		ClientID string `json:"client_id"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err == nil && status == http.StatusCreated && answer.ClientID != "" {
		return answer.ClientID, nil
	}
	why := fmt.Errorf("its registration is answered with status %d: %s", status, excerpt(body))
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return "", &refusedAgent{why, "Config.Registration.Allow"}
	case http.StatusTooManyRequests:
		return "", &refusedAgent{why, "Config.Limit"}
	}
	return "", why // What it registers is refused everywhere.
}

// signIn gets tokens for a resource, and refreshes them.
func (h *agentHost) signIn(ctx context.Context, a Agent, clientID string, target resourceMetadata) (Tokens, error) {
	verifier, state := rand.Text()+rand.Text(), rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	request := url.Values{
		"response_type": {"code"}, "client_id": {clientID}, "redirect_uri": {a.RedirectURI}, "state": {state},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	set(request, "scope", h.scope(a, target))
	set(request, "prompt", a.Prompt)
	set(request, "resource", target.Resource)
	answer, err := visit(ctx, h.browser, h.metadata.Authorize+"?"+request.Encode(), allow)
	if err != nil {
		return Tokens{}, h.refusedByPage(a, err)
	}
	if code := answer.Query().Get("error"); code != "" || answer.Query().Get("state") != state {
		why := fmt.Errorf("the authorization endpoint answers: %s: %s", code, answer.Query().Get("error_description"))
		switch code {
		case "invalid_scope":
			return Tokens{}, &refusedAgent{why, h.feature(a) + ".Scopes"}
		case "invalid_target":
			return Tokens{}, &refusedAgent{why, "Config.Resources"}
		}
		return Tokens{}, why
	}
	form := url.Values{"grant_type": {"authorization_code"}, "client_id": {clientID}, "code": {answer.Query().Get("code")},
		"redirect_uri": {a.RedirectURI}, "code_verifier": {verifier}}
	set(form, "resource", target.Resource)
	tokens, err := redeem(ctx, h.browser, h.metadata.Token, form)
	if err != nil || tokens.RefreshToken == "" {
		return tokens, err
	}
	form = url.Values{"grant_type": {"refresh_token"}, "client_id": {clientID}, "refresh_token": {tokens.RefreshToken}}
	set(form, "resource", target.Resource)
	return redeem(ctx, h.browser, h.metadata.Token, form)
}

// set omits empty parameters, as agents do.
func set(params url.Values, name, value string) {
	if value != "" {
		params.Set(name, value)
	}
}

// scope returns the scope that the agent asks for.
func (h *agentHost) scope(a Agent, target resourceMetadata) string {
	asked := target.Scopes
	if a.AllScopes || target.Resource == "" {
		asked = h.metadata.Scopes
	}
	if a.OfflineAccess {
		asked = append(slices.Clip(asked), "offline_access")
	}
	return strings.Join(asked, " ")
}

// feature returns the part of the Config that allows the agent.
func (h *agentHost) feature(a Agent) string {
	if h.usesDocument(a) {
		return "Config.ClientIDDocuments"
	}
	return "Config.Registration"
}

// refusedByPage says what to change if the visit ended on a page. Only a page
// of the provider is about the agent.
func (h *agentHost) refusedByPage(a Agent, err error) error {
	var refusal *pageError
	if !errors.As(err, &refusal) || refusal.page.status == http.StatusUnauthorized {
		return err
	}
	switch body := refusal.page.body; {
	case refusal.page.status == http.StatusTooManyRequests:
		return &refusedAgent{err, "Config.Limit"}
	case !h.usesDocument(a), strings.Contains(body, "invalid_request"):
		return err // Its request is wrong, and would fail everywhere.
	case strings.Contains(body, "The document at"):
		return &refusedAgent{err, "Config.Transport: in a test it is AgentDocuments()"}
	}
	return &refusedAgent{err, "Config.ClientIDDocuments.Allow"}
}

// checkToken checks that the token works for what the agent wants to use.
func (h *agentHost) checkToken(ctx context.Context, a Agent, tokens Tokens, target resourceMetadata) error {
	switch {
	case target.Resource != "":
		_, err := h.p.Resource(target.Resource).Verify(ctx, tokens.AccessToken)
		return err
	case len(h.resources) == 0:
		_, err := h.p.Verify(ctx, tokens.AccessToken)
		return err
	}
	for _, r := range h.resources {
		if _, err := h.p.Resource(r.Resource).Verify(ctx, tokens.AccessToken); err == nil {
			return nil
		}
	}
	return &refusedAgent{errors.New("it names no resource, and its token is not for any of Config.Resources"), h.feature(a) + ".Resource"}
}
