package provider

import (
	"slices"

	"github.com/latchkey-go/latchkey/scopes"
)

// claimsOfScopes lists the claims that each scope reveals (Core section 5.4).
var claimsOfScopes = []struct {
	scope  string
	claims []string
}{
	{scopes.Profile, []string{"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at"}},
	{scopes.Email, []string{"email", "email_verified"}},
	{scopes.Address, []string{"address"}},
	{scopes.Phone, []string{"phone_number", "phone_number_verified"}},
}

// scopesOfClaim returns the scope that reveals a claim, or nil.
func scopesOfClaim(name string) scopes.Set {
	for _, s := range claimsOfScopes {
		if slices.Contains(s.claims, name) {
			return scopes.Set{s.scope}
		}
	}
	return nil
}

// tellsOfUser reports whether an ID token with the scopes has claims that come
// from Config.Users.
func tellsOfUser(granted scopes.Set) bool {
	for _, s := range claimsOfScopes {
		if granted.Has(s.scope) {
			return true
		}
	}
	return false
}

// claims returns the claims that an application may get.
func (o *offer) claims() []string {
	names := []string{"iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "at_hash"}
	if o.workspaces != nil {
		names = append(names, "workspace_id")
	}
	for _, s := range claimsOfScopes {
		if o.scopes.Has(s.scope) {
			names = append(names, s.claims...)
		}
	}
	return names
}
