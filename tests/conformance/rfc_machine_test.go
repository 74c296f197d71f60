package conformance

import (
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

const jobsPath = "/api/jobs"

// newMachineHost has GET /api/jobs, which accepts tokens of machines.
func newMachineHost(t testing.TB, change ...func(*provider.Config)) *host {
	h := newHostWith(t, append(change, func(c *provider.Config) { c.Machines = &provider.Machines{PerMinute: 1000} })...)
	h.mux.Handle("GET "+jobsPath, h.AllowMachines().Require("notes:read")(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "[]")
	})))
	return h
}

// machine is an application that may ask for notes:read by itself, and for
// profile and email with a user.
func (h *host) machine() *client {
	return h.client(provider.ApplicationSettings{Scopes: scopes.New("profile", "email"), MachineScopes: scopes.New("notes:read", "public_metadata")})
}

// asMachine asks for a token without a user.
func (c *client) asMachine(t testing.TB, pairs ...string) reply {
	return c.h.send(t, tokenPath, c.withID(append([]string{"grant_type", "client_credentials"}, pairs...)...))
}

// RFC 6749 section 4.4.3: the answer is that of section 5.1, and should have no
// refresh token.
func TestMachineTokenAnswer(t *testing.T) {
	h := newMachineHost(t)
	r := h.machine().asMachine(t)
	require.Equal(t, http.StatusOK, r.StatusCode, r.body)
	require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
	answer := object(t, r)
	require.Equal(t, "Bearer", answer["token_type"])
	require.InDelta(t, 7200, answer["expires_in"], 0)
	require.Equal(t, "public_metadata notes:read", answer["scope"])
	require.NotContains(t, answer, "refresh_token")
	require.NotContains(t, answer, "id_token")
	access, _ := answer["access_token"].(string)
	require.Equal(t, http.StatusOK, h.bearer(t, jobsPath, access).StatusCode)
	h.clock.Add(2 * time.Hour)
	require.Equal(t, http.StatusUnauthorized, h.bearer(t, jobsPath, access).StatusCode)
}

// RFC 6749 sections 4.4 and 4.4.2: the grant is for confidential clients only, and
// the client must authenticate.
func TestMachineMustAuthenticate(t *testing.T) {
	h := newMachineHost(t)
	c := h.machine()
	refused(t, c.asMachine(t, "client_secret", omit), 401, "invalid_client")
	refused(t, c.asMachine(t, "client_secret", "wrong"), 401, "invalid_client")
	refused(t, c.asMachine(t, "client_secret", h.machine().secret), 401, "invalid_client")
	refused(t, h.public().asMachine(t), 400, "unauthorized_client")
	require.Equal(t, http.StatusOK, h.send(t, tokenPath, params(nil, "grant_type", "client_credentials"), "Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(c.ClientID+":"+c.secret))).StatusCode)
}

// RFC 6749 section 5.2: a client that is not authorized to use the grant type
// gets unauthorized_client, and one that asks for more scope than it may have
// gets invalid_scope. Section 3.3: if it asks for a part of its scope, it gets
// that part.
func TestMachineScope(t *testing.T) {
	h := newMachineHost(t)
	refused(t, h.confidential().asMachine(t, "scope", "notes:read"), 400, "unauthorized_client")
	c := h.machine()
	refused(t, c.asMachine(t, "scope", "email"), 400, "invalid_scope")
	refused(t, c.asMachine(t, "scope", "notes:read email"), 400, "invalid_scope")
	refused(t, c.asMachine(t, "scope", `notes:read "`), 400, "invalid_scope")
	require.Equal(t, "notes:read", object(t, c.asMachine(t, "scope", "notes:read"))["scope"])
	c.sentBack(t, h.visit(t, c.request("scope", "notes:read").Encode()), "invalid_scope") // needs a user
}

// RFC 9700 section 4.15.1 and RFC 9068 section 2.2 say why: a resource server
// must be able to tell a client that acts for itself from a user. RFC 7662
// section 2.2: sub is the subject of the token.
func TestMachineIsNotAUser(t *testing.T) {
	h := newMachineHost(t)
	c := h.machine()
	access, _ := object(t, c.asMachine(t))["access_token"].(string)
	_, answer := c.post(t, introspectPath, "token", access)
	require.Equal(t, true, answer["active"])
	require.Equal(t, "client:"+c.ClientID, answer["sub"])
	require.Equal(t, c.ClientID, answer["client_id"])
	// RFC 6750 section 3.1: insufficient_scope should be 403.
	for _, path := range []string{userInfoPath, notesPath} {
		r := h.bearer(t, path, access)
		require.Equal(t, http.StatusForbidden, r.StatusCode, r.body)
		require.Equal(t, "insufficient_scope", challenged(t, r, "Bearer")["error"])
	}
}

// RFC 6749 section 6: only a refresh token refreshes.
func TestMachineTokenDoesNotRefresh(t *testing.T) {
	h := newMachineHost(t)
	c := h.machine()
	access, _ := object(t, c.asMachine(t))["access_token"].(string)
	refused(t, h.send(t, tokenPath, c.withID("grant_type", "refresh_token", "refresh_token", access)), 400, "invalid_grant")
	require.Equal(t, http.StatusOK, h.bearer(t, jobsPath, access).StatusCode)
}

// RFC 7009 section 2.1: a machine's access token can be revoked, by its client.
func TestMachineTokenIsRevoked(t *testing.T) {
	h := newMachineHost(t)
	c := h.machine()
	access, _ := object(t, c.asMachine(t))["access_token"].(string)
	h.machine().post(t, revokePath, "token", access)
	require.Equal(t, http.StatusOK, h.bearer(t, jobsPath, access).StatusCode)
	c.post(t, revokePath, "token", access)
	require.Equal(t, http.StatusUnauthorized, h.bearer(t, jobsPath, access).StatusCode)
}

// RFC 8707 section 2.2: resource works as for a code.
func TestMachineTokenForAResource(t *testing.T) {
	h := newMachineHost(t, func(c *provider.Config) {
		c.Resources = []provider.Resource{{URL: c.Issuer + "/mcp", Scopes: []string{"notes:read"}}}
	})
	c := h.machine()
	mcp := h.url + "/mcp"
	refused(t, c.asMachine(t, "resource", h.url+"/other"), 400, "invalid_target")
	answer := object(t, c.asMachine(t, "resource", mcp))
	require.Equal(t, "notes:read", answer["scope"])
	access, _ := answer["access_token"].(string)
	_, introspected := c.post(t, introspectPath, "token", access)
	require.Equal(t, mcp, introspected["aud"])
	require.Equal(t, http.StatusUnauthorized, h.bearer(t, jobsPath, access).StatusCode)
	_, err := h.Resource(mcp).AllowMachines().Verify(t.Context(), access)
	require.NoError(t, err)
}

// RFC 8414 section 2: grant_types_supported has client_credentials where it is on.
func TestMetadataHasClientCredentialsWhereItIsOn(t *testing.T) {
	types := func(h *host) any { return object(t, h.do(t, "GET", metadataPath, nil, ""))["grant_types_supported"] }
	require.Contains(t, types(newMachineHost(t)), "client_credentials")
	require.NotContains(t, types(newHost(t)), "client_credentials")
}
