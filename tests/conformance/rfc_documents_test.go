package conformance

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
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

// documented is a client whose client_id is the URL of a document, which it
// serves itself over TLS.
type documented struct {
	*client
	fetches atomic.Int32
	serve   http.HandlerFunc
}

func newDocumented(t testing.TB, change ...func(*provider.Config)) *documented {
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
			return nil, errors.New("unknown host in this test")
		}
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	first := func(c *provider.Config) { c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, transport }
	h := newHostWith(t, append([]func(*provider.Config){first}, change...)...)
	d.client = &client{Application: provider.Application{
		ClientID: documentID, ApplicationSettings: provider.ApplicationSettings{RedirectURIs: []string{callback}, Public: true},
	}, h: h}
	return d
}

// publish serves the smallest document plus the given members.
func (d *documented) publish(members map[string]any, header ...string) {
	document := map[string]any{"client_id": documentID, "client_name": "Wiki", "redirect_uris": []string{callback}}
	for name, value := range members {
		document[name] = value
	}
	body, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	d.publishRaw(string(body), header...)
}

func (d *documented) publishRaw(body string, header ...string) {
	d.serve = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		io.WriteString(w, body)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 sections 1 and 5: an
// unregistered client signs a user in and uses the tokens.
func TestDocumentSignsIn(t *testing.T) {
	d := newDocumented(t)
	got := d.tokens(t, "scope", omit)
	require.Equal(t, everyScope, got.Scope, "its document names no scope, so it may have all")
	require.Equal(t, http.StatusOK, d.h.do(t, "GET", userInfoPath, http.Header{"Authorization": {"Bearer " + got.Access}}, "").StatusCode)
	granted(t, d.h.send(t, tokenPath, d.refreshing(got.Refresh)))
}

// draft-ietf-oauth-client-id-metadata-document-02 section 3: the URL has https,
// a path, and no fragment, user, or dot segments. No other URL is accepted as a
// client or fetched. TestDocumentURL has all cases.
func TestDocumentURLRules(t *testing.T) {
	d := newDocumented(t)
	for _, id := range []string{
		"http://client.example.com/oauth/client.json", "https://client.example.com", "https://client.example.com/", documentID + "#f",
		"https://user:secret@client.example.com/oauth/client.json", "https://client.example.com@evil.example/c", "https://client.example.com/./oauth/client.json",
		"https://client.example.com/x/../oauth/client.json", "https://client.example.com/%2e%2e/c", "https://127.0.0.1/c", "https://[::ffff:169.254.169.254]/latest",
		"https://client.example.com:22/c", "https://CLIENT.example.com/c", "file:///etc/passwd", "javascript://client.example.com/c", "https://client.example.com/a b",
		"https://client.example.com/" + strings.Repeat("a", 512),
	} {
		query := d.request("client_id", id).Encode()
		for _, r := range []reply{d.h.visit(t, query), d.h.do(t, "GET", authorizePath+"?"+query, nil, "")} {
			onPage(t, r)
			require.Contains(t, brief(r), "cannot be the URL of its document")
		}
	}
	require.Zero(t, d.fetches.Load())
}

// draft-ietf-oauth-client-id-metadata-document-02 sections 4, 5 and 8.7: the
// document is a small JSON object, client_id equals the URL by simple string
// comparison, and it has no shared secret. The page says what is wrong, and
// shows nothing else from the document.
func TestDocumentContent(t *testing.T) {
	const content = "the-content-of-the-answer"
	good := `{"client_id":"` + documentID + `","redirect_uris":["` + callback + `"]`
	var bomb bytes.Buffer
	pack := gzip.NewWriter(&bomb)
	pack.Write([]byte(good + `,"x":"` + strings.Repeat("a", 10<<20) + `"}`))
	pack.Close()
	member := func(name string, value any) func(*documented) {
		return func(d *documented) { d.publish(map[string]any{name: value, "note": content}) }
	}
	body := func(text string, header ...string) func(*documented) {
		return func(d *documented) { d.publishRaw(text, header...) }
	}
	for name, tt := range map[string]struct {
		serve func(*documented)
		says  string
	}{
		"wrong type":            {body(good+"}", "Content-Type", "text/html"), "Content-Type is not application/json"},
		"no type":               {body(good+"}", "Content-Type", ""), "Content-Type is not application/json"},
		"type in disguise":      {body(good+"}", "Content-Type", "text/plain; x=application/json"), "Content-Type"},
		"another's +json":       {body(good+"}", "Content-Type", "image/x+json"), "Content-Type"},
		"too large":             {body(good + `,"x":"` + strings.Repeat("a", 16<<10) + `"}`), "larger than 16 KiB"},
		"endless":               {endless, "larger than 16 KiB"},
		"gzip bomb":             {body(bomb.String(), "Content-Encoding", "gzip"), "compressed"},
		"cut off":               {body(good+"}", "Content-Length", "5000"), "must send all of it"},
		"empty":                 {body(""), "not a JSON object"},
		"null":                  {body("null"), "not a JSON object"},
		"array":                 {body(`["` + content + `"]`), "not a JSON object"},
		"text":                  {body(content), "not a JSON object"},
		"unfinished":            {body(good), "not a JSON object"},
		"two objects":           {body(good + "}{}"), "not a JSON object"},
		"something after it":    {body(good + "} " + content), "not a JSON object"},
		"not UTF-8":             {body(good + ",\"client_name\":\"\xff\"}"), "not a JSON object in UTF-8"},
		"another client_id":     {member("client_id", documentID+"?"), "client_id is not the URL"},
		"client_id encoded":     {member("client_id", strings.Replace(documentID, "o", "%6f", 1)), "client_id is not the URL"},
		"another in capitals":   {member("client_id", strings.Replace(documentID, "client.example", "CLIENT.example", 1)), "client_id is not the URL"},
		"no client_id":          {member("client_id", nil), "client_id is not the URL"},
		"CLIENT_ID":             {body(`{"CLIENT_ID":"` + documentID + `","redirect_uris":["` + callback + `"]}`), "client_id is not the URL"},
		"client_id a number":    {member("client_id", 5), "client_id is of type number"},
		"client_id twice":       {body(good + `,"client_id":"` + documentID + `"}`), "client_id occurs twice"},
		"client_secret":         {member("client_secret", content), "it has client_secret or client_secret_expires_at"},
		"its end":               {member("client_secret_expires_at", 0), "it has client_secret or client_secret_expires_at"},
		"client_secret_basic":   {member("token_endpoint_auth_method", "client_secret_basic"), "token_endpoint_auth_method is client_secret_basic, which is not offered"},
		"client_secret_post":    {member("token_endpoint_auth_method", "client_secret_post"), "not offered"},
		"client_secret_jwt":     {member("token_endpoint_auth_method", "client_secret_jwt"), "not offered"},
		"private_key_jwt":       {member("token_endpoint_auth_method", "private_key_jwt"), "put none into token_endpoint_auth_methods_supported"},
		"none is not listed":    {member("token_endpoint_auth_methods_supported", []string{"client_secret_basic", "private_key_jwt"}), "not offered"},
		"redirect_uris twice":   {body(good + `,"redirect_uris":["https://evil.example/"]}`), "redirect_uris occurs twice"},
		"no redirect_uris":      {member("redirect_uris", nil), "redirect_uris is missing"},
		"empty redirect_uris":   {member("redirect_uris", []string{}), "redirect_uris is missing"},
		"redirect_uris a text":  {member("redirect_uris", callback), "redirect_uris is of type string"},
		"redirect_uris null":    {member("redirect_uris", []any{nil}), "redirect_uris is of type array: send an array of strings"},
		"no good redirect_uris": {member("redirect_uris", []any{"http://evil.example/", 5, callback + "#x", "javascript:alert(1)", "https://a@b.example/"}), "redirect_uris: redirect URI 'http://evil.example/' is plain http"},
		"too many redirects":    {member("redirect_uris", make([]string, 101)), "101 redirect URIs are too many"},
		"long redirect":         {member("redirect_uris", []string{"https://a.example/" + strings.Repeat("a", 1024)}), "is too long"},
		"controls in name":      {member("client_name", "a\x1b[0m"), "client_name has"},
		"reversed name":         {member("client_name", "a\u202eb"), "client_name has"},
		"blank name":            {member("client_name", " \u200b "), "client_name has"},
		"long name":             {member("client_name", strings.Repeat("ä", 257)), "client_name is longer"},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDocumented(t)
			tt.serve(d)
			r := d.h.visit(t, d.request().Encode())
			onPage(t, r)
			require.Contains(t, html.UnescapeString(brief(r)), tt.says)
			require.NotContains(t, r.body, content)
			require.Equal(t, int32(1), d.fetches.Load())
		})
	}
	for _, header := range [][]string{
		{"Content-Type", "application/cimd+json"}, {"Content-Type", "application/oauth-client-metadata+json"},
		{"Content-Type", "application/json; charset=utf-8"}, {"Content-Encoding", "identity"},
	} {
		d := newDocumented(t)
		d.publish(nil, header...)
		require.NotEmpty(t, d.code(t), header)
	}
	for _, id := range []string{documentID + "?", documentID + "?v=1", documentID + "/", strings.Replace(documentID, "client.json", "%63lient.json", 1)} {
		d := newDocumented(t)
		r := d.h.visit(t, d.request("client_id", id).Encode())
		onPage(t, r)
		require.Contains(t, brief(r), "client_id is not the URL")
	}
}

func endless(d *documented) {
	d.serve = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for r.Context().Err() == nil {
			if _, err := w.Write(bytes.Repeat([]byte(" "), 4096)); err != nil {
				return
			}
		}
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 4, RFC 7591 section
// 2: a document is written for all servers, so a member that this server
// doesn't know, or that is malformed or contradicts another, doesn't lock the
// client out. OpenID Connect Relying Party Metadata Choices section 2: one of
// the authentication methods must be none.
func TestDocumentMembersThatRejectNoClient(t *testing.T) {
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
		{"grant_types": nil, "client_name": nil}, {"client_name": 5}, {"client_uri": "http://localhost:5173"}, {"client_uri": "javascript:x"}, {"tos_uri": 1}, {"policy_uri": "x"},
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

// draft-ietf-oauth-client-id-metadata-document-02 section 5: any status but 200
// is an error, and redirects are not followed. Section 5.1: the request ends
// then.
func TestDocumentAnswer(t *testing.T) {
	for _, status := range []int{201, 203, 206, 301, 302, 303, 304, 307, 308, 400, 401, 404, 410, 500, 503} {
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
		says := fmt.Sprintf("status %d instead of 200", status)
		if status/100 == 3 {
			says = "redirect, which is not followed"
		}
		r := d.h.visit(t, d.request().Encode())
		onPage(t, r)
		require.Contains(t, brief(r), says)
		require.Equal(t, int32(1), d.fetches.Load(), status)
	}
}

// draft-ietf-oauth-client-id-metadata-document-02 section 5.2: HTTP's cache
// headers are respected (RFC 9111 section 5.2.2.1), within bounds, which
// TestDocumentLifetime checks. An error is not cached, and neither is an
// invalid document.
func TestDocumentCaching(t *testing.T) {
	d := newDocumented(t)
	for i, tt := range []struct {
		header []string
		fresh  time.Duration
	}{{nil, 5 * time.Minute}, {[]string{"Cache-Control", "no-store"}, time.Minute}, {[]string{"Cache-Control", "max-age=600"}, 10 * time.Minute}} {
		d.publish(nil, tt.header...)
		for range 3 {
			d.code(t)
		}
		d.h.clock.Add(tt.fresh - time.Second)
		d.code(t)
		require.Equal(t, int32(i+1), d.fetches.Load())
		d.h.clock.Add(time.Second)
	}
	d.serve = http.NotFound
	onPage(t, d.h.visit(t, d.request().Encode()))
	d.publish(map[string]any{"client_id": documentID + "x"})
	onPage(t, d.h.visit(t, d.request().Encode()))
	d.publish(nil)
	require.NotEmpty(t, d.code(t))
	require.Equal(t, int32(6), d.fetches.Load())
}

// draft-ietf-oauth-client-id-metadata-document-02 section 6, RFC 8414 section
// 2: the metadata announces such clients only if they are accepted.
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
// come from the document and are compared exactly. RFC 7636: the client uses
// PKCE.
func TestDocumentRedirectURIs(t *testing.T) {
	d := newDocumented(t)
	for _, uri := range []string{callback + "/", callback + "?x", "https://client.example.com/cb", strings.ToUpper(callback), documentID} {
		onPage(t, d.h.visit(t, d.request("redirect_uri", uri).Encode()))
	}
	onPage(t, d.h.visit(t, d.request("code_challenge", omit, "code_challenge_method", omit).Encode()))
	require.NotEmpty(t, d.code(t))
}
