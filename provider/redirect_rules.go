package provider

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/store"
)

// refusedSchemes are those that a browser executes, reads from the visitor's
// machine, or gives a special meaning. Any other scheme can belong to a native
// application (RFC 8252 section 7.1).
var refusedSchemes = []string{
	"about", "android-app", "blob", "chrome", "chrome-extension", "content", "data", "edge", "feed", "file", "filesystem", "ftp", "intent",
	"jar", "javascript", "livescript", "mailto", "mhtml", "microsoft-edge", "mocha", "moz-extension", "res", "resource", "search", "search-ms", "shell", "sms", "tel", "urn",
	"vbscript", "view-source", "ws", "wss", "x-javascript",
}

// editorSchemes are schemes without a period that applications may use before a
// review: those of editors that sign in to MCP servers.
var editorSchemes = []string{"cursor", "kiro", "positron", "trae", "vscode", "vscode-insiders", "vscodium", "windsurf", "zed"}

// A redirectRule decides which redirect URIs an application may have.
type redirectRule struct {
	reviewed  bool // the host vouches for the application
	plainHTTP bool // http is allowed for private addresses
}

// redirectRule returns the rule for an application.
func (o *offer) redirectRule(app *store.Application) redirectRule {
	return redirectRule{app.Reviewed, app.Reviewed && o.plainHTTP}
}

// check returns what is wrong with a redirect URI (RFC 6749 section 3.1.2, RFC
// 8252 section 7, RFC 9700 section 2.1).
func (r redirectRule) check(raw string) error {
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
		return errors.New("redirect URI is empty: use an absolute URL")
	case err != nil:
		return fail("is not a URL")
	case u.Scheme == "":
		return fail("is relative: use an absolute URL")
	case strings.Contains(raw, "#"):
		return fail("has a fragment: remove it")
	case !strings.HasPrefix(raw, u.Scheme+":"):
		return fail("has capital letters in its scheme: write %s:", u.Scheme)
	case strings.ContainsAny(weburl.Authority(raw), "%@"):
		return fail("has a user or a %% before its path: use the host alone")
	}
	wrong := r.wrongScheme(raw, u.Scheme)
	if u.Scheme == "https" || u.Scheme == "http" {
		wrong = r.wrongHost(raw, u)
	}
	if wrong != "" {
		return fail("%s", wrong)
	}
	return nil
}

// wrongScheme returns what is wrong with a scheme other than https and http, or
// "".
func (r redirectRule) wrongScheme(raw, scheme string) string {
	switch {
	case slices.Contains(refusedSchemes, scheme), strings.HasPrefix(scheme, "ms-"):
		return "has the scheme " + scheme + ", which browsers do not hand to an application: use https"
	case raw == scheme+":":
		return "has nothing after its scheme: write " + scheme + ":/callback"
	case !r.reviewed && !strings.Contains(scheme, ".") && !slices.Contains(editorSchemes, scheme):
		return "has the scheme " + scheme + ", which may be that of a program on the user's device: use https, " +
			"http on a loopback address, or a scheme with a period, such as com.example.app"
	}
	return ""
}

// wrongHost returns what is wrong with the host of an https or http redirect
// URI, or "".
func (r redirectRule) wrongHost(raw string, u *url.URL) string {
	port := u.Port()
	switch {
	case u.Hostname() == "" || !strings.HasPrefix(raw, u.Scheme+"://"):
		return "has no host: write " + u.Scheme + "://host/path"
	case strings.Contains(u.Host, "*"):
		return "has a wildcard in its host, but redirect URIs are compared character for character: register each one"
	case strings.HasSuffix(u.Host, ":") || port != "" && !weburl.IsPort(port):
		return "has an invalid port: use 1 to 65535, or leave it out"
	case !weburl.IsHost(u.Hostname()):
		return "has a host that is neither an IP address nor a name of letters, digits, hyphens, and dots"
	case u.Scheme == "http" && !weburl.MayBePlain(u.Hostname(), r.plainHTTP):
		return "is plain http: use https; http is only for localhost, names below it, 127.0.0.1, and [::1], " +
			"and with Config.AllowHTTP for private addresses of reviewed applications"
	}
	return ""
}
