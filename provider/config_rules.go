package provider

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

const defaultStoreTimeout = 5 * time.Second

// An ID token must not live longer than the key that signed it stays published.
// Package keys has the same limit.
const (
	defaultIDTokenLifetime = time.Hour
	maxIDTokenLifetime     = 24 * time.Hour
)

const defaultExpireAfter = 90 * 24 * time.Hour

const (
	defaultDeviceCodeLifetime = 10 * time.Minute
	defaultDeviceInterval     = 5 * time.Second
)

const defaultMachineTokens = 60 // per minute

// withDefaults fills in fields that are zero.
func (c Config) withDefaults() Config {
	c.Lifetimes = c.Lifetimes.or(defaultLifetimes)
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
		documents.Resource = cmp.Or(documents.Resource, c.onlyResource())
		c.ClientIDDocuments = &documents
	}
	if c.Registration != nil {
		registration := c.Registration.withDefaults()
		registration.Resource = cmp.Or(registration.Resource, c.onlyResource())
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
	if c.Machines != nil {
		c.Machines = &Machines{Scopes: c.Machines.Scopes, PerMinute: cmp.Or(c.Machines.PerMinute, defaultMachineTokens)}
	}
	if c.OpenID != nil {
		c.OpenID = c.OpenID.withDefaults()
		p.JWKS = cmp.Or(p.JWKS, "/oauth/jwks")
		p.Logout = cmp.Or(p.Logout, "/oauth/logout")
	} else {
		p.JWKS = leaveOut
	}
	if c.OpenID == nil || c.OpenID.SignOut == nil {
		p.Logout = leaveOut
	}
	return c
}

// onlyResource returns the URL of the one resource, or "" if there are none or
// several.
func (c *Config) onlyResource() string {
	if len(c.Resources) != 1 {
		return ""
	}
	return c.Resources[0].URL
}

func (d ClientIDDocuments) withDefaults() ClientIDDocuments {
	d.ExpireAfter = cmp.Or(d.ExpireAfter, defaultExpireAfter)
	return d
}

func (r Registration) withDefaults() Registration {
	r.ExpireAfter = cmp.Or(r.ExpireAfter, defaultExpireAfter)
	return r
}

func (o OpenID) withDefaults() *OpenID {
	o.IDTokenLifetime = cmp.Or(o.IDTokenLifetime, defaultIDTokenLifetime)
	return &o
}

// withDefaults fills in fields that are zero.
func (d DeviceAuthorization) withDefaults() *DeviceAuthorization {
	if d.CodeLifetime == 0 {
		d.CodeLifetime = defaultDeviceCodeLifetime
	}
	if d.Interval == 0 {
		d.Interval = defaultDeviceInterval
	}
	return &d
}

// problems are the problems of a Config.
type problems []error

// add records a field of the Config, what is wrong with it, and what to do.
func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, fmt.Errorf("provider: Config.%s "+format, append([]any{field}, args...)...))
}

// validate returns every problem of the Config at once.
func (c Config) validate() error {
	var found problems
	if _, err := parseIssuer(c.Issuer, c.AllowHTTP); err != nil {
		found.add("Issuer", "%w", err)
	}
	if c.Store == nil {
		found.add("Store", "is missing: start with memory.New()")
	}
	if c.CurrentUser == nil {
		found.add("CurrentUser", "is missing: set it to a function that returns who is signed in")
	}
	if c.SignIn == nil {
		found.add("SignIn", `is missing: set it to provider.RedirectTo("/login", "next") with the path of your sign-in page`)
	}
	if c.Users == nil {
		found.add("Users", "is missing: set it to a function that finds a user by ID")
	}
	if strings.Trim(c.TokenPrefix, base62+"_") != "" || len(c.TokenPrefix) > maxTokenPrefix {
		found.add("TokenPrefix", "is %q: use at most %d letters, digits, and underscores", c.TokenPrefix, maxTokenPrefix)
	}
	found.addShort("StoreTimeout", c.StoreTimeout, 0)
	c.validateScopes(&found)
	c.Lifetimes.validate(&found, "Lifetimes")
	c.validateResources(&found)
	c.validateStrangers(&found)
	if c.DeviceAuthorization != nil {
		c.DeviceAuthorization.validate(&found, c.Paths)
	}
	if c.Machines != nil {
		c.mustOffer(&found, "Machines", c.Machines.Scopes)
		if c.Machines.PerMinute < 0 {
			found.add("Machines.PerMinute", "is negative: leave it at zero for the default; set Config.Machines to nil to switch machines off")
		}
	}
	c.validateOpenID(&found)
	if c.Workspaces != nil {
		c.Workspaces.validate(&found)
	}
	c.Paths.validate(&found)
	return errors.Join(found...)
}

func (l Lifetimes) validate(found *problems, field string) {
	l.check(func(name, what string) { found.add(field+"."+name, "%s", what) })
}

// addShort records a problem with a duration, unless it is zero for the
// default.
func (p *problems) addShort(field string, value, least time.Duration) {
	if what := tooShort(value, least); what != "" {
		p.add(field, "%s", what)
	}
}

// expireAfter returns how long an application of the origin may go unused, or 0
// if it may do so forever, because its origin is disabled or the host created
// it.
func (c *Config) expireAfter(origin store.Origin) time.Duration {
	switch {
	case origin == store.OriginRegistration && c.Registration != nil:
		return c.Registration.ExpireAfter
	case origin == store.OriginDocument && c.ClientIDDocuments != nil:
		return c.ClientIDDocuments.ExpireAfter
	}
	return 0
}

// defaultResource returns the URL of the resource that tokens are for if an
// application of the origin names none, or "".
func (c *Config) defaultResource(origin store.Origin) string {
	switch {
	case origin == store.OriginRegistration && c.Registration != nil:
		return c.Registration.Resource
	case origin == store.OriginDocument && c.ClientIDDocuments != nil:
		return c.ClientIDDocuments.Resource
	}
	return ""
}

func (c Config) validateScopes(found *problems) {
	seen := map[string]bool{}
	for _, s := range c.Scopes {
		switch {
		case !scopes.Valid(s.Name):
			found.add("Scopes", "has the name %q: use printable ASCII without spaces, quotation marks, and backslashes", s.Name)
		case tolerated.Has(s.Name):
			found.add("Scopes", "has the name %q, which Latchkey accepts but never grants: choose another", s.Name)
		case seen[s.Name]:
			found.add("Scopes", "has %q twice: keep one", s.Name)
		case s.Title == "":
			found.add("Scopes", "has no Title for %q: write the sentence that the consent page shows", s.Name)
		case s.Access != "" && s.Access != scopes.AccessRead && s.Access != scopes.AccessWrite && s.Access != scopes.AccessDelete:
			found.add("Scopes", "has the Access %q for %q: use scopes.AccessRead, AccessWrite or AccessDelete, or leave it empty", s.Access, s.Name)
		}
		seen[s.Name] = true
	}
}

// mustOffer checks that the Scopes of a field are in Config.Scopes.
func (c Config) mustOffer(found *problems, field string, names []string) {
	for _, name := range names {
		if !slices.ContainsFunc(c.Scopes, func(s scopes.Scope) bool { return s.Name == name }) {
			found.add(field+".Scopes", "has %q: add it to Config.Scopes, or leave it out here", name)
		}
	}
}

// validateStrangers checks the fields that allow applications that the host
// didn't create.
func (c Config) validateStrangers(found *problems) {
	check := func(field string, names []string, resource string, expireAfter time.Duration) {
		c.mustOffer(found, field, names)
		if resource != "" && !slices.ContainsFunc(c.Resources, func(r Resource) bool { return r.URL == resource }) {
			found.add(field+".Resource", "is %q: give the URL of one of Config.Resources, or leave it empty", resource)
		}
		found.addShort(field+".ExpireAfter", expireAfter, time.Second)
	}
	if r := c.Registration; r != nil {
		check("Registration", r.Scopes, r.Resource, r.ExpireAfter)
	}
	if d := c.ClientIDDocuments; d != nil {
		check("ClientIDDocuments", d.Scopes, d.Resource, d.ExpireAfter)
	}
}

func (c Config) validateResources(found *problems) {
	for i, r := range c.Resources {
		field := fmt.Sprintf("Resources[%d]", i)
		if _, err := parseIssuer(r.URL, c.AllowHTTP); err != nil {
			found.add(field+".URL", "%w", err)
		}
		if slices.ContainsFunc(c.Resources[:i], func(other Resource) bool { return weburl.Same(other.URL, r.URL) }) {
			found.add("Resources", "has %q twice: keep one", r.URL)
		}
		c.mustOffer(found, field, r.Scopes)
		r.Lifetimes.validate(found, field+".Lifetimes")
	}
}

func (c Config) validateOpenID(found *problems) {
	if c.Keys != nil && len(c.Keys.Algorithms()) == 0 {
		found.add("Keys", "can sign with no algorithm: make it with keys.New or keys.Static")
	}
	o := c.OpenID
	if o == nil {
		return
	}
	if c.Keys == nil {
		found.add("Keys", "is missing: OpenID needs keys to sign ID tokens; keys.New makes them")
	}
	if c.Paths.JWKS == leaveOut {
		found.add("Paths.JWKS", "is left out: applications need its keys to verify ID tokens")
	}
	found.addShort("OpenID.IDTokenLifetime", o.IDTokenLifetime, time.Second)
	if o.IDTokenLifetime > maxIDTokenLifetime {
		found.add("OpenID.IDTokenLifetime", "is %v: use at most %v, because a key is published for that long after its last signature", o.IDTokenLifetime, maxIDTokenLifetime)
	}
	for _, value := range o.ACRValues {
		if !scopes.Valid(value) {
			found.add("OpenID.ACRValues", "has %q: use printable ASCII without spaces, quotation marks, and backslashes", value)
		}
	}
}

func (w *Workspaces) validate(found *problems) {
	if w.List == nil {
		found.add("Workspaces.List", "is missing: set it to a function that lists the workspaces of a user")
	}
	if w.Member == nil {
		found.add("Workspaces.Member", "is missing: set it to a function that reports whether a user is a member of a workspace")
	}
	if !isWorkspaceUse(w.Agents) {
		found.add("Workspaces.Agents", "is %q: use store.WorkspaceNone, WorkspaceOptional, or WorkspaceRequired", w.Agents)
	}
}

// isWorkspaceUse reports whether u is a valid store.WorkspaceUse.
func isWorkspaceUse(u store.WorkspaceUse) bool {
	return u == store.WorkspaceNone || u == store.WorkspaceOptional || u == store.WorkspaceRequired
}

func (d *DeviceAuthorization) validate(found *problems, paths Paths) {
	for _, v := range []struct {
		field       string
		value       time.Duration
		least, most time.Duration
	}{
		{"CodeLifetime", d.CodeLifetime, time.Minute, time.Hour},
		{"Interval", d.Interval, time.Second, time.Minute},
	} {
		if v.value < v.least || v.value > v.most {
			found.add("DeviceAuthorization."+v.field, "is %v: use a value between %v and %v, or zero for the default", v.value, v.least, v.most)
		}
	}
	if paths.DeviceAuthorization == leaveOut {
		found.add("Paths.DeviceAuthorization", "is left out, but devices need it: set Config.DeviceAuthorization to nil to disable the device flow")
	}
	if paths.Device == leaveOut {
		found.add("Paths.Device", "is left out, but users of devices need the page")
	}
}

func (p Paths) validate(found *problems) {
	taken := map[string]string{}
	for _, e := range []struct{ field, path string }{
		{"Authorize", p.Authorize}, {"Token", p.Token}, {"UserInfo", p.UserInfo}, {"Revoke", p.Revoke}, {"Introspect", p.Introspect},
		{"Connections", p.Connections}, {"Register", p.Register}, {"DeviceAuthorization", p.DeviceAuthorization}, {"Device", p.Device},
		{"JWKS", p.JWKS}, {"Logout", p.Logout},
	} {
		if e.path == leaveOut || e.path == "" {
			continue
		}
		u, err := url.Parse(e.path)
		switch {
		case err != nil || u.Path != e.path || path.Clean(e.path) != e.path || !strings.HasPrefix(e.path, "/") || strings.HasPrefix(e.path, "//") || strings.ContainsAny(e.path, "{} "):
			found.add("Paths."+e.field, "is %q: use a plain path such as \"/oauth/%s\", or \"-\" to leave it out", e.path, strings.ToLower(e.field))
		case taken[e.path] != "":
			found.add("Paths."+e.field, "is the same as Paths.%s: use a different path for each endpoint", taken[e.path])
		}
		taken[e.path] = e.field
	}
}

// parseIssuer checks an issuer identifier (RFC 8414 section 2). private reports
// whether it may be http at a private address.
func parseIssuer(issuer string, private bool) (*url.URL, error) {
	if issuer == "" {
		return nil, errors.New(`is missing: use the URL of your app, such as "https://app.example.com"`)
	}
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Opaque != "" {
		return nil, fmt.Errorf("is %q: use an absolute URL such as \"https://app.example.com\"", issuer)
	}
	switch {
	case u.Scheme != "https" && (u.Scheme != "http" || !weburl.MayBePlain(u.Hostname(), private)):
		return nil, fmt.Errorf("is %q: use https; http is only for localhost, names below it, 127.0.0.1, and [::1], and with Config.AllowHTTP for private addresses", issuer)
	case u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.Contains(issuer, "#"):
		return nil, fmt.Errorf("is %q: remove the user, query, and fragment", issuer)
	case strings.HasSuffix(issuer, "/"):
		return nil, fmt.Errorf("is %q: remove the trailing slash", issuer)
	case u.String() != issuer || u.Host != strings.ToLower(u.Host) || u.RawPath != "" || strings.ContainsAny(u.Path, "{} ") ||
		u.Path != "" && path.Clean(u.Path) != u.Path:
		// With two slashes, a return address would lead to another host.
		return nil, fmt.Errorf("is %q: normalize it: the host in lower case, the path without escapes, dots, or double slashes", issuer)
	case u.Scheme == "https" && u.Port() == "443", u.Scheme == "http" && u.Port() == "80":
		return nil, fmt.Errorf("is %q: remove the port, because browsers leave out the default one", issuer)
	}
	return u, nil
}

// instanceID derives a stable ID in Clerk's format, "ins_" and 27 characters,
// from the issuer.
func instanceID(issuer string) string {
	sum := sha256.Sum256([]byte("latchkey instance\x00" + issuer))
	return "ins_" + string(appendBase62(nil, sum[:24]))[:27]
}
