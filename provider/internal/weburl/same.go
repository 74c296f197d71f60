package weburl

import (
	"net/url"
	"strings"
)

// Same reports whether two https or http URLs name the same thing: they are
// equal after the normalization of RFC 3986 sections 6.2.2 and 6.2.3, ignoring
// a query and one final slash. A URL with a user or a fragment names nothing.
func Same(a, b string) bool {
	normal, ok := normalize(a)
	other, known := normalize(b)
	return ok && known && normal == other
}

func normalize(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(text, "#") {
		return "", false
	}
	host := strings.ToLower(u.Host)
	switch u.Scheme { // Already in lower case.
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return "", false
	}
	path := withoutDots(decodeUnreserved(u.EscapedPath()))
	return u.Scheme + "://" + strings.TrimSuffix(host, ":") + strings.TrimSuffix(path, "/"), true
}

// decodeUnreserved decodes what need not be encoded in a path, and writes all
// other encodings in capitals (RFC 3986 sections 6.2.2.1 and 6.2.2.2).
func decodeUnreserved(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		encoded := path[i : i+3]
		i += 2
		if decoded, err := url.PathUnescape(encoded); err == nil && isUnreserved(decoded[0]) {
			b.WriteString(decoded)
		} else {
			b.WriteString(strings.ToUpper(encoded))
		}
	}
	return b.String()
}

func isUnreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// withoutDots removes the segments "." and ".." of a path (RFC 3986 section
// 5.2.4).
func withoutDots(path string) string {
	var kept []string
	for rest, more := path, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		if segment == ".." && len(kept) > 1 {
			kept = kept[:len(kept)-1]
		}
		if segment != "." && segment != ".." {
			kept = append(kept, segment)
		} else if !more {
			kept = append(kept, "") // Keep the final slash.
		}
	}
	return strings.Join(kept, "/")
}
