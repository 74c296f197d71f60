package provider

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/clientdoc"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// Provider is an OAuth 2.0 authorization server inside a host's own app, and
// the guard of the host's own API. It is immutable and safe for concurrent
// use; it starts no goroutines, and its host starts
// [Provider.Run].
type Provider struct {
	cfg     Config
	records records
	issuer  *url.URL
	offer   offer
	prefix  tokenPrefix

	resources []*ProtectedResource
	documents *clientdoc.Cache[store.Application] // nil: clients have to be registered

	csrf    *http.CrossOriginProtection
	pages   *pages.Renderer
	secrets *secretVerifier

	guesses *guesses // of user codes

	ownAddress bool // Config.ClientIP was left out, for Check
}

// New checks the whole Config and returns a Provider, or an error that names
// every problem in it.
func New(cfg Config) (*Provider, error) {
	ownAddress := cfg.ClientIP == nil
	cfg = cfg.withDefaults()
	shown, err := pages.New(cfg.Pages, cfg.Issuer)
	if err := errors.Join(cfg.validate(), err); err != nil {
		return nil, err
	}
	issuer, err := parseIssuer(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	p := &Provider{
		cfg: cfg, records: records{cfg.Store, cfg.StoreTimeout, cfg.Now}, issuer: issuer, pages: shown, offer: newOffer(&cfg), prefix: tokenPrefix(cfg.TokenPrefix),
		secrets: newSecretVerifier(cfg.StoreTimeout), guesses: newGuesses(), ownAddress: ownAddress,
	}
	if p.resources, err = p.newResources(); err != nil {
		return nil, err
	}
	if cfg.ClientIDDocuments != nil {
		p.documents = newDocuments(p)
	}
	p.csrf = http.NewCrossOriginProtection()
	// A proxy may rewrite Host, so the issuer's origin is trusted by name.
	if err := p.csrf.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, fmt.Errorf("provider: Config.Issuer: %w", err)
	}
	return p, nil
}

// Route is one endpoint and method that [Provider.Mount] registers.
type Route struct {
	Method  string
	Path    string // "{client_id}" at its end is any one segment; the handler finds it itself, so a router may call it as it likes
	Handler http.Handler

	// Session is set where the host's own session is read: such a route must
	// come after the host's session middleware. The others are called by
	// programs without cookies, in browsers too: they answer CORS themselves.
	// Keep CSRF checks, sign-in walls and CORS middleware away from them.
	Session bool
}

// Mount registers every endpoint on the host's router, by method and path, so
// that it sits beside whatever the host has: a "GET /" for everything else
// too. A true clash panics, as it does with two handlers of the host's own.
// *http.ServeMux and chi's router are such routers.
func (p *Provider) Mount(mux interface {
	Handle(pattern string, handler http.Handler)
}) {
	for _, r := range p.Routes() {
		mux.Handle(r.Method+" "+r.Path, r.Handler)
	}
}

// Routes returns what [Provider.Mount] registers, for hosts that register it
// themselves or put middleware in front. Where Issuer has a path, each
// endpoint is there both with and without it, so that it makes no difference
// whether a proxy strips the prefix.
func (p *Provider) Routes() []Route {
	var routes []Route
	at := func(path string, h http.Handler, session bool) {
		// For each method, also those that are answered with 405: else a
		// host's page for everything else would answer them.
		for _, m := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
			routes = append(routes, Route{Method: m, Path: path, Handler: h, Session: session})
		}
	}
	add := func(path string, h http.Handler, session bool) {
		if path == leaveOut {
			return
		}
		at(path, h, session)
		if p.issuer.Path != "" {
			at(p.issuer.Path+path, h, session)
		}
	}
	paths := p.cfg.Paths
	add(paths.Authorize, p.AuthorizeHandler(), true)
	add(paths.Token, p.TokenHandler(), false)
	add(paths.UserInfo, p.UserInfoHandler(), false)
	add(paths.Revoke, p.RevokeHandler(), false)
	add(paths.Introspect, p.IntrospectHandler(), false)
	add(paths.Connections, p.ConnectionsHandler(), true)
	if p.registers() {
		add(paths.Register, p.RegistrationHandler(), false)
		add(paths.Register+"/{client_id}", p.ClientConfigurationHandler(), false)
	}
	add(paths.DeviceAuthorization, p.DeviceAuthorizationHandler(), false)
	add(paths.Device, p.DeviceHandler(), true)
	if !paths.NoMetadata {
		// Not by add: the path of Issuer comes last here, and a proxy that
		// strips it never sees this one.
		at(metadataPath+p.issuer.Path, p.MetadataHandler(), false)
	}
	for _, r := range p.resources {
		if r.own {
			at(r.path, r.MetadataHandler(), false)
		}
	}
	return routes
}

// secure reports whether browsers reach the provider by TLS.
func (p *Provider) secure() bool { return p.issuer.Scheme == "https" }

// now is the time to the microsecond, which is what every store keeps.
func (p *Provider) now() time.Time { return p.records.now() }
