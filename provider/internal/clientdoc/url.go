package clientdoc

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// maxURL is how many bytes a client_id may have that leads to a document: a
// backend has room for ids of so many.
const maxURL = 512

// CheckURL says whether a client_id can be the URL of a client ID metadata
// document (draft-ietf-oauth-client-id-metadata-document-02 section 3), and else
// what about it is wrong. A client_id is compared byte for byte
// and never normalised, so a URL that could be written in another way, without
// leading anywhere else, has to be in its one plain form: Config's Allow then
// sees each host by one name, and no two readers differ on which host it is.
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
		return errors.New("has a user in front of its host")
	}
	host, port, hasPort := strings.Cut(authority, ":")
	if hasPort && !isPort(port) {
		return errors.New("has a port that is not from 1024 to 65535: leave out the usual one, 443")
	}
	if !isHostName(host) {
		return errors.New("has no public host name: a name in small letters with a dot in it, no address and no dot at the end")
	}
	path, _, _ := strings.Cut(target, "?")
	if strings.Trim(path, "/") == "" {
		return errors.New("has no path")
	}
	for _, segment := range strings.Split(path, "/") {
		// A browser takes %2e for a dot too.
		if dots := strings.ReplaceAll(strings.ToLower(segment), "%2e", "."); dots == "." || dots == ".." {
			return errors.New("has a dot segment in its path")
		}
	}
	// What is asked for is the client_id itself, and not what a reader of URLs
	// makes of it.
	if u, err := url.Parse(raw); err != nil || u.String() != raw || u.Host != authority {
		return errors.New("is not a URL in its plain form")
	}
	if _, err := url.QueryUnescape(raw); err != nil {
		return errors.New("has a percent sign that is not followed by two hexadecimal digits")
	}
	return nil
}

// isPort reports whether a document may be at that port. Below 1024 live the
// services of other protocols, to which this server must not be made to talk;
// 443 is left out in a plain URL.
func isPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n >= 1024 && strconv.FormatUint(n, 10) == port
}

// isHostName reports whether host can be a public name, in its one plain form.
// The last label of a name never begins with a digit; that of an address in
// any of the forms that resolvers take for one does, as in 127.1 and 0x7f.1.
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

// Host is the host of a client_id that leads to a document: the one
// that vouches for it.
func Host(clientID string) string {
	host, _, _ := strings.Cut(strings.TrimPrefix(clientID, "https://"), "/")
	return host
}

// hostname is the host without its port: who could be burdened.
func hostname(clientID string) string {
	name, _, _ := strings.Cut(Host(clientID), ":")
	return name
}
