package main

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/store"
)

// sources read the clients of other providers.
var sources = map[string]func(data []byte) ([]client, error){
	"clerk":     readClerk,
	"go-oauth2": readGoOAuth2,
	"fosite":    readFosite,
}

// readClerk reads the answer of GET /v1/oauth_applications. It has no secrets:
// Clerk keeps none that it could show.
func readClerk(data []byte) ([]client, error) {
	var list struct {
		Data []struct {
			ClientID       string   `json:"client_id"`
			Name           string   `json:"name"`
			RedirectURIs   []string `json:"redirect_uris"`
			CallbackURL    string   `json:"callback_url"`
			Scopes         string   `json:"scopes"`
			Public         bool     `json:"public"`
			PKCERequired   bool     `json:"pkce_required"`
			ConsentScreen  *bool    `json:"consent_screen_enabled"`
			SelfRegistered bool     `json:"dynamically_registered"`
			ClientURI      string   `json:"client_uri"`
			LogoURL        string   `json:"client_image_url"`
		} `json:"data"`
		Total int `json:"total_count"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, err
	}
	if len(list.Data) < list.Total {
		return nil, errors.New("it is only a part of the list: ask with limit=500, and put the data of all pages into one file")
	}
	var clients []client
	for _, app := range list.Data {
		var c client
		c.ClientID, c.Name, c.RedirectURIs = app.ClientID, app.Name, app.RedirectURIs
		if len(c.RedirectURIs) == 0 && app.CallbackURL != "" {
			c.RedirectURIs = []string{app.CallbackURL}
		}
		c.Scopes = offeredScopes(&c, app.Scopes)
		c.Public, c.PKCERequired = app.Public, app.PKCERequired
		c.SkipConsent = app.ConsentScreen != nil && !*app.ConsentScreen
		c.ClientURI, c.LogoURL = app.ClientURI, app.LogoURL
		if app.SelfRegistered {
			c.refuse("it registered itself, and nobody vouches for it: let it do so again, by Config.Registration")
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// readGoOAuth2 reads a list of models.Client, as its stores keep them, to which
// a name and redirect URIs can be added. The secrets are in the clear.
func readGoOAuth2(data []byte) ([]client, error) {
	var rows []struct {
		ID, Secret, Domain, UserID string
		Public                     bool

		Name         string
		RedirectURIs []string `json:"redirect_uris"`
		Scopes       string
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, err
	}
	var clients []client
	for _, row := range rows {
		c := client{secret: row.Secret}
		c.ClientID, c.Name, c.OwnerID = row.ID, cmp.Or(row.Name, row.ID), row.UserID
		c.RedirectURIs, c.Public = row.RedirectURIs, row.Public
		c.Scopes = offeredScopes(&c, row.Scopes)
		if len(c.RedirectURIs) == 0 {
			// A domain let in every path and sub-domain there. What was meant is
			// only clear where it is a whole address.
			u, err := url.Parse(row.Domain)
			if err != nil || strings.Trim(u.Path, "/") == "" {
				c.refuse("its domain %q does not say where codes go, as redirect URIs match character for character here: add redirect_uris to the row", row.Domain)
			}
			c.RedirectURIs = []string{row.Domain}
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// readFosite reads a list of clients of Hydra or of fosite's DefaultClient, with
// client_secret as the database has it: the bcrypt hash.
func readFosite(data []byte) ([]client, error) {
	var rows []struct {
		HydraID      string   `json:"client_id"`
		ID           string   `json:"id"`
		Name         string   `json:"client_name"`
		Secret       string   `json:"client_secret"`
		RedirectURIs []string `json:"redirect_uris"`
		GrantTypes   []string `json:"grant_types"`
		Scope        string   `json:"scope"`
		Scopes       []string `json:"scopes"`
		AuthMethod   string   `json:"token_endpoint_auth_method"`
		Public       bool     `json:"public"`
		Owner        string   `json:"owner"`
		ClientURI    string   `json:"client_uri"`
		LogoURI      string   `json:"logo_uri"`
		SkipConsent  bool     `json:"skip_consent"`
	}
	if err := json.Unmarshal(data, &rows); err != nil {
		return nil, err
	}
	var clients []client
	for _, row := range rows {
		var c client
		c.ClientID = cmp.Or(row.HydraID, row.ID)
		c.Name, c.OwnerID, c.RedirectURIs = cmp.Or(row.Name, c.ClientID), row.Owner, row.RedirectURIs
		c.Scopes = offeredScopes(&c, cmp.Or(row.Scope, strings.Join(row.Scopes, " ")))
		c.ClientURI, c.LogoURL, c.SkipConsent = row.ClientURI, row.LogoURI, row.SkipConsent
		c.Public = row.Public || row.AuthMethod == "none"
		switch row.AuthMethod {
		case "", "none", "client_secret_basic", "client_secret_post":
		default:
			c.refuse("it authenticates by %s, which is not offered: it needs a secret", row.AuthMethod)
		}
		checkGrantTypes(&c, row.GrantTypes)
		if !c.Public {
			text := row.Secret
			if raw, err := base64.StdEncoding.DecodeString(row.Secret); err == nil && strings.HasPrefix(string(raw), "$2") {
				text = string(raw) // as Go's JSON has fosite's []byte
			}
			var err error
			if c.SecretHash, err = store.ParseSecretHash(text); err != nil && text != "" {
				c.note("its secret is not hashed with bcrypt, so it cannot be checked here: give it by -secrets if it is known")
			}
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// checkGrantTypes says which of a client's grants are not offered here. One that
// has no other is of no use here.
func checkGrantTypes(c *client, types []string) {
	if len(types) == 0 {
		return // authorization_code, as RFC 7591 section 2 has it
	}
	var missing []string
	for _, name := range types {
		if !slices.Contains([]string{"authorization_code", "refresh_token"}, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case !slices.Contains(types, "authorization_code"):
		c.refuse("it does not use authorization_code but %s: no user signs in to it", strings.Join(types, ", "))
	case len(missing) > 0:
		c.note("not offered here: %s", strings.Join(missing, ", "))
	}
}
