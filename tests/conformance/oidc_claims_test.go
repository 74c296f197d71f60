package conformance

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"github.com/stretchr/testify/require"
)

// The modules that ask for claims about the user.
var claimModules = map[string]suiteModule{
	"oidcc-userinfo-get": {"GET userinfo returns JSON with the `sub` of the ID token, and every claim has its type.",
		userInfoBy("GET"), nil},
	"oidcc-userinfo-post-header": {"POST userinfo with the token in the header returns the same.",
		userInfoBy("POST"), nil},
	"oidcc-userinfo-post-body": {"POST userinfo with the token in the body returns the same.",
		userInfoByForm, nil},
	"oidcc-scope-profile": {"The userinfo document has all claims of `profile`.",
		withScope("openid profile"), nil},
	"oidcc-scope-email": {"The userinfo document has the claims of `email`, and no name.",
		scopeEmail, []string{"the ID token has email"}},
	"oidcc-scope-address": {"The userinfo document has the address.",
		withScope("openid address"), nil},
	"oidcc-scope-phone": {"The userinfo document has the claims of `phone`.",
		withScope("openid phone"), nil},
	"oidcc-scope-all": {"The userinfo document has the claims of all four scopes.",
		withScope("openid email phone address profile"), nil},
	"oidcc-alternate-happy-flow": {"`scope=email openid`, with the parameters in another order.",
		otherOrder, []string{"the ID token has email"}},
	"oidcc-claims-essential": {"The parameter `claims` requests the name in userinfo, and it is there.",
		claimsEssential, []string{"the ID token has name"}},
}

// asDescribed signs in and returns the userinfo document.
func (r *suiteRun) asDescribed(pairs ...string) (signedIn, map[string]any) {
	r.Helper()
	s := r.signIn(pairs...)
	return s, r.described(s, r.userInfo("GET", s.tokens.Access))
}

func userInfoBy(method string) func(*suiteRun) {
	return func(r *suiteRun) {
		s := r.signIn()
		r.described(s, r.userInfo(method, s.tokens.Access))
	}
}

func userInfoByForm(r *suiteRun) {
	s := r.signIn()
	form := url.Values{"access_token": {s.tokens.Access}}
	r.described(s, r.h.program(r, "POST", userInfoPath, http.Header{"Content-Type": {formType}}, form.Encode()))
}

func withScope(scope string) func(*suiteRun) {
	return func(r *suiteRun) {
		require.Subset(r, texts(r, r.h.metadata(r), "scopes_supported"), strings.Fields(scope), "or the suite skips it")
		r.asDescribed("scope", scope)
	}
}

func scopeEmail(r *suiteRun) {
	s, document := r.asDescribed("scope", "openid email")
	r.onlyEmail(s, document)
}

func (r *suiteRun) onlyEmail(s signedIn, document map[string]any) {
	r.Helper()
	require.Equal(r, "ada@example.com", document["email"])
	r.without("the ID token", s.id, "name", "email")
	r.without("the userinfo document", document, "name")
}

func otherOrder(r *suiteRun) {
	asked := r.request("scope", "email openid")
	parts := strings.Split(asked.Encode(), "&")
	require.True(r, strings.HasPrefix(parts[0], "client_id="))
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	a := r.browser.open(r, r.h.Endpoints().Authorize+"?"+strings.Join(parts, "&"), nil)
	s := r.redeem(asked, r.code(asked, a))
	r.onlyEmail(s, r.described(s, r.userInfo("GET", s.tokens.Access)))
}

func claimsEssential(r *suiteRun) {
	wish, err := json.Marshal(map[string]any{"userinfo": map[string]any{"name": map[string]any{"essential": true}}})
	require.NoError(r, err)
	s, document := r.asDescribed("claims", string(wish))
	require.Equal(r, "Ada Lovelace", document["name"])
	r.without("the ID token", s.id, "name")
}
