package browser

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// These tests know only what the pages of the portal say: they find fields by
// label, and clickable elements by text.

const (
	adminPath     = "/admin/oauth/"
	developerPath = "/developers/"
)

// newPortal is a host with both sites of package portal, where applications can
// have every setting. Ada is an administrator.
func newPortal(t testing.TB) *host {
	t.Helper()
	h := newHost(t, func(c *provider.Config) {
		c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{}
		c.Machines, c.Workspaces = &provider.Machines{}, (&teams{}).of(look{}, c.Issuer)
	})
	h.Mux.Handle(adminPath, portal.Admin(h.Provider, portal.AdminOptions{Allow: func(r *http.Request) (string, error) {
		session, err := h.currentUser(r)
		switch {
		case err != nil:
			return "", err
		case session.UserID == "":
			return "", portal.ErrSignIn
		case session.UserID != "user_ada":
			return "", fmt.Errorf("%s isn't an administrator", session.UserID)
		}
		return session.UserID, nil
	}}))
	h.Mux.Handle(developerPath, portal.Developers(h.Provider, portal.DeveloperOptions{
		Scopes: scopes.New("profile", "notes:read"), TokenScopes: scopes.New("profile", "notes:read"), APIURL: h.url + "/api/notes",
	}))
	return h
}

// fills types into the field with the label, and replaces its value.
func (p *page) fills(label, text string) {
	p.t.Helper()
	eval[bool](p, `label => {
		const found = [...document.querySelectorAll("label")].filter(l => l.innerText.trim() === label && l.checkVisibility());
		if (found.length !== 1) throw new Error(found.length + " labels say " + label + " on " + document.body.innerText);
		found[0].control.focus();
		found[0].control.select();
		return true;
	}`, label)
	p.pastes(text)
}

// reads returns the text after a label on the page, such as "Client secret:".
func (p *page) reads(word string) string {
	p.t.Helper()
	_, rest, found := strings.Cut(p.text(), word+" ")
	require.True(p.t, found, "%s is not on %s", word, p.text())
	value, _, _ := strings.Cut(rest, " ")
	return value
}

// commands returns the commands that a page shows, to be copied.
func (p *page) commands() []string {
	p.t.Helper()
	return eval[[]string](p, `() => [...document.querySelectorAll("pre")].map(e => e.innerText)`)
}

// runs runs a command in a shell, like a person who has copied it.
func runs(t testing.TB, command string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", strings.Replace(command, "curl", "curl -sS", 1)).CombinedOutput()
	require.NoError(t, err, "%s: %s", command, out)
	return string(out)
}

// A newcomer who has mounted the administration with one line registers an
// application, gives it a new secret, and deletes it.
func TestAdministrationByWhatItsPagesSay(t *testing.T) {
	t.Parallel()
	h := newPortal(t)
	p := newPage(t)
	begun := time.Now()
	p.goes(h.url + adminPath)
	p.shows("Sign in to Acme Notes")
	p.fills("Name", "ada")
	p.fills("Password", password)
	p.clicks("Sign in")
	p.arrives(h.url + adminPath)
	p.clicks("New application")
	p.arrives(h.url + adminPath)
	p.fills("Name", "Wiki")
	p.fills("Redirect URIs", "https://wiki.example.com/callback")
	p.clicks("notes:read")
	p.clicks("Register application")
	p.arrives(h.url + adminPath)
	p.shows("The application is registered.", "shown this once")
	first := p.reads("Client secret:")
	require.Len(t, first, 43)
	p.clicks("Make a new secret")
	p.arrives(h.url + adminPath)
	second := p.reads("Client secret:")
	require.NotEqual(t, first, second)
	p.clicks("Applications")
	p.arrives(h.url + adminPath)
	p.fills("Search by a part of the name, or by the client ID", "wik")
	p.clicks("Search")
	p.arrives(h.url + adminPath)
	p.clicks("Wiki")
	p.arrives(h.url + adminPath)
	p.clicks("More settings")
	p.fills("Access token", "soon")
	p.expects("status 422")
	p.expects("responded with a status of 422")
	p.clicks("Save settings")
	p.arrives(h.url + adminPath)
	p.shows("\"soon\" is not a duration")
	p.fills("Access token", "30m")
	p.clicks("Save settings")
	p.arrives(h.url + adminPath)
	p.shows("The settings are saved.")
	p.clicks("Disable this application")
	p.clicks("Yes, disable it")
	p.arrives(h.url + adminPath)
	p.shows("The application is disabled.")
	p.clicks("Enable this application")
	p.arrives(h.url + adminPath)
	p.shows("The application is enabled.")
	p.clicks("Delete this application")
	p.clicks("Yes, delete it")
	p.arrives(h.url + adminPath)
	p.shows("The application is deleted.", "There are no applications yet.")
	require.Less(t, time.Since(begun), 2*time.Minute)
}

// A user without any applications registers one, signs in to it by hand, and
// calls the API, first with its token and then with a personal access token.
func TestFirstCallByWhatTheDevelopersPagesSay(t *testing.T) {
	t.Parallel()
	h := newPortal(t)
	// The developer's app, which doesn't know OAuth yet.
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { show(w, "<p>My new app</p>", nil) }))
	t.Cleanup(app.Close)
	callback := strings.Replace(app.URL, "127.0.0.1", "localhost", 1) + "/callback"
	p := newPage(t)
	begun := time.Now()
	p.goes(h.url + developerPath)
	p.shows("Sign in to Acme Notes")
	p.fills("Name", "grace")
	p.fills("Password", password)
	p.clicks("Sign in")
	p.arrives(h.url + developerPath)
	p.clicks("New application")
	p.arrives(h.url + developerPath)
	p.fills("Name", "Notebook")
	p.fills("Redirect URIs", callback)
	p.clicks("notes:read")
	p.clicks("Register application")
	p.arrives(h.url + developerPath)
	secret := p.reads("Client secret:")

	p.clicks("Try it")
	p.arrives(h.url + developerPath)
	tab := p.opens(h.url+"/oauth/authorize", func() { p.clicks("Sign in and come back to " + callback) })
	tab.shows("Notebook wants access to your Acme Notes account")
	tab.clicks("Allow")
	arrived := tab.arrives(callback)
	p.fills("Address where you ended up", arrived)
	p.clicks("Show the command")
	p.arrives(h.url + developerPath)
	commands := p.commands()
	require.Len(t, commands, 2)
	var got struct {
		AccessToken string `json:"access_token"`
	}
	require.NoError(t, json.Unmarshal([]byte(runs(t, strings.Replace(commands[0], "YOUR_SECRET", secret, 1))), &got))
	require.Contains(t, runs(t, strings.Replace(commands[1], "ACCESS_TOKEN", got.AccessToken, 1)), "a note of user_grace")

	// A mistake, and its reason.
	runs(t, strings.Replace(commands[0], "YOUR_SECRET", "mistyped", 1))
	p.clicks("Notebook")
	p.arrives(h.url + developerPath)
	p.shows("invalid_client at token, 1 time", "Cause: wrong client secret")

	p.clicks("Personal access tokens")
	p.arrives(h.url + developerPath)
	p.fills("Token name", "backup")
	p.clicks("notes:read")
	p.clicks("Make token")
	p.arrives(h.url + developerPath)
	require.Contains(t, runs(t, p.commands()[0]), "a note of user_grace")
	p.clicks("Revoke")
	p.arrives(h.url + developerPath)
	p.shows("The token is revoked.", "You have no tokens.")
	require.Less(t, time.Since(begun), 5*time.Minute)
}

// The pages of the portal are accessible, and none needs sideways scrolling,
// with any names of applications.
func TestPortalAccessibility(t *testing.T) {
	t.Parallel()
	axeSource(t)
	h := newPortal(t)
	h.AddUser(userinfo.User{ID: "user_ada", Name: "Ada"})
	long := strings.Repeat("W", 250)
	app, _ := h.application(provider.ApplicationSettings{Name: long, RedirectURIs: []string{"https://" + strings.Repeat("a.", 100) + "example.com/callback"},
		OwnerID: "user_ada", ClientURI: "https://wiki.example.com", Scopes: scopes.New("profile", "notes:read"),
		TermsURI: "https://wiki.example.com/" + strings.Repeat("terms", 50), PostLogoutRedirectURIs: []string{"https://wiki.example.com/" + strings.Repeat("bye", 80)},
		Workspace: store.WorkspaceOptional, Lifetimes: provider.Lifetimes{Access: 30 * time.Minute, Grace: 25*time.Minute + time.Nanosecond}})
	h.application(provider.ApplicationSettings{Name: "Board"})
	_, _, err := h.IssueToken(t.Context(), provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Label: strings.Repeat("L", 100)})
	require.NoError(t, err)
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	p.expects("status 4")
	p.expects("responded with a status of 4")
	p.goes(h.url + "/oauth/authorize?client_id=" + app.ClientID + "&redirect_uri=https://" + strings.Repeat("b", 300) + ".example.com")
	for _, path := range []string{
		adminPath, adminPath + "?new", adminPath + "?application=" + app.ID, adminPath + "?application=none",
		developerPath, developerPath + "?new", developerPath + "?application=" + app.ID, developerPath + "?application=" + app.ID + "&try", developerPath + "?tokens",
	} {
		for _, width := range []int64{320, 1280} {
			p.isWide(width, 1)
			p.goes(h.url + path)
			eval[bool](p, `() => { document.querySelectorAll("details").forEach(d => d.open = true); return true }`)
			found := slices.DeleteFunc(eval[[]string](p, outside), func(what string) bool {
				return strings.HasPrefix(what, "<input") && strings.Contains(what, " wide and its content ") // A field scrolls by itself.
			})
			assert.Empty(t, found, "%s at %d", path, width)
			p.picture(fmt.Sprint("portal ", path, width))
		}
		p.axe(path, nil)
	}
}
