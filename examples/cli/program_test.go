package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
)

func TestUsage(t *testing.T) {
	for _, test := range []struct {
		name   string
		args   []string
		status int
		says   string
	}{
		{"nothing", nil, 2, "-demo"},
		{"no client id", []string{"-issuer", "https://acme.example"}, 2, "-client-id"},
		{"an unknown flag", []string{"-port", "80"}, 2, "-h lists the flags"},
		{"not a flag", []string{"login"}, 2, `"login" is not a flag`},
		{"an issuer that is not a URL", []string{"-client-id", "x", "-issuer", "acme.example"}, 2, `-issuer "acme.example" is not a URL`},
		{"an issuer without TLS", []string{"-client-id", "x", "-issuer", "http://acme.example"}, 2, "use https"},
		{"a demo elsewhere", []string{"-demo", "-issuer", "https://acme.example"}, 2, "leave out -issuer"},
		{"a demo where nothing can be", []string{"-demo", "-addr", "192.0.2.1:0"}, 1, "choose another address with -addr"},
		{"an issuer that is not there", []string{"-client-id", "x", "-issuer", "http://127.0.0.1:1"}, 1, "cannot find the endpoints of http://127.0.0.1:1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			status, stdout, stderr := newProgram(t, test.args...).ends()
			require.Equal(t, test.status, status)
			require.Contains(t, stderr, test.says)
			require.Equal(t, 1, strings.Count(stderr, "\n"), "one line: %s", stderr)
			require.Empty(t, stdout)
		})
	}
	status, stdout, stderr := newProgram(t, "-h").ends()
	require.Zero(t, status)
	require.Contains(t, stdout, "-token-file")
	require.Empty(t, stderr)
}

// The program uses the provider's metadata, and rejects metadata that is unsafe.
func TestMetadata(t *testing.T) {
	var server *httptest.Server
	var edit func(map[string]string)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		document := map[string]string{"issuer": server.URL + "/tenant"}
		for _, name := range []string{"authorization", "token", "userinfo", "revocation"} {
			document[name+"_endpoint"] = server.URL + "/" + name
		}
		edit(document)
		switch r.URL.Path {
		case "/.well-known/oauth-authorization-server/tenant": // RFC 8414 section 3.1
			json.NewEncoder(w).Encode(document)
		case "/.well-known/oauth-authorization-server/away":
			http.Redirect(w, r, "/.well-known/oauth-authorization-server/tenant", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for _, test := range []struct {
		name, path string
		edit       func(map[string]string)
		says       string
	}{
		{"as it should be", "/tenant", func(map[string]string) {}, "cli: no one signed in within 1ms: "},
		{"of another issuer", "/tenant", func(m map[string]string) { m["issuer"] = "https://evil.example" }, `names the issuer "https://evil.example"`},
		{"with a slash too much", "/tenant/", func(map[string]string) {}, `/tenant": if that is the provider you mean, pass it with -issuer`},
		{"without an endpoint", "/tenant", func(m map[string]string) { delete(m, "token_endpoint") }, `token_endpoint "" is not a URL`},
		{"without TLS", "/tenant", func(m map[string]string) { m["userinfo_endpoint"] = "http://acme.example/" }, "userinfo_endpoint"},
		{"with a file for a page", "/tenant", func(m map[string]string) { m["authorization_endpoint"] = "file:///etc/passwd" }, "authorization_endpoint"},
		{"with a redirect", "/away", func(map[string]string) {}, "302 Found"},
		{"without any", "/", func(map[string]string) {}, "404 Not Found"},
	} {
		t.Run(test.name, func(t *testing.T) {
			edit = test.edit
			status, _, stderr := newProgram(t, "-client-id", "x", "-issuer", server.URL+test.path, "-no-browser", "-timeout", "1ms",
				"-token-file", filepath.Join(t.TempDir(), "x")).ends()
			require.Equal(t, 1, status)
			require.Contains(t, stderr, test.says)
		})
	}
}

func TestTokenFile(t *testing.T) {
	w := newWorld(t)
	w.signIn()
	token := w.kept()

	t.Run("of another provider", func(t *testing.T) {
		other := newWorld(t)
		other.tokenFile = w.tokenFile
		for _, flag := range []string{"-timeout=1ns", "-logout"} {
			status, _, stderr := other.runs(flag)
			require.Equal(t, 1, status)
			require.Contains(t, stderr, "has a sign-in of test-cli at "+w.issuer+": choose another file with -token-file")
		}
		require.Equal(t, token, w.kept())
	})
	t.Run("of another program", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "shopping.txt")
		for _, content := range []string{"bread", "{}", "null", `{"issuer": 1}`, ""} {
			require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
			status, _, stderr := w.runs("-token-file", path)
			require.Equal(t, 1, status)
			require.Contains(t, stderr, "was not written by this program")
			left, err := os.ReadFile(path)
			require.NoError(t, err)
			require.Equal(t, content, string(left))
		}
	})
	t.Run("that cannot be written", func(t *testing.T) {
		path := filepath.Join(w.tokenFile, "below", "a-file.json")
		program := w.program("-token-file", path)
		status, _, stderr := program.ends()
		require.Equal(t, 1, status)
		require.Contains(t, stderr, path)
	})
	t.Run("when the provider is away", func(t *testing.T) {
		w.expire()
		token := w.kept()
		w.Close()
		for _, flag := range []string{"-timeout=1ns", "-logout"} {
			status, _, stderr := w.runs(flag)
			require.Equal(t, 1, status)
			require.Contains(t, stderr, "cannot find the endpoints")
		}
		require.Equal(t, token.RefreshToken, w.kept().RefreshToken, "the sign-in is still saved")
	})
}

// Without -token-file, each provider and client ID has a separate file in the
// user's configuration directory.
func TestDefaultTokenFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CONFIG_HOME", dir)
	t.Setenv("HOME", dir)
	t.Setenv("AppData", dir)
	seen := map[string]bool{}
	for _, issuer := range []string{"https://acme.example", "https://acme.example/tenant"} {
		for _, id := range []string{"x", "y"} {
			f, err := newTokenFile(options{issuer: issuer, clientID: id})
			require.NoError(t, err)
			require.True(t, strings.HasPrefix(f.path, dir), f.path)
			require.Equal(t, "latchkey-cli", filepath.Base(filepath.Dir(f.path)))
			seen[f.path] = true
		}
	}
	require.Len(t, seen, 4)
}

// The whole demo: the program opens the browser with Linux's command for it,
// signs in with its own provider, and prints the next commands.
func TestDemo(t *testing.T) {
	if runtime.GOOS != "linux" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("the test replaces xdg-open, which only Linux has")
	}
	bin, config := t.TempDir(), t.TempDir()
	opened := filepath.Join(bin, "opened")
	script := fmt.Sprintf("#!/bin/sh\nprintf '%%s' \"$1\" > %[1]s.new && mv %[1]s.new %[1]s\n", opened)
	require.NoError(t, os.WriteFile(filepath.Join(bin, "xdg-open"), []byte(script), 0o700))
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("XDG_CONFIG_HOME", config)

	demo := newProgram(t, "-demo", "-addr", "127.0.0.1:0")
	address := demo.address()
	require.Contains(t, demo.stdout.String(), acme.Password)
	require.Eventually(t, func() bool {
		content, err := os.ReadFile(opened)
		return err == nil && string(content) == address
	}, 10*time.Second, 10*time.Millisecond, "the browser shows the address")
	someone := newPerson(t)
	someone.open(someone.decide(address, "Allow"))
	says := demo.reads("Ctrl+C")
	require.Contains(t, says, "You are signed in as Ada Lovelace")

	// The commands that it prints work.
	commands := regexp.MustCompile(`(?m)^  go run \./examples/cli (.*)$`).FindAllStringSubmatch(says, -1)
	require.Len(t, commands, 2)
	status, stdout, stderr := newProgram(t, strings.Fields(commands[0][1])...).ends()
	require.Zero(t, status, stderr)
	require.Contains(t, stdout, "You are signed in as Ada Lovelace")
	require.NotContains(t, stdout, "browser")
	status, stdout, stderr = newProgram(t, strings.Fields(commands[1][1])...).ends()
	require.Zero(t, status, stderr)
	require.Equal(t, "You are signed out.\n", stdout)

	demo.stop()
	status, _, stderr = demo.ends()
	require.Zero(t, status, stderr)
	require.Empty(t, stderr)
}

// Without a command that opens a browser, the user can copy the address.
func TestNoBrowser(t *testing.T) {
	if runtime.GOOS != "linux" {
		require.NotEqual(t, "true", os.Getenv("CI"), "CI tries everything")
		t.Skip("the test removes xdg-open, which only Linux has")
	}
	t.Setenv("PATH", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	demo := newProgram(t, "-demo", "-addr", "127.0.0.1:0")
	address := demo.address()
	demo.reads("The browser did not open: ")
	someone := newPerson(t)
	someone.open(someone.decide(address, "Cancel"))
	status, _, stderr := demo.ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: you didn't allow access, so you are not signed in\n", stderr)

	demo = newProgram(t, "-demo", "-addr", "127.0.0.1:0", "-no-browser")
	demo.address()
	demo.stop()
	status, _, stderr = demo.ends()
	require.Zero(t, status, stderr)
}

// The demo deletes what it saved.
func TestDemoCleansUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token.json")
	demo := newProgram(t, "-demo", "-addr", "127.0.0.1:0", "-no-browser", "-token-file", path)
	someone := newPerson(t)
	someone.open(someone.decide(demo.address(), "Allow"))
	require.Contains(t, demo.reads("Ctrl+C"), "-client-id acme-cli -token-file "+path+" -logout")
	require.FileExists(t, path)
	demo.stop()
	status, _, stderr := demo.ends()
	require.Zero(t, status, stderr)
	require.NoFileExists(t, path)
}
