package clients

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/cli/oauth"
	"github.com/cli/oauth/api"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// poster sends requests for cli/oauth, and lets a test see and extend them.
type poster func(address string, form url.Values) (*http.Response, error)

func (p poster) PostForm(address string, form url.Values) (*http.Response, error) {
	return p(address, form)
}

// cli is the library of GitHub's command line, for a public application.
func (h *host) cli() *oauth.Flow {
	h.t.Helper()
	app, _, err := h.Provider.CreateApplication(h.t.Context(), provider.ApplicationSettings{
		Name: "Notes CLI", Public: true, RedirectURIs: []string{"http://127.0.0.1/callback"}, Scopes: scopes.New("profile", "notes:read"),
	})
	require.NoError(h.t, err)
	endpoints := h.Provider.Endpoints()
	return &oauth.Flow{
		Host:     &oauth.Host{DeviceCodeURL: endpoints.DeviceAuthorization, AuthorizeURL: endpoints.Authorize, TokenURL: endpoints.Token},
		ClientID: app.ClientID, Scopes: []string{"profile", "notes:read"}, CallbackURI: "http://127.0.0.1/callback",
	}
}

// reads checks that a token belongs to ada and reads notes.
func (h *host) reads(token *api.AccessToken) {
	h.t.Helper()
	require.Equal(h.t, "Bearer", token.Type)
	require.Equal(h.t, "profile notes:read", token.Scope)
	require.NotEmpty(h.t, token.RefreshToken)
	answer, text := hosttest.Do(h.t, "GET", h.url+"/api/notes", http.Header{"Authorization": {"Bearer " + token.Token}}, "")
	require.Equal(h.t, http.StatusOK, answer.StatusCode, text)
	require.Contains(h.t, text, "A note of user_ada")
}

// The user takes their time, so the device must wait.
func TestGoDevice(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	flow, waited, code := h.cli(), 0, ""
	flow.DisplayCode = func(userCode, _ string) error {
		code = userCode
		return nil
	}
	shown := ""
	flow.BrowseURL = func(address string) error {
		shown = address
		return nil
	}
	flow.HTTPClient = poster(func(address string, form url.Values) (*http.Response, error) {
		answer, err := http.PostForm(address, form)
		if err == nil && answer.StatusCode == http.StatusBadRequest {
			if waited++; waited == 1 {
				h.approve(shown + "?" + url.Values{"user_code": {code}}.Encode())
			}
		}
		return answer, err
	})
	token, err := flow.DeviceFlow()
	require.NoError(t, err)
	require.Equal(t, 1, waited, "the device was told to wait, and didn't poll too fast")
	h.reads(token)
}

// If devices aren't supported, the library falls back to the browser. There it
// leaves out what GitHub doesn't require: response_type, grant_type, and PKCE.
// The user sees what is missing, and an application that adds it can sign in.
func TestGoWebApp(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *provider.Config) { c.DeviceAuthorization = nil })

	flow := h.cli()
	flow.Host.DeviceCodeURL = h.url + "/oauth/device_authorization" // The endpoint doesn't exist.
	verifier, redirectURI := oauth2.GenerateVerifier(), ""
	flow.BrowseURL = func(address string) error {
		asked, err := url.Parse(address)
		require.NoError(t, err)
		answer, page := hosttest.Send(t, h.Client, mustGet(t, address))
		require.Equal(t, http.StatusBadRequest, answer.StatusCode)
		require.Contains(t, page, "code_challenge")

		q := asked.Query()
		redirectURI = q.Get("redirect_uri")
		q.Set("response_type", "code")
		q.Set("code_challenge", oauth2.S256ChallengeFromVerifier(verifier))
		q.Set("code_challenge_method", "S256")
		asked.RawQuery = q.Encode()
		answer, page = hosttest.Do(t, "GET", h.allow(asked.String()).String(), nil, "")
		require.Equal(t, http.StatusOK, answer.StatusCode, page)
		return nil
	}
	flow.HTTPClient = poster(func(address string, form url.Values) (*http.Response, error) {
		if form.Has("code") {
			form.Set("grant_type", "authorization_code")
			form.Set("redirect_uri", redirectURI)
			form.Set("code_verifier", verifier)
		}
		return http.PostForm(address, form)
	})
	token, err := flow.DetectFlow()
	require.NoError(t, err)
	h.reads(token)
}

func mustGet(t testing.TB, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", address, nil)
	require.NoError(t, err)
	return r
}
