package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/acme/acmetest"
	"github.com/latchkey-go/latchkey/examples/internal/run/runtest"
	"github.com/latchkey-go/latchkey/examples/internal/wiki"
	"github.com/latchkey-go/latchkey/provider"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // The race detector makes it slow.
	m.Run()
}

// started runs the program until the test ends. It returns what the program prints
// first, and Acme's URL.
func started(t *testing.T, args ...string) (says, acmeURL string) {
	t.Helper()
	says = runtest.Start(t, start, append([]string{"-addr", "127.0.0.1:0", "-client-addr", "127.0.0.1:0"}, args...)...)
	return says, runtest.URLs(says)[0]
}

// demo is both apps, served on free ports for one test.
type demo struct {
	*host
	acmeURL, wikiURL string
	wiki             atomic.Pointer[http.Handler]
}

func newDemo(t *testing.T) *demo {
	t.Helper()
	acmeListener, acmeURL := acmetest.Listen(t)
	wikiListener, wikiURL := acmetest.Listen(t)
	h, err := newHost(acmeURL, "", 600)
	require.NoError(t, err)
	wiki, err := h.newWiki(t.Context(), wikiURL, io.Discard, false)
	require.NoError(t, err)
	d := &demo{host: h, acmeURL: acmeURL, wikiURL: wikiURL}
	d.serveWiki(wiki)
	acmetest.Serve(t, acmeListener, h.handler())
	acmetest.Serve(t, wikiListener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		(*d.wiki.Load()).ServeHTTP(w, r)
	}))
	return d
}

// serveWiki replaces the client.
func (d *demo) serveWiki(w *wiki.Wiki) {
	handler := w.Handler()
	d.wiki.Store(&handler)
}

// token returns an access token of a user for another application.
func (d *demo) token(t *testing.T, login, scope string) string {
	t.Helper()
	const callback = "http://127.0.0.1/callback" // The test reads the code from the redirect.
	app, secret, err := d.provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Script", RedirectURIs: []string{callback}, Scopes: strings.Fields(scope),
	})
	require.NoError(t, err)
	config := oauth2.Config{
		ClientID: app.ClientID, ClientSecret: secret.Reveal(), RedirectURL: callback,
		Endpoint: oauth2.Endpoint{AuthURL: d.acmeURL + "/oauth/authorize", TokenURL: d.acmeURL + "/oauth/token"},
	}
	p := acmetest.NewPerson(t)
	answer := p.Press(p.Arrive(p.SignIn(p.Arrive(p.Open(config.AuthCodeURL("state"))), login)), "Allow", nil)
	to, err := url.Parse(answer.Leads())
	require.NoError(t, err)
	token, err := config.Exchange(t.Context(), to.Query().Get("code"))
	require.NoError(t, err)
	return token.AccessToken
}
