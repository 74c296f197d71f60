package provider

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

func TestCredentialText(t *testing.T) {
	p := tokenPrefix("")
	id := store.NewID(time.Now(), "user_1")
	seen := map[string]bool{}
	for range 5 {
		c := newCredential(id)
		for kind, mark := range marks {
			text := p.encode(kind, c)
			require.Regexp(t, "^"+mark+"[0-9A-Za-z]{72}$", text)
			require.False(t, seen[text])
			seen[text] = true
			got, ok := p.decode(kind, text)
			require.True(t, ok)
			require.Equal(t, c, got)
			for other := range marks {
				_, ok := p.decode(other, text)
				require.Equal(t, kind == other, ok, "a %s passes as a %s", kind, other)
			}
			// Any single mistyped character is detected without a lookup.
			for i := range text {
				for _, with := range "0aZ_" {
					if byte(with) != text[i] {
						_, ok := p.decode(kind, text[:i]+string(with)+text[i+1:])
						require.False(t, ok)
					}
				}
			}
		}
	}
	for _, bad := range []string{"", "oat_", strings.Repeat("z", 76), "oat_" + strings.Repeat("z", 72), "oat_" + strings.Repeat("0", 72)} {
		_, ok := p.decode(rules.KindAccess, bad)
		require.False(t, ok, bad)
	}
}

func TestRandomText(t *testing.T) {
	counts := map[rune]int{}
	for range 2000 {
		text := randomText(43)
		require.Len(t, text, 43)
		for _, c := range text {
			counts[c]++
		}
	}
	require.Len(t, counts, 62)
	for c, n := range counts {
		// 86,000 draws of 62: 1,387 each, with a deviation of 37.
		require.InDelta(t, 1387, n, 300, "%c", c)
	}
}

func TestApplicationIDsSortByTime(t *testing.T) {
	at := time.Now()
	require.Less(t, newApplicationID(at), newApplicationID(at.Add(time.Second)))
	require.NotEqual(t, newApplicationID(at), newApplicationID(at))
}

func TestInstanceIDIsStable(t *testing.T) {
	require.Regexp(t, `^ins_[0-9A-Za-z]{27}$`, instanceID("https://app.example.com"))
	require.Equal(t, instanceID("https://app.example.com"), instanceID("https://app.example.com"))
	require.NotEqual(t, instanceID("https://app.example.com"), instanceID("https://app.example.org"))
}

func FuzzCredentialText(f *testing.F) {
	p := tokenPrefix("")
	f.Add(p.encode(rules.KindAccess, newCredential(store.NewID(time.Now(), "user_1"))))
	f.Add("oat_")
	f.Add("oat_" + strings.Repeat("0", 72))
	f.Add("oat_" + strings.Repeat("z", 72))
	f.Fuzz(func(t *testing.T, text string) {
		if c, ok := p.decode(rules.KindAccess, text); ok {
			require.Equal(t, text, p.encode(rules.KindAccess, c), "two texts for one token")
		}
	})
}

// An accepted URI differs from the registered one only in a loopback port.
func FuzzRedirectRegistered(f *testing.F) {
	for _, seed := range [][2]string{
		{"https://a.example.com/cb", "https://a.example.com/cb"}, {"http://127.0.0.1/cb", "http://127.0.0.1:80/cb"},
		{"http://[::1]:1/cb?x", "http://[::1]:2/cb?x"}, {"http://127.0.0.1", "http://127.0.0.1:1@evil.com"},
		{"http://127.0.0.1/", "http://127.0.0.1:1/?"}, {"http://127.0.0.1:1", "http://127.0.0.1:2#"}, {"http://127.0.0.1?a", "http://127.0.0.1:9?a"},
	} {
		f.Add(seed[0], seed[1], true)
		f.Add(seed[0], seed[1], false)
	}
	f.Fuzz(func(t *testing.T, registered, presented string, public bool) {
		if (redirectRule{}).check(registered) != nil {
			return
		}
		app := store.Application{Public: public, Origin: store.OriginManual, RedirectURIs: []string{registered}}
		if !redirectRegistered(&app, presented, true) || registered == presented {
			return
		}
		require.True(t, public)
		a, err := url.Parse(registered)
		require.NoError(t, err)
		b, err := url.Parse(presented)
		require.NoError(t, err)
		require.Contains(t, []string{"127.0.0.1", "::1", "localhost"}, b.Hostname())
		require.Equal(t, "http", b.Scheme)
		require.Nil(t, b.User)
		a.Host, b.Host = a.Hostname(), b.Hostname()
		require.Equal(t, a, b)
		require.NoError(t, redirectRule{}.check(presented))
	})
}

func FuzzParseParams(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=1&a=2", "a=%zz", "a=%00", "a=%ff", "&&=&", "a;b=1", "a=1&a=", "%61=1&a=1", "+=+", strings.Repeat("a", 9000)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		standard, err := url.ParseQuery(raw)
		params, e := parseParams(raw, slices.Collect(maps.Keys(standard)))
		if e != nil {
			require.Equal(t, 400, e.Status)
			for _, c := range []byte(e.Description) {
				require.True(t, c >= 0x20 && c <= 0x7e && c != '"' && c != '\\', "%q", e.Description)
			}
			return
		}
		for key, values := range params {
			for _, value := range values {
				require.True(t, cleanText(key) && cleanText(value))
				require.True(t, len(value) <= maxParam || key == requestField)
			}
			// If the standard parser accepts the text, it agrees.
			if err == nil {
				require.Equal(t, standard[key], values)
			}
		}
		none, e := parseParams(raw, nil)
		require.Nil(t, e)
		require.Empty(t, none, "what is not known is ignored")
	})
}

func FuzzBasicHeader(f *testing.F) {
	encode := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	for _, seed := range []string{"", "Basic", "Basic ", encode("id:secret"), encode("id:"), encode(":secret"), encode("id:%zz"), encode("id"), encode("%00:x"), "Bearer x", "basic\tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, present, e := parseBasic(http.Header{"Authorization": {value}})
		if e != nil || !present {
			require.Zero(t, c)
			return
		}
		require.NotEmpty(t, c.id)
		require.True(t, cleanText(c.id) && cleanText(c.secret))
		again := encode(url.QueryEscape(c.id) + ":" + url.QueryEscape(c.secret))
		same, _, e := parseBasic(http.Header{"Authorization": {again}})
		require.Nil(t, e)
		require.Equal(t, c.id, same.id)
		require.Equal(t, c.secret, same.secret)
		require.True(t, c.sent == "" || c.sent != c.secret)
		require.True(t, cleanText(c.sent))
	})
}

func FuzzBearerHeader(f *testing.F) {
	for _, seed := range []string{"", "Bearer", "Bearer x", "bearer  x", "Bearer x y", "Bearer \"x\"", "Bearer ===", "Basic x", "Bearer\tx"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		r := &http.Request{Header: http.Header{"Authorization": {value}}, URL: &url.URL{}}
		token, e := bearerToken(r, nil)
		if e != nil {
			require.Empty(t, token)
			require.Equal(t, 401, e.Status)
			return
		}
		require.NotEmpty(t, token)
		require.True(t, strings.HasSuffix(value, token))
	})
}

// A caller with very many addresses fills the memory to its bound, and all
// clients are still served.
func TestLimitByAddressIsBounded(t *testing.T) {
	l, now := newAddressLimiter(time.Second), time.Now()
	for i := range 100_000 {
		ip := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if i%2 == 0 { // Half of the time nothing is full again, and it forgets what it likes.
			now = now.Add(time.Millisecond)
		}
		require.Zero(t, l.wait(LimitRequest{Endpoint: "token", ClientID: "wiki", IP: ip}, now))
		require.LessOrEqual(t, len(l.full), maxBuckets+1)
	}
}

// A client ID is only claimed, and may be as long as a header. The limiter
// stores it in a fixed size.
func TestLimitByAddressKeepsNoClientID(t *testing.T) {
	l, now := newAddressLimiter(time.Microsecond), time.Now()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 1000 {
		id := strconv.Itoa(i) + strings.Repeat("x", 100_000)
		require.Zero(t, l.wait(LimitRequest{Endpoint: "token", ClientID: id}, now))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(1<<20))
	runtime.KeepAlive(l)
}
