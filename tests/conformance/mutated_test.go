package conformance

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

const (
	mutatedCount  = 10_000
	mutatedRace   = 1_500 // under the race detector, which takes five times as long
	mutatedShort  = 500
	mutatedWarmUp = 500
	mutatedEpoch  = 250     // how many requests until the host is reset
	mutatedHeap   = 1 << 20 // how many bytes may stay in use
	answerWithin  = 5 * time.Second
	backendKey    = "key_of_the_api"
)

// TestMutatedRequests sends valid requests with random changes. It writes to
// sockets itself, because net/http's client would correct or refuse the
// requests. Each one must be answered in time and without an internal error,
// and none may leave anything in memory.
func TestMutatedRequests(t *testing.T) {
	for i, endpoint := range []struct {
		name  string
		valid func(*target, testing.TB) []message
	}{
		{"authorize", (*target).authorizations},
		{"consent", (*target).consents},
		{"token", (*target).redemptions},
		{"userinfo", readings(userInfoPath)},
		{"revoke", questions(revokePath)},
		{"introspect", questions(introspectPath)},
		{"metadata", readings(metadataPath)},
		{"guard", readings(notesPath)},
	} {
		t.Run(endpoint.name, func(t *testing.T) {
			newTarget(t, uint64(i), endpoint.valid).run(t)
		})
	}
}

// field is a parameter or a header, in the form in which it is sent.
type field struct{ name, value string }

// message is a request in parts, which a mutation can change one by one.
type message struct {
	method, path, version string
	query, header, form   []field
	body                  []byte // sent instead of form, if not nil
	chunks                int    // the size of chunks; 0 for none
}

func (m message) clone() message {
	m.query, m.header, m.form, m.body = slices.Clone(m.query), slices.Clone(m.header), slices.Clone(m.form), slices.Clone(m.body)
	return m
}

// wire returns the bytes of the request.
func (m message) wire() []byte {
	body := m.body
	if body == nil {
		body = []byte(joined(m.form))
	}
	var b bytes.Buffer
	b.WriteString(m.method + " " + m.path)
	if m.query != nil {
		b.WriteString("?" + joined(m.query))
	}
	b.WriteString(" " + m.version + "\r\n")
	framed := false
	for _, h := range m.header {
		b.WriteString(h.name + ": " + h.value + "\r\n")
		framed = framed || h.name == "Content-Length" || h.name == "Transfer-Encoding"
	}
	switch {
	case m.chunks > 0:
		b.WriteString("Transfer-Encoding: chunked\r\n\r\n")
		for chunk := range slices.Chunk(body, m.chunks) {
			fmt.Fprintf(&b, "%x\r\n%s\r\n", len(chunk), chunk)
		}
		b.WriteString("0\r\n\r\n")
		return b.Bytes()
	case !framed && (len(body) > 0 || m.method == "POST"):
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(body))
	}
	b.WriteString("\r\n")
	b.Write(body)
	return b.Bytes()
}

func joined(fields []field) string {
	var b strings.Builder
	for i, f := range fields {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(f.name + "=" + f.value)
	}
	return b.String()
}

// parameters returns values as fields, in a fixed order.
func parameters(values url.Values) []field {
	fields := []field{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			fields = append(fields, field{url.QueryEscape(name), url.QueryEscape(value)})
		}
	}
	return fields
}

// Values that odd clients and attackers send, percent-encoded or not.
var oddValues = []string{
	"", "%00", "%", "%z", "%zz", "%u0041", "%FF%FE", "%C0%80", "%ED%A0%80", "\xff\xfe", "\x00", "+", "%2B", "%20", "%0D%0A", "%0D%0ASet-Cookie:%20a=b", "%E2%80%AE", "%F0%9F%94%91",
	"null", "undefined", "true", "0", "-1", "9223372036854775808", "1e309", "NaN", "[]", "{}", "%7B%22a%22%3A1%7D", "%3Cscript%3E", "%27%20OR%201%3D1--", "..%2F..%2F", "%25s%25n%25d",
	"%7B%7B.%7D%7D", "a;b", ";", "&", "=", "==", "#", "?", "/", "//", "\\", "\"", "'", "<", "|", "^", "`", "code", "token", "S256", "plain", "none", "login", "form_post", "query", "fragment",
	"authorization_code", "refresh_token", "password", "openid", "openid%20offline_access", "profile", "profile%20%20email", "%20profile", "admin", "http://127.0.0.1:1/cb", "https://evil.example/",
	"javascript:alert(1)", "oat_", "ort_", "oac_", "allow", "deny", "1", "a",
}

var oddMethods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "BREW", "get", "Post", "P\x00ST", "", "PRI", "GET GET", "\xff", strings.Repeat("A", 300)}

var oddVersions = []string{"HTTP/1.0", "HTTP/1.1", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/3.0", "http/1.1", "HTTP/1", "HTTP/1.1 x", "", "HTTPS/1.1", "HTTP/11.1"}

var oddHeaders = []field{
	{"Content-Type", ""}, {"Content-Type", "text/plain"}, {"Content-Type", "application/json"}, {"Content-Type", "multipart/form-data"}, {"Content-Type", "multipart/form-data; boundary=x"},
	{"Content-Type", "multipart/form-data; boundary=" + strings.Repeat("b", 200)}, {"Content-Type", formType + "; charset=utf-7"}, {"Content-Type", formType + "; charset"}, {"Content-Type", formType + ";;;"},
	{"Content-Type", "application/x-www-form-urlencoded, text/plain"}, {"Content-Type", "\xff/\xfe"}, {"Content-Type", "a"}, {"content-type", formType},
	{"Content-Length", "0"}, {"Content-Length", "1"}, {"Content-Length", "-1"}, {"Content-Length", "99999999999999999999"}, {"Content-Length", "1000000"}, {"Content-Length", "5, 5"}, {"Content-Length", "0x10"}, {"Content-Length", ""},
	{"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "gzip"}, {"Transfer-Encoding", "chunked, chunked"}, {"Transfer-Encoding", "identity"}, {"Content-Encoding", "gzip"},
	{"Authorization", ""}, {"Authorization", "Basic"}, {"Authorization", "Basic "}, {"Authorization", "Basic !!!"}, {"Authorization", "Basic Og=="}, {"Authorization", "Basic AAA="}, {"Authorization", "Basic JTo="},
	{"Authorization", "Basic " + strings.Repeat("QUFB", 5000)}, {"Authorization", "Bearer"}, {"Authorization", "Bearer "}, {"Authorization", "Bearer x"}, {"Authorization", "Bearer a b"}, {"Authorization", "Bearer \xff"},
	{"Authorization", "Bearer " + strings.Repeat("a", 50000)}, {"Authorization", "Negotiate x"}, {"Authorization", "Digest username=\"x\""}, {"Authorization", "\t"}, {"authorization", "bearer x"},
	{"Cookie", ""}, {"Cookie", "latchkey_consent="}, {"Cookie", "latchkey_consent=x"}, {"Cookie", "=;=;;;"}, {"Cookie", "a=\"b"}, {"Cookie", "latchkey_consent=" + strings.Repeat("c", 5000)}, {"Cookie", strings.Repeat("a=b; ", 3000)},
	{"Origin", "null"}, {"Origin", ""}, {"Origin", "https://evil.example"}, {"Origin", "x"}, {"Origin", "http://127.0.0.1"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "x"},
	{"Access-Control-Request-Method", "POST"}, {"Access-Control-Request-Headers", "x"}, {"Referer", "https://evil.example/"}, {"Expect", "100-continue"}, {"Expect", "200-ok"}, {"Connection", "close"},
	{"Connection", "upgrade"}, {"Upgrade", "websocket"}, {"Upgrade", "h2c"}, {"TE", "trailers"}, {"Trailer", "Authorization"}, {"Range", "bytes=0-1"}, {"If-None-Match", "*"}, {"If-Modified-Since", "x"},
	{"Accept", "text/html;q=nan"}, {"Accept-Language", strings.Repeat("cs,", 500)}, {"Accept-Encoding", "gzip;q=0,*;q=0"}, {"X-Forwarded-For", "x"}, {"X-Forwarded-For", strings.Repeat("1.1.1.1, ", 200)}, {"X-Forwarded-Host", "evil.example"},
	{"X-Forwarded-Proto", "gopher"}, {"Forwarded", "for=\"["}, {"X-HTTP-Method-Override", "DELETE"}, {"Host", ""}, {"Host", "evil.example"}, {"Host", "a b"}, {"Host", "[::1"}, {"Host", "\xff"}, {"Host", strings.Repeat("h", 5000)},
	{"X", strings.Repeat("x", 60000)}, {"X Y", "a"}, {"", "a"}, {"X\x00", "a"}, {"X", "\x00"}, {"X", "a\r\n folded"}, {"X", "a\nb"}, {"Test-User", ""}, {"Test-User", "user_eve"}, {"Test-User", "\xff"}, {"Test-User", strings.Repeat("u", 5000)},
	{"MCP-Protocol-Version", "x"}, {"User-Agent", ""}, {"Content-Disposition", "attachment"}, {"Date", "yesterday"},
}

// The paths of the endpoints, to be changed.
var oddPaths = []func(string) string{
	func(p string) string { return p + "/" },
	func(p string) string { return "/" + p },
	func(p string) string { return p + "/../" + strings.TrimPrefix(p, "/") },
	func(p string) string { return strings.ToUpper(p) },
	func(p string) string { return strings.ReplaceAll(p, "/", "%2F") },
	func(p string) string { return strings.ReplaceAll(p, "o", "%6f") },
	func(p string) string { return p + ";a=b" },
	func(p string) string { return p + "%00" },
	func(p string) string { return p + "%" },
	func(p string) string { return p + "#x" },
	func(p string) string { return p + "\xff" },
	func(p string) string { return "http://evil.example" + p },
	func(p string) string { return "http://[::1" + p },
	func(p string) string { return "evil.example:80" },
	func(p string) string { return "*" },
	func(p string) string { return "" },
	func(p string) string { return "/" + strings.Repeat("a/", 2000) },
	func(p string) string { return strings.TrimPrefix(p, "/") },
	func(p string) string { return p + "?" },
	func(p string) string { return p + " x" },
}

// fields picks one of the places that have parameters, which may be empty.
func (m *message) fields(r *rand.Rand) *[]field {
	if m.form != nil && (m.query == nil || r.IntN(2) == 0) {
		return &m.form
	}
	return &m.query
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// inParameters changes one parameter with f.
func inParameters(f func(*rand.Rand, *[]field, int)) func(*rand.Rand, *message) {
	return func(r *rand.Rand, m *message) {
		if fields := m.fields(r); len(*fields) > 0 {
			f(r, fields, r.IntN(len(*fields)))
		}
	}
}

// inHeaders changes one header with f.
func inHeaders(f func(*rand.Rand, *[]field, int)) func(*rand.Rand, *message) {
	return func(r *rand.Rand, m *message) { f(r, &m.header, r.IntN(len(m.header))) }
}

// The mutations of parts. One that is listed twice happens twice as often.
var mutations = []func(*rand.Rand, *message){
	inParameters(oddValue), inParameters(oddValue), inParameters(oddValue), inParameters(flipBits), inParameters(flipBits), inParameters(cut), inParameters(cut), inParameters(lengthen),
	inParameters(repeat), inParameters(repeat), inParameters(repeat), inParameters(leaveOut), inParameters(leaveOut), inParameters(swap), inParameters(rename), inParameters(huge), inParameters(reorder),
	inHeaders(flipBits), inHeaders(cut), inHeaders(repeat), inHeaders(leaveOut), inHeaders(reorder),
	oddHeader, oddHeader, oddHeader, oddHeader, oddMethod, oddVersion, oddPath, moreParameters, moveParameters, oddBody, oddChunks,
}

func oddValue(r *rand.Rand, fields *[]field, i int) { (*fields)[i].value = pick(r, oddValues) }

func flipBits(r *rand.Rand, fields *[]field, i int) {
	part := &(*fields)[i].value
	if r.IntN(8) == 0 {
		part = &(*fields)[i].name
	}
	*part = string(flipped(r, []byte(*part)))
}

func flipped(r *rand.Rand, b []byte) []byte {
	if len(b) > 0 {
		for range 1 + r.IntN(3) {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}
	return b
}

func cut(r *rand.Rand, fields *[]field, i int) {
	f := &(*fields)[i]
	f.value = f.value[:r.IntN(len(f.value)+1)]
}

func lengthen(r *rand.Rand, fields *[]field, i int) {
	if r.IntN(2) == 0 {
		(*fields)[i].value += pick(r, oddValues)
	} else {
		(*fields)[i].value = pick(r, oddValues) + (*fields)[i].value
	}
}

func repeat(r *rand.Rand, fields *[]field, i int) {
	f := (*fields)[i]
	if r.IntN(2) == 0 {
		f.value = pick(r, oddValues)
	}
	*fields = slices.Insert(*fields, r.IntN(len(*fields)+1), f)
}

func leaveOut(_ *rand.Rand, fields *[]field, i int) { *fields = slices.Delete(*fields, i, i+1) }

func swap(r *rand.Rand, fields *[]field, i int) {
	j := r.IntN(len(*fields))
	(*fields)[i].value, (*fields)[j].value = (*fields)[j].value, (*fields)[i].value
}

func rename(r *rand.Rand, fields *[]field, i int) {
	name := (*fields)[i].name
	(*fields)[i].name = pick(r, []string{strings.ToUpper(name), name + "[]", name + "[0]", name + "%00", "%20" + name, name + "+", "", pick(r, oddValues), url.QueryEscape(name + "é")})
}

func huge(r *rand.Rand, fields *[]field, i int) {
	n := pick(r, []int{500, 2048, 8191, 8193, 20_000, 70_000})
	if r.IntN(20) == 0 {
		n = 1_200_000
	}
	(*fields)[i].value = strings.Repeat(pick(r, []string{"a", "%41", "%FF", "+", "%F0%9F%94%91", "%"}), n)[:n]
}

func reorder(r *rand.Rand, fields *[]field, _ int) {
	r.Shuffle(len(*fields), func(i, j int) { (*fields)[i], (*fields)[j] = (*fields)[j], (*fields)[i] })
}

func oddHeader(r *rand.Rand, m *message) {
	h := pick(r, oddHeaders)
	if r.IntN(3) > 0 {
		m.header = slices.DeleteFunc(m.header, func(f field) bool { return strings.EqualFold(f.name, h.name) })
	}
	m.header = slices.Insert(m.header, r.IntN(len(m.header)+1), h)
}

func oddMethod(r *rand.Rand, m *message) { m.method = pick(r, oddMethods) }

func oddVersion(r *rand.Rand, m *message) { m.version = pick(r, oddVersions) }

func oddPath(r *rand.Rand, m *message) { m.path = pick(r, oddPaths)(m.path) }

// moreParameters adds parameters that some endpoint knows, and sometimes very
// many.
func moreParameters(r *rand.Rand, m *message) {
	names := []string{
		"client_id", "client_secret", "code", "code_verifier", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "response_mode", "scope", "state", "prompt", "max_age",
		"login_hint", "grant_type", "refresh_token", "token", "token_type_hint", "access_token", "decision", "seal", "nonce", "resource", "request", "request_uri", "error", "iss", "client_assertion",
		"client_assertion_type", "username", "password", "",
	}
	n := 1 + r.IntN(3)
	if r.IntN(30) == 0 {
		n = 3000
	}
	fields := m.fields(r)
	for range n {
		*fields = append(*fields, field{pick(r, names), pick(r, oddValues)})
	}
}

// moveParameters sends the query as a body, or the reverse.
func moveParameters(r *rand.Rand, m *message) {
	m.query, m.form = m.form, m.query
	if r.IntN(2) == 0 {
		m.method = pick(r, []string{"GET", "POST"})
	}
}

func oddBody(r *rand.Rand, m *message) {
	switch r.IntN(6) {
	case 0:
		m.body = []byte{}
	case 1:
		m.body = randomBytes(r, r.IntN(2000))
	case 2:
		m.body = []byte(`{"grant_type":"authorization_code","token":["x"],"code":null}`)
	case 3:
		m.body = []byte("--x\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\n" + strings.Repeat("a", r.IntN(3000)) + "\r\n--x--\r\n")
	case 4:
		m.body = bytes.Repeat([]byte("&"), r.IntN(5000))
	default:
		m.body = flipped(r, []byte(joined(m.form)))
	}
}

func oddChunks(r *rand.Rand, m *message) { m.chunks = 1 + r.IntN(50) }

func randomBytes(r *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// garble changes the bytes of a request.
func garble(r *rand.Rand, raw []byte) []byte {
	at := func() int { return r.IntN(len(raw) + 1) }
	from := at()
	to := min(len(raw), from+r.IntN(40))
	switch r.IntN(8) {
	case 0, 1, 2:
		return flipped(r, raw)
	case 3:
		return raw[:from]
	case 4:
		return slices.Delete(raw, from, to)
	case 5:
		return slices.Insert(raw, from, randomBytes(r, r.IntN(20))...)
	case 6:
		return slices.Insert(raw, at(), slices.Clone(raw[from:to])...)
	default:
		return slices.Insert(raw, from, []byte(pick(r, []string{"\r\n", "\n", "\r", "\r\n\r\n", "\x00", "\xff", " ", "\t", ":", "%", "&", "=", "?", "\x16\x03\x01"}))...)
	}
}

// target is a host, a real server, and the requests to send to it.
type target struct {
	*host
	address              string
	random               *rand.Rand
	seed                 uint64
	confidential, public *client
	valid                func(*target, testing.TB) []message
	messages             []message

	connection net.Conn
	reader     *bufio.Reader
	handled    atomic.Int64 // how many requests got past net/http
	faults     faults
	answers    map[int]int // how many of each status
}

// faults are internal errors of the server, and secrets that got out.
type faults struct {
	mu      sync.Mutex
	secrets []string // neither answers nor logs may contain these
	cookies []string // logs may not contain these either
	seen    []string
}

func (f *faults) add(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = append(f.seen, fmt.Sprintf(format, args...))
}

func (f *faults) secret(values ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.secrets = append(f.secrets, values...)
}

// answered returns the secret in an answer, if any.
func (f *faults) answered(text string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return oneOf(f.secrets, text)
}

// logged returns the secret in a line of the log, if any.
func (f *faults) logged(text string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return oneOf(f.secrets, text) + oneOf(f.cookies, text)
}

func oneOf(words []string, text string) string {
	for _, s := range words {
		if strings.Contains(text, s) {
			return s
		}
	}
	return ""
}

func (f *faults) first() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.seen) == 0 {
		return ""
	}
	return f.seen[0]
}

// writer makes a function an io.Writer for loggers.
type writer func(line string)

func (w writer) Write(line []byte) (int, error) {
	w(string(line))
	return len(line), nil
}

func newTarget(t *testing.T, seed uint64, valid func(*target, testing.TB) []message) *target {
	x := &target{random: rand.New(rand.NewPCG(0x6c61746368, seed)), seed: seed, valid: valid, answers: map[int]int{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.handled.Add(1)
		w.Header().Set("Handled", "yes")
		x.mux.ServeHTTP(w, r)
	}))
	server.Config.ErrorLog = log.New(writer(func(line string) {
		if !strings.Contains(line, "URL query contains semicolon") {
			x.faults.add("the server logged: %s", line)
		}
	}), "", 0)
	x.address = server.Listener.Addr().String()
	x.host = newHostWith(t, func(cfg *provider.Config) {
		cfg.Issuer = "http://" + x.address
		cfg.Introspection = provider.BearerKey(backendKey)
		cfg.Machines = &provider.Machines{PerMinute: 1_000_000}
		cfg.Logger = slog.New(slog.NewTextHandler(writer(func(line string) {
			if strings.Contains(line, "level=ERROR") {
				x.faults.add("the provider logged: %s", line)
			}
			if s := x.faults.logged(line); s != "" {
				x.faults.add("the log reveals %s: %s", s, line)
			}
		}), &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	server.Start()
	t.Cleanup(server.Close)
	x.url = server.URL
	x.confidential, x.public = x.client(provider.ApplicationSettings{Scopes: strings.Fields(allOf), MachineScopes: scopes.New("notes:read")}), x.host.public()
	return x
}

// run sends the mutated requests and checks what remains of them.
func (x *target) run(t *testing.T) {
	n := mutatedCount
	if testing.Short() {
		n = mutatedShort
	}
	if raceEnabled {
		n = min(n, mutatedRace)
	}
	x.send(t, mutatedWarmUp)
	x.renew(t)
	heap, goroutines := x.settled()
	clear(x.answers)
	x.send(t, n)
	x.renew(t)
	after, left := x.settled()
	// The server takes half a second to close some connections.
	for deadline := time.Now().Add(answerWithin); (after > heap+mutatedHeap || left > goroutines+2) && time.Now().Before(deadline); after, left = x.settled() {
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("heap %d -> %d, goroutines %d -> %d", heap, after, goroutines, left)
	require.LessOrEqual(t, after, heap+mutatedHeap, "memory leaks")
	require.LessOrEqual(t, left, goroutines+2, "goroutines leak")
	require.Empty(t, x.faults.first())
	t.Logf("answers by status: %v", x.answers)
	good := 0
	for status, count := range x.answers {
		if status == 200 || status == 302 || status == 303 {
			good += count
		}
	}
	require.Greater(t, good, n/50, "too few requests are still valid")
	require.Greater(t, n-good, n/10, "too few requests are invalid")
}

// settled closes the client's connections and returns what is still in use.
func (x *target) settled() (heap uint64, goroutines int) {
	x.hangUp()
	x.http.CloseIdleConnections()
	runtime.GC()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc, runtime.NumGoroutine()
}

// renew deletes what the requests created, moves the clock past all lifetimes,
// and makes new valid requests.
func (x *target) renew(t *testing.T) {
	for _, c := range []*client{x.confidential, x.public} {
		err := x.RevokeGrants(context.Background(), provider.GrantFilter{ApplicationID: c.ID})
		require.NoError(t, err)
	}
	x.clock.Add(100 * time.Hour)
	_, err := x.Cleanup(context.Background())
	require.NoError(t, err)
	x.faults.mu.Lock()
	x.faults.secrets, x.faults.cookies = []string{x.confidential.secret}, nil
	x.faults.mu.Unlock()
	x.messages = x.valid(x, t)
}

func (x *target) send(t *testing.T, n int) {
	for i := range n {
		if i%mutatedEpoch == 0 {
			x.renew(t)
		}
		m := pick(x.random, x.messages).clone()
		parts := x.random.IntN(4)
		for range parts {
			pick(x.random, mutations)(x.random, &m)
			if len(m.header) == 0 {
				m.header = []field{{"Host", x.address}}
			}
		}
		raw := m.wire()
		if parts == 0 || x.random.IntN(4) == 0 {
			raw = garble(x.random, raw)
		}
		if problem := x.exchange(raw); problem != "" {
			shown := raw
			if len(shown) > 1500 {
				shown = append(slices.Clone(shown[:1500]), "..."...)
			}
			require.FailNow(t, problem, "seed %d, request %d of %d bytes:\n%q", x.seed, i, len(raw), shown)
		}
	}
}

// Words that occur only in internal error texts.
var internals = []string{
	"goroutine ", "runtime error", "panic", ".go:", "provider: ", "store: ", "scopes: ", "userinfo: ", "oauth2: ", "strconv.", "invalid URL escape", "unexpected EOF", "http: ", "mime: ", "multipart: ",
	"context canceled", "context deadline", "nil pointer", "index out of range", "base64 data", "json: ", "read tcp", "broken pipe",
}

// exchange sends a request and returns what is wrong with the answer, or "".
func (x *target) exchange(raw []byte) string {
	method, state := dissect(raw)
	if x.connection == nil {
		connection, err := net.Dial("tcp", x.address)
		if err != nil {
			return err.Error()
		}
		x.connection, x.reader = connection, bufio.NewReader(connection)
	}
	handled := x.handled.Load()
	x.connection.SetDeadline(time.Now().Add(answerWithin))
	_, writeError := x.connection.Write(raw)
	if state == broken && writeError == nil {
		// Otherwise the server may wait for the rest, and rightly so. A handler that
		// has read a whole request would take this for a client that gave up.
		x.connection.(*net.TCPConn).CloseWrite()
	}
	response, body, err := readResponse(x.reader, method)
	if state != whole || err != nil || writeError != nil || response.Close {
		x.hangUp()
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return "no answer in time"
	}
	if err != nil {
		// net/http may close the connection if the bytes aren't a request, and a
		// client that keeps sending after the answer may lose it.
		if state == broken || x.handled.Load() == handled || len(raw) > 64<<10 {
			return ""
		}
		return "no answer: " + err.Error() + " " + x.faults.first()
	}
	x.answers[response.StatusCode]++
	if state == broken && response.StatusCode == http.StatusServiceUnavailable {
		return "" // The handler read a whole request, and then the connection was closed.
	}
	return x.judge(response, body)
}

// judge returns what is wrong with an answer, or "".
func (x *target) judge(response *http.Response, body string) string {
	if response.Header.Get("Handled") == "" {
		// The answer is net/http's own, mostly because it rejected the request.
		if response.StatusCode >= 500 && response.StatusCode != 501 && response.StatusCode != 505 {
			return "net/http answered " + response.Status
		}
		return ""
	}
	if response.StatusCode >= 500 {
		return response.Status + ": " + body
	}
	text := body
	for name, values := range response.Header {
		text += "\n" + name + ": " + strings.Join(values, ", ")
	}
	if word := oneOf(internals, text); word != "" {
		return fmt.Sprintf("an internal text, %q, is in the answer: %s", word, text)
	}
	// The host's router repeats an address when it corrects a path.
	if s := x.faults.answered(text); s != "" && response.StatusCode != http.StatusTemporaryRedirect && response.StatusCode != http.StatusMovedPermanently {
		return fmt.Sprintf("a secret, %s, is in the answer: %s", s, text)
	}
	return x.faults.first()
}

func (x *target) hangUp() {
	if x.connection != nil {
		x.connection.(*net.TCPConn).SetLinger(0)
		x.connection.Close()
		x.connection, x.reader = nil, nil
	}
}

func readResponse(r *bufio.Reader, method string) (*http.Response, string, error) {
	for {
		response, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return nil, "", err
		}
		if response.StatusCode < 200 && response.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
		return response, string(body), err
	}
}

// What a server makes of the bytes that arrive.
type wholeness int

const (
	whole  wholeness = iota // one request
	more                    // one request, and more after it
	broken                  // part of a request, or none
)

// dissect reads bytes as net/http's server does.
func dissect(raw []byte) (method string, state wholeness) {
	r := bufio.NewReader(bytes.NewReader(raw))
	request, err := http.ReadRequest(r)
	if err != nil {
		return "", broken
	}
	if _, err = io.Copy(io.Discard, request.Body); err != nil {
		return request.Method, broken
	}
	if _, err = r.Peek(1); err == nil {
		return request.Method, more
	}
	return request.Method, whole
}

// The valid requests.

func (x *target) get(path string, query url.Values, header ...field) message {
	m := message{method: "GET", path: path, version: "HTTP/1.1", header: append([]field{{"Host", x.address}}, header...)}
	if query != nil {
		m.query = parameters(query)
	}
	return m
}

func (x *target) post(path string, form url.Values, header ...field) message {
	m := x.get(path, nil, append([]field{{"Content-Type", formType}}, header...)...)
	m.method, m.form = "POST", parameters(form)
	return m
}

func (x *target) authorizations(testing.TB) []message {
	signedIn := field{"Test-User", user}
	c, public := x.confidential, x.public
	return []message{
		x.get(authorizePath, c.request(), signedIn),
		x.get(authorizePath, c.request("prompt", "consent", "max_age", "60", "login_hint", "ada@example.com"), signedIn),
		x.get(authorizePath, c.request("prompt", "none")),
		x.get(authorizePath, c.request("response_mode", "form_post", "prompt", "none"), signedIn),
		x.get(authorizePath, public.request(), signedIn),
		x.get(authorizePath, public.request("response_mode", "form_post")),
		x.get(authorizePath, public.request("scope", "admin", "response_mode", "form_post"), signedIn),
		x.post(authorizePath, public.request(), signedIn),
	}
}

func (x *target) consents(t testing.TB) []message {
	var messages []message
	for _, query := range []url.Values{x.confidential.request(), x.public.request(), x.public.request("response_mode", "form_post", "state", `a+b"&=é`)} {
		page := x.visit(t, query.Encode())
		for _, decision := range []string{"allow", "deny"} {
			var header []field
			for name, values := range consentHeader(x.host, page) {
				for _, value := range values {
					header = append(header, field{name, value})
				}
			}
			slices.SortFunc(header, func(a, b field) int { return strings.Compare(a.name, b.name) })
			m := x.post(authorizePath, params(fields(page.body), "decision", decision))
			m.header = append(m.header[:1], header...)
			messages = append(messages, m)
		}
		for _, cookie := range page.Cookies() {
			x.faults.mu.Lock()
			x.faults.cookies = append(x.faults.cookies, cookie.Value)
			x.faults.mu.Unlock()
		}
	}
	return messages
}

func (x *target) redemptions(t testing.TB) []message {
	var messages []message
	for _, c := range []*client{x.confidential, x.public} {
		code, tokens := c.code(t), c.tokens(t)
		messages = append(messages, x.post(tokenPath, c.withID("grant_type", "client_credentials", "scope", "notes:read")))
		messages = append(messages, x.post(tokenPath, c.redemption(code)), x.post(tokenPath, c.refreshing(tokens.Refresh)), x.post(tokenPath, c.refreshing(tokens.Refresh, "scope", "profile")))
		x.faults.secret(code, tokens.Refresh, tokens.Access)
	}
	refresh := x.confidential.tokens(t).Refresh
	x.faults.secret(refresh)
	return append(messages, x.post(tokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, field{"Authorization", x.confidential.basic()}))
}

// readings returns the valid requests to a resource.
func readings(path string) func(*target, testing.TB) []message {
	return func(x *target, t testing.TB) []message {
		tokens := x.confidential.tokens(t, "scope", allOf)
		x.faults.secret(tokens.Access)
		messages := []message{
			x.get(path, nil, field{"Authorization", "Bearer " + tokens.Access}),
			x.get(path, url.Values{"x": {"y"}}, field{"Authorization", "bearer " + tokens.Access}, field{"Origin", "https://spa.example.com"}),
			x.get(path, nil),
		}
		if path == userInfoPath {
			messages = append(messages, x.post(path, url.Values{}, field{"Authorization", "Bearer " + tokens.Access}), x.post(path, url.Values{"access_token": {tokens.Access}}))
		}
		preflight := x.get(path, nil, field{"Origin", "https://spa.example.com"}, field{"Access-Control-Request-Method", "GET"})
		preflight.method = "OPTIONS"
		return append(messages, preflight)
	}
}

// questions returns the valid requests about tokens, to revoke or introspect
// them.
func questions(path string) func(*target, testing.TB) []message {
	return func(x *target, t testing.TB) []message {
		var messages []message
		for _, c := range []*client{x.confidential, x.public} {
			tokens := c.tokens(t)
			x.faults.secret(tokens.Access, tokens.Refresh)
			messages = append(messages,
				x.post(path, c.withID("token", tokens.Access)),
				x.post(path, c.withID("token", tokens.Refresh, "token_type_hint", "refresh_token")),
				x.post(path, c.withID("token", "x")),
				x.post(path, url.Values{"token": {tokens.Access}}, field{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"+c.secret))}),
				x.post(path, url.Values{"token": {tokens.Access}}, field{"Authorization", "Bearer " + backendKey}),
			)
		}
		return messages
	}
}
