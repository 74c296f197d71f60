package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// workspaces are those of a host, with their members.
type workspaces struct {
	mu      sync.Mutex
	members map[string][]string // of each user, in the order of the page
	left    map[string]bool     // "user workspace": List is late, and still has it
	down    error
	asked   int // questions to Member
}

func newWorkspaces() *workspaces {
	return &workspaces{left: map[string]bool{}, members: map[string][]string{
		"user_ada": {"org_math", "org_engine"}, "user_grace": {"org_navy"},
	}}
}

var workspaceNames = map[string]string{"org_math": "Mathematics", "org_engine": "<Engines>", "org_navy": "Navy"}

func (w *workspaces) list(_ context.Context, userID string) (list []provider.Workspace, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, id := range w.members[userID] {
		list = append(list, provider.Workspace{ID: id, Name: workspaceNames[id]})
	}
	return list, w.down
}

func (w *workspaces) member(_ context.Context, userID, workspaceID string) (bool, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	return slices.Contains(w.members[userID], workspaceID) && !w.left[userID+" "+workspaceID], w.down
}

// leaves makes a user leave a workspace. If late is set, List doesn't know it
// yet.
func (w *workspaces) leaves(userID, workspaceID string, late bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left[userID+" "+workspaceID] = true
	if !late {
		w.members[userID] = slices.DeleteFunc(slices.Clone(w.members[userID]), func(id string) bool { return id == workspaceID })
	}
}

func (w *workspaces) fails(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = err
}

func (w *workspaces) on(c *provider.Config) {
	c.Workspaces = &provider.Workspaces{List: w.list, Member: w.member}
	c.DeviceAuthorization = &provider.DeviceAuthorization{}
}

func newWorkspaceHost(t testing.TB, edit ...func(*provider.Config)) (*host, *workspaces) {
	t.Helper()
	w := newWorkspaces()
	return newHost(t, append([]func(*provider.Config){w.on}, edit...)...), w
}

// inWorkspaces is an application whose users choose a workspace.
func (h *host) inWorkspaces(use store.WorkspaceUse) *application {
	h.t.Helper()
	return h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read"), Workspace: use})
}

// choose opens a request and allows it for the workspace.
func (b *browser) choose(target, workspace string) string {
	b.h.t.Helper()
	form := b.get(target).form(b.h.t, "allow")
	form.Set("workspace", workspace)
	code := b.post("/oauth/authorize", form).redirected(b.h.t).Get("code")
	require.NotEmpty(b.h.t, code)
	return code
}

// in runs a sign-in for a workspace.
func (a *application) in(workspace, user string) tokens {
	a.h.t.Helper()
	return a.redeem(a.h.signedIn(user).choose(a.request("prompt", "consent"), workspace)).tokens(a.h.t)
}

// workspaceOf asks the protected API which workspace a token is for.
func (h *host) workspaceOf(token string) string {
	h.t.Helper()
	r := h.bearer("/api/notes", token)
	r.statusIs(h.t, 200)
	var got provider.Token
	require.NoError(h.t, json.Unmarshal([]byte(r.body), &got))
	return got.WorkspaceID
}

func member(t *testing.T, r *reply, name string) any {
	t.Helper()
	r.statusIs(t, 200)
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(r.body), &got), r.body)
	return got[name]
}

// A grant is for the workspace that its user has chosen, and everything that
// describes the grant names it.
func TestGrantIsForTheChosenWorkspace(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	require.Contains(t, page.text(), "Which workspace may Wiki use?")
	require.Contains(t, page.body, "&lt;Engines&gt;")
	require.Empty(t, page.form(t, "")["workspace"], "with several, none is chosen for them")
	require.NotContains(t, page.text(), "only your own account")

	h.eventKinds()
	got := app.redeem(b.choose(app.request(), "org_engine")).tokens(t)
	require.Equal(t, "org_engine", h.workspaceOf(got.AccessToken))
	require.Equal(t, "org_engine", member(t, h.bearer("/oauth/userinfo", got.AccessToken), "workspace_id"))
	for _, token := range []string{got.AccessToken, got.RefreshToken} {
		require.Equal(t, "org_engine", member(t, app.post("/oauth/token_info", "token", token), "workspace_id"))
		found, err := h.LookupToken(ctx, token)
		require.NoError(t, err)
		require.Equal(t, "org_engine", found.WorkspaceID)
		require.True(t, found.Live)
	}
	next := app.refresh(got.RefreshToken).tokens(t)
	require.Equal(t, "org_engine", h.workspaceOf(next.AccessToken))
	h.mu.Lock()
	for _, e := range h.events {
		if e.Kind != provider.EventRequest {
			require.Equal(t, "org_engine", e.WorkspaceID, e.Kind)
		}
	}
	h.mu.Unlock()
	require.Equal(t, []provider.EventKind{provider.EventGrantCreated, provider.EventTokenIssued, provider.EventTokenRefreshed}, h.eventKinds())

	grants, _, err := h.ListGrants(ctx, provider.GrantFilter{WorkspaceID: "org_engine"}, "", 0)
	require.NoError(t, err)
	require.Len(t, grants, 1)
	require.Equal(t, "org_engine", grants[0].WorkspaceID)
	for _, other := range []provider.GrantFilter{{WorkspaceID: "org_math"}, {ID: grants[0].ID, WorkspaceID: "org_math"}} {
		none, _, err := h.ListGrants(ctx, other, "", 0)
		require.NoError(t, err)
		require.Empty(t, none)
		require.NoError(t, h.RevokeGrants(ctx, other))
	}
	require.Equal(t, "org_engine", h.workspaceOf(next.AccessToken), "another workspace was ended")
	var out bytes.Buffer
	require.NoError(t, h.ExportUser(ctx, "user_ada", &out))
	require.Regexp(t, `"sign_ins":\[\{[^]]*"workspace_id":"org_engine".*"consents":\[\{[^]]*"workspace_id":"org_engine".*"chosen_workspaces":\[\{"application_id":"`+app.ID+`","workspace_id":"org_engine"\}\]`, out.String())
}

// An ID token names the workspace too, also after a refresh.
func TestIDTokenNamesTheWorkspace(t *testing.T) {
	w := newWorkspaces()
	h, keys := newOpenIDHost(t, w.on)
	app := h.inWorkspaces(store.WorkspaceRequired)
	code := h.signedIn("user_ada").choose(app.request("scope", "openid profile"), "org_math")
	require.Contains(t, h.send("GET", "/.well-known/openid-configuration", nil, "").body, `"workspace_id"`)
	claims := func(r *reply) any {
		var got struct {
			ID string `json:"id_token"`
		}
		r.statusIs(t, 200)
		require.NoError(t, json.Unmarshal([]byte(r.body), &got))
		content, err := keys.Verify(ctx, got.ID)
		require.NoError(t, err)
		var token map[string]any
		require.NoError(t, json.Unmarshal(content, &token))
		return token["workspace_id"]
	}
	r := app.redeem(code)
	require.Equal(t, "org_math", claims(r))
	require.Equal(t, "org_math", claims(app.refresh(r.tokens(t).RefreshToken)))
}

// Without Config.Workspaces, and for an application without workspaces, nothing
// changes.
func TestWithoutWorkspacesNothingChanges(t *testing.T) {
	w := newWorkspaces()
	for name, h := range map[string]*host{"switched off": newHost(t), "not used": newHost(t, w.on)} {
		t.Run(name, func(t *testing.T) {
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile", "notes:read")})
			b := h.signedIn("user_ada")
			page := b.get(app.request())
			_, body, _ := strings.Cut(page.body, "<body>")
			require.NotContains(t, body, "orkspace")
			form := page.form(t, "allow")
			form.Set("workspace", "org_math")
			got := app.redeem(b.post("/oauth/authorize", form).redirected(t).Get("code")).tokens(t)
			require.Empty(t, h.workspaceOf(got.AccessToken))
			for _, r := range []*reply{h.bearer("/oauth/userinfo", got.AccessToken), app.post("/oauth/token_info", "token", got.AccessToken)} {
				require.NotContains(t, r.body, "workspace")
			}
			app.refresh(got.RefreshToken).tokens(t)
			var out bytes.Buffer
			require.NoError(t, h.ExportUser(ctx, "user_ada", &out))
			require.NotContains(t, out.String(), "workspace")
		})
	}
	require.Zero(t, w.asked)

	// A request that names a workspace is for exactly that one or refused. If
	// there are none, the parameter is ignored.
	h := newHost(t)
	require.NotEmpty(t, h.signedIn("user_ada").authorize(h.application(provider.ApplicationSettings{}).request("workspace", "org_math")).Get("code"))
	h, _ = newWorkspaceHost(t)
	app := h.application(provider.ApplicationSettings{})
	require.Equal(t, "invalid_request", h.signedIn("user_ada").get(app.request("workspace", "org_math")).redirected(t).Get("error"))
	app.post("/oauth/device_authorization", "workspace", "org_math").refused(t, 400, "invalid_request")
}

// A user who has chosen nothing sees the page again, with their ticked boxes.
func TestChoiceOfAWorkspaceIsRequired(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	form := b.get(app.request()).form(t, "allow")
	form["granted"] = []string{"notes:read"}
	page := b.post("/oauth/authorize", form)
	require.Contains(t, page.text(), "Choose a workspace before you allow this.")
	require.Equal(t, []string{"notes:read"}, boxes(t, page))
	require.Empty(t, h.grantsOf("user_ada"))
	form = page.form(t, "allow")
	form.Set("workspace", "org_math")
	require.NotEmpty(t, b.post("/oauth/authorize", form).redirected(t).Get("code"))

	d := app.device("scope", "profile notes:read")
	form = b.enter(d.CompleteURI).form(t, "allow")
	require.Equal(t, "org_math", form.Get("workspace"), "as they chose last")
	form.Del("workspace")
	page = b.post(devicePath, form)
	require.Contains(t, page.text(), "Choose a workspace before you allow this.")
	form = page.form(t, "allow")
	form.Set("workspace", "org_engine")
	b.follow(b.post(devicePath, form))
	got := d.poll().tokens(t)
	require.Equal(t, "org_engine", h.workspaceOf(got.AccessToken))
}

// The only workspace is chosen, and shown. A user without one is told so, and
// can switch accounts.
func TestOneWorkspaceAndNone(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_grace")
	page := b.get(app.request())
	require.Contains(t, page.text(), "This is for the workspace Navy only.")
	got := app.redeem(b.answer(page, "allow").redirected(t).Get("code")).tokens(t)
	require.Equal(t, "org_navy", h.workspaceOf(got.AccessToken))

	w.leaves("user_grace", "org_navy", false)
	page = b.get(app.request())
	page.errorPage(t, 403, "You have no workspace in")
	require.Contains(t, page.body, "select_account")
	require.Equal(t, "interaction_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
	b.enter(app.device().CompleteURI).errorPage(t, 403, "You have no workspace in")

	optional := h.inWorkspaces(store.WorkspaceOptional)
	page = b.get(optional.request())
	require.NotContains(t, page.text(), "orkspace", "there is nothing to choose")
	got = optional.redeem(b.answer(page, "allow").redirected(t).Get("code")).tokens(t)
	require.Empty(t, h.workspaceOf(got.AccessToken))
}

// The choice is remembered: for a sign-in without a page, with or without
// prompt=none, and on the next page.
func TestChosenWorkspaceIsRemembered(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	silent := func(changes ...string) string {
		t.Helper()
		answer := b.get(app.request(changes...)).redirected(t)
		if answer.Get("error") != "" {
			return answer.Get("error")
		}
		token := app.redeem(answer.Get("code")).tokens(t).AccessToken
		return member(t, app.post("/oauth/token_info", "token", token), "workspace_id").(string)
	}
	require.Equal(t, "interaction_required", silent("prompt", "none"))
	b.choose(app.request(), "org_math")
	require.Equal(t, "org_math", silent())
	require.Equal(t, "org_math", silent("prompt", "none"))
	require.Equal(t, "org_math", b.get(app.request("prompt", "consent")).form(t, "").Get("workspace"))

	// Consent is separate for each workspace.
	require.Equal(t, "consent_required", silent("workspace", "org_engine", "prompt", "none"))
	page := b.get(app.request("workspace", "org_engine"))
	require.NotContains(t, page.text(), "Mathematics", "there is no other choice")
	b.allow(page, "profile")
	require.Equal(t, "org_engine", silent("workspace", "org_engine", "prompt", "none", "scope", "profile"))
	require.Equal(t, "org_math", silent("workspace", "org_math"))
	require.Equal(t, "org_engine", silent("scope", "notes:read profile", "workspace", ""), "the last that was chosen, without what was unticked there")

	// Canceling withdraws the choice.
	require.Equal(t, "access_denied", b.answer(b.get(app.request("prompt", "consent")), "deny").redirected(t).Get("error"))
	require.Equal(t, "interaction_required", silent("prompt", "none"))
	b.get(app.request()).statusIs(t, 200)

	// A workspace that the user has left is not used.
	b.choose(app.request(), "org_math")
	w.leaves("user_ada", "org_math", false)
	require.Equal(t, "interaction_required", silent("prompt", "none"))
	require.Contains(t, b.get(app.request()).text(), "This is for the workspace <Engines> only.")
}

// If saving an answer failed halfway and the form is sent again, its choice is
// remembered. If it was saved completely, the form is not a newer choice.
func TestChoiceOfAFormThatFailedHalfWayIsRemembered(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h, _ := newWorkspaceHost(t, func(c *provider.Config) { c.Store = kept })
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	b.choose(app.request(), "org_math")
	form := b.get(app.request("prompt", "consent")).form(t, "allow")
	form.Set("workspace", "org_engine")
	kept.Fail(errFire, "Replace")
	b.post("/oauth/authorize", form).errorPage(t, 503, "cannot answer")
	kept.Heal()
	require.NotEmpty(t, b.post("/oauth/authorize", form).redirected(t).Get("code"))
	require.Equal(t, "org_engine", b.get(app.request("prompt", "consent")).form(t, "").Get("workspace"))

	page := b.keep(b.get(app.request("prompt", "consent")))
	page.form.Set("workspace", "org_math")
	require.Equal(t, 303, page.send("allow").StatusCode)
	b.choose(app.request("prompt", "consent"), "org_engine")
	page.send("allow")
	require.Equal(t, "org_engine", b.get(app.request("prompt", "consent")).form(t, "").Get("workspace"))
}
