package clerk

import (
	"log/slog"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

const (
	secretKey = "sk_test_latchkey"
	callback  = "https://wiki.example.com/callback"
)

// host is a host with the Backend API on a separate server.
type host struct {
	*providertest.Host
	t   *testing.T
	log *hosttest.Log
}

func newHost(t *testing.T) *host {
	t.Helper()
	h := &host{t: t, log: &hosttest.Log{}}
	h.Host = providertest.New(t, func(c *provider.Config) {
		c.InstanceID, c.Logger = "ins_test", slog.New(slog.NewTextHandler(h.log, nil))
	})
	api := clerkapi.Handler(h.Provider, provider.BearerKey(secretKey), clerkapi.Options{})
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
		h.Mux.Handle(method+" /v1/", api)
	}
	h.Mux.Handle("POST /oauth_applications/access_tokens/verify", api)
	return h
}

// authenticates reports whether a client's secret is valid.
func (h *host) authenticates(clientID, secret string) bool {
	h.t.Helper()
	r, err := http.PostForm(h.Provider.Endpoints().Revoke, url.Values{"client_id": {clientID}, "client_secret": {secret}, "token": {"x"}})
	require.NoError(h.t, err)
	require.NoError(h.t, r.Body.Close())
	return r.StatusCode == http.StatusOK
}
