package conformance

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

const callback = "https://wiki.example.com/callback"

// host is a host that believes the header Test-User, which names the signed-in
// user.
type host struct {
	*provider.Provider
	url   string
	mux   *http.ServeMux
	clock *hosttest.Clock
	http  *http.Client
}

func newHost(t testing.TB) *host {
	t.Helper()
	return newHostWith(t)
}

// newHostWith is newHost with a changed Config.
func newHostWith(t testing.TB, change ...func(*provider.Config)) *host {
	t.Helper()
	h := &host{clock: hosttest.NewClock(time.Now()), http: hosttest.Program}
	first := func(cfg *provider.Config) {
		cfg.CurrentUser = func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: r.Header.Get("Test-User"), SignedInAt: h.clock.Now()}, nil
		}
		cfg.SignIn = provider.RedirectTo("/login", "next")
		cfg.Users = func(_ context.Context, id string) (userinfo.User, error) {
			return userinfo.User{ID: id, Name: "Ada", Email: "ada@example.com", PublicMetadata: map[string]any{"plan": "pro"}}, nil
		}
		cfg.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"})
		cfg.Logger = slog.New(slog.DiscardHandler)
		cfg.Now = h.clock.Now
	}
	app := providertest.New(t, append([]func(*provider.Config){first}, change...)...)
	h.Provider, h.url, h.mux = app.Provider, app.URL, app.Mux
	h.mux.Handle("GET "+notesPath, h.Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "[]")
	})))
	return h
}

// client is a registered confidential application.
type client struct {
	provider.Application
	secret string
	h      *host
}

func (h *host) client(n provider.ApplicationSettings) *client {
	n.Name, n.RedirectURIs = "Wiki", []string{callback}
	app, secret, err := h.CreateApplication(context.Background(), n)
	if err != nil {
		panic(err)
	}
	return &client{app, secret.Reveal(), h}
}

// post sends a form with the client's credentials and returns the JSON answer.
func (c *client) post(t tb, path string, pairs ...string) (int, map[string]any) {
	t.Helper()
	r := c.h.send(t, path, c.withID(pairs...))
	return r.StatusCode, object(t, r)
}

// tb has what the tests of this package and those of rapid have in common.
type tb interface {
	require.TestingT
	Helper()
}

type reply struct {
	*http.Response
	body string
}

func (h *host) do(t require.TestingT, method, target string, header http.Header, body string) reply {
	r, text := hosttest.Do(t, method, h.url+target, header, body)
	return reply{r, text}
}

// fatal is for errors that only a broken test causes.
type fatal struct{}

func (fatal) Errorf(format string, args ...any) { panic(format) }
func (fatal) FailNow()                          { panic("failed") }

func splitScope(s string) []string { return strings.Fields(s) }
