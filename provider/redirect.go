package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// refusedSchemes are those that a browser executes, reads from the visitor's
// machine or gives a meaning of its own. Any other scheme can be a native
// application's own (RFC 8252 section 7.1).
var refusedSchemes = []string{
	"about", "android-app", "blob", "chrome", "chrome-extension", "content", "data", "edge", "feed", "file", "filesystem", "ftp", "intent",
	"jar", "javascript", "livescript", "mailto", "mhtml", "microsoft-edge", "mocha", "moz-extension", "res", "resource", "search", "search-ms", "shell", "sms", "tel", "urn",
	"vbscript", "view-source", "ws", "wss", "x-javascript",
}

// checkRedirectURI says whether a redirect URI may be registered (RFC 6749
// section 3.1.2, RFC 8252 section 7, RFC 9700 section 2.1).
func checkRedirectURI(raw string, public bool) error {
	fail := func(format string, args ...any) error {
		return fmt.Errorf("redirect URI %q "+format, append([]any{raw}, args...)...)
	}
	if len(raw) > maxURI {
		return fmt.Errorf("redirect URI of %d bytes is too long: use at most %d", len(raw), maxURI)
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return fail("has a character that a URI may not have: percent-encode it, and write host names in their xn-- form")
		}
	}
	u, err := url.Parse(raw)
	switch {
	case raw == "":
		return errors.New("redirect URI is empty: give an absolute URL")
	case err != nil:
		return fail("is not a URL")
	case u.Scheme == "":
		return fail("is relative: give an absolute URL")
	case strings.Contains(raw, "#"):
		return fail("has a fragment: leave it out")
	case !strings.HasPrefix(raw, u.Scheme+":"):
		return fail("has capital letters in its scheme: write %s:", u.Scheme)
	case u.User != nil:
		return fail("has a user in front of its host: leave it out")
	case slices.Contains(refusedSchemes, u.Scheme), strings.HasPrefix(u.Scheme, "ms-"):
		return fail("has the scheme %s, which browsers do not hand to an application: use https", u.Scheme)
	}
	if u.Scheme == "https" || u.Scheme == "http" {
		if wrong := wrongHost(raw, u); wrong != "" {
			return fail("%s", wrong)
		}
		return nil
	}
	if !public {
		return fail("has a scheme of its own, which any program on a device can claim: only a public application may use one")
	}
	if strings.TrimPrefix(raw, u.Scheme+":") == "" {
		return fail("has nothing after its scheme: write %s:/callback", u.Scheme)
	}
	return nil
}

// wrongHost says what is wrong with the host of an https or http redirect URI,
// or nothing.
func wrongHost(raw string, u *url.URL) string {
	port := u.Port()
	switch {
	case u.Hostname() == "" || !strings.HasPrefix(raw, u.Scheme+"://"):
		return "has no host: write " + u.Scheme + "://host/path"
	case strings.Contains(u.Host, "*"):
		return "has a wildcard in its host, which matches nothing, as redirect URIs are compared character for character: register each one"
	case strings.HasSuffix(u.Host, ":") || port != "" && !isPort(port):
		return "has a bad port: use 1 to 65535, or leave it out"
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "is plain http: use https; http is for localhost, 127.0.0.1 and [::1] only"
	}
	return ""
}

// A redirect is where an authorization request is answered: one of the redirect
// URIs of its application.
type redirect struct {
	uri   string
	named bool // by the request, not just by being the only one
}

// https reports whether the answer goes to a server that has proved its name.
func (r redirect) https() bool { return strings.HasPrefix(r.uri, "https://") }

// web reports whether the answer goes to a server, and not to a program that has
// a scheme of its own.
func (r redirect) web() bool { return r.https() || strings.HasPrefix(r.uri, "http://") }

// redirectRegistered reports whether a presented redirect URI is one that the
// application has registered. They are compared byte for byte, without parsing
// or decoding anything: whatever one reader takes for the host, another may
// not. The one exception is the port of an http loopback address literal of a
// public application, as a native one listens where it finds a free port (RFC
// 8252 section 7.3).
func redirectRegistered(app store.Application, presented string) bool {
	if slices.Contains(app.RedirectURIs, presented) {
		return true
	}
	if !app.Public {
		return false
	}
	host, rest, ok := cutLoopback(presented)
	if !ok {
		return false
	}
	return slices.ContainsFunc(app.RedirectURIs, func(registered string) bool {
		h, r, ok := cutLoopback(registered)
		return ok && h == host && r == rest
	})
}

// cutLoopback splits an http URI on a loopback address literal around its
// port.
func cutLoopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			end := strings.IndexAny(port, "/?")
			if end < 0 {
				end = len(port)
			}
			if !isPort(port[:end]) {
				return "", "", false
			}
			rest = port[end:]
		}
		if rest != "" && rest[0] != '/' && rest[0] != '?' {
			return "", "", false
		}
		return host, rest, true
	}
	return "", "", false
}

// isPort reports whether s is a port number in its one plain form.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}

// isLoopback reports whether host is one of the names under which a program
// reaches its own machine without TLS.
func isLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// param is a parameter of an answer to an application.
type param struct{ Name, Value string }

// appendQuery adds parameters to a redirect URI and keeps what it has byte for
// byte (RFC 6749 section 3.1.2).
func appendQuery(uri string, params []param) string {
	var b strings.Builder
	b.Grow(len(uri) + 192)
	b.WriteString(uri)
	i := strings.IndexByte(uri, '?')
	switch {
	case i < 0:
		b.WriteByte('?')
	case i < len(uri)-1 && uri[len(uri)-1] != '&':
		b.WriteByte('&')
	}
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(p.Name)
		b.WriteByte('=')
		b.WriteString(url.QueryEscape(p.Value))
	}
	return b.String()
}
