package weburl

import (
	"net/netip"
	"strconv"
	"strings"
)

const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// IsHost reports whether a host is a DNS name, or an IP address in its usual
// form. Browsers accept other forms too, such as 0x7f.1, and then lead to
// another place than the page has shown.
func IsHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == ""
	}
	if len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		last = label
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Trim(label, letters+"-") != "" {
			return false
		}
	}
	return last[0] < '0' || last[0] > '9' // Browsers read a name that ends in a number as an address.
}

// MayBePlain reports whether a host may be reached without TLS: it is the
// visitor's machine or, if the host of the provider allows it, at a private
// address.
func MayBePlain(host string, private bool) bool {
	if IsLoopback(host) || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return private && err == nil && ip.IsPrivate()
}

// IsLoopback reports whether host is one of the names by which a program
// reaches its own machine without TLS.
func IsLoopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1"
}

// IsPort reports whether s is a port number in its normal form.
func IsPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}
