package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/net/html"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/store/memory"
)

// logged is the log.
var logged struct {
	sync.Mutex
	bytes.Buffer
}

func (logWriter) Write(line []byte) (int, error) {
	logged.Lock()
	defer logged.Unlock()
	return logged.Write(line)
}

type logWriter struct{}

func logText() string {
	logged.Lock()
	defer logged.Unlock()
	return logged.String()
}

func TestMain(m *testing.M) {
	hashCost = bcrypt.MinCost // It is slow under the race detector.
	slog.SetDefault(slog.New(slog.NewTextHandler(logWriter{}, nil)))
	m.Run()
}

// served is Acme on a free port for one test.
type served struct {
	*host
	url string
}

func newPortal(t *testing.T) *served {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	h, err := newHost(url, memory.New())
	require.NoError(t, err)
	server.Config.Handler = h.handler()
	server.Start()
	t.Cleanup(server.Close)
	return &served{h, url}
}

// person drives a browser, and fails the test at the first error.
type person struct {
	t    *testing.T
	b    *browser.Browser
	home string
	edit func(*http.Request) // changes the next request, if it is set
}

func (p *served) person(t *testing.T) *person {
	someone := &person{t: t, home: p.url}
	someone.b = browser.New(someone)
	return someone
}

// signedIn is a person who has signed in.
func (p *served) signedIn(t *testing.T, login string) *person {
	t.Helper()
	someone := p.person(t)
	page := someone.signIn(someone.open("/settings/account"), login)
	require.Equal(t, p.url+"/settings/account", page.URL.String())
	return someone
}

// RoundTrip sends a request, after edit has changed it.
func (p *person) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.edit != nil {
		p.edit(r)
		p.edit = nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// open opens one of Acme's paths or another address, and follows redirects.
func (p *person) open(address string) *browser.Page {
	p.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = p.home + address
	}
	page, err := p.b.Open(p.t.Context(), address)
	require.NoError(p.t, err)
	return p.arrive(page)
}

// press presses a button and follows redirects to Acme's origin.
func (p *person) press(at *browser.Page, button string, typed map[string]string) *browser.Page {
	p.t.Helper()
	return p.arrive(p.send(at, button, typed))
}

// send presses a button. Package browser knows no text areas, so they become
// inputs, and line breaks become CRLF as in a real browser.
func (p *person) send(at *browser.Page, button string, typed map[string]string) *browser.Page {
	p.t.Helper()
	areas := regexp.MustCompile(`<textarea([^>]*)>\n([^<]*)</textarea>`)
	inputs := *at
	inputs.Body = areas.ReplaceAll(at.Body, []byte(`<input$1 value="$2">`))
	sent := map[string]string{}
	for name, value := range typed {
		sent[name] = strings.ReplaceAll(value, "\n", "\r\n")
	}
	page, err := p.b.Press(p.t.Context(), &inputs, button, sent)
	require.NoError(p.t, err)
	return page
}

func (p *person) arrive(at *browser.Page) *browser.Page {
	p.t.Helper()
	for range 10 {
		if !strings.HasPrefix(at.Leads(), p.home+"/") {
			return at
		}
		var err error
		at, err = p.b.Follow(p.t.Context(), at)
		require.NoError(p.t, err)
	}
	require.Fail(p.t, "The redirects do not end.")
	return nil
}

func (p *person) signIn(at *browser.Page, login string) *browser.Page {
	p.t.Helper()
	return p.press(at, "Sign in", map[string]string{"login": login, "password": password})
}

// ticked returns the page with only the given boxes of a name checked.
func ticked(at *browser.Page, name string, values ...string) *browser.Page {
	boxes := regexp.MustCompile(`<input type="checkbox" name="` + name + `" value="([^"]*)"( checked)?>`)
	changed := *at
	changed.Body = boxes.ReplaceAllFunc(at.Body, func(box []byte) []byte {
		value := string(boxes.FindSubmatch(box)[1])
		checked := ""
		for _, v := range values {
			if v == value {
				checked = " checked"
			}
		}
		return fmt.Appendf(nil, `<input type="checkbox" name="%s" value="%s"%s>`, name, value, checked)
	})
	return &changed
}

// application is what a developer knows about their application.
type application struct {
	path   string // of its page
	secret string
	oauth  oauth2.Config
}

const callback = "http://127.0.0.1:9/callback" // No server listens there, and no browser opens it.

// register registers an application and returns its page.
func (p *person) register(name string, typed map[string]string, scopes ...string) (application, *browser.Page) {
	p.t.Helper()
	form := map[string]string{"name": name, "redirect_uris": callback}
	for field, value := range typed {
		form[field] = value
	}
	page := p.open("/developers/?new")
	if len(scopes) > 0 {
		page = ticked(page, "scope", scopes...)
	}
	page = p.press(page, "Register application", form)
	require.Equal(p.t, http.StatusCreated, page.Status, page.Text())
	app := application{path: "/developers/" + find(p.t, page, `action="(\?application=[^"]+)"`), secret: secretOn(page)}
	app.oauth = oauth2.Config{
		ClientID: find(p.t, page, `<dt>Client ID</dt><dd><code>([^<]+)`), ClientSecret: app.secret, RedirectURL: callback,
		Endpoint: oauth2.Endpoint{AuthURL: p.home + "/oauth/authorize", TokenURL: p.home + "/oauth/token"},
	}
	return app, page
}

// secretOn is the secret that a page shows, or empty.
func secretOn(page *browser.Page) string {
	found := regexp.MustCompile(`<code id="secret">([^<]+)</code>`).FindSubmatch(page.Body)
	if found == nil {
		return ""
	}
	return string(found[1])
}

// makesToken makes a personal access token.
func (p *person) makesToken() string {
	p.t.Helper()
	return secretOn(p.press(ticked(p.open("/developers/?tokens"), "scope", "notes:read"), "Make token", map[string]string{"label": "Script"}))
}

// find returns the first group of a pattern on a page.
func find(t *testing.T, page *browser.Page, pattern string) string {
	t.Helper()
	found := regexp.MustCompile(pattern).FindSubmatch(page.Body)
	require.NotNil(t, found, "%s in %s", pattern, page.Body)
	return html.UnescapeString(string(found[1]))
}

// answer is the authorization response in the redirect to the application.
func answer(t *testing.T, page *browser.Page) url.Values {
	t.Helper()
	require.True(t, strings.HasPrefix(page.Leads(), callback+"?"), page.Text())
	to, err := url.Parse(page.Leads())
	require.NoError(t, err)
	return to.Query()
}

// tokens signs a person in to an application with all scopes.
func (a application) tokens(p *person) *oauth2.Token {
	p.t.Helper()
	page := p.open(a.oauth.AuthCodeURL("state"))
	if page.Status == http.StatusOK { // Without a page, the consent is remembered.
		page = p.press(page, "Allow", nil)
	}
	token, err := a.oauth.Exchange(p.t.Context(), answer(p.t, page).Get("code"))
	require.NoError(p.t, err)
	return token
}

// notes calls Acme's API.
func (p *served) notes(t *testing.T, token string) (status int, titles []string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, p.url+"/api/notes", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	var content struct{ Notes []note }
	if response.StatusCode == http.StatusOK {
		require.NoError(t, json.Unmarshal(body, &content))
	}
	for _, n := range content.Notes {
		titles = append(titles, n.Title)
	}
	return response.StatusCode, titles
}
