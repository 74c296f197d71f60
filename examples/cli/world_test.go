package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // It is slow under the race detector.
	m.Run()
}

// world is a provider, and a user's machine that runs the program.
type world struct {
	t         *testing.T
	issuer    string
	clientID  string
	tokenFile string
	*acme.Host
	*httptest.Server

	mu     sync.Mutex
	events map[provider.EventKind]int
}

func newWorld(t *testing.T, edit ...func(*provider.Config)) *world {
	t.Helper()
	w := &world{t: t, clientID: "test-cli", tokenFile: filepath.Join(t.TempDir(), "config", "token.json"), events: map[provider.EventKind]int{}}
	w.Server = httptest.NewUnstartedServer(nil)
	w.issuer = "http://" + w.Listener.Addr().String()
	cfg := provider.Config{Issuer: w.issuer, Store: memory.New(), Events: w.note, Logger: slog.New(slog.DiscardHandler),
		DeviceAuthorization: &provider.DeviceAuthorization{Interval: time.Second}}
	for _, e := range edit {
		e(&cfg)
	}
	var err error
	w.Host, err = acme.New(cfg)
	require.NoError(t, err)
	require.NoError(t, register(t.Context(), w.Provider, w.clientID))
	mux := http.NewServeMux()
	w.Mount(mux)
	w.Config.Handler = mux
	w.Start()
	t.Cleanup(w.Close)
	return w
}

func (w *world) note(_ context.Context, e provider.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if e.Request != nil && e.Kind != provider.EventRequest { // Registering the program is not a request.
		w.events[e.Kind]++
	}
}

// happened returns the events since the last call.
func (w *world) happened() map[provider.EventKind]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	events := w.events
	w.events = map[provider.EventKind]int{}
	return events
}

// program is one run of the program.
type program struct {
	t      *testing.T
	stop   context.CancelFunc
	out    *io.PipeReader
	stdout strings.Builder
	stderr bytes.Buffer
	status chan int
}

// program starts the program with the flags for this world and others.
func (w *world) program(args ...string) *program {
	return newProgram(w.t, append([]string{"-issuer", w.issuer, "-client-id", w.clientID, "-token-file", w.tokenFile, "-no-browser"}, args...)...)
}

func newProgram(t *testing.T, args ...string) *program {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	p := &program{t: t, stop: stop, out: out, status: make(chan int, 1)}
	go func() {
		p.status <- run.Run(ctx, start, args, stdout, &p.stderr)
		stdout.Close()
	}()
	t.Cleanup(func() { stop(); out.Close() })
	return p
}

// reads waits until the program has printed a text, and returns everything
// printed so far.
func (p *program) reads(text string) string {
	p.t.Helper()
	for buffer := make([]byte, 4096); !strings.Contains(p.stdout.String(), text); {
		n, err := p.out.Read(buffer)
		p.stdout.Write(buffer[:n])
		if err != nil {
			require.Contains(p.t, p.stdout.String(), text, "%v: %s", err, &p.stderr)
		}
	}
	return p.stdout.String()
}

// ends waits for the program to end, and returns its exit status and everything
// that it printed.
func (p *program) ends() (status int, stdout, stderr string) {
	p.t.Helper()
	rest, err := io.ReadAll(p.out)
	require.NoError(p.t, err)
	p.stdout.Write(rest)
	return <-p.status, p.stdout.String(), p.stderr.String()
}

// address is the address that the program tells its user to open.
func (p *program) address() string {
	p.t.Helper()
	return regexp.MustCompile(`http\S+state=\S+`).FindString(p.reads("state="))
}

// person is a user with a browser.
type person struct {
	t *testing.T
	*browser.Browser
}

func newPerson(t *testing.T) *person { return &person{t, browser.New(nil)} }

func (p *person) open(address string) *browser.Page {
	p.t.Helper()
	page, err := p.Open(p.t.Context(), address)
	require.NoError(p.t, err)
	return page
}

// signIn goes to an address and signs in as ada there.
func (p *person) signIn(address string) *browser.Page {
	p.t.Helper()
	page, err := p.Follow(p.t.Context(), p.open(address))
	require.NoError(p.t, err)
	page, err = p.Press(p.t.Context(), page, "Sign in", map[string]string{"login": "ada", "password": acme.Password})
	require.NoError(p.t, err)
	page, err = p.Follow(p.t.Context(), page)
	require.NoError(p.t, err)
	return page
}

// decide signs in and presses a button of the consent page. It returns the
// redirect to the program.
func (p *person) decide(address, button string) string {
	p.t.Helper()
	page, err := p.Press(p.t.Context(), p.signIn(address), button, nil)
	require.NoError(p.t, err)
	require.NotEmpty(p.t, page.Leads())
	return page.Leads()
}

// signIn runs the program and has ada sign in.
func (w *world) signIn() {
	w.t.Helper()
	program := w.program()
	someone := newPerson(w.t)
	page := someone.open(someone.decide(program.address(), "Allow"))
	require.Equal(w.t, http.StatusOK, page.Status)
	require.Contains(w.t, page.Text(), "You can close this page")
	status, stdout, stderr := program.ends()
	require.Zero(w.t, status, stderr)
	require.Contains(w.t, stdout, "You are signed in as Ada Lovelace <ada@acme.example>.")
	require.Empty(w.t, stderr)
}

// runs runs the program until it ends, which must happen without a sign-in.
func (w *world) runs(args ...string) (status int, stdout, stderr string) {
	w.t.Helper()
	status, stdout, stderr = w.program(append([]string{"-timeout", "1ns"}, args...)...).ends()
	return status, stdout, stderr
}

// kept is the token in the file.
func (w *world) kept() *oauth2.Token {
	w.t.Helper()
	content, err := os.ReadFile(w.tokenFile)
	require.NoError(w.t, err)
	var k kept
	require.NoError(w.t, json.Unmarshal(content, &k))
	require.Equal(w.t, w.issuer, k.Issuer)
	return k.Token
}

// expire makes the access token in the file look expired.
func (w *world) expire() {
	w.t.Helper()
	token := w.kept()
	token.Expiry = time.Now().Add(-time.Minute)
	require.NoError(w.t, tokenFile{w.tokenFile, w.issuer, w.clientID}.save(token))
}
