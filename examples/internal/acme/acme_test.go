package acme

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	HashCost = bcrypt.MinCost // The race detector makes it slow.
	m.Run()
}

// serve runs the app until the test ends, and returns where.
func serve(t *testing.T) string {
	t.Helper()
	listener, issuer, err := Listen(t.Context(), "-addr", "127.0.0.1:0")
	require.NoError(t, err)
	host, err := New(provider.Config{Issuer: issuer, Store: memory.New(), Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	mux := http.NewServeMux()
	host.Mount(mux)
	mux.Handle("GET /api/notes", host.Provider.Require("notes:read")(http.HandlerFunc(host.ListNotes)))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, listener, mux) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	return issuer
}

func TestSignIn(t *testing.T) {
	issuer, b, ctx := serve(t), browser.New(nil), t.Context()
	home, err := b.Open(ctx, issuer)
	require.NoError(t, err)
	require.NotContains(t, home.Text(), "signed in")
	page, err := b.Open(ctx, issuer+"/login?next=/%3Fx%3Dy")
	require.NoError(t, err)
	for _, wrong := range []map[string]string{{"login": "ada", "password": "x"}, {"login": "nobody", "password": Password}} {
		answer, err := b.Press(ctx, page, "Sign in", wrong)
		require.NoError(t, err)
		require.Equal(t, http.StatusUnprocessableEntity, answer.Status)
		require.Empty(t, answer.Header["Set-Cookie"])
		page = answer // It still knows where to go.
	}
	answer, err := b.Press(ctx, page, "Sign in", map[string]string{"login": "ada", "password": Password})
	require.NoError(t, err)
	require.Equal(t, issuer+"/?x=y", answer.Leads())
	home, err = b.Follow(ctx, answer)
	require.NoError(t, err)
	require.Contains(t, home.Text(), "You are signed in as Ada Lovelace.")
	require.Contains(t, home.Header.Get("Content-Security-Policy"), "default-src 'none'")

	_, err = b.Press(ctx, home, "Sign out", nil)
	require.NoError(t, err)
	home, err = b.Open(ctx, issuer)
	require.NoError(t, err)
	require.NotContains(t, home.Text(), "signed in")
}

// Another site cannot sign a visitor in or out, and nobody gets notes without a
// token.
func TestClosed(t *testing.T) {
	issuer := serve(t)
	for _, path := range []string{"/login", "/logout"} {
		form := url.Values{"login": {"ada"}, "password": {Password}}
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, issuer+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", "https://evil.example")
		answer, err := http.DefaultClient.Do(request)
		require.NoError(t, err)
		answer.Body.Close()
		require.Equal(t, http.StatusForbidden, answer.StatusCode)
	}
	answer, err := http.Get(issuer + "/api/notes")
	require.NoError(t, err)
	answer.Body.Close()
	require.Equal(t, http.StatusUnauthorized, answer.StatusCode)
}

func TestListen(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:0": `^http://127\.0\.0\.1:\d+$`, "localhost:0": `^http://localhost:\d+$`, ":0": `^http://localhost:\d+$`, "0.0.0.0:0": `^http://localhost:\d+$`,
	} {
		l, at, err := Listen(t.Context(), "-addr", addr)
		require.NoError(t, err)
		l.Close()
		require.Regexp(t, want, at)
	}
	_, _, err := Listen(t.Context(), "-addr", "192.0.2.1:0")
	require.ErrorContains(t, err, "choose another address with -addr")
}
