package provider_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// Latchkey fetches the document of a client only for a signed-in user. For
// other visitors, the saved application decides where a link may lead.
func TestLogoutOfADocumentClient(t *testing.T) {
	h, site, app := newDocumentHost(t, signsOut)
	site.document(map[string]any{"post_logout_redirect_uris": []string{goodbye, "javascript:x", goodbye}})
	link := h.logoutURL("client_id", app.ClientID, "post_logout_redirect_uri", goodbye)
	r := h.browser().get(link)
	r.statusIs(t, 200)
	require.Contains(t, r.text(), "You're signed out")
	require.NotContains(t, r.body, goodbye)
	require.Zero(t, site.fetches.Load())

	b := h.signedInAs("user_ada")
	page := b.get(link)
	page.asks(t, h.hostName())
	require.Equal(t, int32(1), site.fetches.Load())
	require.Contains(t, h.log.String(), "javascript:x", "what was left out is in the log")
	b.post(logout, page.form(t, "allow")).sentTo(t, goodbye)

	app.code("user_ada")
	r = h.browser().get(link)
	r.statusIs(t, 200)
	require.Contains(t, r.body, `href="`+goodbye+`"`)
	require.Contains(t, r.text(), "Not reviewed by")
	require.Equal(t, int32(1), site.fetches.Load())
}

// The URIs have the rules of redirect URIs for all ways to create an
// application, and a review ends when they change.
func TestPostLogoutRedirectURIsHaveTheRulesOfRedirectURIs(t *testing.T) {
	h := newHost(t, signsOut, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	ctx := context.Background()
	wrong := func(err error, kind provider.FieldErrorKind) {
		t.Helper()
		var all provider.FieldErrors
		require.ErrorAs(t, err, &all)
		require.Equal(t, "post_logout_redirect_uris", all[0].Field)
		require.Equal(t, kind, all[0].Kind)
	}
	app := h.leaver(provider.ApplicationSettings{})
	for _, tt := range []struct {
		uris []string
		kind provider.FieldErrorKind
	}{
		{[]string{"http://wiki.example.com/bye"}, provider.FieldFormat}, {[]string{"javascript:alert(1)"}, provider.FieldFormat}, {[]string{"/bye"}, provider.FieldFormat},
		{[]string{goodbye, goodbye}, provider.FieldTwice}, {[]string{goodbye + "/" + strings.Repeat("x", 1024)}, provider.FieldTooLong},
		{make([]string, 101), provider.FieldTooMany},
	} {
		settings := provider.ApplicationSettings{Name: "Chess", RedirectURIs: []string{callback}, PostLogoutRedirectURIs: tt.uris}
		_, _, err := h.CreateApplication(ctx, settings)
		wrong(err, tt.kind)
		_, err = h.EnsureApplication(ctx, "chess", settings, provider.NewSecret(strings.Repeat("k7Qm2xZp", 6)))
		wrong(err, tt.kind)
		_, err = h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error { s.PostLogoutRedirectURIs = tt.uris; return nil })
		wrong(err, tt.kind)
	}
	ensured := provider.ApplicationSettings{Name: "Notes", RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{goodbye}, Public: true}
	notes, err := h.EnsureApplication(ctx, "notes", ensured, provider.Secret{})
	require.NoError(t, err)
	require.Equal(t, []string{goodbye}, notes.PostLogoutRedirectURIs)
	ensured.PostLogoutRedirectURIs = []string{goodbye + "2"}
	notes, err = h.EnsureApplication(ctx, "notes", ensured, provider.Secret{})
	require.NoError(t, err)
	require.Equal(t, []string{goodbye + "2"}, notes.PostLogoutRedirectURIs)

	// An application that registers itself keeps its valid URIs, and changing
	// them ends its review.
	r := h.send("POST", "/oauth/register", http.Header{"Content-Type": {"application/json"}},
		`{"redirect_uris":["`+callback+`"],"post_logout_redirect_uris":["`+goodbye+`","data:x",7,"`+goodbye+`"]}`)
	r.statusIs(t, 201)
	var got struct {
		ClientID string   `json:"client_id"`
		Token    string   `json:"registration_access_token"`
		URIs     []string `json:"post_logout_redirect_uris"`
	}
	require.NoError(t, json.Unmarshal([]byte(r.body), &got))
	require.Equal(t, []string{goodbye}, got.URIs)
	own, err := h.FindClient(ctx, got.ClientID)
	require.NoError(t, err)
	reviewed := func() bool {
		app, err := h.FindClient(ctx, own.ClientID)
		require.NoError(t, err)
		return app.Reviewed
	}
	_, err = h.ReviewApplication(ctx, own.ID, true)
	require.NoError(t, err)
	put := func(uris string) {
		h.send("PUT", "/oauth/register/"+got.ClientID, http.Header{"Content-Type": {"application/json"}, "Authorization": {"Bearer " + got.Token}},
			`{"client_id":"`+got.ClientID+`","redirect_uris":["`+callback+`"],"post_logout_redirect_uris":`+uris+`}`).statusIs(t, 200)
	}
	put(`["` + goodbye + `"]`)
	require.True(t, reviewed())
	put(`["https://elsewhere.example.com/bye"]`)
	require.False(t, reviewed())
}
