package clerkapi_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
)

func TestKeys(t *testing.T) {
	a := newAdmin(t)
	for _, tt := range []struct {
		name, authorization, want string
	}{
		{"no header", "", "authorization_header_format_invalid"},
		{"no key", "Bearer ", "authorization_header_format_invalid"},
		{"another scheme", "Basic c2s6", "authorization_header_format_invalid"},
		{"the key alone", adminKey, "authorization_header_format_invalid"},
		{"a wrong key", "Bearer sk_test_wrong", "clerk_key_invalid"},
		{"the beginning of the key", "Bearer " + adminKey[:len(adminKey)-1], "clerk_key_invalid"},
		{"more than the key", "Bearer " + adminKey + "x", "clerk_key_invalid"},
		{"the key", "Bearer " + adminKey, ""},
		{"the key in small letters of the scheme", "bearer " + adminKey, ""},
		{"the old key", "Bearer " + oldAdminKey, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, path := range []string{"/v1/oauth_applications", "/oauth_applications"} {
				r := a.call("GET", path, "", "Authorization", tt.authorization)
				if tt.want == "" {
					r.object(t)
					continue
				}
				a.refused(r, 401, tt.want)
				require.Equal(t, `Bearer realm="`+a.host.URL+`"`, r.Header.Get("WWW-Authenticate"))
			}
		})
	}
	for _, path := range []string{"/", "/v1/oauth_applications/x", "/v1/nothing"} {
		for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
			a.refused(a.call(method, path, "", "Authorization", "Bearer wrong"), 401, "clerk_key_invalid")
		}
	}
	require.NotContains(t, a.log.String(), adminKey)
	require.NotContains(t, a.log.String(), "sk_test_wrong")
	require.Panics(t, func() { clerkapi.Handler(a.Provider, nil, clerkapi.Options{}) })
}

// The host may authorize requests without a key.
func TestAllowOfTheHost(t *testing.T) {
	a := newAdmin(t)
	asked := 0
	a.api.Config.Handler = clerkapi.Handler(a.Provider, func(r *http.Request) error {
		asked++
		if c, err := r.Cookie("session"); err != nil || c.Value != "admin" {
			return errors.New("not an administrator")
		}
		return nil
	}, clerkapi.Options{})
	a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=admin", "Authorization", "").object(t)
	r := a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=ada")
	a.refused(r, 401, "clerk_key_invalid")
	require.NotContains(t, r.body, "administrators")
	require.Contains(t, a.log.String(), "not an administrator")
	require.Equal(t, 2, asked)

	// A form or script of another site sends the administrator's cookie.
	for _, header := range [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"},
	} {
		for _, tt := range []struct{ method, path, body string }{
			{"POST", "/v1/oauth_applications", `{"name":"Evil"}`},
			{"POST", "/v1/oauth_applications/x/rotate_secret", ""},
			{"PATCH", "/v1/oauth_applications/x", `{"name":"Evil"}`},
			{"DELETE", "/v1/oauth_applications/x", ""},
		} {
			a.refused(a.call(tt.method, tt.path, tt.body, append(header, "Cookie", "session=admin")...), 403, "authorization_invalid")
		}
	}
	require.Equal(t, 2, asked, "it is not even asked")
	_, total, err := a.ListApplications(ctx, anyApplication)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=admin", "Sec-Fetch-Site", "same-origin").object(t)
	// Behind a proxy that rewrites Host, the issuer is not another site.
	a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=admin", "Origin", a.host.URL).object(t)
	below := newAdmin(t, func(c *provider.Config) { c.Issuer += "/accounts" })
	below.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Origin", below.host.URL).object(t)
}

func TestUnknownPaths(t *testing.T) {
	a := newAdmin(t)
	id := a.create(`{"name":"Wiki"}`)["id"].(string)
	for _, tt := range []struct{ method, path string }{
		{"GET", "/"}, {"GET", "/v1"}, {"GET", "/v1/"}, {"GET", "/v1/users"}, {"PUT", "/v1/oauth_applications"}, {"DELETE", "/v1/oauth_applications"},
		{"POST", "/v1/oauth_applications/" + id}, {"GET", "/v1/oauth_applications/" + id + "/rotate_secret"}, {"GET", "/v1/oauth_applications/"},
		{"GET", "/v2/oauth_applications"}, {"GET", "/v1/oauth_applications/" + id + "/"}, {"DELETE", "/v1/instance/oauth_application_settings"},
	} {
		a.refused(a.call(tt.method, tt.path, ""), 404, "resource_not_found")
	}
	for _, prefix := range []string{"", "/v1"} {
		path := prefix + "/oauth_applications/" + id
		for _, tt := range []struct{ method, path, body string }{
			{"GET", path, ""}, {"PATCH", path, `{"name":"Wiki"}`}, {"POST", path + "/rotate_secret", ""},
			{"GET", prefix + "/oauth_applications", ""}, {"POST", prefix + "/oauth_applications", `{"name":"Wiki"}`},
			{"GET", prefix + "/instance/oauth_application_settings", ""}, {"PATCH", prefix + "/instance/oauth_application_settings", `{}`},
		} {
			a.call(tt.method, tt.path, tt.body).object(t)
		}
		// Only valid IDs reach the store.
		for _, id := range []string{"oa_nobody", "a%00b", "%ff", strings.Repeat("x", 300), "a%2Fb"} {
			path := prefix + "/oauth_applications/" + id
			for _, tt := range []struct{ method, path, body string }{
				{"GET", path, ""}, {"DELETE", path, ""}, {"PATCH", path, `{"name":"x"}`}, {"POST", path + "/rotate_secret", ""},
				{"POST", path + "/revoke_token", `{"token":"x"}`}, {"PUT", path + "/logo", ""},
			} {
				says := a.refused(a.call(tt.method, tt.path, tt.body), 404, "resource_not_found")
				require.Contains(t, says[0], "No OAuth application was found with id ")
			}
		}
	}
	app, err := a.FindApplication(ctx, id)
	require.NoError(t, err)
	a.refused(a.call("GET", "/v1/oauth_applications/"+app.ClientID, ""), 404, "resource_not_found")
}

// The errors of a body before its content is checked.
func TestBodies(t *testing.T) {
	a := newAdmin(t)
	id := a.create(`{"name":"Wiki"}`)["id"].(string)
	before := a.call("GET", "/v1/oauth_applications/"+id, "").body
	large := `{"name":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, tt := range []struct{ method, path string }{
		{"POST", "/v1/oauth_applications"},
		{"PATCH", "/v1/oauth_applications/" + id},
		{"POST", "/v1/oauth_applications/" + id + "/revoke_token"},
		{"POST", "/v1/oauth_applications/access_tokens/verify"},
		{"PATCH", "/v1/instance/oauth_application_settings"},
	} {
		for name, body := range map[string]string{
			"nothing": "", "no JSON": "name=Wiki", "broken off": `{"name":"Wiki"`, "garbage after it": `{"name":"Wiki"} x`,
			"two objects": `{"name":"Wiki"}{}`, "an array": `["name"]`, "a string": `"name"`, "a number": `1`, "no UTF-8": "{\"name\":\"\xff\"}",
		} {
			t.Run(tt.method+" "+tt.path+" "+name, func(*testing.T) {
				a.refused(a.call(tt.method, tt.path, body, "Content-Type", "application/json"), 400, "request_body_invalid")
			})
		}
		a.refused(a.call(tt.method, tt.path, large), 413, "request_body_too_large")
		for _, contentType := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/json-patch+json", ";"} {
			a.refused(a.call(tt.method, tt.path, `{"name":"Other"}`, "Content-Type", contentType), 415, "unsupported_content_type")
		}
	}
	require.Equal(t, before, a.call("GET", "/v1/oauth_applications/"+id, "").body)
	_, total, err := a.ListApplications(ctx, anyApplication)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Content-Type", "application/json; charset=utf-8").object(t)
	// The Go SDK sends null for parameters that are not set.
	a.refused(a.call("POST", "/v1/oauth_applications", `null`), 422, "form_param_missing name")
	require.Equal(t, before, a.call("PATCH", "/v1/oauth_applications/"+id, ` null `).body[:len(before)])
}

// A body with a megabyte of problems doesn't cause an answer of a hundred
// megabytes, or a minute of work.
func TestAnswersToLargeBodiesAreSmall(t *testing.T) {
	a := newAdmin(t)
	id := a.create(`{"name":"Wiki"}`)["id"].(string)
	names := func(format, separator string, most int) string {
		var b bytes.Buffer
		for i := 0; b.Len() < most; i++ {
			if i > 0 {
				io.WriteString(&b, separator)
			}
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	const most = 900 << 10
	path := "/v1/oauth_applications/" + id
	for _, tt := range []struct{ name, method, path, body, want string }{
		{"scopes", "POST", "/v1/oauth_applications", `{"name":"x","scopes":"` + names("%x", " ", most) + `"}`, "form_param_max_length_exceeded scopes"},
		{"scopes of PATCH", "PATCH", path, `{"scopes":"` + names("%x", " ", most) + `"}`, "form_param_max_length_exceeded scopes"},
		{"URIs", "POST", "/v1/oauth_applications", `{"name":"x","redirect_uris":["` + names("%x", `","`, most) + `"]}`, "form_param_array_size_exceeded redirect_uris"},
		{"URIs of PATCH", "PATCH", path, `{"redirect_uris":["` + names("%x", `","`, most) + `"]}`, "form_param_array_size_exceeded redirect_uris"},
	} {
		t.Run(tt.name, func(*testing.T) { a.refused(a.call(tt.method, tt.path, tt.body), 422, tt.want) })
	}
	unknown := `{` + names(`"%x":1`, ",", most) + `}`
	for _, tt := range []struct{ method, path string }{
		{"PATCH", path}, {"POST", path + "/revoke_token"}, {"PATCH", "/v1/instance/oauth_application_settings"},
	} {
		r := a.call(tt.method, tt.path, unknown)
		require.Equal(t, 422, r.StatusCode)
		require.Less(t, len(r.body), 10<<10)
	}
}

// quote writes a text as JSON.
func quote(t testing.TB, text string) string {
	t.Helper()
	encoded, err := json.Marshal(text)
	require.NoError(t, err)
	return string(encoded)
}
