package provider

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Config is everything a [Provider] needs to know. The first five fields are
// required; the zero value of every other one is a sound and strict default.
type Config struct {
	// Issuer is the URL by which applications know this provider, such as
	// "https://app.example.com". Every URL that the provider hands out is
	// built from it, never from a request, so that a proxy cannot change
	// them. It is https, or http on a loopback address for development, and
	// has no query, fragment or trailing slash. It may have a path.
	Issuer string

	// Store keeps applications and grants: memory.New() to begin with.
	Store store.Store

	// CurrentUser says who is signed in to the host, and since when. It
	// returns the zero [Session] when nobody is; an error means that this is
	// not known now, and the visitor gets an error page with status 503.
	CurrentUser func(r *http.Request) (Session, error)

	// SignIn sends a visitor away to sign in, and afterwards back to
	// SignInRequest.ReturnTo. [RedirectTo] makes the usual one.
	SignIn func(w http.ResponseWriter, r *http.Request, s SignInRequest)

	// Users finds a user by the id that CurrentUser returned. It is asked for
	// the consent page, at each refresh and for the userinfo document; a user
	// who is not found is refused there. To cut a user off at once everywhere,
	// call [Provider.RevokeGrants].
	Users userinfo.Lookup

	// Name is what the pages call the host. Empty: the host name in Issuer.
	Name string

	// LogoURL is the host's logo on the pages: https, or below Issuer. Empty:
	// none.
	LogoURL string

	// AccentColor is the colour of buttons and links on the pages, such as
	// "#2f4fd0". Where text in it could not be read, the nearest colour that
	// can be is used. Empty: a blue.
	AccentColor string

	// Texts chooses the words of the pages for a visitor. [AcceptLanguage]
	// makes the usual one. Nil: English.
	Texts func(r *http.Request) Texts

	// ConsentPage shows the consent page in the host's own way. The headers
	// that protect it are set before: no caching, no frames, and a
	// Content-Security-Policy that says where its form may lead. A policy of
	// the host's own is to be added to it and not set in its place, and has no
	// form-action. Nil: the built-in page.
	ConsentPage func(w http.ResponseWriter, r *http.Request, page ConsentPage)

	// ErrorPage shows the error page in the host's own way, and answers with
	// the page's Status. Headers are set as for ConsentPage. Nil: the built-in
	// page.
	ErrorPage func(w http.ResponseWriter, r *http.Request, page ErrorPage)

	// DevicePage shows the pages on which users decide on devices in the host's
	// own way, and answers with the page's Status. Headers are set as for
	// ConsentPage. Nil: the built-in pages.
	DevicePage func(w http.ResponseWriter, r *http.Request, page DevicePage)

	// Scopes are the scopes that applications may be given. Nil:
	// scopes.Default().
	Scopes []scopes.Scope

	// Resources are APIs of the host's for which tokens are issued apart (RFC
	// 8707), to be guarded by [Provider.Resource]. Nil: there are none, and
	// all tokens are for [Provider.Require].
	Resources []Resource

	// InstanceID is the instance_id of the userinfo document. Empty: one that
	// is derived from Issuer, so that it stays the same.
	InstanceID string

	// CodeLifetime is how long an authorization code may be redeemed.
	// Zero: 10 minutes.
	CodeLifetime time.Duration

	// AccessLifetime is how long an access token works. Zero: 2 hours.
	AccessLifetime time.Duration

	// RefreshLifetime is how long a refresh token works; each refresh starts
	// it anew. Zero: 72 hours.
	RefreshLifetime time.Duration

	// GrantLifetime ends a sign-in however often it is refreshed.
	// Zero: no such end.
	GrantLifetime time.Duration

	// RefreshGrace is how long after a refresh the same request may be
	// repeated and gets the same answer, so that parallel refreshes and lost
	// answers log nobody out. Zero: 30 seconds. Negative: off, so that every
	// repetition ends the grant.
	RefreshGrace time.Duration

	// Paths moves or leaves out endpoints.
	Paths Paths

	// TokenPrefix goes in front of every code and token, so that a scanner
	// can tell whose a leaked one is: "acme_" makes access tokens
	// "acme_oat_...". It consists of letters, digits and underscores.
	TokenPrefix string

	// StoreTimeout is how long a call to Store may take before the request
	// is answered with 503. Zero: 5 seconds.
	StoreTimeout time.Duration

	// Limit is asked before a request to the token, revocation, introspection,
	// registration or device authorization endpoint, to the device page with a
	// user code, or with a client whose document has to be fetched, costs
	// anything but the look at its form; a positive answer refuses it with 429
	// and is how long to wait. Nil: no limit.
	Limit func(ctx context.Context, l LimitRequest) time.Duration

	// ClientIP finds the address that Limit is given, where a proxy hides it.
	// Nil: the address of the connection.
	ClientIP func(r *http.Request) netip.Addr

	// Introspection says whether a request to the introspection endpoint comes
	// from a resource server that may ask about any token: nil means yes.
	// [BearerKey] makes the usual one. Left out, applications may ask about
	// their own tokens and nobody about others.
	Introspection func(r *http.Request) error

	// ClientIDDocuments lets in applications that nobody has registered: their
	// client_id is the https URL of a document that says who they are. Nil:
	// there are none.
	ClientIDDocuments *ClientIDDocuments

	// Registration lets applications register themselves (RFC 7591). Nil: none
	// can.
	Registration *Registration

	// DeviceAuthorization lets devices without a browser ask for access (RFC
	// 8628). Store must implement store.Devices. Nil: they cannot.
	DeviceAuthorization *DeviceAuthorization

	// StoreLogo keeps an image that was uploaded as an application's logo and
	// returns its https URL. The image is a JPEG, PNG, GIF or WebP of at most
	// 10 MB, as its bytes say. Nil: the Backend API takes no logos.
	StoreLogo func(ctx context.Context, app store.Application, contentType string, image []byte) (url string, err error)

	// Events is told of what happened, synchronously and before the request is
	// done, so a slow one slows the request. Nil: nobody is told.
	Events func(ctx context.Context, e Event)

	// Logger gets one line for each refused request and each fault. No line
	// holds a code, token, secret or address. Nil: slog.Default().
	Logger *slog.Logger

	// Now is the clock. Nil: time.Now.
	Now func() time.Time
}

// Paths are the paths of the endpoints below Issuer. An empty path is the
// default that its comment gives; "-" leaves the endpoint out.
type Paths struct {
	Authorize  string // "/oauth/authorize"
	Token      string // "/oauth/token"
	UserInfo   string // "/oauth/userinfo"
	Revoke     string // "/oauth/token/revoke"
	Introspect string // "/oauth/token_info"
	Register   string // "/oauth/register", where Config.Registration is set; what has registered is managed below it
	Metadata   string // "-" leaves it out; where it is served, RFC 8414 says

	// Connections is the page of connected applications. Its handler, and those
	// of Authorize and Register, must not be mounted elsewhere: they send
	// browsers and applications here.
	Connections string // "/oauth/connections"

	// DeviceAuthorization and Device are there with Config.DeviceAuthorization
	// only: where devices ask for codes, and the page on which users enter
	// them. The page must not be mounted elsewhere, nor left out.
	DeviceAuthorization string // "/oauth/device_authorization"
	Device              string // "/oauth/device"
}

const maxTokenPrefix = 32

const (
	defaultCodeLifetime    = 10 * time.Minute
	defaultAccessLifetime  = 2 * time.Hour
	defaultRefreshLifetime = 72 * time.Hour
	defaultRefreshGrace    = 30 * time.Second
	defaultStoreTimeout    = 5 * time.Second
)

// withDefaults fills in what was left at zero.
func (c Config) withDefaults() Config {
	c.CodeLifetime = cmp.Or(c.CodeLifetime, defaultCodeLifetime)
	c.AccessLifetime = cmp.Or(c.AccessLifetime, defaultAccessLifetime)
	c.RefreshLifetime = cmp.Or(c.RefreshLifetime, defaultRefreshLifetime)
	c.RefreshGrace = cmp.Or(c.RefreshGrace, defaultRefreshGrace)
	c.StoreTimeout = cmp.Or(c.StoreTimeout, defaultStoreTimeout)
	if c.Scopes == nil {
		c.Scopes = scopes.Default()
	}
	if c.InstanceID == "" {
		c.InstanceID = instanceID(c.Issuer)
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.ClientIP == nil {
		c.ClientIP = remoteAddr
	}
	p := &c.Paths
	p.Authorize = cmp.Or(p.Authorize, "/oauth/authorize")
	p.Token = cmp.Or(p.Token, "/oauth/token")
	p.UserInfo = cmp.Or(p.UserInfo, "/oauth/userinfo")
	p.Revoke = cmp.Or(p.Revoke, "/oauth/token/revoke")
	p.Introspect = cmp.Or(p.Introspect, "/oauth/token_info")
	p.Connections = cmp.Or(p.Connections, "/oauth/connections")
	if c.ClientIDDocuments != nil {
		documents := c.ClientIDDocuments.withDefaults()
		c.ClientIDDocuments = &documents
	}
	if c.Registration != nil {
		registration := c.Registration.withDefaults()
		c.Registration = &registration
		p.Register = cmp.Or(p.Register, "/oauth/register")
	}
	if c.DeviceAuthorization != nil {
		c.DeviceAuthorization = c.DeviceAuthorization.withDefaults()
		p.DeviceAuthorization = cmp.Or(p.DeviceAuthorization, "/oauth/device_authorization")
		p.Device = cmp.Or(p.Device, "/oauth/device")
	} else {
		p.DeviceAuthorization, p.Device = leaveOut, leaveOut
	}
	return c
}

// validate returns every problem of the Config at once, each with the field's
// name and what to do.
func (c Config) validate() error {
	var problems []error
	problem := func(field, format string, args ...any) {
		problems = append(problems, fmt.Errorf("provider: Config.%s "+format, append([]any{field}, args...)...))
	}
	if _, err := parseIssuer(c.Issuer); err != nil {
		problem("Issuer", "%w", err)
	}
	if c.Store == nil {
		problem("Store", "is missing: set it to memory.New() to begin with")
	}
	if c.CurrentUser == nil {
		problem("CurrentUser", "is missing: set it to a function that says who is signed in")
	}
	if c.SignIn == nil {
		problem("SignIn", `is missing: set it to provider.RedirectTo("/login", "next") with the path of your sign-in page`)
	}
	if c.Users == nil {
		problem("Users", "is missing: set it to a function that finds a user by id")
	}
	for _, d := range []struct {
		field string
		value time.Duration
	}{
		{"CodeLifetime", c.CodeLifetime},
		{"AccessLifetime", c.AccessLifetime},
		{"RefreshLifetime", c.RefreshLifetime},
		{"GrantLifetime", c.GrantLifetime},
		{"StoreTimeout", c.StoreTimeout},
	} {
		if d.value < 0 {
			problem(d.field, "is negative: leave it at zero for the default")
		} else if d.value > 0 && d.value < time.Second && d.field != "StoreTimeout" {
			problem(d.field, "is %v: give at least one second", d.value)
		}
	}
	seen := map[string]bool{}
	for _, s := range c.Scopes {
		switch {
		case !scopes.Valid(s.Name):
			problem("Scopes", "has the name %q: use printable ASCII without space, quotation mark and backslash", s.Name)
		case tolerated.Has(s.Name):
			problem("Scopes", "has the name %q, which is accepted and never granted: choose another", s.Name)
		case seen[s.Name]:
			problem("Scopes", "has %q twice: keep one", s.Name)
		case s.Title == "":
			problem("Scopes", "has no Title for %q: write the sentence that the consent page shows", s.Name)
		}
		seen[s.Name] = true
	}
	if c.LogoURL != "" && !isWebURL(c.LogoURL, c.Issuer) {
		problem("LogoURL", "is %q: give an https URL, or one below Issuer", c.LogoURL)
	}
	if _, ok := parseColour(c.AccentColor); c.AccentColor != "" && !ok {
		problem("AccentColor", `is %q: write it like "#2f4fd0"`, c.AccentColor)
	}
	if strings.Trim(c.TokenPrefix, base62+"_") != "" || len(c.TokenPrefix) > maxTokenPrefix {
		problem("TokenPrefix", "is %q: use at most %d letters, digits and underscores", c.TokenPrefix, maxTokenPrefix)
	}
	problems = append(problems, c.validateResources()...)
	offered := map[string]bool{}
	for _, s := range c.Scopes {
		offered[s.Name] = true
	}
	only := func(field string, names []string) {
		for _, name := range names {
			if !offered[name] {
				problem(field, "has %q: add it to Config.Scopes, or leave it out here", name)
			}
		}
	}
	if c.Registration != nil {
		only("Registration.Scopes", c.Registration.Scopes)
	}
	if c.ClientIDDocuments != nil {
		only("ClientIDDocuments.Scopes", c.ClientIDDocuments.Scopes)
	}
	if d := c.ClientIDDocuments; d != nil && d.ExpireAfter > 0 && d.ExpireAfter < time.Second {
		problem("ClientIDDocuments.ExpireAfter", "is %v: give at least one second, or a negative one for never", d.ExpireAfter)
	}
	if r := c.Registration; r != nil && r.ExpireAfter > 0 && r.ExpireAfter < time.Second {
		problem("Registration.ExpireAfter", "is %v: give at least one second, or a negative one for never", r.ExpireAfter)
	}
	if c.DeviceAuthorization != nil {
		problems = append(problems, c.DeviceAuthorization.validate(c.Store, c.Paths.DeviceAuthorization, c.Paths.Device)...)
	}
	return errors.Join(append(problems, c.Paths.validate()...)...)
}

func (p Paths) validate() []error {
	var problems []error
	taken := map[string]string{}
	for _, e := range []struct{ field, path string }{
		{"Authorize", p.Authorize}, {"Token", p.Token}, {"UserInfo", p.UserInfo}, {"Revoke", p.Revoke}, {"Introspect", p.Introspect},
		{"Connections", p.Connections}, {"Register", p.Register}, {"DeviceAuthorization", p.DeviceAuthorization}, {"Device", p.Device},
	} {
		if e.path == leaveOut || e.path == "" {
			continue
		}
		u, err := url.Parse(e.path)
		switch {
		case err != nil || u.Path != e.path || path.Clean(e.path) != e.path || !strings.HasPrefix(e.path, "/") || strings.HasPrefix(e.path, "//") || strings.ContainsAny(e.path, "{} "):
			problems = append(problems, fmt.Errorf("provider: Config.Paths.%s is %q: give a plain path such as \"/oauth/%s\", or \"-\" to leave it out", e.field, e.path, strings.ToLower(e.field)))
		case taken[e.path] != "":
			problems = append(problems, fmt.Errorf("provider: Config.Paths.%s is the same as Paths.%s: give each endpoint its own", e.field, taken[e.path]))
		}
		taken[e.path] = e.field
	}
	if p.Metadata != "" && p.Metadata != leaveOut {
		problems = append(problems, errors.New(`provider: Config.Paths.Metadata can only be "-": where metadata is served, RFC 8414 section 3 says`))
	}
	return problems
}

const leaveOut = "-"

// parseIssuer checks an issuer identifier (RFC 8414 section 2).
func parseIssuer(issuer string) (*url.URL, error) {
	if issuer == "" {
		return nil, errors.New(`is missing: give the URL of your app, such as "https://app.example.com"`)
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("is %q: give an absolute URL such as \"https://app.example.com\"", issuer)
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return nil, fmt.Errorf("is %q: use https; http is for localhost, 127.0.0.1 and [::1] only", issuer)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		return nil, fmt.Errorf("is %q: leave out user, query and fragment", issuer)
	case strings.HasSuffix(issuer, "/"):
		return nil, fmt.Errorf("is %q: leave out the slash at the end", issuer)
	case u.String() != issuer || u.Host != strings.ToLower(u.Host) || u.RawPath != "" || strings.ContainsAny(u.Path, "{} ") ||
		u.Path != "" && path.Clean(u.Path) != u.Path:
		// Two slashes would make a return address lead to another host.
		return nil, fmt.Errorf("is %q: write it plainly: the host in lower case, the path without escapes, dots or double slashes", issuer)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return nil, fmt.Errorf("is %q: leave out the port, as browsers do with the usual one", issuer)
	}
	return u, nil
}

// isLoopback reports whether host is one of the names under which a program
// reaches its own machine without TLS.
func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// instanceID derives a stable id in the form of Clerk's, "ins_" and 27
// characters, from the issuer.
func instanceID(issuer string) string {
	sum := sha256.Sum256([]byte("latchkey instance\x00" + issuer))
	return "ins_" + string(appendBase62(nil, sum[:24]))[:27]
}
