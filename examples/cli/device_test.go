package main

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

var printed = regexp.MustCompile(`Go to\n  (\S+)\nand enter the code\n  (\S+)\n[^\n]*\n  (\S+)\n`)

// codes returns what the program prints: the address, the code to enter there,
// and an address that contains the code.
func (p *program) codes() (page, code, complete string) {
	p.t.Helper()
	found := printed.FindStringSubmatch(p.reads("user_code="))
	require.NotNil(p.t, found, p.stdout.String())
	return found[1], found[2], found[3]
}

// decideOnDevice signs in at the device page, enters the code unless it is empty,
// and presses a button. It returns the text of the next page.
func (p *person) decideOnDevice(address, code, button string) string {
	p.t.Helper()
	page := p.signIn(address)
	typed := map[string]string{}
	if code != "" {
		typed["user_code"] = code
	}
	page, err := p.Press(p.t.Context(), page, "Continue", typed)
	require.NoError(p.t, err)
	page, err = p.Follow(p.t.Context(), page)
	require.NoError(p.t, err)
	page, err = p.Press(p.t.Context(), page, button, nil)
	require.NoError(p.t, err)
	page, err = p.Follow(p.t.Context(), page)
	require.NoError(p.t, err)
	require.Equal(p.t, http.StatusOK, page.Status)
	return page.Text()
}

// The program signs in with golang.org/x/oauth2 unchanged while its user is at
// another machine, and saves the sign-in like any other.
func TestDeviceSignIn(t *testing.T) {
	for name, withCode := range map[string]bool{"the code is entered": true, "the address has the code": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			program := w.program("-device")
			page, code, complete := program.codes()
			require.Equal(t, w.issuer+"/oauth/device", page)
			require.Equal(t, page+"?user_code="+code, complete)
			someone := newPerson(t)
			if withCode {
				require.Contains(t, someone.decideOnDevice(page, code, "Allow"), "Go back to your device.")
			} else {
				require.Contains(t, someone.decideOnDevice(complete, "", "Allow"), "Go back to your device.")
			}
			status, stdout, stderr := program.ends()
			require.Zero(t, status, stderr)
			require.Contains(t, stdout, "You are signed in as Ada Lovelace <ada@acme.example>. The sign-in is kept in "+w.tokenFile)
			require.NotContains(t, stdout, w.kept().AccessToken)
			require.Equal(t, map[provider.EventKind]int{provider.EventGrantCreated: 1, provider.EventTokenIssued: 1}, w.happened())

			// It can be refreshed and revoked like any other.
			w.expire()
			status, stdout, stderr = w.runs()
			require.Zero(t, status, stderr)
			require.Contains(t, stdout, "You are signed in as Ada Lovelace")
			status, _, stderr = w.runs("-logout")
			require.Zero(t, status, stderr)
			require.NoFileExists(t, w.tokenFile)
		})
	}
}

func TestDeviceDenied(t *testing.T) {
	w := newWorld(t)
	program := w.program("-device")
	_, _, complete := program.codes()
	require.Contains(t, newPerson(t).decideOnDevice(complete, "", "Cancel"), "Request denied")
	status, _, stderr := program.ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: you didn't allow access, so you are not signed in\n", stderr)
	require.NoFileExists(t, w.tokenFile)
}

func TestDeviceTimeout(t *testing.T) {
	w := newWorld(t)
	status, _, stderr := w.program("-device", "-timeout", "200ms").ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: no one signed in within 200ms: run the program again\n", stderr)

	program := w.program("-device")
	program.codes()
	program.stop()
	status, _, stderr = program.ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: stopped before you signed in\n", stderr)
}

func TestDeviceRefused(t *testing.T) {
	w := newWorld(t)
	status, _, stderr := w.program("-device", "-scope", "public_metadata").ends()
	require.Equal(t, 1, status)
	require.Contains(t, stderr, "cli: the provider issued no code: ")
	require.Contains(t, stderr, "invalid_scope")

	without := newWorld(t, func(c *provider.Config) { c.DeviceAuthorization = nil })
	status, _, stderr = without.program("-device").ends()
	require.Equal(t, 1, status)
	require.Equal(t, "cli: this provider does not support the device flow: leave out -device\n", stderr)
}

// The demo also works with -device.
func TestDemoWithDevice(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	demo := newProgram(t, "-demo", "-device", "-addr", "127.0.0.1:0")
	page, code, _ := demo.codes()
	newPerson(t).decideOnDevice(page, code, "Allow")
	require.Contains(t, demo.reads("Ctrl+C"), "You are signed in as Ada Lovelace")
	demo.stop()
	status, _, stderr := demo.ends()
	require.Zero(t, status, stderr)
}
