package browser

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// connected returns the names on the page of connected applications.
func (p *page) connected() []string {
	p.t.Helper()
	return eval[[]string](p, `() => [...document.querySelectorAll("h2")].map(e => e.innerText)`)
}

func TestDisconnect(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	board := newClient(h, provider.ApplicationSettings{Name: "Board"})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.comesTo(board, "")
	p.clicks("Allow")
	p.arrives(board.url)

	p.goes(h.url + "/oauth/connections")
	require.Equal(t, []string{"Board", "Wiki"}, p.connected())
	require.False(t, p.is("details[open]"))
	p.shows("Permissions: 3", "Last active")
	p.clicksOn("li + li summary")
	p.shows("Wiki can: See your name", "Sign-ins: 1", "Disconnecting signs you out of this app on every device.")
	p.clicks("Disconnect Wiki")
	p.arrives(h.url + "/oauth/connections")
	p.shows("Wiki was disconnected and no longer has access.")
	require.Equal(t, []string{"Board"}, p.connected())
	p.clicks("‹ Back to Acme Notes")
	p.arrives(h.url + "/")

	p.goes(wiki.url)
	p.shows("Acme has ended your sign-in: 401 from the API and from userinfo")
	p.goes(board.url)
	p.shows("userinfo: 200", "api: 200")
	p.comesTo(wiki, "")
}

func TestDisconnectByKeyboard(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	board := newClient(h, provider.ApplicationSettings{Name: "Board"})
	p := newPage(t)
	p.comesTo(board, "ada")
	p.clicks("Allow")
	p.arrives(board.url)
	p.goes(h.url + "/oauth/connections")
	p.press("\t")
	require.Equal(t, "a: ‹ Back to Acme Notes", p.focused())
	p.press("\t")
	require.Contains(t, p.focused(), "summary: ")
	p.press(" ")
	p.press("\t")
	require.Contains(t, p.focused(), "button: Sign out Board, ")
	p.press("\t")
	require.Equal(t, "button: Disconnect Board", p.focused())
	p.press("\r")
	p.arrives(h.url + "/oauth/connections")
	p.shows("Board was disconnected", "No connected apps yet.")
	p.goes(board.url)
	p.shows("Acme has ended your sign-in: 401 from the API and from userinfo")
}

// Each sign-in can be ended by itself, and the others continue.
func TestSignOutOfOneDevice(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	wiki := newClient(h, provider.ApplicationSettings{})
	other := newPage(t)
	other.comesTo(wiki, "ada")
	other.clicks("Allow")
	other.arrives(wiki.url)
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	p.comesTo(wiki, "")
	p.clicks("Allow")
	p.arrives(wiki.url)
	p.goes(h.url + "/oauth/connections")
	p.clicksOn("summary")
	p.shows("Sign-ins: 2")
	p.clicksOn("details form button") // of the newest
	p.arrives(h.url + "/oauth/connections?signed_out=")
	p.shows("You're signed out of Wiki on that device.")
	p.clicksOn("summary")
	p.shows("Sign-ins: 1")
	p.goes(wiki.url)
	p.shows("Acme has ended your sign-in: 401 from the API and from userinfo")
	other.goes(wiki.url)
	other.shows("userinfo: 200", "api: 200")
}
