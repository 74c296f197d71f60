package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"html"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// keepPrefix passes requests on unchanged.
func keepPrefix(backend *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend) // Host is then the backend's.
		r.SetXForwarded()
	}}
	mux := http.NewServeMux()
	mux.Handle("/app/", proxy)
	mux.Handle("/.well-known/oauth-authorization-server/app", proxy)
	mux.Handle("/.well-known/oauth-protected-resource/app/", proxy)
	return mux
}

// stripPrefix removes "/app", but not from the metadata path, where it is at
// the end.
func stripPrefix(backend *url.URL) http.Handler {
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		r.SetXForwarded()
	}}
	mux := http.NewServeMux()
	mux.Handle("/app/", http.StripPrefix("/app", proxy))
	mux.Handle("/.well-known/oauth-authorization-server/app", proxy)
	mux.Handle("/.well-known/oauth-protected-resource/app/", proxy)
	return mux
}

// passOn is a proxy for a host that has an internal name.
func passOn(backend *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		r.SetXForwarded()
	}}
}

// listen reserves an address for a proxy, so that it is known before the host
// starts.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return l
}

// hostBehind is a host whose issuer is the address of a proxy.
func hostBehind(t *testing.T, issuer, prefix string) (*host, *url.URL) {
	t.Helper()
	h := newHost(t, func(c *provider.Config) {
		c.Issuer = issuer
		c.Resources = []provider.Resource{{URL: issuer + "/mcp"}}
		// The sign-in page is below the prefix too, as browsers see it.
		c.SignIn = provider.RedirectTo(prefix+"/login", "next")
	})
	backend, err := url.Parse(h.server.URL)
	require.NoError(t, err)
	return h, backend
}

// Behind any proxy, everything works if Issuer is the public URL, and headers
// don't matter.
func TestBehindAProxy(t *testing.T) {
	for _, tt := range []struct {
		name, prefix string
		tls          bool
		front        func(h *host, backend *url.URL) http.Handler
	}{
		{"an internal name", "", false, func(_ *host, backend *url.URL) http.Handler { return passOn(backend) }},
		{"an internal name, over TLS", "", true, func(_ *host, backend *url.URL) http.Handler { return passOn(backend) }},
		{"the prefix is kept", "/app", false, func(_ *host, backend *url.URL) http.Handler { return keepPrefix(backend) }},
		{"the prefix is kept, by TLS", "/app", true, func(_ *host, backend *url.URL) http.Handler { return keepPrefix(backend) }},
		{"the prefix is stripped", "/app", false, func(_ *host, backend *url.URL) http.Handler { return stripPrefix(backend) }},
		{"the prefix is stripped, by TLS", "/app", true, func(_ *host, backend *url.URL) http.Handler { return stripPrefix(backend) }},
		{"a router strips the prefix", "/app", false, func(h *host, _ *url.URL) http.Handler { return belowRouter(h.server.Config.Handler) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := listen(t)
			issuer := "http://" + l.Addr().String() + tt.prefix
			if tt.tls {
				issuer = "https" + strings.TrimPrefix(issuer, "http")
			}
			h, backend := hostBehind(t, issuer, tt.prefix)
			front := &httptest.Server{Listener: l, Config: &http.Server{Handler: tt.front(h, backend), ReadHeaderTimeout: time.Minute}}
			if tt.tls {
				front.StartTLS()
			} else {
				front.Start()
			}
			t.Cleanup(front.Close)
			worksBehind(t, h.Provider, front.Client().Transport)
		})
	}
}

// belowRouter mounts an app at "/app" of a larger one.
func belowRouter(app http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/app/", http.StripPrefix("/app", app))
	mux.Handle("/.well-known/oauth-authorization-server/app", app)
	mux.Handle("/.well-known/oauth-protected-resource/app/", app)
	return mux
}

// liar sends forged headers, so that a proxy or a host that trusts them fails.
type liar struct{ http.RoundTripper }

func (l liar) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Server", "X-Original-Host", "X-Host"} {
		r.Header.Set(name, "evil.example")
	}
	r.Header.Set("X-Forwarded-Proto", "gopher")
	r.Header.Set("X-Forwarded-Prefix", "/evil.example")
	r.Header.Set("X-Original-URL", "/evil.example")
	r.Header.Set("Forwarded", `for=192.0.2.1;host=evil.example;proto=gopher`)
	return l.RoundTripper.RoundTrip(r)
}

// worksBehind does everything that a user and an application do.
func worksBehind(t *testing.T, p *provider.Provider, transport http.RoundTripper) {
	t.Helper()
	at := p.Endpoints()
	issuer, err := url.Parse(strings.TrimSuffix(at.Token, "/oauth/token"))
	require.NoError(t, err)
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Transport: liar{transport}, Jar: jar, CheckRedirect: noRedirect}
	open := func(c *http.Client, address string, header ...string) *reply {
		t.Helper()
		r, err := http.NewRequest(http.MethodGet, address, nil)
		require.NoError(t, err)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		got := send(t, c, r)
		require.NotContains(t, got.body, "evil.example")
		for name, values := range got.Header {
			require.NotContains(t, strings.Join(values, " "), "evil.example", name)
		}
		return got
	}

	// A client finds the endpoints from the issuer alone (RFC 8414 section 3).
	var found map[string]any
	document := open(browser, issuer.Scheme+"://"+issuer.Host+"/.well-known/oauth-authorization-server"+issuer.Path)
	require.Equal(t, http.StatusOK, document.StatusCode)
	require.NoError(t, json.Unmarshal([]byte(document.body), &found))
	require.Equal(t, issuer.String(), found["issuer"])
	require.Equal(t, at.Authorize, found["authorization_endpoint"])
	require.Equal(t, at.Token, found["token_endpoint"])
	require.Equal(t, at.UserInfo, found["userinfo_endpoint"])

	// And those of a resource from its URL (RFC 9728 section 3).
	document = open(browser, issuer.Scheme+"://"+issuer.Host+"/.well-known/oauth-protected-resource"+issuer.Path+"/mcp")
	require.Equal(t, http.StatusOK, document.StatusCode)
	require.Contains(t, document.body, `"`+issuer.String()+`/mcp"`)

	// A visitor who is not signed in is sent to the sign-in page and back,
	// below the prefix both times.
	signIn := open(browser, at.Connections).Header.Get("Location")
	require.True(t, strings.HasPrefix(signIn, issuer.Path+"/login?next="+url.QueryEscape(issuer.Path+"/oauth/connections?")), signIn)
	jar.SetCookies(issuer, []*http.Cookie{{Name: "session", Path: "/", Value: "user_ada." + strconv.FormatInt(time.Now().UnixMicro(), 10)}})

	// The consent page, its form, and the exchange of the code.
	app, secret, err := p.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}})
	require.NoError(t, err)
	answer := providertest.Allow(t, browser, at.Authorize+"?"+url.Values{"response_type": {"code"}, "client_id": {app.ClientID}}.Encode())
	require.Equal(t, issuer.String(), answer.Query().Get("iss"))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {answer.Query().Get("code")}, "client_id": {app.ClientID}, "client_secret": {secret.Reveal()}}
	r, err := http.NewRequest(http.MethodPost, at.Token, strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	program := &http.Client{Transport: liar{transport}, CheckRedirect: noRedirect}
	got := send(t, program, r).tokens(t)
	bearer := "Bearer " + got.AccessToken
	require.Equal(t, http.StatusOK, open(program, at.UserInfo, "Authorization", bearer).StatusCode)

	// The form's cookie is as strict as the issuer allows.
	name := "latchkey_form"
	if issuer.Scheme == "https" {
		name = "__Host-" + name
	}
	var names []string
	for _, cookie := range jar.Cookies(issuer) {
		names = append(names, cookie.Name)
	}
	require.Contains(t, names, name)

	// The page of connections shows the application, and disconnects it.
	page := open(browser, at.Connections)
	require.Contains(t, page.text(), "Wiki")
	action := regexp.MustCompile(`<form[^>]* action="([^"]+)"`).FindStringSubmatch(page.body)
	require.NotNil(t, action, page.body)
	require.Equal(t, issuer.Path+"/oauth/connections", html.UnescapeString(action[1]))
	seal := regexp.MustCompile(`name="seal" value="([^"]+)"`).FindStringSubmatch(page.body)
	require.NotNil(t, seal, page.body)
	form = url.Values{"seal": {seal[1]}, "application": {app.ID}}
	r, err = http.NewRequest(http.MethodPost, issuer.Scheme+"://"+issuer.Host+action[1], strings.NewReader(form.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", issuer.Scheme+"://"+issuer.Host)
	done := send(t, browser, r)
	require.Equal(t, http.StatusSeeOther, done.StatusCode, done.body)
	require.True(t, strings.HasPrefix(done.Header.Get("Location"), issuer.Path+"/oauth/connections?"), done.Header)
	require.Equal(t, http.StatusUnauthorized, open(program, at.UserInfo, "Authorization", bearer).StatusCode)
}

// A form that another site posts is refused behind a proxy too.
func TestForgeryBehindAProxy(t *testing.T) {
	l := listen(t)
	h, backend := hostBehind(t, "http://"+l.Addr().String()+"/app", "/app")
	front := &httptest.Server{Listener: l, Config: &http.Server{Handler: stripPrefix(backend), ReadHeaderTimeout: time.Minute}}
	front.Start()
	t.Cleanup(front.Close)
	for origin, want := range map[string]string{
		"https://evil.example":         "cross-origin",
		"https://" + l.Addr().String(): "cross-origin", // by another scheme
		"null":                         "cross-origin",
		"http://" + l.Addr().String():  "cookie", // the next that is looked at
	} {
		r, err := http.NewRequest(http.MethodPost, h.Endpoints().Connections, strings.NewReader("seal=x&application=y"))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		r.AddCookie(&http.Cookie{Name: "session", Value: "user_ada." + strconv.FormatInt(time.Now().UnixMicro(), 10)})
		before := len(h.log.String())
		require.Equal(t, http.StatusForbidden, send(t, front.Client(), r).StatusCode, origin)
		require.Contains(t, h.log.String()[before:], want, origin)
	}
}

// Limit gets the proxy's address, unless ClientIP is set.
func TestClientIPBehindAProxy(t *testing.T) {
	for _, known := range []bool{false, true} {
		var asked []netip.Addr
		l := listen(t)
		h := newHost(t, func(c *provider.Config) {
			c.Issuer = "http://" + l.Addr().String()
			c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
				asked = append(asked, l.IP)
				return time.Second
			}
			if known {
				c.ClientIP = func(r *http.Request) netip.Addr { return netip.MustParseAddr(r.Header.Get("X-Real-IP")) }
			}
		})
		backend, err := url.Parse(h.server.URL)
		require.NoError(t, err)
		proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.SetXForwarded()
			r.Out.Header.Set("X-Real-IP", "192.0.2.7")
		}}
		front := &httptest.Server{Listener: l, Config: &http.Server{Handler: proxy, ReadHeaderTimeout: time.Minute}}
		front.Start()
		t.Cleanup(front.Close)
		r, err := http.NewRequest(http.MethodPost, h.Endpoints().Token, strings.NewReader("grant_type=refresh_token&client_id=x&refresh_token=y"))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		send(t, &http.Client{Transport: liar{http.DefaultTransport}}, r).refused(t, http.StatusTooManyRequests, "temporarily_unavailable")
		want := netip.MustParseAddr("127.0.0.1")
		if known {
			want = netip.MustParseAddr("192.0.2.7")
		}
		require.Equal(t, []netip.Addr{want}, asked)
	}
}

// The snippets of the guide work in the programs that they are for.
func TestProxySnippets(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "docs", "howto", "proxy.md"))
	require.NoError(t, err)
	for program, config := range map[string]struct {
		language string
		wrap     func(dir, address, snippet string) string
		command  func(file, dir string) []string
	}{
		"nginx": {"nginx", func(dir, address, snippet string) string {
			return "daemon off; pid " + dir + "/pid; error_log " + dir + "/error.log; events {}\n" +
				"http { access_log off; client_body_temp_path " + dir + "/1; proxy_temp_path " + dir + "/2; fastcgi_temp_path " + dir + "/3;\n" +
				"uwsgi_temp_path " + dir + "/4; scgi_temp_path " + dir + "/5; server { listen " + address + ";\n" + snippet + "} }\n"
		}, func(file, dir string) []string { return []string{"-c", file, "-p", dir, "-e", dir + "/error.log"} }},
		"caddy": {"text", func(_, address, snippet string) string {
			return strings.Replace("{\n\tadmin off\n\tauto_https off\n}\n"+snippet, "example.com {", "http://"+address+" {", 1)
		}, func(file, _ string) []string { return []string{"run", "--adapter", "caddyfile", "--config", file} }},
	} {
		var snippets [][]byte
		for _, found := range regexp.MustCompile("(?s)```"+config.language+"\n(.*?)```").FindAllSubmatch(guide, -1) {
			if bytes.Contains(found[1], []byte("127.0.0.1:8080")) {
				snippets = append(snippets, found[1])
			}
		}
		require.Len(t, snippets, 3, "of %s: a separate host name, the prefix kept, the prefix stripped", program)
		for _, snippet := range snippets {
			t.Run(program, func(t *testing.T) {
				path, err := exec.LookPath(program)
				if err != nil && os.Getenv("CI") != "true" {
					t.Skipf("%s is not installed", program)
				}
				require.NoError(t, err)
				prefix := ""
				if bytes.Contains(snippet, []byte("/app")) {
					prefix = "/app"
				}
				l := listen(t)
				address := l.Addr().String()
				h, backend := hostBehind(t, "http://"+address+prefix, prefix)
				require.NoError(t, l.Close())
				dir := t.TempDir()
				file := filepath.Join(dir, "config")
				text := strings.ReplaceAll(string(snippet), "127.0.0.1:8080", backend.Host)
				require.NoError(t, os.WriteFile(file, []byte(config.wrap(dir, address, text)), 0o600))
				var log bytes.Buffer
				command := exec.CommandContext(t.Context(), path, config.command(file, dir)...)
				command.Env = append(os.Environ(), "HOME="+dir)
				command.Stdout, command.Stderr = &log, &log
				command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
				command.WaitDelay = 10 * time.Second
				require.NoError(t, command.Start())
				t.Cleanup(func() {
					command.Wait()
					if t.Failed() {
						t.Log(log.String())
					}
				})
				require.Eventually(t, func() bool {
					c, err := net.Dial("tcp", address)
					if err == nil {
						c.Close()
					}
					return err == nil
				}, 10*time.Second, 10*time.Millisecond)
				worksBehind(t, h.Provider, http.DefaultTransport)
				require.Empty(t, providertest.Diagnose(t, nil, "http://"+address+prefix))
			})
		}
	}
}
