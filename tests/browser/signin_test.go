package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

// signsIn fills in the host's sign-in page.
func (p *page) signsIn(h *host, login string) {
	p.t.Helper()
	p.arrives(h.url + "/login")
	p.clicks("Name")
	p.pastes(login)
	p.clicks("Password")
	p.pastes(password)
	p.clicks("Sign in")
}

// comesTo goes from a client's button to the host's consent page.
func (p *page) comesTo(c *client, login string) {
	p.t.Helper()
	p.goes(c.url)
	p.clicks("Sign in with Acme")
	if login != "" {
		p.signsIn(c.host, login)
	}
	p.arrives(c.host.url + "/oauth/authorize")
	p.shows(c.app.Name + " wants access to your Acme Notes account")
}

func TestSignInByMouse(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.shows("Signed in as Ada Lovelace", "See your name", "See your email address", "Read your notes")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada Ada Lovelace ada@example.com", "api: 200 [a note of user_ada]", "scope: profile email notes:read.")

	// An application on this device is asked about every time.
	p.goes(wiki.url + "/sign-in")
	p.shows("Signed in as Ada Lovelace")
}

// focused describes the element with the focus, and fails if the focus isn't
// visible.
func (p *page) focused() string {
	p.t.Helper()
	got := eval[[]string](p, `() => {
		const e = document.activeElement, style = getComputedStyle(e);
		return [e.localName + ": " + `+words+`(e), style.outlineStyle, style.outlineWidth, style.outlineColor, getComputedStyle(document.querySelector("main") ?? e).backgroundColor];
	}`)
	require.Equal(p.t, "solid", got[1], "the focus of %s can be seen", got[0])
	require.Equal(p.t, "3px", got[2], "the focus of %s can be seen", got[0])
	require.GreaterOrEqual(p.t, contrast(p.t, got[3], got[4]), 3.0, "the focus of %s can be seen: %s on %s", got[0], got[3], got[4])
	return got[0]
}

// tabsTo presses Tab until the element has the focus.
func (p *page) tabsTo(text string) {
	p.t.Helper()
	for range 20 {
		p.press(kb.Tab)
		if eval[string](p, "() => "+words+"(document.activeElement)") == text {
			return
		}
	}
	p.t.Fatalf("Tab does not lead to %s", text)
}

func TestSignInByKeyboard(t *testing.T) {
	for _, scheme := range []string{"light", "dark"} {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			wiki := newClient(h, provider.ApplicationSettings{Scopes: scopes.New("profile", "email", "notes:read", "notes:list")})
			p := newPage(t)
			p.prefers(scheme)
			p.goes(wiki.url)
			p.tabsTo("Sign in with Acme")
			p.press(kb.Enter)
			p.arrives(h.url + "/login")
			p.tabsTo("Name")
			p.press("ada")
			p.tabsTo("Password")
			p.press(password)
			p.tabsTo("Sign in")
			p.press(" ")
			p.arrives(h.url + "/oauth/authorize")

			for _, want := range []string{
				"a: Switch account", "input: See your name, username and picture", "input: See your email address", "input: Read your notes", "summary: More about this app",
				"button: Cancel", "button: Allow",
			} {
				p.press(kb.Tab)
				require.Equal(t, want, p.focused())
				if want == "input: See your email address" {
					p.press(" ")
				}
			}
			p.picture("focus")
			p.press(kb.Enter)
			p.arrives(wiki.url)
			p.shows("userinfo: 200 user_ada Ada Lovelace api", "scope: profile notes:read notes:list.")
		})
	}
}

func TestDenial(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("Cancel")
	p.arrives(wiki.url + "/callback?")
	p.shows("Not signed in: access_denied")
	p.comesTo(wiki, "")
}

func TestUntickedScope(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("See your email address")
	p.clicks("Read your notes")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada Ada Lovelace api: 403 [] scope: profile.")
}

// If everything is required, there is nothing to choose.
func TestRequiredScopesOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{Scopes: scopes.New("notes:list")})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.shows("See the titles of your notes Required")
	require.False(t, p.is("input[type=checkbox]"))
	require.NotContains(t, p.text(), "Uncheck")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada api: 403 [] scope: notes:list.")
}

func TestSwitchAccount(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.shows("Signed in as Ada Lovelace")
	p.clicks("Switch account")
	p.signsIn(h, "grace")
	p.arrives(h.url + "/oauth/authorize")
	p.shows("Signed in as Grace Hopper")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_grace Grace Hopper grace@example.com")
}

func TestSignInWithoutScripts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	p := newPage(t)
	call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	p.comesTo(wiki, "ada")
	p.clicks("See your email address")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.shows("userinfo: 200 user_ada Ada Lovelace api: 200", "scope: profile notes:read.")
}

// A client that uses response_mode=form_post gets its answer from a form. A
// script submits it, or the visitor if scripts are off.
func TestFormPost(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			wiki := newClient(h, provider.ApplicationSettings{})
			var posted string
			wiki.mux.HandleFunc("POST /callback", func(w http.ResponseWriter, r *http.Request) {
				posted = r.PostFormValue("code")
				show(w, "<h1>Posted {{.}}</h1>", r.PostFormValue("state"))
			})
			p := newPage(t)
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
			p.goes(h.authorizeURL(wiki.app, wiki.url+"/callback", "response_mode", "form_post"))
			p.seen = 0
			p.signsIn(h, "ada")
			p.arrives(h.url + "/oauth/authorize")
			p.clicks("Allow")
			if !scripts {
				p.arrives(h.url + "/oauth/authorize")
				p.shows("Back to Wiki")
				p.clicks("Continue")
			}
			p.arrives(wiki.url + "/callback")
			p.shows("Posted some state")
			require.True(t, strings.Contains(posted, "_"), "no code in %q", posted)
		})
	}
}
