package providertest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
)

// wiki is an application that lets its visitors sign in with a host. A real one
// uses golang.org/x/oauth2, with the same three addresses.
type wiki struct{ host, clientID, clientSecret, redirectURI string }

func newWiki(host *providertest.Host, scopes string) *wiki {
	w := &wiki{host: host.URL, redirectURI: "https://wiki.example.com/callback"}
	app, secret, err := host.Provider.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{w.redirectURI}, Scopes: strings.Fields(scopes),
	})
	if err != nil {
		log.Fatal(err)
	}
	w.clientID, w.clientSecret = app.ClientID, secret.Reveal()
	return w
}

// signInURL returns the URL behind "Sign in with Acme Notes".
func (w *wiki) signInURL() string {
	return w.host + "/oauth/authorize?" + url.Values{
		"response_type": {"code"}, "client_id": {w.clientID}, "redirect_uri": {w.redirectURI}, "state": {"a state"},
	}.Encode()
}

// serveCallback returns what the visitor sees at the redirect URI.
func (w *wiki) serveCallback(at *url.URL) string {
	if at.Query().Has("error") {
		return "You did not sign in: " + at.Query().Get("error")
	}
	tokens, err := w.redeem(at)
	if err != nil {
		return err.Error()
	}
	r, err := http.NewRequest("GET", w.host+"/oauth/userinfo", nil)
	if err != nil {
		return err.Error()
	}
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	var user struct{ Name string }
	if err := read(http.DefaultClient.Do(r))(&user); err != nil {
		return err.Error()
	}
	return "Hello, " + user.Name + "!"
}

type wikiTokens struct {
	AccessToken string `json:"access_token"`
	Scope       string `json:"scope"`
}

func (w *wiki) redeem(at *url.URL) (tokens wikiTokens, err error) {
	if at.Query().Get("state") != "a state" {
		return tokens, fmt.Errorf("wiki: %s is not an answer for us", at)
	}
	err = read(http.PostForm(w.host+"/oauth/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {at.Query().Get("code")}, "redirect_uri": {w.redirectURI},
		"client_id": {w.clientID}, "client_secret": {w.clientSecret},
	}))(&tokens)
	return tokens, err
}

// read decodes an answer of the host.
func read(answer *http.Response, err error) func(into any) error {
	return func(into any) error {
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			return fmt.Errorf("wiki: the host answered %s", answer.Status)
		}
		return json.NewDecoder(answer.Body).Decode(into)
	}
}
