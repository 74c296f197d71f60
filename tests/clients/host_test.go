package clients

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
)

// shared is a folder for what several tests use and is created once, such as
// installed packages and built programs.
var shared string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if shared, err = os.MkdirTemp("", "latchkey-clients-"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(shared)
		return m.Run()
	}())
}

// missing skips a test because a program isn't installed, or fails it in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// need is missing for each program that isn't found.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, program := range programs {
		if _, err := exec.LookPath(program); err != nil {
			missing(t, "%s is not installed, so the clients that need it are not tested", program)
		}
	}
}

// slow skips a test that takes long to install what it runs.
func slow(t testing.TB) {
	t.Helper()
	if os.Getenv("LATCHKEY_CLIENTS") != "all" {
		t.Skip("this takes minutes: run it with make clients")
	}
}

// person is the user of a client. They have a browser that is signed in to the
// host, and do there what a client asks for.
type person struct {
	t       testing.TB
	browser *http.Client
	url     string
	visits  chan visit

	// the authorization requests so far
	asked []url.Values
}

// visit is a client that waits for the person.
type visit struct {
	decision, address string
	scope             []string // the scopes that stay ticked; nil for all
	answer            chan string
}

// newPerson starts a server for programs that send the person to the browser:
//
//	POST /allow   the body is the authorization URL; "?scope=..." for each scope if not all stay ticked
//	POST /deny    the same, but the person presses Cancel
//	POST /approve the body is the URL that a device shows, with its code
//
// The answer is the URL at the client to which the browser is finally
// redirected. The server doesn't open it: the client reads it, or opens it if it
// listens there. For a device it is empty.
func newPerson(t testing.TB, browser *http.Client) *person {
	p := &person{t: t, browser: browser, visits: make(chan visit)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{decision}", func(w http.ResponseWriter, r *http.Request) {
		address, err := io.ReadAll(r.Body)
		v := visit{r.PathValue("decision"), string(address), r.URL.Query()["scope"], make(chan string, 1)}
		select {
		case p.visits <- v:
		case <-r.Context().Done():
			return
		}
		select {
		case answer := <-v.answer:
			_, err = io.WriteString(w, answer)
		case <-r.Context().Done():
		}
		if err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	return p
}

// allow presses Allow at an authorization URL, and returns the callback URL.
func (p *person) allow(address string, scope ...string) *url.URL {
	p.t.Helper()
	p.note(address)
	return providertest.Allow(p.t, p.browser, address, scope...)
}

// deny presses Cancel.
func (p *person) deny(address string) *url.URL {
	p.t.Helper()
	p.note(address)
	return providertest.Deny(p.t, p.browser, address)
}

// approve opens the page of a device, confirms the code, and presses Allow.
func (p *person) approve(address string) {
	p.t.Helper()
	at, err := url.Parse(address)
	require.NoError(p.t, err)
	path := *at
	path.RawQuery = ""
	send := func(method, target string, form url.Values) string {
		r, err := http.NewRequestWithContext(p.t.Context(), method, target, strings.NewReader(form.Encode()))
		require.NoError(p.t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer, page := hosttest.Send(p.t, p.browser, r)
		require.Equal(p.t, http.StatusOK, answer.StatusCode, page)
		return page
	}
	form := hosttest.Fields(send("GET", address, nil))
	form.Set("user_code", at.Query().Get("user_code"))
	form = hosttest.Fields(send("POST", path.String(), form))
	form.Set("decision", "allow")
	require.Contains(p.t, send("POST", path.String(), form), `role="status"`, "the page says that the device is connected")
}

func (p *person) note(address string) {
	p.t.Helper()
	request, err := url.Parse(address)
	require.NoError(p.t, err)
	p.asked = append(p.asked, request.Query())
}

// run runs a client to its end, while the person does what it asks for at
// PERSON_URL. It returns the client's output, and fails the test with it if the
// client fails. env has "NAME=value"s.
func (p *person) run(dir string, env []string, program string, args ...string) string {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, program, args...)
	var output hosttest.Log
	command.Stdout, command.Stderr = &output, &output
	command.Dir, command.WaitDelay = dir, 5*time.Second
	command.Env = append(append(os.Environ(), "PERSON_URL="+p.url), env...)
	require.NoError(p.t, command.Start())
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for {
		select {
		case v := <-p.visits:
			// Allow and Deny end the test if they get stuck, so they are called here and
			// not in the server.
			switch v.decision {
			case "allow":
				v.answer <- p.allow(v.address, v.scope...).String()
			case "deny":
				v.answer <- p.deny(v.address).String()
			case "approve":
				p.approve(v.address)
				v.answer <- ""
			default:
				p.t.Fatalf("the person can't %q", v.decision)
			}
		case err := <-ended:
			require.NoError(p.t, err, "%s %v:\n%s", program, args, output.String())
			return output.String()
		}
	}
}

// host is a host for clients that need a provider and an API.
type host struct {
	*providertest.Host
	*person
	url string
}

// newHost starts a host at which ada is signed in, and clients may register
// themselves. It has GET /api/notes, which requires notes:read.
func newHost(t testing.TB, edit ...func(*provider.Config)) *host {
	t.Helper()
	h := &host{}
	first := func(c *provider.Config) {
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"})
		c.Registration = &provider.Registration{}
		c.DeviceAuthorization = &provider.DeviceAuthorization{Interval: time.Second}
	}
	h.Host = providertest.New(t, append([]func(*provider.Config){first}, edit...)...)
	h.SignIn("user_ada")
	h.person, h.url = newPerson(t, h.Client), h.URL
	h.Mux.Handle("GET /api/notes", h.Provider.Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := provider.TokenFromContext(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]any{"notes": []string{"A note of " + token.UserID}}); err != nil {
			t.Error(err)
		}
	})))
	return h
}

// application registers a client beforehand. A public one has no secret.
func (h *host) application(public bool, redirectURIs ...string) (clientID, secret string) {
	h.t.Helper()
	app, s, err := h.Provider.CreateApplication(h.t.Context(), provider.ApplicationSettings{
		Name: "Wiki", Public: public, RedirectURIs: redirectURIs, Scopes: scopes.New("profile", "email", "notes:read"),
	})
	require.NoError(h.t, err)
	if !public {
		secret = s.Reveal()
	}
	return app.ClientID, secret
}

// acme is the running program examples/mcp, for clients that need an MCP
// server. Ada is signed in in the person's browser.
type acme struct {
	*person
	url      string // the MCP server is at url/mcp
	password string // of ada
}

var buildAcme = sync.OnceValues(func() (string, error) {
	program := filepath.Join(shared, "acme")
	build := exec.Command("go", "build", "-o", program, "./mcp")
	build.Dir = filepath.Join("..", "..", "examples")
	if output, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, output)
	}
	return program, nil
})

// newAcme starts Acme Notes on a free port. args are flags of the program, such
// as "-access-lifetime", "2s".
func newAcme(t testing.TB, args ...string) *acme {
	t.Helper()
	program, err := buildAcme()
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	command := exec.CommandContext(ctx, program, append([]string{"-addr", "localhost:0"}, args...)...)
	var log hosttest.Log
	command.Stderr = &log
	stdout, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	t.Cleanup(func() {
		stop()
		var ended *exec.ExitError
		if err := command.Wait(); err != nil && !errors.As(err, &ended) {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("what Acme Notes logged:\n%s", log.String())
		}
	})
	lines := bufio.NewReader(stdout)
	greeting, err := lines.ReadString('\n')
	require.NoError(t, err, "%s", log.String())
	where := regexp.MustCompile(`^Acme Notes is at (\S+), its MCP server`).FindStringSubmatch(greeting)
	require.NotNil(t, where, greeting)
	users, err := lines.ReadString('\n')
	require.NoError(t, err)
	password := regexp.MustCompile(`the password of both is: (.*)\n`).FindStringSubmatch(users)
	require.NotNil(t, password, users)
	go io.Copy(io.Discard, lines)

	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	browser := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	answer, err := browser.PostForm(where[1]+"/login", url.Values{"login": {"ada"}, "password": {password[1]}})
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return &acme{person: newPerson(t, browser), url: where[1], password: password[1]}
}
