package clientdoc

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxURL is the maximum length in bytes of a client_id that is a URL. It is
// what stores have room for.
const maxURL = 512

// CheckURL returns an error if a client_id can't be the URL of a client ID
// metadata document (draft-ietf-oauth-client-id-metadata-document-02 section
// 3). Client IDs are compared byte for byte and never normalized. So the URL
// must be in its normal form: then Config's Allow sees each host under one
// name, and no two parsers disagree on the host.
func CheckURL(raw string) error {
	switch {
	case len(raw) > maxURL:
		return errors.New("is longer than " + strconv.Itoa(maxURL) + " bytes")
	case !strings.HasPrefix(raw, "https://"):
		return errors.New("does not begin with https://")
	case strings.Contains(raw, "#"):
		return errors.New("has a fragment")
	}
	for i := range len(raw) {
		if c := raw[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return errors.New("has a character that a URL may not have: percent-encode it, and write host names in their xn-- form")
		}
	}
	rest := strings.TrimPrefix(raw, "https://")
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, target := rest[:end], rest[end:]
	if strings.Contains(authority, "@") {
		return errors.New("has a user before its host")
	}
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort && !isPort(port) {
		return errors.New("has a port that is not from 1024 to 65535: leave out the default one, 443")
	}
	if !isHostName(host) {
		return errors.New("has no public host name: use a lower-case name with a dot in it, not an address, and without a dot at the end")
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.Trim(path, "/") == "" {
		return errors.New("has no path")
	}
	for _, segment := range strings.Split(path, "/") {
		// Browsers treat %2e as a dot too.
		if dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); dots == "." || dots == ".." {
			return errors.New("has a dot segment in its path")
		}
	}
	// The request goes to the client_id itself, not to what a URL parser makes
	// of it.
	if u, err := url.Parse(raw); err != nil || u.String() != raw || u.Host != authority {
		return errors.New("is not a URL in its normal form")
	}
	if _, err := url.QueryUnescape(raw); err != nil {
		return errors.New("has a percent sign that is not followed by two hexadecimal digits")
	}
	return nil
}

// isPort reports whether a document may be at that port. Below 1024 are the
// services of other protocols, which strangers must not make this server talk
// to; 443 is omitted in a normal URL.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n >= 1024 && strconv.FormatUint(n, 10) == port
}

// isHostName reports whether host can be a public name, in its normal form. The
// last label of a name never starts with a digit; that of an address, in any
// form that resolvers accept, does, as in 127.1 and 0x7f.1.
func isHostName(host string) bool {
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	if len(host) > 253 || len(labels) < 2 || last == "" || last[0] >= '0' && last[0] <= '9' {
		return false
	}
	return !slices.ContainsFunc(labels, func(label string) bool {
		return label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" ||
			strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-")
	})
}

// Host returns the host of a client_id that is a URL: the host that vouches for
// the client.
func Host(clientID string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(clientID, "https://"), "/")
	return host
}

// hostname returns the host without its port, for the limits per host.
func hostname(clientID string) string {
	name, _, _ := strings.Cut(Host(clientID), ":")
	return name
}
