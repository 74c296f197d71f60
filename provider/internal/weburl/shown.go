package weburl

import (
	"net/url"
	"strings"
)

// Shown returns the host of a redirect URI for pages, or "" for an app on the
// visitor's device: one with a custom scheme, which can be named like a host,
// or one that listens on a port there. local means that the provider is on that
// machine too, as during development: then the address is more useful. It is in
// lower case, because a capital i looks like an l.
func Shown(uri string, local bool) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !local && IsLoopback(u.Hostname()) {
		return ""
	}
	return strings.ToLower(u.Host)
}
