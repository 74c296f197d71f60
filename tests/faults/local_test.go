package faults

import (
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// local is a host in the process of the test, which can see its pool and its
// log.
type local struct {
	*client
	*provider.Provider
	url  string
	kept opened // how the host reaches its store
	log  *output
}

// serve runs a host on the target until the test ends. Its application is
// registered there.
func serve(t *testing.T, at target, timeout time.Duration, edit ...func(*provider.Config)) *local {
	t.Helper()
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	return serveFor(t, newClient(t, kept), kept, timeout, edit...)
}

// serveFor runs a host for an existing application.
func serveFor(t *testing.T, c *client, kept opened, timeout time.Duration, edit ...func(*provider.Config)) *local {
	t.Helper()
	h := &local{client: c, kept: kept, log: &output{}}
	edit = append(edit, func(c *provider.Config) {
		c.Logger = slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	})
	p, err := newProvider(kept, timeout, edit...)
	require.NoError(t, err)
	h.Provider = p
	listening := httptest.NewServer(routes(p, kept))
	t.Cleanup(func() {
		listening.Close()
		h.log.check(t)
	})
	h.url = listening.URL
	return h
}

// process returns the host for callers that only need its URL.
func (h *local) process() *process { return &process{url: h.url} }
