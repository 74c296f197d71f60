package provider_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// In any combination of features, metadata lists exactly the enabled ones, and
// only their endpoints exist (RFC 8414 section 2).
func TestMetadataSaysExactlyWhatIsOn(t *testing.T) {
	const (
		resources = 1 << iota
		registration
		documents
		devices
		all
	)
	for on := range all {
		t.Run(fmt.Sprintf("%04b", on), func(t *testing.T) {
			is := func(field int) bool { return on&field != 0 }
			h := newHost(t, func(c *provider.Config) {
				if is(resources) {
					withResources(c)
				}
				if is(registration) {
					c.Registration = &provider.Registration{}
				}
				if is(documents) {
					c.ClientIDDocuments = &provider.ClientIDDocuments{}
				}
				if is(devices) {
					c.DeviceAuthorization = &provider.DeviceAuthorization{}
				}
			})
			var says map[string]any
			require.NoError(t, json.Unmarshal([]byte(h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body), &says))
			advertised := func(field int, name string, want any) {
				t.Helper()
				if !is(field) {
					want = nil
				}
				require.Equal(t, want, says[name])
			}
			advertised(resources, "protected_resources", []any{h.url + "/mcp", h.url + "/reports"})
			advertised(registration, "registration_endpoint", h.url+"/oauth/register")
			advertised(documents, "client_id_metadata_document_supported", true)
			advertised(devices, "device_authorization_endpoint", h.url+"/oauth/device_authorization")
			grants := says["grant_types_supported"].([]any)
			require.Equal(t, is(devices), slices.Contains(grants, any("urn:ietf:params:oauth:grant-type:device_code")))

			endpoints := h.Endpoints()
			require.Equal(t, is(registration), endpoints.Register != "")
			require.Equal(t, is(devices), endpoints.DeviceAuthorization != "")
			require.Equal(t, is(devices), endpoints.Device != "")
			for path, field := range map[string]int{
				"/.well-known/oauth-protected-resource/mcp": resources,
				"/oauth/register":             registration,
				"/oauth/register/client":      registration,
				"/oauth/device_authorization": devices,
				"/oauth/device":               devices,
			} {
				answer := h.send("GET", path, nil, "")
				require.Equal(t, !is(field), answer.body == "the host's own page", path)
			}
			app := h.application(provider.ApplicationSettings{})
			if !is(devices) {
				app.post("/oauth/token", "grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", "x").
					refused(t, 400, "unsupported_grant_type")
			}
		})
	}
}
