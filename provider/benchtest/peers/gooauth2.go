package peers

import (
	"net/http"

	"github.com/go-oauth2/oauth2/v4"
	"github.com/go-oauth2/oauth2/v4/errors"
	"github.com/go-oauth2/oauth2/v4/manage"
	"github.com/go-oauth2/oauth2/v4/models"
	"github.com/go-oauth2/oauth2/v4/server"
	"github.com/go-oauth2/oauth2/v4/store"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// newGoOAuth2 is github.com/go-oauth2/oauth2 with its default manager and its
// memory store, as in its README.
func newGoOAuth2() (*benchtest.Stack, error) {
	tokens, err := store.NewMemoryTokenStore()
	if err != nil {
		return nil, err
	}
	return goOAuth2Stack(tokens, manage.DefaultRefreshTokenCfg)
}

func goOAuth2Stack(tokens oauth2.TokenStore, refresh *manage.RefreshingConfig) (*benchtest.Stack, error) {
	manager := manage.NewDefaultManager()
	manager.MapTokenStorage(tokens)
	manager.SetRefreshTokenCfg(refresh)
	clients := store.NewClientStore()
	if err := clients.Set(clientID, &models.Client{ID: clientID, Secret: clientSecret, Domain: "https://wiki.example.com"}); err != nil {
		return nil, err
	}
	manager.MapClientStorage(clients)

	srv := server.NewDefaultServer(manager)
	srv.SetClientInfoHandler(server.ClientBasicHandler)
	srv.SetUserAuthorizationHandler(func(_ http.ResponseWriter, r *http.Request) (string, error) {
		id := signedIn(r)
		if id == "" {
			return "", errors.ErrAccessDenied
		}
		return id, nil
	})
	mux := http.NewServeMux()
	mux.HandleFunc("GET /authorize", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.HandleAuthorizeRequest(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
		}
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		if err := srv.HandleTokenRequest(w, r); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		}
	})
	mux.HandleFunc("GET /userinfo", func(w http.ResponseWriter, r *http.Request) {
		token, err := srv.ValidationBearerToken(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		writeUser(w, token.GetUserID())
	})
	return &benchtest.Stack{
		Name: "go-oauth2", Handler: mux, Authorize: "/authorize", Token: "/token", UserInfo: "/userinfo",
		ClientID: clientID, ClientSecret: clientSecret, RedirectURI: callback, Scope: "profile email", Cookie: cookie,
	}, nil
}
