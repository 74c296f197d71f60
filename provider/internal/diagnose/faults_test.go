package diagnose_test

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/internal/diagnose"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

const (
	under      = site + "/app"
	nginx      = "location / { proxy_pass http://BACKEND; proxy_set_header Host $host; "
	everywhere = "reverse_proxy BACKEND"
)

// faults are deployments with one fault, and the code that the first finding
// must have.
var faults = []struct {
	name string
	deployment
	want string
}{
	// The network and TLS.
	{"a name that is not in the DNS", deployment{dial: func() error { return &net.DNSError{Err: "no such host", Name: "app.example.com", IsNotFound: true} }}, "name-unknown"},
	{"nothing listens", deployment{given: "https://app.example.com:8443"}, "unreachable"},
	{"plain http at the port of https", deployment{noTLS: true}, "tls-missing"},
	{"nginx: a certificate for another name", deployment{nginx: nginx + "}", certificate: func(ca *authority) tls.Certificate {
		return ca.issue(ca.t, "www.example.org", time.Now().Add(60*24*time.Hour))
	}}, "tls-wrong-name"},
	{"Caddy: an expired certificate", deployment{caddy: everywhere, certificate: func(ca *authority) tls.Certificate {
		return ca.issue(ca.t, "app.example.com", time.Now().Add(-time.Hour))
	}}, "tls-expired"},
	{"a certificate that is not valid yet", deployment{certificate: func(ca *authority) tls.Certificate {
		return ca.issue(ca.t, "app.example.com", time.Now().Add(91*24*time.Hour))
	}}, "tls-not-yet"},
	{"nginx: a self-signed certificate", deployment{nginx: nginx + "}", certificate: func(ca *authority) tls.Certificate {
		other := newAuthority(ca.t)
		return tls.Certificate{Certificate: [][]byte{other.certificate.Raw}, PrivateKey: other.key}
	}}, "tls-untrusted"},
	{"Caddy: a certificate of its internal authority", deployment{caddy: everywhere, certificate: func(ca *authority) tls.Certificate {
		return newAuthority(ca.t).issue(ca.t, "app.example.com", time.Now().Add(60*24*time.Hour))
	}}, "tls-untrusted"},
	{"nginx: cert.pem in place of fullchain.pem", deployment{nginx: nginx + "}", certificate: func(ca *authority) tls.Certificate {
		return ca.below().issue(ca.t, "app.example.com", time.Now().Add(60*24*time.Hour))
	}}, "tls-chain"},
	{"a certificate that isn't renewed", deployment{certificate: func(ca *authority) tls.Certificate {
		return ca.issue(ca.t, "app.example.com", time.Now().Add(5*24*time.Hour))
	}}, "tls-expires-soon"},
	{"nginx: a client certificate is asked for", deployment{nginx: "ssl_verify_client on; ssl_client_certificate CERTIFICATE; " + nginx + "}"}, "tls-client-certificate"},
	{"mutual TLS", deployment{tls: func(c *tls.Config) { c.ClientAuth = tls.RequireAnyClientCert }}, "tls-client-certificate"},
	{"no certificate for the name", deployment{tls: func(c *tls.Config) {
		c.Certificates = nil
		c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("unknown name") }
	}}, "tls-handshake"},
	{"plain http is answered too", deployment{plain: func(proxy http.Handler) http.Handler { return proxy }}, "http-open"},

	// What is in front of everything.
	{"nginx: the app is down", deployment{nginx: nginx + "}", stopped: true}, "app-down"},
	{"Caddy: the app is down", deployment{caddy: everywhere, stopped: true}, "app-down"},
	{"nginx: auth_basic", deployment{nginx: "auth_basic staging; auth_basic_user_file users; " + nginx + "}"}, "password-wall"},
	{"a check for bots", deployment{front: answer(allPaths, 403, "text/html", "<title>Just a moment...</title>", "Cf-Mitigated", "challenge")}, "bot-check"},
	{"nginx: limit_req", deployment{nginxHTTP: "limit_req_zone $server_name zone=all:1m rate=1r/m;", nginx: "limit_req zone=all; limit_req_status 429; " + nginx + "}"}, "rate-limited"},
	{"a limit that all clients share", deployment{config: func(_ *testing.T, c *provider.Config) { c.Limit = provider.LimitByAddress(1) }}, "rate-limited"},
	{"a login wall around the app", deployment{wrap: loginWall("/login")}, "login-wall"},
	{"a login wall, but not before the documents", deployment{wrap: loginWall("/login", "/.well-known/")}, "login-wall"},
	{"a login wall that answers 401", deployment{wrap: answer(func(r *http.Request) bool {
		return strings.HasPrefix(r.URL.Path, "/oauth/") && r.URL.Path != "/oauth/authorize"
	},
		401, "application/json", `{"error":"unauthorized"}`)}, "login-wall"},
	{"Caddy: a gateway that signs people in elsewhere", deployment{caddy: "redir https://auth.example.com/?rd=https://app.example.com{uri}"}, "login-wall"},
	{"a firewall for web applications", deployment{front: answer(func(r *http.Request) bool { return r.Method == http.MethodPost },
		403, "text/html", "<h1>Access Denied</h1> Your request was blocked. Reference 18.2f")}, "blocked"},
	{"a CDN for files", deployment{front: answer(func(r *http.Request) bool { return r.Method != http.MethodGet && r.Method != http.MethodHead },
		403, "text/html", "This distribution is not configured to allow the HTTP request method that was used for this request.")}, "method-blocked"},
	{"Caddy: an access rule", deployment{caddy: "@oauth path /oauth/*\nrespond @oauth 403\n" + everywhere}, "blocked"},
	{"http where there is https", deployment{given: "http://app.example.com", plain: redirect(func(*http.Request) bool { return true }, func(r *http.Request) string { return site + r.URL.Path })}, "redirect-to-https"},
	{"nginx: a redirect to https behind a proxy with TLS", deployment{nginx: "location / { return 301 https://app.example.com$request_uri; }"}, "redirect-loop"},
	{"nginx: a redirect to www", deployment{nginx: "location / { return 301 https://www.example.com$request_uri; }"}, "redirect-to-host"},
	{"a router that adds a slash", deployment{wrap: redirect(func(r *http.Request) bool { return !strings.HasSuffix(r.URL.Path, "/") }, func(r *http.Request) string { return r.URL.Path + "/" })}, "redirect-slash"},
	{"Caddy: a redirect to a language", deployment{caddy: "@bare not path /en/* /.well-known/*\nredir @bare /en{uri}\n" + everywhere}, "redirect"},

	// The documents and the issuer.
	{"Caddy: a single-page app answers everything else", deployment{caddy: "handle /oauth/* {\n" + everywhere + "\n}\nhandle {\nroot * DIR\ntry_files {path} /index.html\nfile_server\n}"}, "spa-catch-all"},
	{"nginx: a single-page app is in front of the token endpoint", deployment{nginx: "location /.well-known/ { proxy_pass http://BACKEND; } location / { root DIR; try_files $uri /index.html; }"}, "spa-catch-all"},
	{"nginx: a folder for certificates", deployment{nginx: "location /.well-known/ { root DIR; } " + nginx + "}"}, "metadata-missing"},
	{"nginx: no dot files", deployment{nginx: `location ~ /\. { deny all; } ` + nginx + "}"}, "metadata-missing"},
	{"NoMetadata", deployment{config: func(_ *testing.T, c *provider.Config) { c.Paths.NoMetadata = true }}, "metadata-missing"},
	{"nginx: only the prefix is passed on", deployment{issuer: under, nginx: "location /app/ { proxy_pass http://BACKEND; }"}, "metadata-not-in-front"},
	{"Caddy: only the prefix is passed on, stripped", deployment{issuer: under, caddy: "handle_path /app/* {\n" + everywhere + "\n}"}, "metadata-not-in-front"},
	{"nothing is mounted", deployment{wrap: func(http.Handler) http.Handler { return http.NotFoundHandler() }}, "nothing-here"},
	{"a document that is cut off", deployment{front: answer(path("/.well-known/oauth-authorization-server"), 200, "application/json", `{"issuer":"https://app.exa`)}, "metadata-broken"},
	{"the issuer of development", deployment{given: site, issuer: "http://localhost:8080"}, "issuer-inner"},
	{"an issuer without www", deployment{given: site, issuer: "https://example.com"}, "issuer-host"},
	{"an issuer with http", deployment{given: "https://192.168.7.7", issuer: "http://192.168.7.7", config: func(_ *testing.T, c *provider.Config) { c.AllowHTTP = true },
		certificate: func(ca *authority) tls.Certificate {
			return ca.issue(ca.t, "192.168.7.7", time.Now().Add(60*24*time.Hour))
		}}, "issuer-scheme"},
	{"a path that is not the issuer's", deployment{given: under}, "issuer-path"},
	{"an issuer by plain http in a network", deployment{issuer: "http://192.168.7.7", config: func(_ *testing.T, c *provider.Config) { c.AllowHTTP = true }, plain: func(proxy http.Handler) http.Handler { return proxy }}, "issuer-not-https"},
	{"two instances with different Configs", deployment{second: func(_ *testing.T, c *provider.Config) { c.Registration = nil }}, "instances-differ"},
	{"nginx: sub_filter", deployment{nginx: nginx + `proxy_set_header Accept-Encoding ""; sub_filter_types application/json; sub_filter_once off; sub_filter "app.example.com/oauth" "old.example.com/oauth"; }`}, "metadata-rewritten"},
	{"Caddy: the content type of the document", deployment{caddy: "header /.well-known/* {\nContent-Type text/plain\ndefer\n}\n" + everywhere}, "metadata-type"},

	// Paths and methods.
	{"nginx: only some endpoints are passed on", deployment{nginx: "location /.well-known/ { proxy_pass http://BACKEND; } location = /oauth/authorize { proxy_pass http://BACKEND; } location / { return 404; }"}, "not-passed-on"},
	{"Caddy: only GET", deployment{caddy: "@write not method GET HEAD OPTIONS\nrespond @write 405\n" + everywhere}, "method-blocked"},
	{"nginx: no OPTIONS", deployment{nginx: nginx + "if ($request_method !~ ^(GET|HEAD|POST)$) { return 405; } }"}, "cors-preflight"},
	{"a check of origins around everything", deployment{wrap: http.NewCrossOriginProtection().Handler}, "csrf-check"},
	{"a check of tokens in forms", deployment{wrap: answer(func(r *http.Request) bool { return r.Method == http.MethodPost }, 400, "text/plain", "CSRF token missing")}, "csrf-check"},
	{"Echo's check, which refuses a GET from another site too", deployment{wrap: answer(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/oauth/") }, 403, "application/json", `{"message":"cross-site request blocked by CSRF"}`)}, "csrf-check"},
	{"a check that sends a page", deployment{wrap: answer(func(r *http.Request) bool { return r.Method == http.MethodPost }, 403, "text/html", "<h1>Forbidden</h1>Cross-site request forgery suspected.")}, "csrf-check"},
	{"a rule for programs, without a word about CSRF", deployment{wrap: answer(func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/oauth/") }, 403, "application/json", `{"message":"blocked"}`)}, "blocked"},
	{"nginx: proxy_intercept_errors", deployment{nginx: nginx + "proxy_intercept_errors on; error_page 400 401 403 404 405 =200 /index.html; } location = /index.html { root DIR; }"}, "spa-catch-all"},
	{"nginx: error pages with their status", deployment{nginx: nginx + "proxy_intercept_errors on; error_page 400 401 403 404 405 /index.html; } location = /index.html { root DIR; }"}, "errors-replaced"},
	{"a token endpoint that hangs", deployment{timeout: 2 * time.Second, wrap: func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if path("/oauth/token")(r) {
				io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
				return
			}
			app.ServeHTTP(w, r)
		})
	}}, "no-answer"},
	{"Caddy: another service at the token endpoint", deployment{caddy: "respond /oauth/token `{\"ok\":true}`\n" + everywhere}, "foreign-answer"},
	{"the session middleware is not in front", deployment{config: func(_ *testing.T, c *provider.Config) {
		c.CurrentUser = func(*http.Request) (provider.Session, error) { panic("scs: no session data in context") }
	}}, "app-fails"},
	{"the database is down", deployment{config: func(_ *testing.T, c *provider.Config) {
		broken := storetest.NewBreakable(memory.New())
		broken.Fail(errors.New("connection refused"))
		c.Store = broken
	}}, "store-down"},

	// What is lost or added on the way.
	{"nginx: no Authorization", deployment{nginx: nginx + `proxy_set_header Authorization ""; }`}, "authorization-eaten"},
	{"Caddy: no Authorization", deployment{caddy: "reverse_proxy BACKEND {\nheader_up -Authorization\n}"}, "authorization-eaten"},
	{"nginx: a password for the app", deployment{nginx: nginx + `proxy_set_header Authorization "Basic YXBwOnNlY3JldA=="; }`}, "authorization-replaced"},
	{"middleware that reads the body", deployment{wrap: func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			app.ServeHTTP(w, r)
		})
	}}, "body-eaten"},
	{"nginx: proxy_pass with variables", deployment{nginx: "location / { set $app BACKEND; proxy_pass http://$app$uri; }"}, "query-eaten"},
	{"nginx: short buffers for headers", deployment{nginx: "client_header_buffer_size 1k; large_client_header_buffers 4 2k; " + nginx + "}"}, "long-urls"},
	{"nginx: no WWW-Authenticate", deployment{nginx: nginx + "proxy_hide_header WWW-Authenticate; }"}, "challenge-eaten"},
	{"nginx: add_header for CORS", deployment{nginx: nginx + "add_header Access-Control-Allow-Origin * always; }"}, "cors-twice"},
	{"CORS middleware with credentials", deployment{wrap: func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			app.ServeHTTP(&lastWord{w, func(h http.Header) {
				h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
				h.Set("Access-Control-Allow-Credentials", "true")
			}}, r)
		})
	}}, "cors-credentials"},
	{"Caddy: CORS for one origin", deployment{caddy: "header {\nAccess-Control-Allow-Origin https://www.example.com\ndefer\n}\n" + everywhere}, "cors-missing"},
	{"Caddy: CORS for the pages too", deployment{caddy: "header /oauth/authorize Access-Control-Allow-Origin *\n" + everywhere}, "cors-authorize"},
	{"nginx: proxy_cache", deployment{nginxHTTP: "proxy_cache_path DIR/cache keys_zone=all:1m;", nginx: nginx + "proxy_cache all; proxy_cache_valid any 10m; proxy_ignore_headers Cache-Control Expires Set-Cookie; }"}, "cached"},
	{"Caddy: Cache-Control for everything", deployment{caddy: "header {\nCache-Control \"public, max-age=600\"\ndefer\n}\n" + everywhere}, "cache-control"},
	{"nginx: expires", deployment{nginx: nginx + "location /.well-known/ { proxy_pass http://BACKEND; expires 1y; } }"}, "cached-long"},
	{"nginx: a policy for pages", deployment{nginx: nginx + `add_header Content-Security-Policy "form-action 'self'" always; }`}, "page-policy"},
	{"Caddy: another policy in place of the pages'", deployment{caddy: "header {\nContent-Security-Policy \"default-src 'self'\"\nX-Frame-Options SAMEORIGIN\ndefer\n}\n" + everywhere}, "page-unprotected"},

	// The way to sign in.
	{"nginx: the app's own redirects go by Host", deployment{nginx: "location / { proxy_pass http://BACKEND; proxy_redirect off; }", config: signInAt(func(r *http.Request) string { return "https://" + r.Host + "/login" })}, "inner-host"},
	{"the app takes its port from the connection", deployment{config: signInAt(func(*http.Request) string { return site + ":8080/login" })}, "inner-host"},
	{"the app takes the scheme from the connection", deployment{config: signInAt(func(r *http.Request) string { return "http://" + r.Host + "/login" })}, "inner-scheme"},
	{"the sign-in page without the prefix", deployment{issuer: under, mux: func(h *providertest.Host) { page(h, "GET /app/login", signInPage("SameSite=Lax; Secure")) },
		config: func(_ *testing.T, c *provider.Config) { c.SignIn = provider.RedirectTo("/login", "next") }}, "sign-in-missing"},
	{"a login wall around the sign-in page", deployment{wrap: redirect(path("/login"), func(*http.Request) string { return "/login" })}, "sign-in-loop"},
	{"a policy on the sign-in page", deployment{mux: login(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; form-action 'self'")
		signInPage("SameSite=Lax; Secure")(w, r)
	})}, "sign-in-policy"},
	{"nginx: every cookie is Strict", deployment{nginx: nginx + "proxy_cookie_flags ~ samesite=strict; }"}, "cookie-strict"},
	{"a Strict session, where there is no page of connections", deployment{config: func(_ *testing.T, c *provider.Config) { c.Paths.Connections = "-" },
		wrap: func(app http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if path("/oauth/authorize")(r) {
					w.Header().Add("Set-Cookie", "session=1; Path=/; HttpOnly; Secure; SameSite=Strict")
				}
				app.ServeHTTP(w, r)
			})
		}}, "cookie-strict"},
	{"a cookie that is not Secure", deployment{mux: login(signInPage("SameSite=Lax"))}, "cookie-insecure"},
	{"a cookie for all sites, not Secure", deployment{mux: login(signInPage("SameSite=None"))}, "cookie-none"},
	{"a cookie for the name inside", deployment{mux: login(signInPage("SameSite=Lax; Secure; Domain=backend.internal"))}, "cookie-domain"},
	{"a cookie for the sign-in page only", deployment{mux: login(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=1; Path=/login; HttpOnly; Secure; SameSite=Lax")
	})}, "cookie-path"},
	{"a session for readers of the documents", deployment{wrap: func(app http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "session=1; Path=/; HttpOnly; Secure; SameSite=Lax")
			app.ServeHTTP(w, r)
		})
	}}, "cookie-public"},

	// The rest.
	{"a clock that is slow, behind nginx", deployment{nginx: nginx + "}", config: func(_ *testing.T, c *provider.Config) {
		c.Now = func() time.Time { return time.Now().Add(-10 * time.Minute) }
	}}, "clock"},
	{"a machine whose clock is fast", deployment{config: func(_ *testing.T, c *provider.Config) { c.Paths.Connections = "-" }, front: func(proxy http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			proxy.ServeHTTP(&lastWord{w, func(h http.Header) { h.Set("Date", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)) }}, r)
		})
	}}, "clock"},
	{"the document of an old provider", deployment{front: answer(path("/.well-known/openid-configuration"), 200, "application/json", `{"issuer":"https://old.example.com"}`)}, "discovery-other"},
	{"Caddy: an empty key set", deployment{caddy: "respond /oauth/jwks* `{\"keys\":[]}`\nrespond /.well-known/jwks.json `{\"keys\":[]}`\n" + everywhere}, "keys-missing"},
	{"nginx: the metadata of the resource is not passed on", deployment{nginx: "location /.well-known/oauth-protected-resource { return 404; } " + nginx + "}"}, "resource-metadata"},
	{"the guard of the API in front of a resource", deployment{mux: func(h *providertest.Host) {
		page(h, "GET /login", signInPage("SameSite=Lax; Secure"))
		page(h, "/mcp", h.Provider.Require()(http.NotFoundHandler()).ServeHTTP)
	}}, "resource-challenge"},
	{"no guard in front of a resource", deployment{mux: func(h *providertest.Host) {
		page(h, "GET /login", signInPage("SameSite=Lax; Secure"))
		page(h, "/mcp", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{"jsonrpc":"2.0"}`) })
	}}, "resource-open"},
	{"an application that isn't registered", deployment{client: "unknown"}, "application-unknown"},
	{"an application in the memory of one instance", deployment{client: "known", second: func(*testing.T, *provider.Config) {}}, "application-sometimes"},
	{"an application without a redirect URI", deployment{client: "bare"}, "application-no-redirect"},
}

// The first finding names the cause, before its effects.
func TestFirstFindingNamesTheCause(t *testing.T) {
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			found, err := diagnose.Run(t.Context(), f.start(t))
			require.NoError(t, err)
			var text strings.Builder
			for _, f := range found {
				fmt.Fprintln(&text, f)
				require.NotContains(t, f.Problem+f.Remedy, "{")
			}
			require.NotEmpty(t, found)
			require.Equal(t, f.want, found[0].Code, text.String())
		})
	}
}

// A correct deployment has no findings.
func TestNothingIsFoundWhereAllIsRight(t *testing.T) {
	for name, d := range map[string]deployment{
		"a proxy in Go":              {},
		"nginx":                      {nginx: nginx + "}", client: "known"},
		"nginx, as in the guide":     {nginx: "location / { proxy_pass http://BACKEND; }"},
		"Caddy":                      {caddy: everywhere, client: "known"},
		"under a prefix":             {issuer: under, client: "known"},
		"nginx, under a prefix":      {issuer: under, nginx: "location /app/ { proxy_pass http://BACKEND; } location = /.well-known/oauth-authorization-server/app { proxy_pass http://BACKEND; } location /.well-known/oauth-protected-resource/app/ { proxy_pass http://BACKEND; }"},
		"Caddy, the prefix stripped": {issuer: under, caddy: "handle_path /app/* {\n" + everywhere + "\n}\nhandle /.well-known/oauth-authorization-server/app {\n" + everywhere + "\n}\nhandle /.well-known/oauth-protected-resource/app/* {\n" + everywhere + "\n}"},
		"the URL of a resource":      {given: site + "/mcp"},
		"http leads to https":        {plain: redirect(allPaths, func(r *http.Request) string { return site + r.URL.Path })},
		"two instances":              {second: func(*testing.T, *provider.Config) {}},
		"a limit":                    {config: func(_ *testing.T, c *provider.Config) { c.Limit = provider.LimitByAddress(600) }},
		"without all optional endpoints": {config: func(_ *testing.T, c *provider.Config) {
			c.Registration, c.ClientIDDocuments, c.DeviceAuthorization, c.OpenID, c.Keys = nil, nil, nil, nil, nil
			c.Paths.Connections, c.Paths.Revoke, c.Paths.Introspect, c.Paths.UserInfo = "-", "-", "-", "-"
		}},
		"people sign in on another site": {config: signInAt(func(*http.Request) string { return "https://accounts.example.com/login" })},
		"a policy that lets applications in": {mux: login(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Security-Policy", "default-src 'self'; form-action 'self' https:")
			signInPage("SameSite=Lax; Secure")(w, r)
		})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found, err := diagnose.Run(t.Context(), d.start(t))
			require.NoError(t, err)
			for _, f := range found {
				t.Error(f)
			}
		})
	}
}

// The doctor's requests change nothing: no application, no sign-in, and no
// request that another program in place of the provider could act on.
func TestNothingIsChanged(t *testing.T) {
	var mu sync.Mutex
	requests, unexpected := 0, []string{}
	note := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		unexpected = append(unexpected, what)
	}
	kept := memory.New()
	o := deployment{
		client: "known",
		config: func(_ *testing.T, c *provider.Config) {
			c.Store = kept
			c.Events = func(_ context.Context, e provider.Event) {
				if e.Request != nil && e.Kind != provider.EventRequest && e.Kind != provider.EventClientRejected {
					note(string(e.Kind))
				}
			}
		},
		wrap: func(app http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				requests++
				mu.Unlock()
				if r.Method != http.MethodGet && r.Method != http.MethodPost && r.Method != http.MethodOptions {
					note(r.Method)
				}
				if r.Method == http.MethodPost && !strings.HasPrefix(r.URL.Path, "/oauth/") {
					note("POST " + r.URL.Path)
				}
				if r.Header.Get("Cookie") != "" {
					note("a cookie")
				}
				app.ServeHTTP(w, r)
			})
		},
	}.start(t)
	found, err := diagnose.Run(t.Context(), o)
	require.NoError(t, err)
	require.Empty(t, found)
	require.Empty(t, unexpected)
	require.Greater(t, requests, 30)
	require.Less(t, requests, 60)
	applications, _, err := kept.ListApplications(t.Context(), store.ApplicationQuery{Limit: 10})
	require.NoError(t, err)
	require.Len(t, applications, 1, "the one of the test")
}

// An answer can't control the terminal, or look like a line of the doctor.
func TestEvidenceIsPrintable(t *testing.T) {
	evil := "\x1b[2J\u202e\x07\r\nnothing found"
	issuer, err := json.Marshal(map[string]string{"issuer": "https://evil.example/" + evil})
	require.NoError(t, err)
	for _, body := range []string{evil, string(issuer)} {
		found, err := diagnose.Run(t.Context(), deployment{front: answer(allPaths, 200, "application/json", body)}.start(t))
		require.NoError(t, err)
		require.NotEmpty(t, found)
		for line := range strings.SplitSeq(found[0].String(), "\n") {
			require.NotRegexp(t, `^\s*nothing found`, line)
			for _, r := range line {
				require.True(t, strconv.IsPrint(r), "%q", line)
			}
		}
	}
}

// A test finds each code.
func TestEachCodeHasAFault(t *testing.T) {
	tested := map[string]bool{}
	for _, f := range faults {
		tested[f.want] = true
	}
	for _, k := range diagnose.Kinds() {
		if !tested[k.Code] {
			t.Errorf("no fault leads to %s", k.Code)
		}
	}
}

// allPaths and path choose requests.
func allPaths(*http.Request) bool { return true }

func path(p string) func(*http.Request) bool {
	return func(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, p) }
}

// answer is middleware that answers some requests itself.
func answer(those func(*http.Request) bool, status int, contentType, body string, header ...string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !those(r) {
				next.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", contentType)
			for i := 1; i < len(header); i += 2 {
				w.Header().Set(header[i-1], header[i])
			}
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
	}
}

// redirect is middleware that redirects some requests.
func redirect(those func(*http.Request) bool, to func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !those(r) {
				next.ServeHTTP(w, r)
				return
			}
			http.Redirect(w, r, to(r), http.StatusFound)
		})
	}
}

// loginWall redirects all requests to sign in, except for some paths.
func loginWall(page string, open ...string) func(http.Handler) http.Handler {
	return redirect(func(r *http.Request) bool {
		for _, prefix := range append(open, page) {
			if strings.HasPrefix(r.URL.Path, prefix) {
				return false
			}
		}
		return true
	}, func(r *http.Request) string { return page + "?next=" + url.QueryEscape(r.URL.Path) })
}

func signInAt(to func(*http.Request) string) func(*testing.T, *provider.Config) {
	return func(_ *testing.T, c *provider.Config) {
		c.SignIn = func(w http.ResponseWriter, r *http.Request, s provider.SignInRequest) {
			http.Redirect(w, r, to(r)+"?next="+url.QueryEscape(s.ReturnTo), http.StatusSeeOther)
		}
	}
}

// login uses another sign-in page.
func login(serve http.HandlerFunc) func(h *providertest.Host) {
	return func(h *providertest.Host) {
		page(h, "GET /login", serve)
		page(h, "/mcp", h.Provider.Resource(site+"/mcp").Require()(http.NotFoundHandler()).ServeHTTP)
	}
}

// lastWord changes headers after all other middleware.
type lastWord struct {
	http.ResponseWriter
	change func(http.Header)
}

func (w *lastWord) WriteHeader(status int) {
	w.change(w.Header())
	w.ResponseWriter.WriteHeader(status)
}
