package weburl

import (
	"net/url"
	"strings"
)

// Shown returns the host of a redirect URI as pages show it, or "" where that is
// an app on the visitor's device: one with a scheme of its own, which can be named
// like a host, or one that listens on a port there. Local is set if the provider is
// on that machine too, as while an app is developed: then such an address says
// more. It is in small letters, as browsers have it: a capital i looks like an l.
func Shown(uri string, local bool) string {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || !local && IsLoopback(u.Hostname()) {
		return ""
	}
	return strings.ToLower(u.Host)
}
