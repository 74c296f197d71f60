package browser

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// swagger is a page with Swagger UI on another site, for the API of a host.
type swagger struct {
	url   string
	oauth map[string]any // the configuration of its application in Swagger UI
}

const swaggerPage = `<link rel="stylesheet" href="swagger-ui.css"><div id="ui"></div><script src="swagger-ui-bundle.js"></script>
<script>
const ui = SwaggerUIBundle({url: "openapi.json", dom_id: "#ui"});
ui.initOAuth({{.}});
</script>`

func newSwagger(h *host, n provider.ApplicationSettings, oauth map[string]any) *swagger {
	h.t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	h.t.Cleanup(server.Close)
	s := &swagger{url: strings.Replace(server.URL, "127.0.0.1", "localhost", 1), oauth: oauth}
	n.Name, n.RedirectURIs, n.Scopes = "API explorer", []string{s.url + "/oauth2-redirect.html"}, scopes.New("profile", "email", "notes:read")
	app, secret := h.application(n)
	oauth["clientId"], oauth["clientSecret"] = app.ClientID, secret

	for _, name := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "oauth2-redirect.html", "oauth2-redirect.js"} {
		path := npmPackage(h.t, "swagger-ui-dist", name)
		mux.HandleFunc("GET /"+name, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, path) })
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { show(w, swaggerPage, oauth) })
	mux.HandleFunc("GET /openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		needs := func(id string, scope ...string) map[string]any {
			return map[string]any{"get": map[string]any{
				"operationId": id, "tags": []string{"acme"}, "security": []any{map[string]any{"acme": scope}},
				"responses": map[string]any{"200": map[string]any{"description": "All is well."}},
			}}
		}
		json.NewEncoder(w).Encode(map[string]any{
			"openapi": "3.0.3",
			"info":    map[string]any{"title": "Acme Notes", "version": "1"},
			"servers": []any{map[string]any{"url": h.url}},
			"paths":   map[string]any{"/api/open/notes": needs("notes", "notes:read"), "/oauth/userinfo": needs("userinfo", "profile")},
			"components": map[string]any{"securitySchemes": map[string]any{"acme": map[string]any{
				"type": "oauth2",
				"flows": map[string]any{"authorizationCode": map[string]any{
					"authorizationUrl": h.Endpoints().Authorize, "tokenUrl": h.Endpoints().Token,
					"scopes": map[string]any{"profile": "Who you are", "email": "Your address", "notes:read": "Your notes"},
				}},
			}}},
		})
	})
	return s
}

// appears waits until a selector matches an element.
func (p *page) appears(selector string) {
	p.t.Helper()
	eval[bool](p, `async s => {
		while (!document.querySelector(s)) await new Promise(done => setTimeout(done, 20));
		return true;
	}`, selector)
}

// opens does something that opens a window at a URL, and returns the window.
func (p *page) opens(prefix string, do func()) *page {
	p.t.Helper()
	opened := chromedp.WaitNewTarget(p.ctx, func(i *target.Info) bool { return strings.HasPrefix(i.URL, prefix) })
	do()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	var id target.ID
	select {
	case id = <-opened:
	case <-ctx.Done():
		p.t.Fatalf("no window was opened at %s", prefix)
	}
	w := openPage(p.t, p.ctx, chromedp.WithTargetID(id))
	w.allows("failed: : ") // Of earlier requests, the test sees only the ends.
	if there := eval[string](w, `() => document.readyState === "complete" ? location.href : ""`); there != "" {
		w.mu.Lock()
		w.url, w.loaded = there, append(w.loaded, there)
		w.mu.Unlock()
	}
	return w
}

// tries calls an operation of the API and returns the answer in Swagger UI.
func (p *page) tries(operation string) (status, body string) {
	p.t.Helper()
	at := "#operations-acme-" + operation + " "
	p.clicksOn(at + ".opblock-summary-control")
	p.appears(at + ".try-out__btn")
	p.clicksOn(at + ".try-out__btn")
	p.appears(at + ".execute")
	p.clicksOn(at + ".execute")
	p.appears(at + ".live-responses-table .response-col_description")
	answer := eval[[]string](p, `at => [".response-col_status", ".response-col_description"].map(s => document.querySelector(at + ".live-responses-table tbody " + s).innerText)`, at)
	return strings.TrimSpace(answer[0]), answer[1]
}

// Swagger UI gets a token from another site, with a window for the sign-in, in
// each way that it supports.
func TestSwaggerUI(t *testing.T) {
	for _, test := range []struct {
		name  string
		app   provider.ApplicationSettings
		oauth map[string]any
	}{
		{"public", provider.ApplicationSettings{Public: true}, map[string]any{"usePkceWithAuthorizationCodeGrant": true}},
		{"secret in the form", provider.ApplicationSettings{}, map[string]any{}},
		{"secret in the header", provider.ApplicationSettings{}, map[string]any{"useBasicAuthenticationWithAccessCodeGrant": true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			notes := h.Require("notes:read")(http.HandlerFunc(h.notes))
			h.Mux.HandleFunc("/api/open/notes", func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Access-Control-Allow-Origin", "*")
				w.Header().Set("Access-Control-Allow-Headers", "Authorization")
				if r.Method != http.MethodOptions {
					notes.ServeHTTP(w, r)
				}
			})
			explorer := newSwagger(h, test.app, test.oauth)
			p := newPage(t)
			p.allows("Password field is not contained in a form") // It is the field for the secret.
			p.goes(explorer.url)
			p.appears(".auth-wrapper .authorize")
			p.clicksOn(".auth-wrapper .authorize")
			p.appears(".modal-ux .authorize")
			for _, scope := range []string{"profile", "notes:read"} {
				p.clicksOn(`.modal-ux label[for^="` + scope + `-"]`)
			}
			popup := p.opens(h.url+"/login", func() { p.clicksOn(".modal-ux .authorize") })
			popup.signsIn(h, "ada")
			popup.arrives(h.url + "/oauth/authorize")
			popup.shows("API explorer wants access to your Acme Notes account", "See your name", "Read your notes")
			require.NotContains(t, popup.text(), "See your email address", "it was not asked for")
			popup.clicks("Allow")
			require.Eventually(t, popup.isClosed, patience, 50*time.Millisecond)
			p.appears(".modal-ux .btn-done")
			p.clicksOn(".modal-ux .btn-done")

			status, body := p.tries("notes")
			require.Equal(t, "200", status)
			require.Contains(t, body, "a note of user_ada")
			status, body = p.tries("userinfo")
			require.Equal(t, "200", status)
			require.Contains(t, body, "Ada Lovelace")
			require.NotContains(t, body, "ada@example.com")
		})
	}
}
