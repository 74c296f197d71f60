package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var errBlocked = errors.New("blocked by CORS")

// fetch calls another origin like a browser does for a page without credentials:
// it sends a preflight if necessary, and hides the response from the page unless
// the server allows it (the Fetch standard, section 4.8).
func fetch(t *testing.T, origin, method, address string, header http.Header, form url.Values) (*http.Response, string, error) {
	t.Helper()
	send := func(method string, header http.Header, body string) (*http.Response, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
		require.NoError(t, err)
		request.Header = header.Clone()
		if request.Header == nil {
			request.Header = http.Header{}
		}
		request.Header.Set("Origin", origin)
		answer, err := http.DefaultTransport.RoundTrip(request)
		require.NoError(t, err)
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		require.NoError(t, err)
		require.Empty(t, answer.Header.Values("Access-Control-Allow-Credentials"), "cookies are never allowed")
		return answer, string(content)
	}
	allowed := func(answer *http.Response) bool {
		origins := answer.Header.Values("Access-Control-Allow-Origin") // A browser rejects two of them.
		return len(origins) == 1 && (origins[0] == "*" || origins[0] == origin)
	}

	var unsafeNames []string // Form bodies need no preflight.
	for name := range header {
		unsafeNames = append(unsafeNames, strings.ToLower(name))
	}
	simple := slices.Contains([]string{"GET", "HEAD", "POST"}, method)
	if !simple || len(unsafeNames) > 0 {
		answer, _ := send(http.MethodOptions, http.Header{
			"Access-Control-Request-Method":  {method},
			"Access-Control-Request-Headers": {strings.Join(unsafeNames, ",")},
		}, "")
		if answer.StatusCode < 200 || answer.StatusCode > 299 || !allowed(answer) {
			return answer, "", fmt.Errorf("preflight answered with %s: %w", answer.Status, errBlocked)
		}
		if !simple && !slices.Contains(list(answer, "Access-Control-Allow-Methods"), strings.ToLower(method)) {
			return answer, "", fmt.Errorf("method %s: %w", method, errBlocked)
		}
		for _, name := range unsafeNames {
			// "*" doesn't cover Authorization.
			if !slices.Contains(list(answer, "Access-Control-Allow-Headers"), name) {
				return answer, "", fmt.Errorf("header %s: %w", name, errBlocked)
			}
		}
	}
	if form != nil {
		header = header.Clone()
		if header == nil {
			header = http.Header{}
		}
		header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	}
	answer, body := send(method, header, form.Encode())
	if !allowed(answer) {
		return answer, "", fmt.Errorf("%s %s: %w", method, address, errBlocked)
	}
	return answer, body, nil
}

// list splits a header with a list of names.
func list(answer *http.Response, name string) []string {
	var names []string
	for _, value := range answer.Header.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			names = append(names, strings.ToLower(strings.TrimSpace(part)))
		}
	}
	return names
}

// app.js can call every endpoint that it needs from its origin, and it can read
// the reason of each error response.
func TestCallsFromAnotherOrigin(t *testing.T) {
	d := newDemo(t, "127.0.0.1")
	token := d.token(t, "ada")
	bearer := func(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }
	client := func(form url.Values) url.Values { form.Set("client_id", d.clientID); return form }
	for _, test := range []struct {
		name, method, path string
		header             http.Header
		form               url.Values
		status             int
		says               string
	}{
		{"metadata", "GET", "/.well-known/oauth-authorization-server", nil, nil, 200, `"issuer":"` + d.acmeURL + `"`},
		{"token", "POST", "/oauth/token", nil, client(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token.RefreshToken}}), 200, `"access_token"`},
		{"token, refused", "POST", "/oauth/token", nil, client(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}), 400, `"invalid_grant"`},
		{"token, an unknown client", "POST", "/oauth/token", nil, url.Values{"client_id": {"x"}, "grant_type": {"refresh_token"}, "refresh_token": {"x"}}, 401, `"invalid_client"`},
		{"userinfo", "GET", "/oauth/userinfo", bearer(token.AccessToken), nil, 200, `"Ada Lovelace"`},
		{"userinfo, refused", "GET", "/oauth/userinfo", bearer("x"), nil, 401, `"invalid_token"`},
		{"API", "GET", "/api/notes", bearer(token.AccessToken), nil, 200, "Bernoulli numbers"},
		{"API, refused", "GET", "/api/notes", bearer("x"), nil, 401, `"invalid_token"`},
		{"API, without a token", "GET", "/api/notes", nil, nil, 401, ""},
		{"revoke, refused", "POST", "/oauth/token/revoke", nil, client(url.Values{}), 400, `"invalid_request"`},
		{"revoke", "POST", "/oauth/token/revoke", nil, client(url.Values{"token": {token.RefreshToken}}), 200, "{}"},
		{"API, signed out", "GET", "/api/notes", bearer(token.AccessToken), nil, 401, `"invalid_token"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, body, err := fetch(t, d.spaURL, test.method, d.acmeURL+test.path, test.header, test.form)
			require.NoError(t, err)
			require.Equal(t, test.status, answer.StatusCode, body)
			require.Contains(t, body, test.says)
			if test.header != nil && test.status == http.StatusUnauthorized {
				require.Contains(t, answer.Header.Get("WWW-Authenticate"), `error="invalid_token"`)
				require.Contains(t, list(answer, "Access-Control-Expose-Headers"), "www-authenticate", "scripts can see it")
			}
		})
	}
}

// A page of another origin can't read the pages that users open, and can't send
// other methods and headers to the API.
func TestWhatStaysClosedToOtherOrigins(t *testing.T) {
	d := newDemo(t, "127.0.0.1")
	for _, path := range []string{"/", "/login", "/oauth/authorize?client_id=" + d.clientID} {
		_, _, err := fetch(t, d.spaURL, "GET", d.acmeURL+path, nil, nil)
		require.ErrorIs(t, err, errBlocked, path)
	}
	_, _, err := fetch(t, d.spaURL, "DELETE", d.acmeURL+"/api/notes", http.Header{"Authorization": {"Bearer x"}}, nil)
	require.ErrorContains(t, err, "method DELETE: blocked")
	_, _, err = fetch(t, d.spaURL, "GET", d.acmeURL+"/api/notes", http.Header{"X-Other": {"x"}}, nil)
	require.ErrorContains(t, err, "header x-other: blocked")
}

// The SPA's pages allow only their own script, and connections only to Acme.
func TestPolicy(t *testing.T) {
	d := newDemo(t, "127.0.0.1")
	for path, says := range map[string]string{
		"/":            `<script type="module" src="/app.js">`,
		"/?code=x":     `<script type="module" src="/app.js">`,
		"/app.js":      "code_challenge",
		"/style.css":   "body",
		"/config.json": `{"client_id":"` + d.clientID + `","issuer":"` + d.acmeURL + `"}`,
		"/nothing":     "not found",
	} {
		answer, err := http.Get(d.spaURL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		require.NoError(t, err)
		require.Contains(t, string(body), says, path)
		policy := answer.Header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none';", "script-src 'self';", "connect-src 'self' " + d.acmeURL + ";", "frame-ancestors 'none';"} {
			require.Contains(t, policy, directive, path)
		}
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "no-referrer", answer.Header.Get("Referrer-Policy"))
		require.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
	}
}
