// Package weburl decides which addresses a page may show, link to, and load
// images from, and which addresses are the same.
package weburl

import (
	"net/url"
	"strings"
)

// Valid reports whether a page may link to an address or show an image from it:
// it is https, or below the issuer, which can be http for development.
func Valid(text, issuer string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || !IsHost(u.Hostname()) || u.Port() != "" && !IsPort(u.Port()) || strings.Contains(Authority(text), "%") {
		return false
	}
	return u.Scheme == "https" || strings.HasPrefix(text, issuer+"/")
}

// Source returns the source of an image in a Content-Security-Policy, or "" if
// the address has none.
func Source(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Authority returns the part between "//" and the path, as written.
func Authority(uri string) string {
	_, rest, _ := strings.Cut(uri, ":")
	rest, ok := strings.CutPrefix(rest, "//")
	if end := strings.IndexAny(rest, "/?#"); ok && end >= 0 {
		return rest[:end]
	} else if ok {
		return rest
	}
	return ""
}
