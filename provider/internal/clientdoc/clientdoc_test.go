package clientdoc

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// newCache returns a cache of texts. If transport is nil, it connects only to
// public addresses.
func newCache(transport http.RoundTripper, resolver *net.Resolver) *Cache[string] {
	return New(Options[string]{
		Transport: transport, Resolver: resolver, Now: time.Now,
		Parse: func(_ context.Context, _ string, body []byte) (string, error) { return string(body), nil },
	})
}

func mayFetch() error { return nil }

// draft-ietf-oauth-client-id-metadata-document-02 section 3: what the URL of a
// document may be.
func TestDocumentURL(t *testing.T) {
	for _, good := range []string{
		"https://wiki.example.com/client.json",
		"https://wiki.example.com/a/b/",
		"https://wiki.example.com:8443/client.json",
		"https://wiki.example.com/client.json?v=1&x=a%20b",
		"https://wiki.example.com/client.json?",
		"https://wiki.example.com/%7Euser/c",
		"https://wiki.example.com/~user/...",
		"https://xn--bcher-kva.example/c",
		"https://1.2.3.4.example.com/c",
		"https://wiki.example.com/@user/c",
		"https://wiki.example.com/" + strings.Repeat("a", maxURL-len("https://wiki.example.com/")),
	} {
		require.NoError(t, CheckURL(good), good)
		require.True(t, strings.HasPrefix(good[len("https://"):], Host(good)+"/"), good)
	}
	for bad, says := range map[string]string{
		"":                                                        "https",
		"wiki":                                                    "https",
		"http://wiki.example.com/c":                               "https",
		"HTTPS://wiki.example.com/c":                              "https",
		"https:wiki.example.com/c":                                "https",
		"https:/wiki.example.com/c":                               "https",
		"ftp://wiki.example.com/c":                                "https",
		"https://wiki.example.com":                                "path",
		"https://wiki.example.com/":                               "path",
		"https://wiki.example.com//":                              "path",
		"https://wiki.example.com?c":                              "path",
		"https://wiki.example.com/?c":                             "path",
		"https://wiki.example.com/c#f":                            "fragment",
		"https://wiki.example.com/c#":                             "fragment",
		"https://wiki.example.com/./c":                            "dot segment",
		"https://wiki.example.com/a/../c":                         "dot segment",
		"https://wiki.example.com/a/..":                           "dot segment",
		"https://wiki.example.com/a/%2e./c":                       "dot segment",
		"https://wiki.example.com/a/%2E/c":                        "dot segment",
		"https://wiki.example.com@evil.example/c":                 "user",
		"https://user:secret@wiki.example.com/c":                  "user",
		"https://@wiki.example.com/c":                             "user",
		"https://wiki.example.com\\@evil.example/c":               "character",
		"https://wiki.example.com/a b":                            "character",
		"https://wiki.example.com/a\nb":                           "character",
		"https://wiki.example.com/\x00":                           "character",
		"https://wiki.example.com/a\x7f":                          "character",
		"https://bücher.example/c":                                "character",
		"https://wiki.example.com/bücher":                         "character",
		"https://127.0.0.1/c":                                     "host name",
		"https://93.184.216.34/c":                                 "host name",
		"https://127.1/c":                                         "host name",
		"https://2130706433/c":                                    "host name",
		"https://0x7f.0.0.1/c":                                    "host name",
		"https://0x7f000001/c":                                    "host name",
		"https://[::1]/c":                                         "port",
		"https://[2001:4860:4860::8888]/c":                        "port",
		"https://localhost/c":                                     "host name",
		"https://wiki.example.com./c":                             "host name",
		"https://.wiki.example.com/c":                             "host name",
		"https://wiki..example.com/c":                             "host name",
		"https://-wiki.example.com/c":                             "host name",
		"https://WIKI.example.com/c":                              "host name",
		"https://wiki%2eexample.com/c":                            "host name",
		"https://wiki_.example.com/c":                             "host name",
		"https:///c":                                              "host name",
		"https://" + strings.Repeat("a", 64) + ".com/":            "host name",
		"https://wiki.example.com:443/c":                          "port",
		"https://wiki.example.com:80/c":                           "port",
		"https://wiki.example.com:25/c":                           "port",
		"https://wiki.example.com:1023/c":                         "port",
		"https://wiki.example.com:/c":                             "port",
		"https://wiki.example.com:08443/c":                        "port",
		"https://wiki.example.com:65536/c":                        "port",
		"https://wiki.example.com:x/c":                            "port",
		"https://wiki.example.com/%":                              "form",
		"https://wiki.example.com/%zz":                            "form",
		"https://wiki.example.com/c?%z":                           "percent",
		"https://wiki.example.com/" + strings.Repeat("a", maxURL): "512",
	} {
		require.ErrorContains(t, CheckURL(bad), says, bad)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 8.6, RFC 6890: which
// addresses a document may be at.
func TestOnlyPublicAddressesAreConnectedTo(t *testing.T) {
	for _, text := range []string{
		"93.184.216.34", "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "192.0.1.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255",
		"2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450:4001::1", "2001:200::1",
		"::ffff:1.1.1.1", "64:ff9b::1.1.1.1", // IPv4 as IPv6 has it
	} {
		require.True(t, isPublic(netip.MustParseAddr(text)), text)
	}
	for _, text := range []string{
		"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "100.127.255.255", "127.0.0.1", "127.255.255.255",
		"168.63.129.16", "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1",
		"192.168.0.1", "192.168.255.255", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1",
		"255.255.255.255",
		"::", "::1", "::2", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
		"64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b::169.254.169.254", "64:ff9b:1::1.1.1.1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2002:101:101::1",
		"2001::1", "2001:0:7f00:1::", "2001:2::1", "2001:10::1", "2001:db8::1", "3fff::1", "5f00::1", "100::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fe80::1%eth0",
		"2606:4700:4700::1111%eth0", "febf::1", "fec0::1", "ff02::1", "4000::1",
	} {
		require.False(t, isPublic(netip.MustParseAddr(text)), text)
	}
	require.False(t, isPublic(netip.Addr{}))
}

// nameServer answers each question for an IPv4 address with the next of the
// given ones, and has no other records.
func nameServer(t *testing.T, asked *atomic.Int32, addresses ...string) *net.Resolver {
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	go func() {
		packet := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(packet)
			if err != nil {
				return
			}
			end := 12
			for packet[end] != 0 {
				end += int(packet[end]) + 1
			}
			end += 5
			if end > n {
				return
			}
			answer := append([]byte(nil), packet[:end]...)
			copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0})
			if binary.BigEndian.Uint16(packet[end-4:]) == 1 {
				i := int(asked.Add(1)) - 1
				ip := netip.MustParseAddr(addresses[min(i, len(addresses)-1)]).As4()
				answer[7] = 1
				answer = append(answer, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
				answer = append(answer, ip[:]...)
			}
			conn.WriteTo(answer, from)
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp4", conn.LocalAddr().String())
	}}
}

// A name that resolves to a public address first, and to this machine at the
// connection, is refused: the address is checked when the connection is made
// (draft-ietf-oauth-client-id-metadata-document-02 section 8.6).
func TestDocumentIsSafeFromDNSRebinding(t *testing.T) {
	reached := make(chan string, 10)
	inside, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { inside.Close() })
	go func() {
		for {
			c, err := inside.Accept()
			if err != nil {
				return
			}
			reached <- c.RemoteAddr().String()
			c.Close()
		}
	}()
	_, port, err := net.SplitHostPort(inside.Addr().String())
	require.NoError(t, err)

	var asked atomic.Int32
	resolver := nameServer(t, &asked, "93.184.216.34", "127.0.0.1")
	first, err := resolver.LookupNetIP(context.Background(), "ip4", "rebinding.example.com")
	require.NoError(t, err)
	require.True(t, isPublic(first[0]), "the first lookup sees a public address")

	clientID := "https://rebinding.example.com:" + port + "/client.json"
	require.NoError(t, CheckURL(clientID))
	_, _, err = newCache(nil, resolver).fetch(context.Background(), clientID)
	require.ErrorIs(t, err, errNotPublic)
	var wrong *Error
	require.ErrorAs(t, err, &wrong)
	require.NotContains(t, wrong.Wrong, "127", "what is told is the same for each address")
	require.Equal(t, int32(2), asked.Load())
	select {
	case from := <-reached:
		t.Fatalf("a connection was made from %s", from)
	default:
	}

	// The listener and the name server work: without the check, the connection
	// would succeed.
	conn, err := (&net.Dialer{Resolver: resolver}).DialContext(context.Background(), "tcp4", "rebinding.example.com:"+port)
	require.NoError(t, err)
	conn.Close()
	<-reached
}

// The default transport refuses internal hosts by every name and address.
func TestDefaultTransportRefusesTheInside(t *testing.T) {
	for _, target := range []string{
		"https://localhost:8443/c", "https://127.0.0.1:8443/c", "https://[::1]:8443/c", "https://[::ffff:127.0.0.1]:8443/c", "https://0.0.0.0:8443/c",
		"https://169.254.169.254/latest/meta-data", "https://10.0.0.1/c", "https://[fd00:ec2::254]/c", "https://[fe80::1%25lo]:8443/c",
	} {
		r, err := http.NewRequest("GET", target, nil)
		require.NoError(t, err)
		_, err = publicTransport(nil).RoundTrip(r)
		require.ErrorIs(t, err, errNotPublic, target)
	}
	transport := publicTransport(nil)
	require.Nil(t, transport.Proxy, "a proxy would resolve the name out of sight")
	require.True(t, transport.DisableKeepAlives)
	require.True(t, transport.DisableCompression)
	require.Positive(t, transport.MaxResponseHeaderBytes)
}

// RFC 9111 sections 4.2.1 and 4.2.3: how long a document may be used, within
// bounds.
func TestDocumentLifetime(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	at := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for _, c := range []struct {
		header []string
		want   time.Duration
	}{
		{nil, defaultFresh},
		{[]string{"Cache-Control", "public"}, defaultFresh},
		{[]string{"Cache-Control", "max-age=600"}, 10 * time.Minute},
		{[]string{"Cache-Control", "public, Max-Age=\"600\""}, 10 * time.Minute},
		{[]string{"Cache-Control", "public", "Cache-Control", "max-age=600"}, 10 * time.Minute},
		{[]string{"Cache-Control", "max-age=600", "Age", "240"}, 6 * time.Minute},
		{[]string{"Cache-Control", "max-age=600", "Age", "100000"}, minFresh},
		{[]string{"Cache-Control", "max-age=600", "Age", "99999999999999999999"}, minFresh},
		{[]string{"Cache-Control", "max-age=600, s-maxage=1200"}, 20 * time.Minute},
		{[]string{"Cache-Control", "s-maxage=1200, max-age=600"}, 20 * time.Minute},
		{[]string{"Cache-Control", "max-age=0"}, minFresh},
		{[]string{"Cache-Control", "max-age=-5"}, minFresh},
		{[]string{"Cache-Control", "max-age=soon"}, minFresh},
		{[]string{"Cache-Control", "max-age=100000000"}, maxFresh},
		{[]string{"Cache-Control", "max-age=99999999999999999999"}, maxFresh},
		{[]string{"Cache-Control", "no-store, max-age=600"}, minFresh},
		{[]string{"Cache-Control", "max-age=600, no-cache"}, minFresh},
		{[]string{"Cache-Control", "private, max-age=600"}, minFresh},
		{[]string{"Expires", at(time.Hour)}, time.Hour},
		{[]string{"Expires", at(2 * time.Hour), "Date", at(time.Hour)}, time.Hour},
		{[]string{"Expires", at(time.Hour), "Age", "1800"}, 30 * time.Minute},
		{[]string{"Expires", at(-time.Hour)}, minFresh},
		{[]string{"Expires", "0"}, minFresh},
		{[]string{"Expires", at(1000 * time.Hour)}, maxFresh},
		{[]string{"Expires", at(time.Hour), "Cache-Control", "max-age=600"}, 10 * time.Minute},
	} {
		h := http.Header{}
		for i := 0; i < len(c.header); i += 2 {
			h.Add(c.header[i], c.header[i+1])
		}
		require.Equal(t, c.want, lifetimeOf(h, now).fresh, "%v", h)
	}
	for header, stale := range map[string]time.Duration{
		"": maxStale, "max-age=600": maxStale, "no-store": 0, "no-cache": 0, "private": 0, "max-age=600, must-revalidate": 0,
		"proxy-revalidate": 0, "s-maxage=600": 0, "max-age=60, s-maxage=600": 0,
	} {
		require.Equal(t, stale, lifetimeOf(http.Header{"Cache-Control": {header}}, now).stale, header)
	}
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// endsInTime is a body that ends properly at the moment of the timeout, like
// that of a server that sees the connection end.
type endsInTime struct{ context.Context }

func (b endsInTime) Read([]byte) (int, error) {
	<-b.Done()
	return 0, io.EOF
}

func (b endsInTime) Close() error { return nil }

// A partial body at the timeout is not taken for a whole document.
func TestDocumentCutShortIsNotWhole(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	c := newCache(transportFunc(func(r *http.Request) (*http.Response, error) {
		cancel()
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: endsInTime{r.Context()}}, nil
	}), nil)
	_, _, err := c.fetch(ctx, "https://wiki.example.com/c")
	require.ErrorIs(t, err, context.Canceled)
}
