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

// readClerk reads the response of GET /v1/oauth_applications. It contains no
// secrets, because Clerk doesn't show them.
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
		return nil, errors.New("the list is incomplete: request it with limit=500, and put the data of all pages into one file")
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
			c.refuse("it registered itself: let it register again with Config.Registration")
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// readGoOAuth2 reads a list of models.Client from a client store. Each can have two
// more fields: a name and redirect URIs. The secrets are in plain text.
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
			// go-oauth2 accepts every path and subdomain of the domain. Only a
			// domain that is a complete address is a redirect URI.
			u, err := url.Parse(row.Domain)
			if err != nil || strings.Trim(u.Path, "/") == "" {
				c.refuse("its domain %q is not a redirect URI, and Latchkey matches those exactly: add redirect_uris to the row", row.Domain)
			}
			c.RedirectURIs = []string{row.Domain}
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// readFosite reads a list of clients of Hydra or of fosite's DefaultClient. Their
// client_secret is the bcrypt hash from the database.
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
			c.refuse("it authenticates with %s: give it a secret, or register its keys in your own program", row.AuthMethod)
		}
		checkGrantTypes(&c, row.GrantTypes)
		if !c.Public {
			text := row.Secret
			if raw, err := base64.StdEncoding.DecodeString(row.Secret); err == nil && strings.HasPrefix(string(raw), "$2") {
				text = string(raw) // Go encodes fosite's []byte in base64.
			}
			var err error
			if c.SecretHash, err = store.ParseSecretHash(text); err != nil && text != "" {
				c.note("its secret is not hashed with bcrypt, so Latchkey can't check it: if you know it, pass it with -secrets")
			}
		}
		clients = append(clients, c)
	}
	return clients, nil
}

// checkGrantTypes notes the grant types that are not imported, and refuses a client
// without authorization_code.
func checkGrantTypes(c *client, types []string) {
	if len(types) == 0 {
		return // The default is authorization_code (RFC 7591 section 2).
	}
	var missing []string
	for _, name := range types {
		if !slices.Contains([]string{"authorization_code", "refresh_token"}, name) {
			missing = append(missing, name)
		}
	}
	switch {
	case !slices.Contains(types, "authorization_code"):
		c.refuse("it uses %s and not authorization_code, so no user signs in to it", strings.Join(types, ", "))
	case len(missing) > 0:
		c.note("grant types not imported: %s", strings.Join(missing, ", "))
	}
}
