package pages_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/pages"
)

const issuer = "https://acme.example.com"

func render(t *testing.T, c pages.Config, show func(p *pages.Renderer, w http.ResponseWriter, r *http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	p, err := pages.New(c, issuer)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	show(p, w, httptest.NewRequest("GET", "/", nil))
	return w
}

func TestNewReportsEveryProblem(t *testing.T) {
	_, err := pages.New(pages.Config{LogoURL: "http://elsewhere.example.com/logo.png", AccentColor: "blue"}, issuer)
	require.ErrorContains(t, err, `Config.LogoURL is "http://elsewhere.example.com/logo.png"`)
	require.ErrorContains(t, err, `Config.AccentColor is "blue"`)
	_, err = pages.New(pages.Config{LogoURL: "http://localhost:8080/logo.png"}, "http://localhost:8080")
	require.NoError(t, err, "below the issuer, for development")
}

// A form that ends at an application may lead anywhere; every other form stays
// on the site. The policy stays short enough for proxies.
func TestPolicyOfBuiltInPages(t *testing.T) {
	for name, show := range map[string]func(*pages.Renderer, http.ResponseWriter, *http.Request){
		"consent": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Consent(w, r, pages.Consent{}, "com.example.wiki:/cb")
		},
		"form_post": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) { p.FormPost(w, r, pages.FormPost{}) },
		"device": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Device(w, r, pages.Device{Status: 200})
		},
		"error": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Error(w, r, pages.Error{Status: 400})
		},
		"connections": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Connections(w, r, pages.Connections{})
		},
		"sign_out": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.SignOut(w, r, pages.SignOut{Step: pages.StepSignOut}, "")
		},
		"sign_out and leave": func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.SignOut(w, r, pages.SignOut{Step: pages.StepSignOut}, "https://wiki.example.com/bye")
		},
	} {
		text := render(t, pages.Config{}, show).Header().Get("Content-Security-Policy")
		if name == "consent" || name == "form_post" || name == "sign_out and leave" {
			require.NotContains(t, text, "form-action", name)
		} else {
			require.Contains(t, text, "; form-action 'self'", name)
		}
		require.Contains(t, text, "default-src 'none'; style-src 'sha256-", name)
		require.Contains(t, text, "; base-uri 'none'; frame-ancestors 'none'", name)
		require.Equal(t, name == "form_post", strings.Contains(text, "script-src"), name)
		require.NotContains(t, text, "unsafe", name)
	}
	connected := func(n int) string {
		page := pages.Connections{}
		for i := range n {
			page.Connections = append(page.Connections, pages.Connection{Application: pages.Application{LogoURL: fmt.Sprintf("https://a%d.example.com/logo", i%30)}})
		}
		return render(t, pages.Config{LogoURL: issuer + "/logo.png"}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Connections(w, r, page)
		}).Header().Get("Content-Security-Policy")
	}
	require.True(t, strings.HasSuffix(connected(2), "; img-src https://acme.example.com https://a0.example.com https://a1.example.com"), connected(2))
	require.True(t, strings.HasSuffix(connected(40), "; img-src https:"), connected(40))
	form := render(t, pages.Config{}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.FormPost(w, r, pages.FormPost{Application: pages.Application{Name: "Wiki"}, FormAction: "https://wiki.example.com/cb", FormFields: []pages.Field{{Name: "code", Value: `"x"`}}})
	})
	require.Regexp(t, `frame-ancestors 'none'; script-src 'sha256-[^']+'$`, form.Header().Get("Content-Security-Policy"))
	require.Contains(t, form.Body.String(), `<input type="hidden" name="code" value="&#34;x&#34;">`)
}

// Custom pages have the same protection and complete data: the host, the texts
// in the visitor's language, and their placeholders filled.
func TestCustomPagesGetEverything(t *testing.T) {
	var consent pages.Consent
	var problem pages.Error
	var device pages.Device
	var signOut pages.SignOut
	own := pages.English()
	own.Scopes = map[string]string{"notes:read": "Look at your notes"}
	c := pages.Config{
		Name: "Acme", AccentColor: "#0b6b4f", Texts: pages.AcceptLanguage(own),
		Consent: func(_ http.ResponseWriter, _ *http.Request, page pages.Consent) { consent = page },
		Error:   func(_ http.ResponseWriter, _ *http.Request, page pages.Error) { problem = page },
		Device:  func(_ http.ResponseWriter, _ *http.Request, page pages.Device) { device = page },
		SignOut: func(_ http.ResponseWriter, _ *http.Request, page pages.SignOut) { signOut = page },
	}
	protected := func(w *httptest.ResponseRecorder, action string) {
		require.Equal(t, []string{"base-uri 'none'; frame-ancestors 'none'" + action}, w.Header().Values("Content-Security-Policy"))
		require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
		require.Equal(t, "DENY", w.Header().Get("X-Frame-Options"))
		require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"))
	}
	host := pages.Host{Name: "Acme", URL: issuer, AccentColor: "#0b6b4f"}
	asked := []pages.Scope{{Name: "notes:read", Title: "Read your notes"}, {Name: "email", Title: "See your email address"}}
	wiki := pages.Application{Name: "Wiki"}

	protected(render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Consent(w, r, pages.Consent{Application: wiki, Scopes: asked}, "https://WIKI.example.com/callback")
	}), "")
	require.Equal(t, host, consent.Host)
	require.Equal(t, "Wiki wants access to your Acme account", consent.Texts.ConsentTitle)
	require.Equal(t, []pages.Scope{{Name: "notes:read", Title: "Look at your notes"}, {Name: "email", Title: "See your email address"}}, consent.Scopes)
	require.Equal(t, "Read your notes", asked[0].Title, "what was given is not changed")
	require.Equal(t, "wiki.example.com", consent.RedirectHost, "in small letters, as browsers have it")

	protected(render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Error(w, r, pages.Error{Status: 403, Reason: pages.ReasonNoCookies, Reference: "r1"})
	}), "; form-action 'self'")
	require.Equal(t, host, problem.Host)
	require.Equal(t, "Allow cookies for Acme, then open the page again.", problem.Advice)
	require.Equal(t, "Error reference: r1", problem.Texts.ErrorReference)

	protected(render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Device(w, r, pages.Device{Step: pages.StepAllowed, Application: wiki, Scopes: asked})
	}), "; form-action 'self'")
	require.Equal(t, host, device.Host)
	require.Equal(t, "Wiki is connected", device.Texts.DeviceAllowedTitle)
	require.Equal(t, consent.Scopes, device.Scopes)

	protected(render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.SignOut(w, r, pages.SignOut{Step: pages.StepSignOut, Application: wiki}, "https://WIKI.example.com/bye")
	}), "")
	require.Equal(t, host, signOut.Host)
	require.Equal(t, "Wiki asks to sign you out of Acme.", signOut.Texts.SignOutAsks)
	require.Equal(t, "You'll be sent back to wiki.example.com.", signOut.Texts.SentTo)
	require.True(t, signOut.Leaves)
	protected(render(t, c, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.SignOut(w, r, pages.SignOut{Step: pages.StepSignedOut}, "")
	}), "; form-action 'self'")
	require.False(t, signOut.Leaves)
}

// The sign-out page says which application asks and where the visitor will be
// sent, if any, and warns of an application that is not reviewed. A link to an
// app works with any scheme.
func TestSignOutPage(t *testing.T) {
	show := func(page pages.SignOut, redirectURI string) string {
		return render(t, pages.Config{Name: "Acme"}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.SignOut(w, r, page, redirectURI)
		}).Body.String()
	}
	const asks, sent, warns = "asks to sign you out", "be sent back to", `class="note"`
	wiki, stranger := pages.Application{Name: "Wiki", Reviewed: true}, pages.Application{Name: "<Wiki>"}
	question := pages.SignOut{Step: pages.StepSignOut, FormAction: "/oauth/logout", FormFields: []pages.Field{{Name: "seal", Value: "s"}}, User: pages.User{Label: "Ada"}}
	for name, tt := range map[string]struct {
		app  pages.Application
		uri  string
		says []string
		not  []string
	}{
		"no application sent them": {pages.Application{}, "", nil, []string{asks, sent, warns}},
		"an application":           {wiki, "", []string{asks}, []string{sent, warns}},
		"one that leaves":          {wiki, "https://wiki.example.com/bye", []string{asks, sent, "wiki.example.com"}, []string{warns}},
		"a stranger":               {stranger, "https://wiki.example.com/bye", []string{asks, sent, "wiki.example.com", warns, "&lt;Wiki&gt;"}, nil},
	} {
		question.Application = tt.app
		body := show(question, tt.uri)
		for _, text := range append(tt.says, "Sign out of <bdi>Acme</bdi>?", "Signed in as <bdi>Ada</bdi>", `<form method="post" action="/oauth/logout">`,
			`<input type="hidden" name="seal" value="s">`, `value="allow"`, `value="deny"`, `formmethod="dialog"`) {
			require.Contains(t, body, text, name)
		}
		for _, text := range tt.not {
			require.NotContains(t, body, text, name)
		}
	}
	require.NotContains(t, show(pages.SignOut{Step: pages.StepSignedOut}, ""), `class="button`)
	app := show(pages.SignOut{Step: pages.StepSignedOut, Application: stranger, ContinueURL: `com.example.wiki:/bye?state="`}, "com.example.wiki:/bye")
	require.Contains(t, app, `href="com.example.wiki:/bye?state=%22"`)
	require.Contains(t, app, "ll return to the app on this device.")
	require.Contains(t, app, warns)
	require.Contains(t, show(pages.SignOut{Step: pages.StepStay}, ""), "re still signed in")
}

// Each reason has separate texts, and an unknown one has those of a bad link.
func TestReasonsHaveSeparateTexts(t *testing.T) {
	said, titles := map[string]pages.Reason{}, map[string]pages.Reason{}
	title := regexp.MustCompile("<h1>(.*)</h1>")
	for _, reason := range []pages.Reason{
		pages.ReasonBadLink, pages.ReasonUnknownApplication, pages.ReasonStaleForm, pages.ReasonNoCookies, pages.ReasonNotSignedIn, pages.ReasonNoAccount,
		pages.ReasonNoWorkspace, pages.ReasonTooMany, pages.ReasonUnavailable,
	} {
		w := render(t, pages.Config{}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
			p.Error(w, r, pages.Error{Status: 400, Reason: reason})
		})
		require.Equal(t, 400, w.Code)
		body := w.Body.String()
		require.NotContains(t, said, body, reason)
		require.Contains(t, body, "acme.example.com", "without a Name, the host's")
		said[body] = reason
		heading := title.FindStringSubmatch(body)[1]
		require.NotContains(t, titles, heading, reason)
		titles[heading] = reason
	}
	w := render(t, pages.Config{}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Error(w, r, pages.Error{Status: 400})
	})
	require.Equal(t, pages.ReasonBadLink, said[w.Body.String()])
}

// Days have the layout of the texts, and a fixed layout for machines.
func TestDaysOfConnections(t *testing.T) {
	german := pages.German()
	since, used := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), time.Date(2026, 11, 9, 0, 0, 0, 0, time.UTC)
	w := render(t, pages.Config{Texts: pages.AcceptLanguage(german)}, func(p *pages.Renderer, w http.ResponseWriter, r *http.Request) {
		p.Connections(w, r, pages.Connections{FormAction: "/c", FormFields: []pages.Field{{Name: "seal", Value: "s"}},
			Connections: []pages.Connection{{Application: pages.Application{ID: "oa_1", Name: "Wiki"}, Since: since, LastUsed: used,
				SignIns: []pages.SignIn{{ID: "g1", Since: since, LastUsed: used}}, SignInCount: 1}}})
	})
	require.Contains(t, w.Body.String(), `<time datetime="2026-03-04">Verbunden am <bdi>`+since.Format(german.DateLayout)+"</bdi></time>")
	require.Contains(t, w.Body.String(), `<time datetime="2026-11-09T00:00Z">Zuletzt aktiv am <bdi>`+used.Format(german.TimeLayout)+"</bdi></time>")
	require.Contains(t, w.Body.String(), `<form method="post" action="/c">`)
	require.Contains(t, w.Body.String(), `<input type="hidden" name="seal" value="s">`)
}
