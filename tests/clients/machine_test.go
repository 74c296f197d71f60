package clients

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/scopes"
)

// newMachineHost has GET /api/reports, which accepts tokens of machines.
func newMachineHost(t testing.TB, edit ...func(*provider.Config)) *host {
	h := newHost(t, append(edit, func(c *provider.Config) { c.Machines = &provider.Machines{} })...)
	h.Mux.Handle("GET /api/reports", h.Provider.AllowMachines().Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := provider.TokenFromContext(r.Context())
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(map[string]bool{"machine": token.Machine()}); err != nil {
			t.Error(err)
		}
	})))
	return h
}

// machine registers an application that may ask for notes:read by itself.
func (h *host) machine(keys provider.ApplicationKeys) (clientID, secret string) {
	h.t.Helper()
	app, s, err := h.Provider.CreateApplication(h.t.Context(), provider.ApplicationSettings{
		Name: "Reports", MachineScopes: scopes.New("notes:read"), Keys: keys,
	})
	require.NoError(h.t, err)
	return app.ClientID, s.Reveal()
}

// x/oauth2 asks once, and uses the token until it expires.
func TestGoClientCredentials(t *testing.T) {
	t.Parallel()
	h := newMachineHost(t)
	id, secret := h.machine(provider.ApplicationKeys{})
	for _, style := range []oauth2.AuthStyle{oauth2.AuthStyleAutoDetect, oauth2.AuthStyleInHeader, oauth2.AuthStyleInParams} {
		c := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: h.Provider.Endpoints().Token, Scopes: []string{"notes:read"}, AuthStyle: style}
		source := c.TokenSource(t.Context())
		token, err := source.Token()
		require.NoError(t, err)
		require.Equal(t, "Bearer", token.Type())
		require.Empty(t, token.RefreshToken)
		again, err := source.Token()
		require.NoError(t, err)
		require.Equal(t, token.AccessToken, again.AccessToken)

		client := oauth2.NewClient(t.Context(), source)
		for path, want := range map[string]int{"/api/reports": 200, "/api/notes": 403, "/oauth/userinfo": 403} {
			answer, err := client.Get(h.url + path)
			require.NoError(t, err)
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			require.Equal(t, want, answer.StatusCode, "%s: %s", path, text)
		}
	}
	greedy := clientcredentials.Config{ClientID: id, ClientSecret: secret, TokenURL: h.Provider.Endpoints().Token, Scopes: []string{"email"}}
	_, err := greedy.Token(t.Context())
	var refused *oauth2.RetrieveError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "invalid_scope", refused.ErrorCode)
	require.Contains(t, refused.ErrorDescription, "It may ask for: notes:read.")
}

func TestClientCredentials(t *testing.T) {
	t.Parallel()
	h := newMachineHost(t, withKeys(t))
	set, private := clientKey(t)
	id, secret := h.machine(provider.ApplicationKeys{})
	keyed, _ := h.machine(provider.ApplicationKeys{Set: set})
	h.node("js", "client-credentials.mjs", "LATCHKEY_URL="+h.url, "CLIENT_ID="+id, "CLIENT_SECRET="+secret, "KEY_ID="+keyed, "CLIENT_KEY="+private)
}

// withKeys lets clients authenticate with keys.
func withKeys(t testing.TB) func(*provider.Config) {
	return func(c *provider.Config) {
		var err error
		c.Keys, err = keys.New(t.Context(), keys.Options{Store: c.Store, Secrets: []string{strings.Repeat("sealed ", 6)}})
		require.NoError(t, err)
	}
}

// clientKey returns the JWK Set of a client with one key, wiki-1, and its
// private key in PEM.
func clientKey(t testing.TB) (set, private string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	public, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "wiki-1"}}})
	require.NoError(t, err)
	encoded, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	return string(public), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: encoded}))
}
