package clientdoc

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"syscall"
)

// errNotPublic means that a name resolved to an address outside the public
// internet.
var errNotPublic = errors.New("the address is not a public one")

// globalIPv6 contains every IPv6 address that is assigned to hosts so far.
// Other addresses are loopback, link-local, unique local, multicast, a form of
// an IPv4 address, or unassigned.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// nat64 is how IPv6 networks address the IPv4 internet (RFC 6052 section 2.1):
// such an address is public if the IPv4 address at its end is.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// notPublic lists the ranges of the special-purpose registries (RFC 6890) that
// are not for hosts on the internet and that globalIPv6 doesn't exclude.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // behind a carrier's NAT
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's, to each of its machines
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local, and clouds' metadata
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/4"),      // multicast
	netip.MustParsePrefix("240.0.0.0/4"),      // reserved, and broadcast
	netip.MustParsePrefix("2001::/23"),        // protocol assignments: Teredo, benchmarks, ORCHID
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4
	netip.MustParsePrefix("3fff::/20"),        // documentation
}

// isPublic reports whether an address can belong to a host on the internet.
func isPublic(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Zone() != "" {
		return false
	}
	if nat64.Contains(addr) {
		raw := addr.As16()
		addr = netip.AddrFrom4([4]byte(raw[12:]))
	}
	if !addr.Is4() && !globalIPv6.Contains(addr) {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// publicTransport connects to public addresses only. It checks the address when
// it is about to connect, because an attacker's name can resolve to another
// address a moment after an earlier check.
//
// It uses no proxy from the environment, because the proxy would resolve the
// name without the check. Each fetch has a separate HTTP/1.1 connection:
// documents are fetched every few minutes at most, and connections that aren't
// kept open can't be used to exhaust this server.
func publicTransport(resolver *net.Resolver) *http.Transport {
	dialer := &net.Dialer{
		Timeout:  fetchTimeout,
		Resolver: resolver,
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil {
				return fmt.Errorf("%w: %q", errNotPublic, address)
			}
			if !isPublic(at.Addr()) {
				return errNotPublic
			}
			return nil
		},
	}
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    fetchTimeout,
		Protocols:              protocols,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxSize,
	}
}
