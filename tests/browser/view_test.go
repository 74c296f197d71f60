package browser

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// manyScopes are as many as an application may ask for.
func manyScopes() []scopes.Scope {
	many := scopes.Default()
	for i, s := range []struct {
		name, title, group string
		access             scopes.Access
	}{
		{"notes:read", "Read your notes", "Your notes", scopes.AccessRead},
		{"", "Create and change your notes", "Your notes", scopes.AccessWrite},
		{"", "Delete your notes", "Your notes", scopes.AccessDelete},
		{"", "See and download attached files", "Your files", scopes.AccessRead},
		{"", "Upload and delete files", "Your files", scopes.AccessDelete},
		{"", "See your calendar", "Calendar and contacts", scopes.AccessRead},
		{"", "Create and change events", "Calendar and contacts", scopes.AccessWrite},
		{"", "See your contacts", "Calendar and contacts", scopes.AccessRead},
		{"", "See your plan and invoices", "Billing", scopes.AccessRead},
		{"", "Change your plan", "Billing", scopes.AccessWrite},
	} {
		many = append(many, scopes.Scope{Name: cmp.Or(s.name, fmt.Sprintf("scope:%d", i)), Title: s.title, Group: s.group, Access: s.access, Required: i == 0})
	}
	return many
}

// With any number of scopes, the buttons and their target are in view when the
// page opens, and the row above them is cut off, which shows that more follows.
// Scrolled to its end, the page shows the last scope.
func TestDecisionIsAlwaysInView(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *provider.Config) { c.Scopes = manyScopes() })
	all := scopes.Set{}
	for _, s := range manyScopes() {
		all = append(all, s.Name)
	}
	reviewed, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, Scopes: all, ClientURI: "https://wiki.example.com/",
		TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/privacy"})
	stranger, _ := h.application(provider.ApplicationSettings{Name: "Claude", Public: true, RedirectURIs: []string{"https://claude.example/callback"}, Scopes: all,
		ClientURI: "https://claude.example/", PolicyURI: "https://claude.example/privacy"})
	h.change(stranger, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
	television, _ := h.application(provider.ApplicationSettings{Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: all})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	for name, open := range map[string]func(){
		"consent":  func() { p.goes(h.authorizeURL(reviewed, callback, "scope", all.String())) },
		"stranger": func() { p.goes(h.authorizeURL(stranger, "https://claude.example/callback", "scope", all.String())) },
		"device": func() {
			p.goes(h.device(television, all.String()).codes.VerificationURIComplete)
			p.clicksOn("main button")
			p.arrives(h.url + "/oauth/device?entered=")
		},
	} {
		for _, size := range [][2]int64{{1366, 650}, {375, 553}, {390, 844}, {1280, 800}} {
			what := fmt.Sprintf("%s %dx%d", name, size[0], size[1])
			p.isLarge(size[0], size[1], 1)
			open()
			p.viewport(what)
			seen := eval[map[string]float64](p, `() => {
				const bottom = s => document.querySelector(s).getBoundingClientRect().bottom;
				return {foot: bottom(".foot"), allow: bottom("button[value=allow]"), deny: bottom("button[value=deny]"), height: innerHeight, page: document.documentElement.scrollHeight, boxes: document.querySelectorAll(".asks li").length};
			}`)
			require.LessOrEqual(t, seen["allow"], seen["height"], what)
			require.LessOrEqual(t, seen["deny"], seen["height"], what)
			require.LessOrEqual(t, seen["foot"], seen["height"]+0.5, what)
			require.Greater(t, seen["page"], seen["height"], "%s: the scopes don't fit", what)
			require.EqualValues(t, 14, seen["boxes"], what)
			require.True(t, eval[bool](p, `() => {
				scrollTo(0, document.documentElement.scrollHeight);
				const rows = document.querySelectorAll(".asks li");
				return rows[rows.length - 1].getBoundingClientRect().bottom <= document.querySelector(".foot").getBoundingClientRect().top;
			}`), "%s: the last scope can be seen", what)
		}
	}
}

// No page loads anything from another server, for any application. Everything
// comes from the host, and it is small.
func TestPagesRequestNothingElsewhere(t *testing.T) {
	t.Parallel()
	h, states := gallery(t, look{logos: true})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	own, err := url.Parse(h.url)
	require.NoError(t, err)
	for _, s := range states {
		s.open(p)
		p.mu.Lock()
		for _, request := range p.requests {
			_, address, _ := strings.Cut(request, " ")
			u, err := url.Parse(address)
			require.NoError(t, err)
			require.True(t, u.Host == own.Host || u.Scheme == "data", "%s: %s", s.name, request)
		}
		p.mu.Unlock()
		weight := eval[int](p, `() => new TextEncoder().encode(document.documentElement.outerHTML).length`)
		t.Log(s.name, weight, "bytes")
		require.Less(t, weight, 24_000, s.name)
		if strings.HasPrefix(s.name, "consent") {
			require.Less(t, weight, 12_000, s.name)
		}
	}
}

// With colors forced by the visitor's system, lines replace what colors would
// show: the notice has a frame, and Allow a thicker one than Cancel.
func TestForcedColors(t *testing.T) {
	t.Parallel()
	h, states := gallery(t, look{})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	for _, s := range states {
		s.open(p)
		call(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "forced-colors", Value: "active"}, {Name: "prefers-color-scheme", Value: "dark"}}})
		p.picture(s.name)
		if !p.is("button[value=allow]") {
			continue
		}
		width := func(selector string) float64 {
			return eval[float64](p, `s => parseFloat(getComputedStyle(document.querySelector(s)).borderTopWidth)`, selector)
		}
		require.Greater(t, width("button[value=allow]"), width("button[value=deny]"), s.name)
		if p.is(".note") {
			require.Positive(t, width(".note"), s.name)
		}
	}
}
