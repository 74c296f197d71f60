package provider

import (
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/store"
)

// A redirect is where the answer to an authorization request goes: one of the
// redirect URIs of its application.
type redirect struct {
	uri   string
	named bool // in the request, not just the only one
}

// https reports whether the answer goes to a server with a TLS certificate.
func (r redirect) https() bool { return strings.HasPrefix(r.uri, "https://") }

// web reports whether the answer goes to a server, not to a program with a
// custom scheme.
func (r redirect) web() bool { return r.https() || strings.HasPrefix(r.uri, "http://") }

// redirectRegistered reports whether the application has registered the
// presented redirect URI. It compares byte for byte, without parsing or
// decoding, because two parsers may disagree on the host. The one exception is
// the port on a loopback address, because a program on the user's machine
// listens on any free port (RFC 8252 section 7.3). It requires PKCE, because
// other programs may listen there.
func redirectRegistered(app *store.Application, presented string, pkce bool) bool {
	if slices.Contains(app.RedirectURIs, presented) {
		return true
	}
	if !pkce || !app.Public && app.Origin == store.OriginManual {
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

// cutLoopback splits an http URI with a loopback address around its port.
func cutLoopback(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		if port, ok := strings.CutPrefix(rest, ":"); ok {
			end := strings.IndexAny(port, "/?")
			if end < 0 {
				end = len(port)
			}
			if !weburl.IsPort(port[:end]) {
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

// param is a parameter of an answer to an application.
type param struct{ Name, Value string }

// appendQuery adds parameters to a redirect URI and keeps its existing query
// byte for byte (RFC 6749 section 3.1.2).
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
