package clerkapi

import (
	"fmt"
	"net/http"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// settings are the instance's settings as Clerk returns them.
type settings struct {
	Object               string   `json:"object"`
	DynamicRegistration  bool     `json:"dynamic_oauth_client_registration"`
	DefaultScopes        []string `json:"default_scopes"`
	JWTAccessTokens      bool     `json:"oauth_jwt_access_tokens"`
	DocumentsAdvertised  bool     `json:"client_id_metadata_documents_advertised"`
	DocumentsOnlyKnown   bool     `json:"client_id_metadata_documents_only_allow_pre_registered_clients"`
	DocumentsOnlyAllowed bool     `json:"client_id_metadata_documents_block_implicitly_allowed_clients"`
}

// settings returns what the provider does, according to its Config.
func (a *api) settings() settings {
	_, documents := a.p.Offers().Scopes[store.OriginDocument]
	return settings{
		Object:              "oauth_application_settings",
		DynamicRegistration: a.p.Endpoints().Register != "",
		DefaultScopes:       scopes.New(scopes.Profile, scopes.Email), // of an application that is created without scopes
		DocumentsAdvertised: documents && a.p.Endpoints().Authorize != "",
	}
}

func (a *api) readSettings(http.ResponseWriter, *http.Request) (any, error) {
	return a.settings(), nil
}

// updateSettings accepts only the current settings. To change them, the host
// must change its code, because a Provider is immutable.
func (a *api) updateSettings(w http.ResponseWriter, r *http.Request) (any, error) {
	object, err := readObject(w, r)
	if err != nil {
		return nil, err
	}
	now := a.settings()
	var problems []problem
	fixed := func(name string, now any, field string) {
		says := fmt.Sprintf("%s is %v, and can't be changed.", name, now)
		if field != "" {
			says = fmt.Sprintf("%s is %v. Only the program that contains this provider can change it, with its %s.", name, now, field)
		}
		problems = append(problems, paramError("form_param_value_invalid", name, "is invalid", says))
	}
	for _, flag := range []struct {
		name  string
		now   bool
		field string // of the Config; empty if the setting never changes
	}{
		{"dynamic_oauth_client_registration", now.DynamicRegistration, "provider.Config.Registration"},
		{"oauth_jwt_access_tokens", now.JWTAccessTokens, ""},
		{"client_id_metadata_documents_advertised", now.DocumentsAdvertised, "provider.Config.ClientIDDocuments"},
		{"client_id_metadata_documents_only_allow_pre_registered_clients", now.DocumentsOnlyKnown, ""},
		{"client_id_metadata_documents_block_implicitly_allowed_clients", now.DocumentsOnlyAllowed, ""},
	} {
		var asked *bool
		problems = append(problems, decodeParam(object, flag.name, "boolean", &asked)...)
		if asked != nil && *asked != flag.now {
			fixed(flag.name, flag.now, flag.field)
		}
	}
	var asked *[]string
	problems = append(problems, decodeParam(object, "default_scopes", "array of strings", &asked)...)
	if asked != nil && !scopes.New(*asked...).Equal(now.DefaultScopes) {
		fixed("default_scopes", scopes.Set(now.DefaultScopes), "")
	}
	problems = append(problems, unknownParams(object)...)
	return now, unprocessable(problems)
}
