// Package acmetest helps tests to use Acme Notes the way a person does.
package acmetest

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/examples/internal/run"
)

// Listen takes a free port until the test ends, and returns its URL too.
func Listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, "http://" + l.Addr().String()
}

// Serve serves on a listener until the test ends.
func Serve(t *testing.T, l net.Listener, handler http.Handler) {
	t.Helper()
	server := &httptest.Server{Listener: l, Config: run.NewServer(handler)}
	server.Start()
	t.Cleanup(server.Close)
}

// Person is someone with a browser. Their methods end the test on an error.
type Person struct {
	t       *testing.T
	Browser *browser.Browser
}

// NewPerson returns a person with a new browser.
func NewPerson(t *testing.T) *Person { return &Person{t, browser.New(nil)} }

// Open opens an address.
func (p *Person) Open(address string) *browser.Page {
	p.t.Helper()
	return p.page(p.Browser.Open(p.t.Context(), address))
}

// Press types into fields and presses a button.
func (p *Person) Press(at *browser.Page, button string, typed map[string]string) *browser.Page {
	p.t.Helper()
	return p.page(p.Browser.Press(p.t.Context(), at, button, typed))
}

// Follow follows one redirect.
func (p *Person) Follow(at *browser.Page) *browser.Page {
	p.t.Helper()
	return p.page(p.Browser.Follow(p.t.Context(), at))
}

// Arrive follows redirects to the last page.
func (p *Person) Arrive(at *browser.Page) *browser.Page {
	p.t.Helper()
	for range 10 {
		if at.Leads() == "" {
			return at
		}
		at = p.Follow(at)
	}
	require.Fail(p.t, "The redirects don't end.")
	return nil
}

// SignIn fills in Acme's sign-in page.
func (p *Person) SignIn(at *browser.Page, login string) *browser.Page {
	p.t.Helper()
	return p.Press(at, "Sign in", map[string]string{"login": login, "password": acme.Password})
}

func (p *Person) page(page *browser.Page, err error) *browser.Page {
	p.t.Helper()
	require.NoError(p.t, err)
	return page
}

// Cookie returns a cookie that a page sets.
func Cookie(t *testing.T, p *browser.Page, name string) *http.Cookie {
	t.Helper()
	for _, c := range (&http.Response{Header: p.Header}).Cookies() {
		if c.Name == name {
			return c
		}
	}
	require.Fail(t, "The page doesn't set the cookie "+name+".")
	return nil
}

// Request makes a request without a browser, and returns the body too.
func Request(t *testing.T, method, address, body string, header http.Header) (*http.Response, string) {
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
