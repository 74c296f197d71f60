package provider_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

const (
	adminKey    = "sk_test_new"
	oldAdminKey = "sk_test_old" // still good, as while keys are rotated
)

// admin manages the applications of a host by the Backend API.
type admin struct {
	*host
	api *httptest.Server
}

func newAdmin(t testing.TB, edit ...func(*provider.Config)) *admin {
	t.Helper()
	h := newHost(t, edit...)
	api := httptest.NewServer(h.BackendAPIHandler(provider.BearerKey(adminKey, oldAdminKey)))
	t.Cleanup(api.Close)
	return &admin{h, api}
}

// call sends a request with a JSON body, unless it is empty. Headers are given
// as name, value; an empty value leaves one out.
func (a *admin) call(method, path, body string, header ...string) *reply {
	a.t.Helper()
	r, err := http.NewRequest(method, a.api.URL+path, strings.NewReader(body))
	require.NoError(a.t, err)
	r.Header.Set("Authorization", "Bearer "+adminKey)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i+1] == "" {
			r.Header.Del(header[i])
		}
	}
	got := send(a.t, &http.Client{Transport: a.api.Client().Transport, CheckRedirect: noRedirect}, r)
	require.Equal(a.t, []string{"no-store"}, got.Header["Cache-Control"])
	if got.StatusCode != http.StatusNoContent {
		// Exactly this: Clerk's JavaScript SDK reads nothing else as JSON.
		require.Equal(a.t, []string{"application/json"}, got.Header["Content-Type"])
	}
	return got
}

// object reads the JSON object of an answer that is no error.
func (r *reply) object(t testing.TB) (object map[string]any) {
	t.Helper()
	require.Equal(t, 200, r.StatusCode, r.body)
	require.Empty(t, r.Header.Get("Clerk-Trace-Id"))
	require.NoError(t, json.Unmarshal([]byte(r.body), &object))
	return object
}

// create creates an application from a JSON body.
func (a *admin) create(body string) map[string]any {
	a.t.Helper()
	return a.call("POST", "/v1/oauth_applications", body).object(a.t)
}

// refused checks that an answer is an error in Clerk's form, with exactly
// these problems: each is its code, and after a space the parameter if it
// names one. It returns the long messages.
func (a *admin) refused(r *reply, status int, want ...string) (says []string) {
	a.t.Helper()
	require.Equal(a.t, status, r.StatusCode, r.body)
	var whole map[string]any
	require.NoError(a.t, json.Unmarshal([]byte(r.body), &whole), r.body)
	require.Equal(a.t, []string{"clerk_trace_id", "errors"}, slices.Sorted(maps.Keys(whole)))
	trace := whole["clerk_trace_id"].(string)
	require.Regexp(a.t, `^[0-9a-f]{32}$`, trace)
	require.Equal(a.t, trace, r.Header.Get("Clerk-Trace-Id"))
	require.Equal(a.t, 1, strings.Count(a.log.String(), "reference="+trace), "the trace id is in one line of the log")
	var got []string
	for _, e := range whole["errors"].([]any) {
		problem := e.(map[string]any)
		code := problem["code"].(string)
		for _, field := range []string{"code", "message", "long_message"} {
			require.NotEmpty(a.t, problem[field], r.body)
		}
		delete(problem, "message")
		if meta, ok := problem["meta"].(map[string]any); ok {
			require.Len(a.t, meta, 1)
			code += " " + meta["param_name"].(string)
			delete(problem, "meta")
		}
		require.Len(a.t, problem, 2, r.body)
		got = append(got, code)
		says = append(says, problem["long_message"].(string))
	}
	require.Equal(a.t, want, got, r.body)
	return says
}

func TestBackendKeys(t *testing.T) {
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
				require.Equal(t, `Bearer realm="`+a.url+`"`, r.Header.Get("WWW-Authenticate"))
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
	require.Panics(t, func() { a.BackendAPIHandler(nil) })
}

// The host may decide by something else than a key.
func TestBackendAllowOfTheHost(t *testing.T) {
	a := newAdmin(t)
	asked := 0
	a.api.Config.Handler = a.BackendAPIHandler(func(r *http.Request) error {
		asked++
		if c, err := r.Cookie("session"); err != nil || c.Value != "admin" {
			return errors.New("nobody of our administrators")
		}
		return nil
	})
	a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=admin", "Authorization", "").object(t)
	r := a.call("POST", "/v1/oauth_applications", `{"name":"Wiki"}`, "Cookie", "session=ada")
	a.refused(r, 401, "clerk_key_invalid")
	require.NotContains(t, r.body, "administrators")
	require.Contains(t, a.log.String(), "nobody of our administrators")
	require.Equal(t, 2, asked)

	// A form or script of another site comes with the administrator's cookie.
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
}

func TestBackendUnknownPaths(t *testing.T) {
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
		// By id only, and never by what is not one.
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

// What is wrong with a body before anything in it is looked at.
func TestBackendBodies(t *testing.T) {
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
	// The Go SDK sends null where it has nothing to say.
	a.refused(a.call("POST", "/v1/oauth_applications", `null`), 422, "form_param_missing name")
	require.Equal(t, before, a.call("PATCH", "/v1/oauth_applications/"+id, ` null `).body[:len(before)])
}

// A megabyte of problems does not make a hundred megabytes of answer, nor a
// minute of work.
func TestBackendAnswersToLargeBodiesAreSmall(t *testing.T) {
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
