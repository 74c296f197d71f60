package conformance

import (
	"net/url"
	"regexp"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
)

// The module that reads the discovery document.
var configModules = map[string]suiteModule{
	"oidcc-discovery-endpoint-verification": {"The discovery document: its issuer is where it was found, all endpoints are https, it has every required member and no unknown one; the public keys are valid, each with its `kid`, and nothing private.",
		discovery, nil},
}

// knownMetadata are the members that the suite knows, limited to those that can
// occur here.
var knownMetadata = strings.Fields(`issuer authorization_endpoint token_endpoint jwks_uri registration_endpoint scopes_supported
	response_types_supported response_modes_supported grant_types_supported token_endpoint_auth_methods_supported
	token_endpoint_auth_signing_alg_values_supported service_documentation ui_locales_supported op_policy_uri op_tos_uri revocation_endpoint
	revocation_endpoint_auth_methods_supported revocation_endpoint_auth_signing_alg_values_supported introspection_endpoint
	introspection_endpoint_auth_methods_supported introspection_endpoint_auth_signing_alg_values_supported code_challenge_methods_supported
	userinfo_endpoint end_session_endpoint subject_types_supported id_token_signing_alg_values_supported userinfo_signing_alg_values_supported
	display_values_supported claim_types_supported claims_supported claims_locales_supported claims_parameter_supported
	request_parameter_supported request_uri_parameter_supported require_request_uri_registration acr_values_supported
	authorization_response_iss_parameter_supported device_authorization_endpoint prompt_values_supported protected_resources
	client_id_metadata_document_supported`)

func discovery(r *suiteRun) {
	m := r.h.metadata(r)
	require.Equal(r, r.h.url, m["issuer"])
	issuer, err := url.Parse(r.h.url)
	require.NoError(r, err)
	require.Equal(r, "https", issuer.Scheme)
	require.Equal(r, "https://"+issuer.Host, r.h.url)

	for name, value := range m {
		r.warn(regexp.MustCompile(`^(`+strings.Join(knownMetadata, "|")+`)$`).MatchString(name), "it has the member "+name)
		switch {
		case name == "issuer":
		case strings.HasSuffix(name, "_endpoint") || strings.HasSuffix(name, "_uri"):
			u, err := url.Parse(value.(string))
			require.NoError(r, err)
			require.Equal(r, "https", u.Scheme, name)
		case strings.HasSuffix(name, "_parameter_supported") || strings.HasSuffix(name, "_document_supported"):
			require.IsType(r, true, value, name)
		default:
			require.NotEmpty(r, texts(r, m, name), name)
		}
	}
	for _, name := range strings.Fields("authorization_endpoint token_endpoint userinfo_endpoint registration_endpoint jwks_uri claims_supported grant_types_supported") {
		require.Contains(r, m, name)
	}
	require.Equal(r, []string{"code"}, texts(r, m, "response_types_supported"))
	require.Equal(r, []string{"public"}, texts(r, m, "subject_types_supported"))
	require.True(r, has(r, m, "id_token_signing_alg_values_supported", "RS256"))
	require.True(r, has(r, m, "scopes_supported", "openid"))
	for _, scope := range texts(r, m, "scopes_supported") {
		require.True(r, scopes.Valid(scope), scope)
	}
	require.Equal(r, []string{"S256"}, texts(r, m, "code_challenge_methods_supported"))
	r.keySet()

	// The document tells the truth about the ID token.
	r.client = r.h.first
	s := r.signIn("scope", "openid profile email address phone")
	for name := range s.id {
		require.True(r, has(r, m, "claims_supported", name), name)
	}
	require.True(r, has(r, m, "id_token_signing_alg_values_supported", s.header["alg"].(string)))
	require.True(r, has(r, m, "acr_values_supported", s.id["acr"].(string)))
}
