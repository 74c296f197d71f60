package clerk

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	"github.com/clerk/clerk-sdk-go/v2/oauthapplication"
	"github.com/stretchr/testify/require"
)

// client is Clerk's client, configured only with the API's URL and the key.
func (h *host) client(key string) *oauthapplication.Client {
	return oauthapplication.NewClient(&clerk.ClientConfig{BackendConfig: clerk.BackendConfig{
		URL: clerk.String(h.URL + "/v1"), Key: &key,
	}})
}

// refused checks that an error is the SDK's own, with exactly these problems:
// each is its code, followed by a space and its meta, if any.
func (h *host) refused(err error, status int, want ...string) *clerk.APIErrorResponse {
	h.t.Helper()
	var refusal *clerk.APIErrorResponse
	require.ErrorAs(h.t, err, &refusal)
	require.Equal(h.t, status, refusal.HTTPStatusCode)
	require.Regexp(h.t, `^[0-9a-f]{32}$`, refusal.TraceID)
	require.Equal(h.t, refusal.TraceID, refusal.Response.TraceID, "the trace ID is in the header too")
	require.Contains(h.t, h.log.String(), "reference="+refusal.TraceID)
	var got []string
	for _, e := range refusal.Errors {
		require.NotEmpty(h.t, e.Message)
		require.NotEmpty(h.t, e.LongMessage)
		got = append(got, strings.TrimSpace(e.Code+" "+string(e.Meta)))
	}
	require.Equal(h.t, want, got)
	return refusal
}

func TestGoCreateGetUpdateDelete(t *testing.T) {
	h, ctx := newHost(t), t.Context()
	c := h.client(secretKey)
	started := time.Now().UnixMilli()
	app, err := c.Create(ctx, &oauthapplication.CreateParams{Name: "Wiki", CallbackURL: callback})
	require.NoError(t, err)
	require.Equal(t, 200, app.Response.StatusCode)
	require.NotNil(t, app.ClientSecret)
	require.True(t, h.authenticates(app.ClientID, *app.ClientSecret))
	require.InDelta(t, started, app.CreatedAt, 60_000, "Unix milliseconds")
	want := clerk.OAuthApplication{
		APIResource: app.APIResource,
		Object:      "oauth_application", ID: app.ID, InstanceID: "ins_test", Name: "Wiki", ClientID: app.ClientID,
		ConsentScreenEnabled: true, Scopes: "profile email", CallbackURL: callback,
		DiscoveryURL: h.URL + "/.well-known/oauth-authorization-server", AuthorizeURL: h.URL + "/oauth/authorize",
		TokenFetchURL: h.URL + "/oauth/token", UserInfoURL: h.URL + "/oauth/userinfo",
		CreatedAt: app.CreatedAt, UpdatedAt: app.CreatedAt, ClientSecret: app.ClientSecret,
	}
	require.Equal(t, want, *app)

	got, err := c.Get(ctx, app.ID)
	require.NoError(t, err)
	want.ClientSecret, want.APIResource = nil, got.APIResource
	require.Equal(t, want, *got)

	got, err = c.Update(ctx, app.ID, &oauthapplication.UpdateParams{
		Name: clerk.String("Knowledge"), CallbackURL: clerk.String(callback + "/2"), Scopes: clerk.String("email"), ConsentScreenEnabled: clerk.Bool(false),
	})
	require.NoError(t, err)
	want.Name, want.CallbackURL, want.Scopes, want.ConsentScreenEnabled = "Knowledge", callback+"/2", "email", false
	require.GreaterOrEqual(t, got.UpdatedAt, want.UpdatedAt)
	want.UpdatedAt, want.APIResource = got.UpdatedAt, got.APIResource
	require.Equal(t, want, *got)
	got, err = c.Update(ctx, app.ID, &oauthapplication.UpdateParams{})
	require.NoError(t, err)
	want.UpdatedAt, want.APIResource = got.UpdatedAt, got.APIResource
	require.Equal(t, want, *got, "fields that aren't set stay the same")

	rotated, err := c.RotateClientSecret(ctx, app.ID)
	require.NoError(t, err)
	require.NotNil(t, rotated.ClientSecret)
	require.False(t, h.authenticates(app.ClientID, *app.ClientSecret))
	require.True(t, h.authenticates(app.ClientID, *rotated.ClientSecret))
	want.UpdatedAt, want.APIResource, want.ClientSecret = rotated.UpdatedAt, rotated.APIResource, rotated.ClientSecret
	require.Equal(t, want, *rotated)

	deleted, err := c.DeleteOAuthApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, clerk.DeletedResource{APIResource: deleted.APIResource, Object: "oauth_application", ID: app.ID, Deleted: true}, *deleted)
	require.False(t, h.authenticates(app.ClientID, *rotated.ClientSecret))
	_, err = c.Get(ctx, app.ID)
	h.refused(err, 404, "resource_not_found")
	_, err = c.Update(ctx, app.ID, &oauthapplication.UpdateParams{Name: clerk.String("x")})
	h.refused(err, 404, "resource_not_found")
	_, err = c.RotateClientSecret(ctx, app.ID)
	h.refused(err, 404, "resource_not_found")
	_, err = c.DeleteOAuthApplication(ctx, app.ID)
	h.refused(err, 404, "resource_not_found")
}

func TestGoPublic(t *testing.T) {
	h, ctx := newHost(t), t.Context()
	c := h.client(secretKey)
	app, err := c.Create(ctx, &oauthapplication.CreateParams{Name: "CLI", CallbackURL: "myapp:/callback", Public: true, ConsentScreenEnabled: clerk.Bool(false)})
	require.NoError(t, err)
	require.True(t, app.Public)
	require.False(t, app.ConsentScreenEnabled)
	require.Equal(t, "myapp:/callback", app.CallbackURL)
	require.Empty(t, *app.ClientSecret)
	_, err = c.RotateClientSecret(ctx, app.ID)
	h.refused(err, 422, `form_public_client_requires_pkce {"param_name":"public"}`)
}

func TestGoList(t *testing.T) {
	h, ctx := newHost(t), t.Context()
	c := h.client(secretKey)
	list, err := c.List(ctx, &oauthapplication.ListParams{})
	require.NoError(t, err)
	require.Zero(t, list.TotalCount)
	require.Empty(t, list.OAuthApplications)
	for i := range 25 {
		_, err := c.Create(ctx, &oauthapplication.CreateParams{Name: fmt.Sprintf("App %02d", i)})
		require.NoError(t, err)
		time.Sleep(time.Millisecond) // The order is by time.
	}
	var names []string
	for offset := int64(0); ; offset += 10 {
		params := &oauthapplication.ListParams{}
		params.Limit, params.Offset = clerk.Int64(10), clerk.Int64(offset)
		list, err := c.List(ctx, params)
		require.NoError(t, err)
		require.EqualValues(t, 25, list.TotalCount)
		for _, app := range list.OAuthApplications {
			require.Equal(t, "oauth_application", app.Object)
			require.Nil(t, app.ClientSecret)
			names = append(names, app.Name)
		}
		if len(list.OAuthApplications) < 10 {
			break
		}
	}
	require.Len(t, names, 25)
	for i, name := range names {
		require.Equal(t, fmt.Sprintf("App %02d", 24-i), name)
	}
}

func TestGoErrors(t *testing.T) {
	h, ctx := newHost(t), t.Context()
	c := h.client(secretKey)
	app, err := c.Create(ctx, &oauthapplication.CreateParams{Name: "Wiki", CallbackURL: callback})
	require.NoError(t, err)

	_, err = h.client("sk_test_wrong").Get(ctx, app.ID)
	refusal := h.refused(err, 401, "clerk_key_invalid")
	require.Equal(t, "The provided Clerk Secret Key is invalid. Make sure that your Clerk Secret Key is correct.", refusal.Errors[0].Message)
	_, err = h.client("sk_test_wrong").Create(ctx, &oauthapplication.CreateParams{Name: "x"})
	h.refused(err, 401, "clerk_key_invalid")
	_, err = h.client("").List(ctx, &oauthapplication.ListParams{})
	h.refused(err, 401, "authorization_header_format_invalid")

	_, err = c.Get(ctx, "oa_nobody")
	h.refused(err, 404, "resource_not_found")
	_, err = c.Create(ctx, &oauthapplication.CreateParams{CallbackURL: "http://wiki.example.com", Scopes: "profile nothing"})
	h.refused(err, 422, `form_param_missing {"param_name":"name"}`, `form_param_format_invalid {"param_name":"callback_url"}`,
		`form_param_value_invalid {"param_name":"scopes"}`)
	_, err = c.Update(ctx, app.ID, &oauthapplication.UpdateParams{Name: clerk.String(strings.Repeat("x", 257)), CallbackURL: clerk.String(callback + "/2")})
	h.refused(err, 422, `form_param_max_length_exceeded {"param_name":"name"}`)
	params := &oauthapplication.ListParams{}
	params.Limit, params.Offset = clerk.Int64(501), clerk.Int64(-1)
	_, err = c.List(ctx, params)
	h.refused(err, 422, `form_param_value_invalid {"param_name":"limit"}`, `form_param_value_invalid {"param_name":"offset"}`)

	got, err := c.Get(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app.UpdatedAt, got.UpdatedAt, "nothing was half done")
	require.Equal(t, callback, got.CallbackURL)
}
