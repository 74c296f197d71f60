package peers

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"time"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// newZitadel is github.com/zitadel/oidc with the relevant options of its
// example, and a storage like that of its example. It is for OpenID Connect, so
// each token answer has a signed ID token.
func newZitadel() (*benchtest.Stack, error) {
	kept, err := newZitadelStorage()
	if err != nil {
		return nil, err
	}
	config := &op.Config{CodeMethodS256: true, GrantTypeRefreshToken: true}
	rand.Read(config.CryptoKey[:]) // It never fails; it would end the program.
	p, err := op.NewProvider(config, kept, op.StaticIssuer("http://localhost:8080"), op.WithAllowInsecure())
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/", p)
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) { zitadelAuthorize(p, w, r) })
	return &benchtest.Stack{
		Name: "zitadel/oidc", Handler: mux, Authorize: "/authorize", Token: "/oauth/token", UserInfo: "/userinfo", Introspect: "/oauth/introspect",
		ClientID: clientID, ClientSecret: clientSecret, RedirectURI: callback, Scope: "openid profile email offline_access", Cookie: cookie,
	}, nil
}

type zitadelUser struct{}

// zitadelAuthorize is the authorization endpoint together with the sign-in
// page. The library redirects the browser to that page, which redirects it to
// the library's callback. Here the page already knows the user and calls the
// callback itself, so that a flow has as many requests as with the others.
func zitadelAuthorize(p http.Handler, w http.ResponseWriter, r *http.Request) {
	r = r.WithContext(context.WithValue(r.Context(), zitadelUser{}, signedIn(r)))
	page := benchtest.NewRecorder()
	p.ServeHTTP(page, r)
	answer := page.Answer()
	to, err := url.Parse(answer.Location)
	if err != nil || to.Path != "/login" {
		w.WriteHeader(http.StatusBadRequest)
		w.Write(answer.Body)
		return
	}
	back := r.Clone(r.Context())
	back.URL = &url.URL{Path: "/authorize/callback", RawQuery: to.RawQuery}
	back.RequestURI = back.URL.RequestURI()
	back.Form, back.PostForm = nil, nil
	p.ServeHTTP(w, back)
}

type zitadelClient struct{}

func (zitadelClient) GetID() string                       { return clientID }
func (zitadelClient) RedirectURIs() []string              { return []string{callback} }
func (zitadelClient) PostLogoutRedirectURIs() []string    { return nil }
func (zitadelClient) ApplicationType() op.ApplicationType { return op.ApplicationTypeWeb }
func (zitadelClient) AuthMethod() oidc.AuthMethod         { return oidc.AuthMethodBasic }
func (zitadelClient) ResponseTypes() []oidc.ResponseType {
	return []oidc.ResponseType{oidc.ResponseTypeCode}
}
func (zitadelClient) AccessTokenType() op.AccessTokenType  { return op.AccessTokenTypeBearer }
func (zitadelClient) IDTokenLifetime() time.Duration       { return time.Hour }
func (zitadelClient) DevMode() bool                        { return false }
func (zitadelClient) IsScopeAllowed(string) bool           { return false }
func (zitadelClient) IDTokenUserinfoClaimsAssertion() bool { return false }
func (zitadelClient) ClockSkew() time.Duration             { return 0 }

func (zitadelClient) GrantTypes() []oidc.GrantType {
	return []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
}

func (zitadelClient) LoginURL(id string) string { return "/login?id=" + url.QueryEscape(id) }

func (zitadelClient) RestrictAdditionalIdTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}

func (zitadelClient) RestrictAdditionalAccessTokenScopes() func([]string) []string {
	return func(scopes []string) []string { return scopes }
}
