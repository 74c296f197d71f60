package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	hashCost = bcrypt.MinCost // The race detector makes it slow.
	m.Run()
}

// demo is both apps, served on free ports for one test.
type demo struct {
	*host
	acmeURL, wikiURL string
	wiki             *wiki
}

func newDemo(t *testing.T) *demo {
	t.Helper()
	acmeListener, wikiListener := freePort(t), freePort(t)
	d := &demo{acmeURL: localURL(acmeListener), wikiURL: localURL(wikiListener)}
	var err error
	d.host, err = newHost(d.acmeURL, memory.New(), 600)
	require.NoError(t, err)
	app, secret, err := d.provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{d.wikiURL + "/callback"}, Scopes: scopes.New("profile", "email", "public_metadata", "notes:read"),
	})
	require.NoError(t, err)
	d.wiki = newWiki(d.wikiURL, d.acmeURL, app.ClientID, secret.Reveal(), nil)
	serveOn(t, acmeListener, d.handler())
	serveOn(t, wikiListener, d.wiki.handler())
	return d
}

func freePort(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func serveOn(t *testing.T, l net.Listener, handler http.Handler) {
	t.Helper()
	server := &httptest.Server{Listener: l, Config: newServer(handler)}
	server.Start()
	t.Cleanup(server.Close)
}

// person drives a browser and fails the test where it cannot go on.
type person struct {
	t *testing.T
	b *browser.Browser
}

func newPerson(t *testing.T) *person { return &person{t, browser.New(nil)} }

func (p *person) open(address string) *browser.Page {
	p.t.Helper()
	page, err := p.b.Open(p.t.Context(), address)
	require.NoError(p.t, err)
	return page
}

// press presses a button.
func (p *person) press(at *browser.Page, button string, typed map[string]string) *browser.Page {
	p.t.Helper()
	page, err := p.b.Press(p.t.Context(), at, button, typed)
	require.NoError(p.t, err)
	return page
}

// arrive follows redirects to where they end.
func (p *person) arrive(at *browser.Page) *browser.Page {
	p.t.Helper()
	for range 10 {
		if at.Leads() == "" {
			return at
		}
		var err error
		at, err = p.b.Follow(p.t.Context(), at)
		require.NoError(p.t, err)
	}
	require.Fail(p.t, "The redirects do not end.")
	return nil
}

// signIn fills in Acme's sign-in page.
func (p *person) signIn(at *browser.Page, login string) *browser.Page {
	p.t.Helper()
	return p.press(at, "Sign in", map[string]string{"login": login, "password": password})
}

// toConsent goes from Wiki's page to Acme's consent page.
func (p *person) toConsent(d *demo, login string) *browser.Page {
	p.t.Helper()
	signIn := p.arrive(p.press(p.open(d.wikiURL), "Sign in with Acme", nil))
	return p.arrive(p.signIn(signIn, login))
}

// toWiki signs in to Wiki. It also returns the id of Wiki's session.
func (p *person) toWiki(d *demo, login string) (page *browser.Page, session string) {
	p.t.Helper()
	callback, err := p.b.Follow(p.t.Context(), p.press(p.toConsent(d, login), "Allow", nil))
	require.NoError(p.t, err)
	cookie := cookieOf(p.t, callback, "wiki_session")
	return p.arrive(callback), cookie.Value
}

func cookieOf(t *testing.T, p *browser.Page, name string) *http.Cookie {
	t.Helper()
	for _, c := range (&http.Response{Header: p.Header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "The page sets no cookie "+name+".")
	return nil
}

// token gets an access token of a user for an application of its own.
func (d *demo) token(t *testing.T, login, scope string) string {
	t.Helper()
	const callback = "http://127.0.0.1/callback" // Nobody listens there, and nobody goes there.
	app, secret, err := d.provider.CreateApplication(t.Context(), provider.ApplicationSettings{
		Name: "Script", RedirectURIs: []string{callback}, Scopes: strings.Fields(scope),
	})
	require.NoError(t, err)
	config := oauth2.Config{
		ClientID: app.ClientID, ClientSecret: secret.Reveal(), RedirectURL: callback,
		Endpoint: oauth2.Endpoint{AuthURL: d.acmeURL + "/oauth/authorize", TokenURL: d.acmeURL + "/oauth/token"},
	}
	p := newPerson(t)
	answer := p.press(p.arrive(p.signIn(p.arrive(p.open(config.AuthCodeURL("state"))), login)), "Allow", nil)
	to, err := url.Parse(answer.Leads())
	require.NoError(t, err)
	token, err := config.Exchange(t.Context(), to.Query().Get("code"))
	require.NoError(t, err)
	return token.AccessToken
}

// request makes a request with a header, such as a browser or a program might.
func request(t *testing.T, method, address, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(body))
	require.NoError(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer, string(content)
}
