package browser

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
)

// connected is the names on the page of connected applications.
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
	p.clicks("Disconnect Wiki")
	p.shows("Wiki will not be able to use your account any more")
	p.clicks("Yes, disconnect Wiki")
	p.arrives(h.url + "/oauth/connections")
	p.shows("Wiki is disconnected. It cannot use your account any more.")
	require.Equal(t, []string{"Board"}, p.connected())
	p.clicks("Acme Notes")
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
	p.tabsTo("Disconnect Board")
	require.Equal(t, "summary: Disconnect Board", p.focused())
	p.press(" ")
	p.press("\t")
	require.Equal(t, "button: Yes, disconnect Board", p.focused())
	p.press("\r")
	p.arrives(h.url + "/oauth/connections")
	p.shows("Board is disconnected", "No application is connected to your account.")
	p.goes(board.url)
	p.shows("Acme has ended your sign-in: 401 from the API and from userinfo")
}
