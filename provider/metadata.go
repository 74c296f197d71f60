package provider

import (
	"encoding/json"
	"net/http"
	"slices"

	"github.com/latchkey-go/latchkey/scopes"
)

// metadata is the document of RFC 8414 section 2. It lists only enabled
// features.
type metadata struct {
	Issuer                string     `json:"issuer"`
	AuthorizationEndpoint string     `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string     `json:"token_endpoint,omitempty"`
	UserInfoEndpoint      string     `json:"userinfo_endpoint,omitempty"`
	RevocationEndpoint    string     `json:"revocation_endpoint,omitempty"`
	IntrospectionEndpoint string     `json:"introspection_endpoint,omitempty"`
	RegistrationEndpoint  string     `json:"registration_endpoint,omitempty"`
	DeviceEndpoint        string     `json:"device_authorization_endpoint,omitempty"` // RFC 8628 section 4
	Scopes                scopes.Set `json:"scopes_supported"`
	ResponseTypes         []string   `json:"response_types_supported"`
	ResponseModes         []string   `json:"response_modes_supported"`
	GrantTypes            []string   `json:"grant_types_supported"`
	TokenAuth             []string   `json:"token_endpoint_auth_methods_supported"`
	RevocationAuth        []string   `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	TokenAlgs             []string   `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`
	RevocationAlgs        []string   `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionAuth     []string   `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionAlgs     []string   `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	ChallengeMethods      []string   `json:"code_challenge_methods_supported"` // RFC 7636
	IssParameter          bool       `json:"authorization_response_iss_parameter_supported"`
	Resources             []string   `json:"protected_resources,omitempty"` // RFC 9728
	ClientDocuments       bool       `json:"client_id_metadata_document_supported,omitempty"`
	*openIDMetadata
}

// openIDMetadata has the members of OpenID Connect Discovery section 3 and
// RP-Initiated Logout section 2.1.
type openIDMetadata struct {
	JWKS         string   `json:"jwks_uri"`
	Logout       string   `json:"end_session_endpoint,omitempty"`
	SubjectTypes []string `json:"subject_types_supported"`
	IDTokenAlgs  []string `json:"id_token_signing_alg_values_supported"`
	Claims       []string `json:"claims_supported"`
	Prompts      []string `json:"prompt_values_supported"`
	ACRValues    []string `json:"acr_values_supported,omitempty"`
	ClaimsParam  bool     `json:"claims_parameter_supported"`
	RequestParam bool     `json:"request_parameter_supported"`
	RequestURI   bool     `json:"request_uri_parameter_supported"` // If missing, clients assume true.
}

// MetadataHandler serves the authorization server metadata (RFC 8414), which
// clients use to find the endpoints. Its path is
// /.well-known/oauth-authorization-server followed by the path of Issuer, at
// the root of the issuer's host. With Config.OpenID it is also the OpenID
// Connect discovery document, at /.well-known/openid-configuration.
func (p *Provider) MetadataHandler() http.Handler {
	endpoints := p.Endpoints()
	m := metadata{
		Issuer:                p.cfg.Issuer,
		AuthorizationEndpoint: endpoints.Authorize,
		TokenEndpoint:         endpoints.Token,
		UserInfoEndpoint:      endpoints.UserInfo,
		RevocationEndpoint:    endpoints.Revoke,
		IntrospectionEndpoint: endpoints.Introspect,
		RegistrationEndpoint:  endpoints.Register,
		DeviceEndpoint:        endpoints.DeviceAuthorization,
		Scopes:                p.offer.scopes,
		ResponseTypes:         []string{"code"},
		ResponseModes:         []string{"query", "form_post"},
		GrantTypes:            p.offer.grantTypes,
		TokenAuth:             p.offer.authMethods,
		ChallengeMethods:      []string{"S256"},
		IssParameter:          true,
		ClientDocuments:       p.documents != nil && endpoints.Authorize != "",
	}
	if p.cfg.Keys != nil {
		m.TokenAlgs = assertionAlgs
	}
	if m.RevocationEndpoint != "" {
		m.RevocationAuth, m.RevocationAlgs = m.TokenAuth, m.TokenAlgs
	}
	if m.IntrospectionEndpoint != "" { // not for public clients
		m.IntrospectionAuth = slices.DeleteFunc(slices.Clone(m.TokenAuth), func(method string) bool { return method == authNone })
		m.IntrospectionAlgs = m.TokenAlgs
	}
	for _, r := range p.resources {
		m.Resources = append(m.Resources, r.url)
	}
	if p.cfg.OpenID != nil {
		m.Scopes = scopes.New(openID).Union(m.Scopes).Union(p.offer.extra)
		m.openIDMetadata = &openIDMetadata{
			JWKS: endpoints.JWKS, Logout: endpoints.Logout, SubjectTypes: []string{"public"}, IDTokenAlgs: p.cfg.Keys.Algorithms(),
			Claims: p.offer.claims(), Prompts: []string{"none", "login", "consent", "select_account"}, ACRValues: p.cfg.OpenID.ACRValues, ClaimsParam: true,
		}
	}
	document, err := json.Marshal(m)
	if err != nil {
		panic("provider: metadata: " + err.Error()) // Strings and lists of strings always encode.
	}
	return p.documentHandler("metadata", document)
}
