package provider_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// The page of connected applications has a row for each workspace, and
// disconnects only that one; the row of the user alone ends nothing in a
// workspace.
func TestConnectionsAreThoseOfEachWorkspace(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceOptional)
	of := map[string]tokens{"": app.in("", "user_ada"), "org_math": app.in("org_math", "user_ada"), "org_engine": app.in("org_engine", "user_ada")}
	live := func() (workspaces []string) {
		t.Helper()
		for _, workspace := range []string{"", "org_math", "org_engine"} {
			if h.bearer("/api/notes", of[workspace].AccessToken).StatusCode == 200 {
				workspaces = append(workspaces, workspace)
			}
		}
		return workspaces
	}
	listed, err := h.ListConnections(ctx, "user_ada")
	require.NoError(t, err)
	require.Len(t, listed, 3)
	b := h.signedIn("user_ada")
	page := b.get(h.url + connections)
	require.Contains(t, page.text(), "Workspace: Mathematics")
	require.Contains(t, page.body, "&lt;Engines&gt;")
	disconnect := func(workspace string) *reply {
		t.Helper()
		form := url.Values{"application": {app.ID}, "seal": {page.form(t, "").Get("seal")}, "workspace": {workspace}}
		page = b.follow(b.post(connections, form))
		return page
	}
	require.Contains(t, disconnect("").text(), "Wiki was disconnected")
	require.Equal(t, []string{"org_math", "org_engine"}, live())
	b.get(app.request("prompt", "none")).redirected(t)
	require.Contains(t, disconnect("org_engine").text(), "Wiki was disconnected from the workspace <Engines>")
	require.Equal(t, []string{"org_math"}, live())
	require.NotContains(t, page.text(), "Workspace: <Engines>")

	// A workspace that the user has left is listed until it ends, with its ID.
	w.leaves("user_ada", "org_math", false)
	require.Contains(t, b.get(h.url+connections).text(), "Workspace: org_math")
	disconnect("org_math")
	require.Empty(t, live())

	// If an application acts only for the user alone, one cut-off ends
	// everything.
	of[""] = app.in("", "user_ada")
	require.Equal(t, []string{""}, live())
	page = b.get(h.url + connections)
	disconnect("")
	require.Empty(t, live())
	require.Equal(t, "interaction_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
}

// What the user withdrew in the row of the user alone is not granted silently
// again.
func TestDisconnectOfTheUserAloneTakesBackTheConsent(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceOptional)
	app.in("org_math", "user_ada")
	app.in("", "user_ada")
	b := h.signedIn("user_ada")
	page := b.get(app.request("prompt", "consent"))
	again := b.keep(page)
	require.Contains(t, page.text(), "None, only your own account")
	require.NotEmpty(t, b.get(app.request("prompt", "none")).redirected(t).Get("code"))
	code := again.send("allow").redirected(t).Get("code")
	form := b.get(h.url+connections).form(t, "")
	form = url.Values{"application": {app.ID}, "seal": {form.Get("seal")}}
	b.follow(b.post(connections, form))
	require.Equal(t, "interaction_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
	app.redeem(code).refused(t, 400, "invalid_grant")
	again.send("allow").stale(t)
	require.NotEmpty(t, b.get(app.request("prompt", "none", "workspace", "org_math")).redirected(t).Get("code"))
}

// A workspace's administrators see who has connected what, and end it.
func TestAdministratorsSeeWhatIsConnected(t *testing.T) {
	h, w := newWorkspaceHost(t)
	w.members["user_grace"] = append(w.members["user_grace"], "org_math")
	app := h.inWorkspaces(store.WorkspaceRequired)
	got, hers := app.in("org_math", "user_ada"), app.in("org_math", "user_grace")
	app.in("org_engine", "user_ada")
	app.in("org_math", "user_ada")
	listed, err := h.ListWorkspaceConnections(ctx, "org_math")
	require.NoError(t, err)
	require.Len(t, listed, 2)
	users := map[string]pages.Connection{}
	for _, c := range listed {
		users[c.UserID] = c
		require.Equal(t, app.ID, c.Application.ID)
		require.Equal(t, "org_math", c.Workspace.ID)
		require.Len(t, c.Scopes, 2)
	}
	require.Len(t, users, 2)
	for _, none := range []string{"", "org_none"} {
		empty, err := h.ListWorkspaceConnections(ctx, none)
		require.NoError(t, err)
		require.Empty(t, empty)
	}
	ended := users["user_ada"]
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: ended.UserID, ApplicationID: ended.Application.ID, WorkspaceID: ended.Workspace.ID}))
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	require.Equal(t, "org_math", h.workspaceOf(hers.AccessToken))
	listed, err = h.ListWorkspaceConnections(ctx, "org_math")
	require.NoError(t, err)
	require.Len(t, listed, 1)
}

// A device gets tokens for the workspace that it names, or that its user
// chooses, but only for one of the user's.
func TestDeviceActsForAWorkspace(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceOptional)
	b := h.signedIn("user_ada")
	d := app.device("workspace", "org_engine")
	page := b.enter(d.CompleteURI)
	require.Contains(t, page.text(), "This is for the workspace <Engines> only.")
	b.follow(b.post(devicePath, page.form(t, "allow")))
	got := d.poll().tokens(t)
	require.Equal(t, "org_engine", h.workspaceOf(got.AccessToken))
	b.enter(app.device("workspace", "org_navy").CompleteURI).errorPage(t, 403, "or not the one that it asked for")

	d = app.device()
	form := b.enter(d.CompleteURI).form(t, "allow")
	form.Set("workspace", "org_math")
	b.follow(b.post(devicePath, form))
	w.leaves("user_ada", "org_math", false)
	d.poll().refused(t, 400, "invalid_grant")

	d = app.device()
	form = b.enter(d.CompleteURI).form(t, "deny")
	b.follow(b.post(devicePath, form))
	d.poll().refused(t, 400, "access_denied")
}

// IssueToken works only for the user's workspaces.
func TestIssueTokenForAWorkspace(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app, required, plain := h.inWorkspaces(store.WorkspaceOptional), h.inWorkspaces(store.WorkspaceRequired), h.application(provider.ApplicationSettings{})
	token, secret, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, WorkspaceID: "org_math", Scopes: scopes.New("notes:read")})
	require.NoError(t, err)
	require.Equal(t, "org_math", token.WorkspaceID)
	require.Equal(t, "org_math", h.workspaceOf(secret.Reveal()))
	for _, tt := range []struct {
		app             *application
		workspace, says string
	}{
		{app, "org_navy", "the user may not act for the workspace"},
		{required, "", "the WorkspaceID is empty"},
		{plain, "org_math", "does not act for workspaces"},
	} {
		_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: tt.app.ID, WorkspaceID: tt.workspace})
		require.ErrorContains(t, err, tt.says)
	}
	w.fails(errFire)
	_, _, err = h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, WorkspaceID: "org_math"})
	require.ErrorIs(t, err, errFire)
}

// Applications that the host didn't create use workspaces according to
// Workspaces.Agents, or to their own setting.
func TestAgentsActForWorkspaces(t *testing.T) {
	h, _ := newWorkspaceHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} }, func(c *provider.Config) { c.Workspaces.Agents = store.WorkspaceRequired })
	agent, _ := h.clientOf(h.register(minimal))
	b := h.signedIn("user_ada")
	page := b.get(agent.request("scope", "notes:read"))
	require.Contains(t, page.text(), "Which workspace may")
	code := b.choose(agent.request("scope", "notes:read"), "org_math")
	require.Equal(t, "org_math", h.workspaceOf(agent.redeem(code).tokens(t).AccessToken))
	_, err := h.UpdateApplication(ctx, agent.ID, func(s *provider.ApplicationSettings) error {
		s.Workspace = store.WorkspaceOptional
		return nil
	})
	require.NoError(t, err)
	require.Contains(t, b.get(agent.request("scope", "notes:read", "prompt", "consent")).text(), "only your own account")

	// A stranger's link redirects users only after they have allowed it once.
	other := h.signedIn("user_grace")
	other.get(agent.request("prompt", "none")).errorPage(t, 400, "")
	require.Equal(t, "invalid_scope", b.get(agent.request("scope", "no:such")).redirected(t).Get("error"), "she has allowed it, in a workspace")
}

// The host's setting of an application with a document survives the next fetch
// of the document.
func TestDocumentsActForWorkspaces(t *testing.T) {
	w := newWorkspaces()
	h, _, agent := newDocumentHost(t, w.on)
	b := h.signedIn("user_ada")
	agent.redeem(b.authorize(agent.request()).Get("code")).tokens(t)
	_, err := h.UpdateApplication(ctx, h.kept()[0].ID, func(s *provider.ApplicationSettings) error {
		s.Workspace = store.WorkspaceRequired
		return nil
	})
	require.NoError(t, err)
	for range 2 {
		h.clock.Add(48 * time.Hour)
		b.signIn("user_ada")
		code := b.choose(agent.request("scope", "notes:read"), "org_math")
		require.Equal(t, "org_math", h.workspaceOf(agent.redeem(code).tokens(t).AccessToken))
	}
}

func TestWorkspaceSettingsAreChecked(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	field := func(h *host, use store.WorkspaceUse) provider.FieldError {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", Workspace: use})
		var wrong provider.FieldErrors
		require.ErrorAs(t, err, &wrong)
		require.Len(t, wrong, 1)
		require.Equal(t, "workspace", wrong[0].Field)
		return wrong[0]
	}
	require.Contains(t, field(h, "sometimes").Message, `workspace is "sometimes"`)
	require.Contains(t, field(newHost(t), store.WorkspaceRequired).Message, "workspaces are not offered")
	app := h.inWorkspaces(store.WorkspaceRequired)
	found, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, store.WorkspaceRequired, found.Workspace)
	ensured := func(use store.WorkspaceUse) store.WorkspaceUse {
		app, err := h.EnsureApplication(ctx, "own", provider.ApplicationSettings{Name: "Own", Public: true, Workspace: use}, provider.Secret{})
		require.NoError(t, err)
		return app.Workspace
	}
	require.Equal(t, store.WorkspaceOptional, ensured(store.WorkspaceOptional))
	require.Equal(t, store.WorkspaceRequired, ensured(store.WorkspaceRequired))

	_, err = provider.New(provider.Config{Workspaces: &provider.Workspaces{Agents: "all"}})
	for _, says := range []string{"Config.Workspaces.List is missing", "Config.Workspaces.Member is missing", `Config.Workspaces.Agents is "all"`} {
		require.ErrorContains(t, err, says)
	}
}

// A mistake in List is a fault that says what to do, and doesn't cause a grant
// without a workspace. A picture from an unknown host is not shown.
func TestListOfWorkspacesIsChecked(t *testing.T) {
	list := []provider.Workspace{{ID: "org_a", PictureURL: "https://pictures.example.com/a.png"}, {ID: "org_b", Name: "B", PictureURL: "http://elsewhere.example.com/b.png"}}
	var failed error
	h, _ := newWorkspaceHost(t, func(c *provider.Config) {
		c.Workspaces.List = func(context.Context, string) ([]provider.Workspace, error) { return list, failed }
	})
	app := h.inWorkspaces(store.WorkspaceOptional)
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "img-src https://pictures.example.com")
	require.Contains(t, page.body, `src="https://pictures.example.com/a.png"`)
	require.NotContains(t, page.body, "elsewhere")
	require.Contains(t, page.text(), "org_a", "without a name, its ID")
	list[1].Name = "B\x00"
	require.Contains(t, b.get(app.request()).text(), "org_b", "with a name that can't be shown, its ID")
	list[1].Name = strings.Repeat("B", 1000)
	require.Contains(t, b.get(app.request()).text(), strings.Repeat("B", 99)+"…")
	for _, id := range []string{"", "\xff", "a\x00", string(make([]byte, 300))} {
		list[1].ID = id
		b.get(app.request()).errorPage(t, 503, "")
	}
	require.Contains(t, h.log.String(), "Config.Workspaces: the List has a workspace with the ID")
	failed = errors.New("sql: no rows in result set")
	b.get(app.request()).errorPage(t, 503, "")
}

// A custom page gets the choice.
func TestCustomPageGetsTheWorkspaces(t *testing.T) {
	var shown pages.Consent
	h, _ := newWorkspaceHost(t, func(c *provider.Config) {
		c.Pages.Consent = func(_ http.ResponseWriter, _ *http.Request, page pages.Consent) { shown = page }
	})
	b := h.signedIn("user_ada")
	b.get(h.inWorkspaces(store.WorkspaceOptional).request())
	require.Equal(t, &pages.WorkspaceChoice{Optional: true, Workspaces: []pages.Workspace{{ID: "org_math", Name: "Mathematics"}, {ID: "org_engine", Name: "<Engines>"}}}, shown.Workspace)
	b.get(h.inWorkspaces(store.WorkspaceRequired).request("workspace", "org_math"))
	require.Equal(t, &pages.WorkspaceChoice{Workspaces: []pages.Workspace{{ID: "org_math", Name: "Mathematics", Chosen: true}}}, shown.Workspace)
	require.Equal(t, "This is for the workspace Mathematics only.", shown.Texts.WorkspaceOnly)
	b.get(h.application(provider.ApplicationSettings{}).request())
	require.Nil(t, shown.Workspace)
}

// If the page is skipped, the host agrees for the user, but doesn't choose for
// them.
func TestSkippedConsentDoesNotChooseAWorkspace(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.application(provider.ApplicationSettings{SkipConsent: true, Scopes: scopes.New("notes:read"), Workspace: store.WorkspaceRequired})
	b := h.signedIn("user_ada")
	require.Equal(t, "interaction_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
	b.choose(app.request(), "org_math")
	code := b.get(app.request()).redirected(t).Get("code")
	require.Equal(t, "org_math", h.workspaceOf(app.redeem(code).tokens(t).AccessToken))
	code = b.get(app.request("workspace", "org_engine")).redirected(t).Get("code")
	require.Equal(t, "org_engine", h.workspaceOf(app.redeem(code).tokens(t).AccessToken), "the request has chosen")
	w.leaves("user_ada", "org_math", false)
	b.get(app.request()).statusIs(t, 200)
}

// A query that joins tables may return a workspace more than once.
func TestWorkspaceThatIsListedTwice(t *testing.T) {
	h, w := newWorkspaceHost(t)
	w.members["user_grace"] = []string{"org_navy", "org_navy"}
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_grace")
	require.Contains(t, b.get(app.request()).text(), "This is for the workspace Navy only.")
}
