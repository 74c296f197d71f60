package portal_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

var ctx = context.Background()

// host is a host with both sites. A cookie has the signed-in user.
type host struct {
	*provider.Provider
	t    *testing.T
	url  string
	kept *storetest.Breakable

	mu     sync.Mutex
	events []provider.Event
}

const (
	adminPath     = "/admin/oauth/"
	developerPath = "/developers/"
)

func newHost(t *testing.T, developers portal.DeveloperOptions, edit ...func(*provider.Config)) *host {
	t.Helper()
	h := &host{t: t}
	own := providertest.New(t, func(c *provider.Config) {
		h.kept = storetest.NewBreakable(c.Store)
		c.Store = h.kept
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Read your notes"}, scopes.Scope{Name: "notes:write", Title: "Write notes"})
		c.CurrentUser = func(r *http.Request) (provider.Session, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return provider.Session{}, nil
			}
			return provider.Session{UserID: cookie.Value}, nil
		}
		c.SignIn = provider.RedirectTo("/login", "next")
		c.Registration, c.Machines = &provider.Registration{}, &provider.Machines{}
		c.Events = func(_ context.Context, e provider.Event) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.events = append(h.events, e)
		}
		for _, edit := range edit {
			edit(c)
		}
	})
	h.Provider, h.url = own.Provider, own.URL
	allow := func(r *http.Request) (string, error) {
		cookie, err := r.Cookie("session")
		switch {
		case err != nil:
			return "", portal.ErrSignIn
		case cookie.Value != "user_grace":
			return "", errors.New("no administrator")
		}
		return cookie.Value, nil
	}
	own.Mux.Handle(adminPath, portal.Admin(h.Provider, portal.AdminOptions{Allow: allow}))
	own.Mux.Handle(developerPath, portal.Developers(h.Provider, developers))
	own.Mux.Handle("/stripped/", http.StripPrefix("/stripped", portal.Developers(h.Provider, developers)))
	return h
}

// browser is a user's browser. It follows no redirects.
type browser struct {
	*http.Client
	h *host
}

// browser returns a browser in which the user is signed in, or no one for "".
func (h *host) browser(user string) *browser {
	jar, err := cookiejar.New(nil)
	require.NoError(h.t, err)
	if user != "" {
		u, err := url.Parse(h.url)
		require.NoError(h.t, err)
		jar.SetCookies(u, []*http.Cookie{{Name: "session", Value: user}})
	}
	return &browser{&http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, h}
}

// page is an answer.
type page struct {
	*http.Response
	body string
	t    *testing.T
}

func (b *browser) send(method, path string, form url.Values, header ...string) page {
	b.h.t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, b.h.url+path, strings.NewReader(form.Encode()))
	require.NoError(b.h.t, err)
	if method == "POST" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, body := hosttest.Send(b.h.t, b.Client, r)
	return page{answer, body, b.h.t}
}

func (b *browser) get(path string) page { b.h.t.Helper(); return b.send("GET", path, nil) }

// post sends a form of alternating names and values.
func (b *browser) post(path string, form ...string) page {
	b.h.t.Helper()
	return b.send("POST", path, values(form))
}

func values(form []string) url.Values {
	v := url.Values{}
	for i := 0; i < len(form); i += 2 {
		v.Add(form[i], form[i+1])
	}
	return v
}

// is checks the status, and the headers that every page has.
func (p page) is(status int, says ...string) page {
	p.t.Helper()
	require.Equal(p.t, status, p.StatusCode, p.body)
	if status != http.StatusSeeOther {
		require.Contains(p.t, p.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
		require.Contains(p.t, p.Header.Get("Content-Security-Policy"), "form-action 'self'")
		require.Equal(p.t, "DENY", p.Header.Get("X-Frame-Options"))
	}
	require.Equal(p.t, "no-store", p.Header.Get("Cache-Control"))
	for _, text := range says {
		require.Contains(p.t, html.UnescapeString(p.body), text)
	}
	return p
}

var shownSecret = regexp.MustCompile(`<code id="secret">([^<]+)</code>`)

func (p page) secret() string {
	p.t.Helper()
	found := shownSecret.FindStringSubmatch(p.body)
	require.NotNil(p.t, found, p.body)
	return found[1]
}

// application returns the application with the name.
func (h *host) application(name string) provider.Application {
	h.t.Helper()
	page, _, err := h.ListApplications(ctx, store.ApplicationQuery{Name: name})
	require.NoError(h.t, err)
	require.Len(h.t, page, 1)
	return page[0]
}

// registers registers an application on a page.
func (b *browser) registers(path, name string) (provider.Application, string) {
	b.h.t.Helper()
	made := b.post(path+"?new", "do", "create", "type", "web", "name", name, "redirect_uris", "https://"+strings.ToLower(name)+".example.com/callback", "scope", "profile").is(201)
	return b.h.application(name), made.secret()
}

// of returns the query of an application's page.
func of(app provider.Application) string { return "?application=" + app.ID }
