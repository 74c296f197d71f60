package clerkapi_test

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

func TestSettings(t *testing.T) {
	a := newAdmin(t)
	const path = "/v1/instance/oauth_application_settings"
	want := map[string]any{
		"object": "oauth_application_settings", "dynamic_oauth_client_registration": false, "default_scopes": []any{"profile", "email"},
		"oauth_jwt_access_tokens": false, "client_id_metadata_documents_advertised": false,
		"client_id_metadata_documents_only_allow_pre_registered_clients": false, "client_id_metadata_documents_block_implicitly_allowed_clients": false,
	}
	require.Equal(t, want, a.call("GET", path, "").object(t))
	for _, body := range []string{
		`{}`, `null`, `{"oauth_jwt_access_tokens":false}`, `{"default_scopes":["email","profile"]}`, `{"default_scopes": [ "profile", "email" ]}`,
		`{"default_scopes":null,"dynamic_oauth_client_registration":null}`,
	} {
		require.Equal(t, want, a.call("PATCH", path, body).object(t), body)
	}
	for body, problems := range map[string][]string{
		`{"oauth_jwt_access_tokens":true}`:        {"form_param_value_invalid oauth_jwt_access_tokens"},
		`{"oauth_jwt_access_tokens":"false"}`:     {"form_param_value_invalid oauth_jwt_access_tokens"},
		`{"default_scopes":["email"]}`:            {"form_param_value_invalid default_scopes"},
		`{"default_scopes":["email","email"]}`:    {"form_param_value_invalid default_scopes"},
		`{"default_scopes":"email profile"}`:      {"form_param_value_invalid default_scopes"},
		`{"object":"oauth_application_settings"}`: {"form_param_unknown object"},
		`{"unheard_of":1,"dynamic_oauth_client_registration":true}`: {
			"form_param_value_invalid dynamic_oauth_client_registration", "form_param_unknown unheard_of"},
	} {
		a.refused(a.call("PATCH", path, body), 422, problems...)
	}
	require.Equal(t, want, a.call("GET", path, "").object(t))
}

// The answer shows what is enabled. Setting the same values changes nothing.
// Other values are refused, with the name of the field that decides.
func TestSettingsAreThoseOfTheConfig(t *testing.T) {
	const path, registration, documents = "/v1/instance/oauth_application_settings", "dynamic_oauth_client_registration", "client_id_metadata_documents_advertised"
	register := func(c *provider.Config) { c.Registration = &provider.Registration{} }
	document := func(c *provider.Config) { c.ClientIDDocuments = &provider.ClientIDDocuments{} }
	for _, tt := range []struct {
		name string
		edit []func(*provider.Config)
		on   map[string]bool
	}{
		{"nothing", nil, map[string]bool{registration: false, documents: false}},
		{"registration", []func(*provider.Config){register}, map[string]bool{registration: true, documents: false}},
		{"documents", []func(*provider.Config){document}, map[string]bool{registration: false, documents: true}},
		{"both", []func(*provider.Config){register, document}, map[string]bool{registration: true, documents: true}},
		{"registration without its endpoint", []func(*provider.Config){register, func(c *provider.Config) { c.Paths.Register = "-" }},
			map[string]bool{registration: false, documents: false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAdmin(t, tt.edit...)
			want := a.call("GET", path, "").object(t)
			for name, on := range tt.on {
				require.Equal(t, on, want[name], name)
				require.Equal(t, want, a.call("PATCH", path, `{"`+name+`":`+strconv.FormatBool(on)+`}`).object(t))
				says := a.refused(a.call("PATCH", path, `{"`+name+`":`+strconv.FormatBool(!on)+`}`), 422, "form_param_value_invalid "+name)
				field := map[string]string{registration: "provider.Config.Registration", documents: "provider.Config.ClientIDDocuments"}[name]
				require.Equal(t, name+" is "+strconv.FormatBool(on)+". Only the program that contains this provider can change it, with its "+field+".", says[0])
			}
			require.Equal(t, want, a.call("GET", path, "").object(t))
		})
	}
}
