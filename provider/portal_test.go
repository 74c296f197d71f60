package provider_test

import (
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// The portal of the Example keeps its users apart and other sites out.
func TestPortal(t *testing.T) {
	h := newHost(t)
	p := &portal{provider: h.Provider, user: func(r *http.Request) string { return r.Header.Get("Test-User") }}
	site := httptest.NewServer(p.handler())
	t.Cleanup(site.Close)
	const page = "/settings/applications"
	visit := func(user, method, path string, form url.Values, header ...string) *reply {
		r, err := http.NewRequest(method, site.URL+path, strings.NewReader(form.Encode()))
		require.NoError(t, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Test-User", user)
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		return send(t, http.DefaultClient, r)
	}
	secretOf := func(r *reply) string {
		require.Equal(t, "no-store", r.Header.Get("Cache-Control"))
		found := regexp.MustCompile(`The new secret is <code>([0-9A-Za-z]{43})</code>`).FindStringSubmatch(r.body)
		require.NotNil(t, found, r.body)
		return found[1]
	}
	register := func(user, name string) (*application, string) {
		r := visit(user, "POST", page, url.Values{"name": {name}, "redirect_uri": {callback}})
		require.Equal(t, 201, r.StatusCode, r.body)
		owned, _, err := h.ListApplications(ctx, store.ApplicationQuery{OwnerID: user, Name: name})
		require.NoError(t, err)
		require.Len(t, owned, 1)
		return &application{owned[0], secretOf(r), h}, page + "/" + owned[0].ID + "/secret"
	}
	notebook, rotateNotebook := register("user_ada", "Notebook <b>")
	compiler, rotateCompiler := register("user_grace", "Compiler")
	nobodys := h.application(provider.ApplicationSettings{Name: "The host's own"})
	notebook.tokens("user_grace")

	seen := html.UnescapeString(visit("user_ada", "GET", page, nil).body)
	require.Contains(t, seen, "Notebook <b>")
	require.NotContains(t, seen, notebook.secret)
	for _, text := range []string{"Compiler", compiler.ClientID, "The host's own", nobodys.ClientID} {
		require.NotContains(t, seen, text)
	}
	require.NotContains(t, visit("user_ada", "GET", page, nil).body, "<b>")

	before, err := h.FindApplication(ctx, compiler.ID)
	require.NoError(t, err)
	for _, path := range []string{rotateCompiler, page + "/" + nobodys.ID + "/secret", page + "/oa_nobody/secret"} {
		r := visit("user_ada", "POST", path, nil)
		require.Equal(t, 404, r.StatusCode)
		require.NotContains(t, r.body, "secret is")
	}
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		require.Equal(t, 403, visit("user_grace", "POST", rotateCompiler, nil, header...).StatusCode)
		require.Equal(t, 403, visit("user_grace", "POST", page, url.Values{"name": {"Evil"}, "redirect_uri": {callback}}, header...).StatusCode)
	}
	for _, path := range []string{page, rotateCompiler, page + "/" + nobodys.ID + "/secret"} {
		require.Equal(t, 401, visit("", "POST", path, url.Values{"name": {"Nobody's"}, "redirect_uri": {callback}}).StatusCode)
	}
	require.Equal(t, 401, visit("", "GET", page, nil).StatusCode)
	after, err := h.FindApplication(ctx, compiler.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)
	_, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Equal(t, 3, total)

	old := notebook.secret
	notebook.secret = secretOf(visit("user_ada", "POST", rotateNotebook, nil))
	require.NotEqual(t, old, notebook.secret)
	notebook.tokens("user_grace")
	notebook.redeem(notebook.code("user_grace"), "client_secret", old).tokens(t)
	h.clock.Add(time.Hour + time.Minute)
	notebook.redeem("x", "client_secret", old).refused(t, 401, "invalid_client")

	require.Equal(t, 422, visit("user_ada", "POST", page, url.Values{"name": {"Bad"}, "redirect_uri": {"javascript:alert(1)"}}).StatusCode)
	r := visit("user_ada", "POST", page, url.Values{"name": {"CLI"}, "redirect_uri": {"http://127.0.0.1/"}, "public": {"on"}})
	require.Equal(t, 201, r.StatusCode)
	require.NotContains(t, r.body, "The new secret is")
	cli, _, err := h.ListApplications(ctx, store.ApplicationQuery{OwnerID: "user_ada", Name: "CLI"})
	require.NoError(t, err)
	require.NotContains(t, r.body, cli[0].ID)
	require.Equal(t, 409, visit("user_ada", "POST", page+"/"+cli[0].ID+"/secret", nil).StatusCode)
}
