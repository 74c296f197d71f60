package provider

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
)

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
		problems = append(problems, c.DeviceAuthorization.validate(c.Paths.DeviceAuthorization, c.Paths.Device)...)
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
