package provider

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// FuzzRegistration checks that every accepted registration is a valid
// application, and that its answer can be sent back as an update.
func FuzzRegistration(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", "[]", `{"redirect_uris":["https://a.example.com/cb"]}`,
		`{"redirect_uris":["http://127.0.0.1/cb","com.example:/cb"],"token_endpoint_auth_method":"none","grant_types":["refresh_token","authorization_code"]}`,
		`{"redirect_uris":["https://a.example.com/cb"],"client_name":"A\u202eb","client_name":"x"}`,
		`{"redirect_uris":["https://a.example.com/cb"],"scope":"profile email openid","contacts":["a"],"tos_uri":"https://a.example.com/t","policy_uri":"https://a.example.com/p",` +
			`"client_uri":"https://a.example.com","logo_uri":"https://a.example.com/l","software_id":"i","software_version":"1","response_types":["code"],"application_type":"web"}`,
		`{"redirect_uris":["javascript:alert(1)"],"token_endpoint_auth_method":"none"}`, `{"redirect_uris":["https://\ud800"]}`,
	} {
		f.Add(seed)
	}
	p, err := New(Config{
		Issuer: "http://localhost:8080", Store: memory.New(), SignIn: RedirectTo("/login", "next"),
		CurrentUser:  func(*http.Request) (Session, error) { return Session{}, nil },
		Users:        func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
		Registration: &Registration{},
	})
	require.NoError(f, err)
	now := time.Now()
	f.Fuzz(func(t *testing.T, body string) {
		request, e := parseRegistration([]byte(body))
		app := store.Application{ID: "oa_x", ClientID: "x", Origin: store.OriginRegistration, PKCERequired: true, Registration: &store.RegistrationRecord{}}
		if e == nil {
			e = p.applyMetadata(request.clientMetadata, &app)
		}
		if e != nil {
			require.Contains(t, []string{codeInvalidRequest, codeInvalidRedirectURI, codeInvalidClientMetadata}, e.Code)
			require.Equal(t, 400, e.Status)
			require.NotEmpty(t, e.Description)
			require.Less(t, len(e.Description), 500)
			require.Equal(t, -1, strings.IndexFunc(e.Description, func(r rune) bool { return r < ' ' || r > '~' || r == '"' || r == '\\' }), e.Description)
			return
		}
		if !app.Public {
			_, kept := newSecret(now)
			app.Secrets = []store.ClientSecret{kept}
		}
		require.Empty(t, p.offer.checkApplication(app))
		require.NoError(t, app.Check())
		require.NotEmpty(t, app.Scopes)
		require.NotEmpty(t, app.RedirectURIs)
		for _, uri := range app.RedirectURIs {
			require.NoError(t, redirectRule{}.check(uri))
			require.True(t, app.Registration.Type == typeNative || strings.HasPrefix(uri, "https://"))
		}
		for _, uri := range []string{app.ClientURI, app.LogoURL, app.TermsURI, app.PolicyURI} {
			require.True(t, uri == "" || strings.HasPrefix(uri, "https://"), uri)
		}
		answer := func(app store.Application) string {
			encoded, err := json.Marshal(p.clientInformation(app, Secret{}, Secret{}))
			require.NoError(t, err)
			return string(encoded)
		}
		again := app.Clone()
		repeated, e := parseRegistration([]byte(answer(app)))
		require.Nil(t, e)
		require.Nil(t, p.applyMetadata(repeated.clientMetadata, &again))
		require.Equal(t, answer(app), answer(again))
	})
}
