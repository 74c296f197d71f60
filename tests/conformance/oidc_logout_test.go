package conformance

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// The modules of the plan RP-Initiated Logout OP. If the suite checks that a
// user is not sent back, the user here agrees to every question, and still
// isn't sent back.
var logoutModules = map[string]suiteModule{
	"oidcc-rp-initiated-logout-discovery-endpoint-verification": {"The discovery document has an https `end_session_endpoint`.", logoutDiscovery, nil},
	"oidcc-rp-initiated-logout": {"With an ID token, the user is signed out and sent to the `post_logout_redirect_uri` with the `state` and nothing else; " +
		"`prompt=none` is refused afterwards.", func(r *suiteRun) { sentBack(r, random(128)) }, nil},
	"oidcc-rp-initiated-logout-no-state":                                {"The same without a `state`: the redirect has none.", func(r *suiteRun) { sentBack(r, omit) }, nil},
	"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri":            {"An unregistered `post_logout_redirect_uri` gets an error page.", unregisteredLogout("/bad_post_logout_redirect_uri"), nil},
	"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": {"The registered one with `?foo=bar` added gets an error page.", unregisteredLogout("/post_logout_redirect?foo=bar"), nil},
	"oidcc-rp-initiated-logout-modified-id-token-hint":                  {"An ID token changed to `alg: none` gets an error page.", modifiedHint, nil},
	"oidcc-rp-initiated-logout-bad-id-token-hint":                       {"An ID token that the client signed gets an error page.", foreignHint, nil},
	"oidcc-rp-initiated-logout-no-id-token-hint": {"A `post_logout_redirect_uri` without an ID token or `client_id` gets an error page.", func(r *suiteRun) {
		r.signIn()
		notSentBack(r, "id_token_hint is missing", "id_token_hint", omit)
	}, nil},
	"oidcc-rp-initiated-logout-no-params":                   {"Without parameters, the user is asked and then signed out.", func(r *suiteRun) { pageAfterLogout(r, false, url.Values{}) }, nil},
	"oidcc-rp-initiated-logout-only-state":                  {"The same with only a `state`.", func(r *suiteRun) { pageAfterLogout(r, false, url.Values{"state": {random(50)}}) }, nil},
	"oidcc-rp-initiated-logout-no-post-logout-redirect-uri": {"With an ID token and no `post_logout_redirect_uri`, the user is signed out and sees a page.", func(r *suiteRun) { pageAfterLogout(r, true, url.Values{"state": {random(50)}}) }, nil},
}

func TestOpenIDLogout(t *testing.T) {
	h := newOpenIDHost(t, func(c *provider.Config) {
		c.OpenID.SignOut = func(w http.ResponseWriter, _ *http.Request) error {
			http.SetCookie(w, &http.Cookie{Name: sessionCookie, Path: "/", MaxAge: -1, Secure: true})
			return nil
		}
	})
	app, err := h.FindClient(t.Context(), h.first.id)
	require.NoError(t, err)
	_, err = h.UpdateApplication(t.Context(), app.ID, func(s *provider.ApplicationSettings) error {
		s.PostLogoutRedirectURIs = []string{h.relying.url + "/post_logout_redirect"}
		return nil
	})
	require.NoError(t, err)
	runPlan(t, h, "oidcc-rp-initiated-logout-certification-test-plan", false)
}

func logoutDiscovery(r *suiteRun) {
	address, err := url.Parse(r.h.metadata(r)["end_session_endpoint"].(string))
	require.NoError(r, err)
	require.Equal(r, "https", address.Scheme)
	require.NotEmpty(r, address.Host)
}

// logout sends the browser to sign out, as the suite does.
func (r *suiteRun) logout(hint string, pairs ...string) arrival {
	r.Helper()
	values := params(url.Values{
		"id_token_hint": {hint}, "post_logout_redirect_uri": {r.h.relying.url + "/post_logout_redirect"}, "state": {random(50)},
	}, pairs...)
	return r.browser.open(r, r.h.metadata(r)["end_session_endpoint"].(string)+"?"+values.Encode(), nil)
}

// isSignedOut checks with prompt=none that the user is signed out.
func (r *suiteRun) isSignedOut(want bool) {
	r.Helper()
	asked := r.request("prompt", "none", "scope", "openid")
	a := r.visit(asked)
	if want {
		r.failed(asked, a, "login_required", "interaction_required")
		return
	}
	require.NotEqual(r, "login_required", r.answer(a).Get("error"))
}

func sentBack(r *suiteRun, state string) {
	s := r.signIn()
	asked := r.browser.asked
	a := r.logout(s.raw, "state", state)
	require.Nil(r, a.page, "the user isn't asked, and the browser arrives at the relying party")
	require.Equal(r, asked, r.browser.asked)
	require.Equal(r, "/post_logout_redirect", a.path)
	want := url.Values{}
	if state != omit {
		want.Set("state", state)
	}
	require.Equal(r, want, a.query)
	r.isSignedOut(true)
}

// notSentBack checks that the user sees an error page, and is still signed in.
func notSentBack(r *suiteRun, hint string, pairs ...string) {
	r.Helper()
	asked := r.browser.asked
	a := r.logout(hint, pairs...)
	require.NotNil(r, a.page, "the browser was sent back")
	require.Equal(r, http.StatusBadRequest, a.page.StatusCode, brief(*a.page))
	require.Contains(r, a.page.body, "This link isn&#39;t valid")
	require.Equal(r, asked, r.browser.asked)
	r.isSignedOut(false)
}

func unregisteredLogout(path string) func(*suiteRun) {
	return func(r *suiteRun) { notSentBack(r, r.signIn().raw, "post_logout_redirect_uri", r.h.relying.url+path) }
}

func modifiedHint(r *suiteRun) {
	_, rest, _ := strings.Cut(r.signIn().raw, ".")
	claims, _, _ := strings.Cut(rest, ".")
	notSentBack(r, base64.RawURLEncoding.EncodeToString([]byte(`{"alg": "none"}`))+"."+claims+".")
}

// The suite signs with the client's secret, and swaps iss and aud.
func foreignHint(r *suiteRun) {
	r.signIn()
	now := time.Now()
	claims, err := json.Marshal(map[string]any{"iss": r.client.id, "sub": "SubjectID", "aud": r.h.url, "nonce": "flibble", "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()})
	require.NoError(r, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(r.client.secret)}, nil)
	require.NoError(r, err)
	signed, err := signer.Sign(claims)
	require.NoError(r, err)
	hint, err := signed.CompactSerialize()
	require.NoError(r, err)
	notSentBack(r, hint)
}

// pageAfterLogout checks that the user sees a page that says they are signed
// out, after a question unless there is a hint.
func pageAfterLogout(r *suiteRun, hinted bool, values url.Values) {
	s := r.signIn()
	if hinted {
		values.Set("id_token_hint", s.raw)
	}
	asked := r.browser.asked
	a := r.browser.open(r, r.h.metadata(r)["end_session_endpoint"].(string)+"?"+values.Encode(), nil)
	require.NotNil(r, a.page, "the browser was sent back")
	require.Equal(r, http.StatusOK, a.page.StatusCode, brief(*a.page))
	require.Contains(r, a.page.body, "You&#39;re signed out")
	require.Equal(r, !hinted, r.browser.asked > asked)
	r.isSignedOut(true)
}
