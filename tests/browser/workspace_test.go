package browser

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
)

// teams are the workspaces of the users.
type teams struct {
	many atomic.Bool // too many for radio buttons
	left atomic.Bool // a user without any
}

func (w *teams) of(l look, issuer string) *provider.Workspaces {
	names := []string{"Mathematics", "Engines & looms"}
	if l.long {
		names = []string{strings.Repeat("W", 256), strings.Repeat("Team with words ", 15)}
	}
	return &provider.Workspaces{
		List: func(context.Context, string) (list []provider.Workspace, err error) {
			if w.left.Load() {
				return nil, nil
			}
			for i, name := range names {
				team := provider.Workspace{ID: fmt.Sprint("team_", i+1), Name: name}
				if l.logos && i == 0 {
					team.PictureURL = issuer + "/logo.svg"
				}
				list = append(list, team)
			}
			for i := len(list); w.many.Load() && i < 12; i++ {
				list = append(list, provider.Workspace{ID: fmt.Sprint("team_", i+1), Name: fmt.Sprint("Team ", i+1)})
			}
			return list, nil
		},
		Member: func(_ context.Context, _, id string) (bool, error) {
			return !w.left.Load() && strings.HasPrefix(id, "team_") && id != "team_nobody", nil
		},
	}
}

// workspaces returns the workspaces of Ada's grants.
func (h *host) workspaces() (ids []string) {
	h.t.Helper()
	grants, _, err := h.ListGrants(context.Background(), provider.GrantFilter{UserID: "user_ada"}, "", 0)
	require.NoError(h.t, err)
	for _, g := range grants {
		ids = append(ids, g.WorkspaceID)
	}
	return ids
}

// No user can allow anything before they have chosen, and every user can
// cancel. The choice is preselected the next time, and the token is for it.
func TestChooseAWorkspaceByMouse(t *testing.T) {
	for name, scripts := range map[string]bool{"with scripts": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &teams{}
			h := newHost(t, func(c *provider.Config) { c.Workspaces = w.of(look{}, c.Issuer) })
			wiki := newClient(h, provider.ApplicationSettings{Workspace: store.WorkspaceRequired})
			p := newPage(t)
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: !scripts})
			p.comesTo(wiki, "ada")
			p.shows("Which workspace may Wiki use?", "Mathematics", "Engines & looms")
			p.clicks("Allow")
			require.True(t, p.is("input:invalid"), "the browser asks for it")
			require.Empty(t, h.workspaces())
			p.clicks("Engines & looms")
			p.clicks("Allow")
			p.arrives(wiki.url)
			require.Equal(t, []string{"team_2"}, h.workspaces())

			p.goes(h.url + "/oauth/connections")
			p.shows("Workspace: Engines & looms")
			p.clicksOn("summary")
			p.shows("Disconnecting ends this app's access to the workspace Engines & looms on every device.")
			p.clicks("Disconnect Wiki Engines & looms")
			p.arrives(h.url + "/oauth/connections")
			p.shows("Wiki was disconnected from the workspace Engines & looms")
			require.Empty(t, h.workspaces())

			p.comesTo(wiki, "")
			require.True(t, p.is("input[value=team_2]:checked"))
		})
	}
}

func TestCancelWithoutAWorkspace(t *testing.T) {
	t.Parallel()
	h := newHost(t, func(c *provider.Config) { c.Workspaces = (&teams{}).of(look{}, c.Issuer) })
	wiki := newClient(h, provider.ApplicationSettings{Workspace: store.WorkspaceRequired})
	p := newPage(t)
	p.comesTo(wiki, "ada")
	p.clicks("Cancel")
	p.arrives(wiki.url)
	require.Empty(t, h.workspaces())
}

func TestChooseAWorkspaceByKeyboard(t *testing.T) {
	t.Parallel()
	w := &teams{}
	h := newHost(t, func(c *provider.Config) { c.Workspaces = w.of(look{}, c.Issuer) })
	board := newClient(h, provider.ApplicationSettings{Name: "Board", Workspace: store.WorkspaceRequired})
	p := newPage(t)
	p.comesTo(board, "ada")
	p.tabsTo("Mathematics")
	p.press(" ")
	require.True(t, p.is("input[value=team_1]:checked"))
	p.press("\r")
	require.True(t, p.is("input[value=team_1]:checked"), "Enter decides nothing")
	p.tabsTo("Allow")
	p.press("\r")
	p.arrives(board.url)
	require.Equal(t, []string{"team_1"}, h.workspaces())

	// Choose among many with the keys of a list.
	w.many.Store(true)
	many := newClient(h, provider.ApplicationSettings{Name: "Many", Workspace: store.WorkspaceRequired})
	p.comesTo(many, "")
	require.Less(t, eval[int](p, `() => document.documentElement.outerHTML.length`), 12<<10)
	p.tabsTo("Which workspace may Many use?")
	p.press("T")
	p.tabsTo("Allow")
	p.press("\r")
	p.arrives(many.url)
	require.Equal(t, "team_3", h.workspaces()[0])
}
