package clerkapi_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// Everything that create and update refuse. A refused request changes nothing.
func TestRefusedParameters(t *testing.T) {
	a := newAdmin(t)
	app := a.create(`{"name":"Wiki","redirect_uris":["https://wiki.example.com/a"]}`)
	public := a.create(`{"name":"CLI","public":true}`)
	_, before, err := a.ListApplications(ctx, anyApplication)
	require.NoError(t, err)

	const uri = "https://wiki.example.com/callback"
	long := uri + "?" + strings.Repeat("x", 1024-len(uri))
	many := `"` + strings.Repeat(uri+`","`, 100) + uri + `"`
	for _, tt := range []struct {
		name, params string // besides a good name, which the params may replace
		status       int
		want         []string
		says         string
	}{
		{"a long name", `"name":"` + strings.Repeat("ä", 257) + `"`, 422, []string{"form_param_max_length_exceeded name"}, "name should not exceed 256 characters."},
		{"an empty name", `"name":""`, 422, []string{"form_param_missing name"}, "name must be included."},
		{"a name with a line break", `"name":"a\nb"`, 422, []string{"form_param_format_invalid name"}, ""},
		{"a name with a NUL", `"name":"a\u0000b"`, 422, []string{"form_param_format_invalid name"}, ""},
		{"a long redirect URI", `"redirect_uris":["` + long + `"]`, 422, []string{"form_param_max_length_exceeded redirect_uris"}, "redirect_uris should not exceed 1024 characters."},
		{"a long callback URL", `"callback_url":"` + long + `"`, 422, []string{"form_param_max_length_exceeded callback_url"}, "callback_url should not exceed 1024 characters."},
		{"a bad redirect URI", `"redirect_uris":["http://wiki.example.com/"]`, 422, []string{"form_param_format_invalid redirect_uris"}, "plain http"},
		{"an empty redirect URI", `"redirect_uris":[""]`, 422, []string{"form_param_format_invalid redirect_uris"}, "empty"},
		{"a bad callback URL", `"callback_url":"not a url"`, 422, []string{"form_param_format_invalid callback_url"}, "not a url"},
		{"a callback URL that runs a script", `"callback_url":"javascript:alert(1)"`, 422, []string{"form_param_format_invalid callback_url"}, "javascript"},
		{"a scheme that browsers run", `"callback_url":"javascript:alert(1)"`, 422, []string{"form_param_format_invalid callback_url"}, "browsers"},
		{"several bad redirect URIs", `"redirect_uris":["x","https://a/#b"]`, 422, []string{"form_param_format_invalid redirect_uris", "form_param_format_invalid redirect_uris"}, ""},
		{"a redirect URI twice", `"redirect_uris":["` + uri + `","` + uri + `"]`, 400, []string{"duplicate_record redirect_uris"}, "the redirect URI already exists"},
		{"a redirect URI twice and a bad name", `"redirect_uris":["` + uri + `","` + uri + `"],"name":"\t"`, 422, []string{"form_param_format_invalid name", "duplicate_record redirect_uris"}, ""},
		{"a redirect URI twice and a bad scope", `"redirect_uris":["` + uri + `","` + uri + `"],"scopes":"nothing"`, 422, []string{"duplicate_record redirect_uris", "form_param_value_invalid scopes"}, ""},
		{"too many redirect URIs", `"redirect_uris":[` + many + `]`, 422, []string{"form_param_array_size_exceeded redirect_uris"}, "100"},
		{"both, conflicting", `"redirect_uris":["` + uri + `"],"callback_url":"` + uri + `x"`, 422, []string{"form_param_value_conflict callback_url"}, "must match when both are sent"},
		{"both, one of them empty", `"redirect_uris":[],"callback_url":"` + uri + `"`, 422, []string{"form_param_value_conflict callback_url"}, ""},
		{"an unknown scope", `"scopes":"profile nothing"`, 422, []string{"form_param_value_invalid scopes"}, "nothing does not match one of the allowed values for parameter scopes"},
		{"two unknown scopes", `"scopes":"all nothing"`, 422, []string{"form_param_value_invalid scopes", "form_param_value_invalid scopes"}, ""},
		{"malformed scopes", `"scopes":"profile\temail"`, 422, []string{"form_param_format_invalid scopes"}, ""},
		{"a malformed scope", `"scopes":"pröfile"`, 422, []string{"form_param_format_invalid scopes"}, ""},
		{"long scopes", `"scopes":"` + strings.Repeat("profile ", 128) + `e"`, 422, []string{"form_param_max_length_exceeded scopes"}, "scopes should not exceed 1024 characters."},
		{"public without PKCE", `"public":true,"pkce_required":false`, 422, []string{"form_public_client_requires_pkce pkce_required"}, "PKCE is required"},
		{"a wrong type", `"redirect_uris":"` + uri + `"`, 422, []string{"form_param_value_invalid redirect_uris"}, "redirect_uris is invalid. Received string, must be of type array of strings."},
		{"a wrong type within", `"redirect_uris":["` + uri + `",1]`, 422, []string{"form_param_value_invalid redirect_uris"}, ""},
		{"null within", `"redirect_uris":["` + uri + `",null]`, 422, []string{"form_param_value_invalid redirect_uris"}, ""},
		{"wrong types", `"name":1,"callback_url":[],"scopes":["profile"],"redirect_uris":{},"consent_screen_enabled":"false","pkce_required":0,"public":"no"`, 422,
			[]string{"form_param_value_invalid name", "form_param_value_invalid callback_url", "form_param_value_invalid scopes", "form_param_value_invalid redirect_uris",
				"form_param_value_invalid consent_screen_enabled", "form_param_value_invalid pkce_required", "form_param_value_invalid public"},
			"name is invalid. Received number, must be of type string."},
		{"everything at once", `"name":"\t","redirect_uris":["x"],"scopes":"nothing"`, 422,
			[]string{"form_param_format_invalid name", "form_param_format_invalid redirect_uris", "form_param_value_invalid scopes"}, ""},
		{"everything at once, malformed", `"name":"\t","redirect_uris":["x"],"scopes":"\t"`, 422,
			[]string{"form_param_format_invalid name", "form_param_format_invalid redirect_uris", "form_param_format_invalid scopes"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			body := `{` + tt.params + `}`
			if !strings.Contains(body, `"name":`) {
				body = `{"name":"Changed",` + tt.params + `}`
			}
			for _, r := range []*reply{a.call("POST", "/v1/oauth_applications", body), a.call("PATCH", a.path(app), body)} {
				says := a.refused(r, tt.status, tt.want...)
				require.Contains(t, says[0], tt.says)
			}
		})
	}

	for _, tt := range []struct {
		app          map[string]any
		method, body string
		want         []string
	}{
		{nil, "POST", `{}`, []string{"form_param_missing name"}},
		{nil, "POST", `{"name":null}`, []string{"form_param_missing name"}},
		{nil, "POST", `{"Name":"Wiki"}`, []string{"form_param_missing name"}},
		{app, "PATCH", `{"name":"Changed","unheard_of":1,"client_id":"mine","Name":"x"}`,
			[]string{"form_param_unknown Name", "form_param_unknown client_id", "form_param_unknown unheard_of"}},
		{app, "PATCH", `{"name":1,"id":"oa_x"}`, []string{"form_param_value_invalid name", "form_param_unknown id"}},
		{app, "PATCH", `{"":null}`, []string{"form_param_unknown "}},
		{app, "PATCH", `{"public":true,"scopes":"\t"}`, []string{"form_param_format_invalid scopes"}},
		{public, "PATCH", `{"name":"Changed","pkce_required":false}`, []string{"form_public_client_requires_pkce pkce_required"}},
	} {
		path := "/v1/oauth_applications"
		if tt.app != nil {
			path = a.path(tt.app)
		}
		a.refused(a.call(tt.method, path, tt.body), 422, tt.want...)
	}
	// Nothing was half done.
	delete(app, "client_secret")
	require.Equal(t, app, a.read(app))
	_, after, err := a.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Equal(t, before, after)
}
