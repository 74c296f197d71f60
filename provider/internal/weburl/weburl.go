// Package weburl knows which addresses a page may link to and show images from,
// and which are the same.
package weburl

import (
	"net/url"
	"strings"
)

// Valid reports whether a page may link to that address or show the image that
// is there: it is https, or below the issuer, which can be http for development.
func Valid(text, issuer string) bool {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return false
	}
	// In a policy other characters have a meaning, such as "*".
	plain := strings.Trim(strings.ToLower(u.Host), "abcdefghijklmnopqrstuvwxyz0123456789-.:[]") == ""
	return plain && (u.Scheme == "https" || strings.HasPrefix(text, issuer+"/"))
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
