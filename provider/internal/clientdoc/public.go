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

// errNotPublic: a name led to an address that nobody outside can reach.
var errNotPublic = errors.New("the address is not a public one")

// globalIPv6 holds every IPv6 address that is given out to hosts so far. What
// is outside is loopback, link-local, unique local, multicast, IPv4 in one of
// its disguises, or nothing yet.
var globalIPv6 = netip.MustParsePrefix("2000::/3")

// nat64 is where IPv6 networks have the IPv4 internet (RFC 6052 section 2.1):
// as good as the IPv4 address at its end.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// notPublic are the ranges of the special-purpose registries (RFC 6890) that
// are not for hosts on the internet, where globalIPv6 does not leave them out.
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

// isPublic reports whether an address can be that of a host on the internet.
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

// publicTransport connects to public addresses only. The address is checked
// when it is about to be connected to: whatever a name resolved to before, it
// resolves to something else a moment later where somebody wants it to.
//
// It takes no proxy from the environment, as that would resolve the name out of
// sight. Each fetch has a connection of its own, by HTTP/1.1: a document is
// fetched every few minutes at most, and what is not kept open cannot be used
// to keep anything here.
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
