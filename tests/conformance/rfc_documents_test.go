package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

const documentID = "https://client.example.com/oauth/client.json"

// documented is a client whose client_id leads to a document, which it serves
// itself over TLS.
type documented struct {
	*client
	fetches atomic.Int32
	serve   http.HandlerFunc
}

func newDocumented(t testing.TB) *documented {
	d := &documented{}
	d.publish(map[string]any{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.fetches.Add(1)
		d.serve(w, r)
	}))
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "client.example.com:443" {
			return nil, errors.New("no such host in this test")
		}
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	h := newHostWith(t, func(c *provider.Config) { c.ClientIDDocuments = &provider.ClientIDDocuments{Transport: transport} })
	d.client = &client{Application: provider.Application{
		ClientID: documentID, ApplicationSettings: provider.ApplicationSettings{RedirectURIs: []string{callback}, Public: true},
	}, h: h}
	return d
}

// publish serves the smallest document with the given members besides.
func (d *documented) publish(members map[string]any, header ...string) {
	document := map[string]any{"client_id": documentID, "client_name": "Wiki", "redirect_uris": []string{callback}}
	for name, value := range members {
		document[name] = value
	}
	d.serve = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		json.NewEncoder(w).Encode(document)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 sections 1 and 5: a client
// that nobody registered signs somebody in and uses what it is given.
func TestDocumentSignsIn(t *testing.T) {
	d := newDocumented(t)
	got := d.tokens(t)
	require.Equal(t, http.StatusOK, d.h.do(t, "GET", userInfoPath, http.Header{"Authorization": {"Bearer " + got.Access}}, "").StatusCode)
	granted(t, d.h.send(t, tokenPath, d.refreshing(got.Refresh)))
}

// draft-ietf-oauth-client-id-metadata-document-02 section 3: https, a path, no
// fragment, user or dot segments. Nothing else is a client, or fetched.
func TestDocumentURLRules(t *testing.T) {
	d := newDocumented(t)
	for _, id := range []string{
		"http://client.example.com/oauth/client.json", "https://client.example.com", documentID + "#f",
		"https://user:secret@client.example.com/oauth/client.json", "https://client.example.com/./oauth/client.json", "https://client.example.com/x/../oauth/client.json",
	} {
		onPage(t, d.h.visit(t, d.request("client_id", id).Encode()))
	}
	require.Zero(t, d.fetches.Load())
}

// draft-ietf-oauth-client-id-metadata-document-02 section 4: client_id equals
// the URL by simple string comparison, and there is no shared secret.
func TestDocumentContent(t *testing.T) {
	for name, members := range map[string]map[string]any{
		"another client_id":       {"client_id": documentID + "?"},
		"another in capitals":     {"client_id": strings.Replace(documentID, "client.example", "CLIENT.example", 1)},
		"client_secret":           {"client_secret": "secret"},
		"its end":                 {"client_secret_expires_at": 0},
		"client_secret_basic":     {"token_endpoint_auth_method": "client_secret_basic"},
		"client_secret_post":      {"token_endpoint_auth_method": "client_secret_post"},
		"client_secret_jwt":       {"token_endpoint_auth_method": "client_secret_jwt"},
		"none is not in its list": {"token_endpoint_auth_method": "none", "token_endpoint_auth_methods_supported": []string{"client_secret_basic", "private_key_jwt"}},
		"no redirect URIs":        {"redirect_uris": []string{}},
		"no good redirect URIs":   {"redirect_uris": []any{5, "http://evil.example/", callback + "#x", "javascript:alert(1)", "https://a@b.example/"}},
		"redirect URIs a text":    {"redirect_uris": callback},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(t)
			d.publish(members)
			onPage(t, d.h.visit(t, d.request().Encode()))
			require.Equal(t, int32(1), d.fetches.Load())
		})
	}
	t.Run("more specific types", func(t *testing.T) {
		d := newDocumented(t)
		d.publish(nil, "Content-Type", "application/cimd+json")
		require.NotEmpty(t, d.code(t))
	})
}

// draft-ietf-oauth-client-id-metadata-document-02 section 4, RFC 7591 section 2: a
// document is written for all servers, so a member that means nothing here, is
// malformed, or contradicts another keeps nobody out. OpenID Connect Relying Party
// Metadata Choices section 2: of the ways to authenticate one has to be none.
func TestDocumentMembersThatKeepNobodyOut(t *testing.T) {
	d := newDocumented(t)
	for _, members := range []map[string]any{
		{"org.example.extension": []int{1}, "software_statement": "x", "token_endpoint_auth_method": "none"},
		{"token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_methods_supported": []string{"none", "private_key_jwt"}, "jwks_uri": "https://client.example.com/jwks"},
		{"token_endpoint_auth_method": "client_secret_basic", "token_endpoint_auth_methods_supported": []string{"none"}},
		{"token_endpoint_auth_methods_supported": []string{"private_key_jwt", "none"}},
		{"token_endpoint_auth_method": []string{"none"}},
		{"scope": "claudeai"}, {"scope": []string{"profile"}}, {"scope": "  profile   claudeai "},
		{"grant_types": []string{"client_credentials"}}, {"grant_types": "authorization_code"}, {"response_types": []string{"token"}},
		{"application_type": "browser"}, {"application_type": "web", "redirect_uris": []string{callback, "http://127.0.0.1/cb"}},
		{"client_name": 5}, {"client_uri": "http://localhost:5173"}, {"client_uri": "javascript:x"}, {"tos_uri": 1}, {"policy_uri": "x"},
		{"logo_uri": true}, {"logo_uri": "https://cdn.example/l.png"}, {"contacts": []any{1, nil}}, {"software_id": map[string]any{}},
		{"software_version": "\x00"}, {"registration_access_token": "x", "client_id_issued_at": 5},
		{"redirect_uris": []any{"http://evil.example/", callback, nil, callback, "urn:ietf:wg:oauth:2.0:oob", callback + "#x"}},
	} {
		d.publish(members)
		require.NotEmpty(t, d.code(t), "%v", members)
		onPage(t, d.h.visit(t, d.request("redirect_uri", "http://evil.example/").Encode()))
		d.h.clock.Add(time.Hour)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 5: anything but 200 is
// an error, and redirects are not followed. Section 5.1: the request ends then.
func TestDocumentAnswer(t *testing.T) {
	for _, status := range []int{201, 203, 206, 301, 302, 303, 307, 308, 400, 401, 404, 410, 500, 503} {
		d := newDocumented(t)
		good := d.serve
		d.serve = func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				good(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(status)
			w.Write([]byte(`{"client_id":"` + documentID + `","redirect_uris":["` + callback + `"]}`))
		}
		onPage(t, d.h.visit(t, d.request().Encode()))
		require.Equal(t, int32(1), d.fetches.Load(), status)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 5.2: HTTP's cache
// headers are respected (RFC 9111 section 5.2.2.1), within bounds. An error is
// not cached, and neither is a document that is wrong.
func TestDocumentCaching(t *testing.T) {
	d := newDocumented(t)
	d.publish(nil, "Cache-Control", "max-age=600")
	for range 3 {
		d.code(t)
	}
	require.Equal(t, int32(1), d.fetches.Load())
	d.h.clock.Add(10 * time.Minute)
	d.serve = http.NotFound
	onPage(t, d.h.visit(t, d.request().Encode()))
	d.publish(map[string]any{"client_id": documentID + "x"})
	onPage(t, d.h.visit(t, d.request().Encode()))
	d.publish(nil)
	require.NotEmpty(t, d.code(t))
	require.Equal(t, int32(4), d.fetches.Load())
}

// draft-ietf-oauth-client-id-metadata-document-02 section 6, RFC 8414 section 2:
// the metadata says so, and says nothing where they are not let in.
func TestMetadataOfDocuments(t *testing.T) {
	says := func(h *host) any {
		var m map[string]any
		require.NoError(t, json.Unmarshal([]byte(h.do(t, "GET", metadataPath, nil, "").body), &m))
		return m["client_id_metadata_document_supported"]
	}
	require.Equal(t, true, says(newDocumented(t).h))
	require.Nil(t, says(newHost(t)))
}

// draft-ietf-oauth-client-id-metadata-document-02 section 8.1: redirect URIs
// come from the document and are compared exactly. RFC 7636: it uses PKCE.
func TestDocumentRedirectURIs(t *testing.T) {
	d := newDocumented(t)
	for _, uri := range []string{callback + "/", callback + "?x", "https://client.example.com/cb", strings.ToUpper(callback), documentID} {
		onPage(t, d.h.visit(t, d.request("redirect_uri", uri).Encode()))
	}
	onPage(t, d.h.visit(t, d.request("code_challenge", omit, "code_challenge_method", omit).Encode()))
	require.NotEmpty(t, d.code(t))
}
