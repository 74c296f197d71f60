package diagnose_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/internal/diagnose"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// site is the public name of all deployments here. Only the connection leads to
// this machine.
const site = "https://app.example.com"

// A deployment is an app, what is in front of it, and the options of the check.
// Zero fields are correct.
type deployment struct {
	// The app.
	issuer string // Config.Issuer
	config func(t *testing.T, c *provider.Config)
	mux    func(h *providertest.Host)             // adds what the app has besides
	wrap   func(app http.Handler) http.Handler    // middleware around all of it
	second func(t *testing.T, c *provider.Config) // another instance behind the proxy in Go, in turns

	// In front: nginx, Caddy, or a proxy in Go.
	nginx, nginxHTTP string // in the server with TLS, and around it; BACKEND is the app's address
	caddy            string // in the site
	front            func(proxy http.Handler) http.Handler
	noTLS            bool              // in front
	stopped          bool              // the app
	tls              func(*tls.Config) // of the proxy in Go
	certificate      func(ca *authority) tls.Certificate
	plain            func(proxy http.Handler) http.Handler // at port 80; nil: nothing is there
	dial             func() error                          // fails in place of a connection

	// The check.
	given   string // the URL
	timeout time.Duration
	client  string // the client_id: "known", "unknown", "bare"
}

// sessionOf is a host's session middleware: it sets a cookie on the sign-in
// page.
func signInPage(attributes string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Set-Cookie", "session=1; Path=/; HttpOnly; "+attributes)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, `<!DOCTYPE html><form method="post"><input name="password" type="password"></form>`)
	}
}

// start starts the deployment, and returns the options for the doctor.
func (d deployment) start(t *testing.T) diagnose.Options {
	t.Helper()
	if d.issuer == "" {
		d.issuer = site
	}
	prefix := ""
	if u, err := url.Parse(d.issuer); err == nil {
		prefix = u.Path
	}
	newApp := func(edit func(*testing.T, *provider.Config)) (*providertest.Host, string) {
		h := providertest.New(t, func(c *provider.Config) {
			c.Issuer = d.issuer
			c.SignIn = provider.RedirectTo(prefix+"/login", "next")
			c.Registration = &provider.Registration{}
			c.ClientIDDocuments = &provider.ClientIDDocuments{}
			c.DeviceAuthorization = &provider.DeviceAuthorization{}
			c.OpenID, c.Keys = &provider.OpenID{}, hosttest.NewKeys()
			c.Resources = []provider.Resource{{URL: d.issuer + "/mcp"}}
			c.Logger = slog.New(slog.DiscardHandler)
			if edit != nil {
				edit(t, c)
			}
		})
		if d.mux != nil {
			d.mux(h)
		} else {
			page(h, "GET "+prefix+"/login", signInPage("SameSite=Lax; Secure"))
			if prefix != "" {
				page(h, "GET /login", signInPage("SameSite=Lax; Secure")) // stripped
			}
			page(h, prefix+"/mcp", h.Provider.Resource(d.issuer+"/mcp").Require()(http.NotFoundHandler()).ServeHTTP)
		}
		app := http.Handler(h.Mux)
		if d.wrap != nil {
			app = d.wrap(app)
		}
		server := httptest.NewUnstartedServer(app)
		server.Config.ErrorLog = quiet
		server.Start()
		t.Cleanup(server.Close)
		if d.stopped {
			server.Close()
		}
		return h, server.Listener.Addr().String()
	}
	h, backend := newApp(d.config)
	backends := []string{backend}
	if d.second != nil {
		_, other := newApp(d.second)
		backends = append(backends, other)
	}

	ca := newAuthority(t)
	certificate := ca.issue(t, "app.example.com", time.Now().Add(60*24*time.Hour))
	if d.certificate != nil {
		certificate = d.certificate(ca)
	}
	at := map[string]string{}
	public := "app.example.com"
	if u, err := url.Parse(cmp.Or(d.given, d.issuer)); err == nil {
		public = u.Hostname()
	}
	switch {
	case d.nginx != "":
		at[public+":443"] = startNginx(t, certificate, d.nginxHTTP, strings.ReplaceAll(d.nginx, "BACKEND", backend))
	case d.caddy != "":
		at[public+":443"] = startCaddy(t, certificate, strings.ReplaceAll(d.caddy, "BACKEND", backend))
	default:
		proxy := passOn(backends)
		if d.front != nil {
			proxy = d.front(proxy)
		}
		server := httptest.NewUnstartedServer(proxy)
		server.Config.ErrorLog = quiet
		server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
		if d.tls != nil {
			d.tls(server.TLS)
		}
		if d.noTLS {
			server.Start()
		} else {
			server.StartTLS()
		}
		t.Cleanup(server.Close)
		at[public+":443"] = server.Listener.Addr().String()
		if d.plain != nil {
			server := httptest.NewServer(d.plain(proxy))
			t.Cleanup(server.Close)
			at[public+":80"] = server.Listener.Addr().String()
		}
	}

	o := diagnose.Options{Issuer: d.issuer, Timeout: d.timeout}
	if d.given != "" {
		o.Issuer = d.given
	}
	switch d.client {
	case "":
	case "unknown":
		o.ClientID = "unknown"
	default:
		settings := provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{"https://wiki.example/callback"}}
		if d.client == "bare" {
			settings.RedirectURIs = nil
		}
		app, _, err := h.Provider.CreateApplication(t.Context(), settings)
		require.NoError(t, err)
		o.ClientID = app.ClientID
	}
	o.Transport = &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: ca.pool, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if d.dial != nil {
				return nil, d.dial()
			}
			to, ok := at[address]
			switch {
			case !ok:
				to = closedPort
			case strings.HasPrefix(to, "/"):
				network = "unix"
			}
			return (&net.Dialer{}).DialContext(ctx, network, to)
		},
	}
	t.Cleanup(o.Transport.(*http.Transport).CloseIdleConnections)
	return o
}

// quiet is for servers that would log what a test provokes.
var quiet = log.New(io.Discard, "", 0)

// closedPort is an address without a listener: listening there needs
// privileges.
const closedPort = "127.0.0.1:1"

// page adds a page to the app, for all methods.
func page(h *providertest.Host, pattern string, serve http.HandlerFunc) { h.Mux.Handle(pattern, serve) }

// passOn is a proxy that passes requests on, to each app in turn.
func passOn(backends []string) http.Handler {
	turn := 0
	next := make(chan string)
	go func() {
		for {
			next <- backends[turn%len(backends)]
			turn++
		}
	}()
	return &httputil.ReverseProxy{ErrorLog: quiet, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", <-next
		r.Out.Host = r.In.Host
		r.SetXForwarded()
	}}
}

// An authority issues certificates.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
	at          string // the URL of its certificate, as public authorities name it
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a := &authority{t: t, key: key, pool: x509.NewCertPool()}
	a.certificate = a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test authority"}, DNSNames: []string{"app.example.com"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, nil, key)
	a.pool.AddCert(a.certificate)
	return a
}

func (a *authority) sign(t *testing.T, template, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, a.key)
	require.NoError(t, err)
	c, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return c
}

// issue makes a certificate that began 90 days before its end.
func (a *authority) issue(t *testing.T, name string, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, NotBefore: until.Add(-90 * 24 * time.Hour), NotAfter: until,
	}
	if ip := net.ParseIP(name); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{name}
	}
	if a.at != "" {
		template.IssuingCertificateURL = []string{a.at}
	}
	c := a.sign(t, template, a.certificate, key)
	return tls.Certificate{Certificate: [][]byte{c.Raw}, PrivateKey: key}
}

// below returns an intermediate authority of this one.
func (a *authority) below() *authority {
	t := a.t
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := a.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "Test intermediate"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, a.certificate, key)
	return &authority{t: t, certificate: c, key: key, at: "http://ca.example/intermediate.crt"}
}

// write puts a certificate and its key into files.
func write(t *testing.T, dir string, c tls.Certificate) (certificate, key string) {
	t.Helper()
	var chain bytes.Buffer
	for _, der := range c.Certificate {
		require.NoError(t, pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	require.NoError(t, err)
	certificate, key = filepath.Join(dir, "certificate.pem"), filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(certificate, chain.Bytes(), 0o600))
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
	return certificate, key
}

// newSocket returns a folder for a proxy, and its socket. It uses no port,
// which another test could take first. Names of sockets must be short.
func newSocket(t *testing.T) (dir, socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "doctor")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir, filepath.Join(dir, "socket")
}

func startNginx(t *testing.T, c tls.Certificate, outside, server string) string {
	t.Helper()
	dir, socket := newSocket(t)
	certificate, key := write(t, dir, c)
	text := strings.NewReplacer("DIR", dir, "ADDRESS", "unix:"+socket, "CERTIFICATE", certificate, "KEY", key).Replace(strings.NewReplacer("OUTSIDE", outside, "SERVER", server).Replace(`
daemon off; master_process off; pid DIR/pid; error_log DIR/error.log; events {}
http {
	access_log off;
	client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;
	OUTSIDE
	server {
		listen ADDRESS ssl; server_name app.example.com;
		ssl_certificate CERTIFICATE; ssl_certificate_key KEY;
		SERVER
	}
}
`))
	run(t, socket, dir, text, "nginx", "-c", filepath.Join(dir, "config"), "-p", dir, "-e", filepath.Join(dir, "error.log"))
	return socket
}

func startCaddy(t *testing.T, c tls.Certificate, site string) string {
	t.Helper()
	dir, socket := newSocket(t)
	certificate, key := write(t, dir, c)
	text := fmt.Sprintf("{\n\tadmin off\n\tauto_https disable_redirects\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\nhttps://app.example.com {\n\tbind unix/%s\n\ttls %s %s\n%s\n}\n", socket, certificate, key, strings.ReplaceAll(site, "DIR", dir))
	run(t, socket, dir, text, "caddy", "run", "--adapter", "caddyfile", "--config", filepath.Join(dir, "config"))
	return socket
}

// run starts a proxy with its configuration, and waits until it listens.
func run(t *testing.T, socket, dir, config, program string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil && os.Getenv("CI") != "true" {
		t.Skipf("%s is not installed", program)
	}
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "index.html"), []byte("<!DOCTYPE html><title>App</title><div id=root></div>"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users"), []byte("ada:{PLAIN}secret\n"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600))
	var log bytes.Buffer
	command := exec.CommandContext(t.Context(), path, args...)
	command.Env = append(os.Environ(), "HOME="+dir)
	command.Stdout, command.Stderr = &log, &log
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 10 * time.Second
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		command.Wait()
		if t.Failed() {
			t.Log(config, log.String())
		}
	})
	require.Eventually(t, func() bool {
		c, err := net.Dial("unix", socket)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, 20*time.Second, 10*time.Millisecond, "%s: %s", program, config)
}
