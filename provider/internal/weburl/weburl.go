// Package weburl knows which addresses a page may name, link to, and show images
// from, and which are the same.
package weburl

import (
	"net/url"
	"strings"
)

// Valid reports whether a page may link to that address or show the image that
// is there: it is https, or below the issuer, which can be http for development.
func Valid(text, issuer string) bool {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Opaque != "" || !IsHost(u.Hostname()) || u.Port() != "" && !IsPort(u.Port()) || strings.Contains(Authority(text), "%") {
		return false
	}
	return u.Scheme == "https" || strings.HasPrefix(text, issuer+"/")
}

// Source is the source of an image as a Content-Security-Policy names it, or ""
// if the address has none.
func Source(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// Authority returns what stands between "//" and the path, as it is written.
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
