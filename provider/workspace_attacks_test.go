package provider_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// A form gives access only to a workspace that its page has shown to its user.
func TestFormGivesOnlyAShownWorkspace(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceOptional)
	for name, forge := range map[string]func(b *browser, form url.Values){
		"another's":       func(_ *browser, form url.Values) { form.Set("workspace", "org_navy") },
		"one that is not": func(_ *browser, form url.Values) { form.Set("workspace", "org_none") },
		"another than the request names": func(b *browser, form url.Values) {
			for name, values := range b.get(app.request("workspace", "org_math", "prompt", "consent")).form(t, "allow") {
				form[name] = values
			}
			form.Set("workspace", "org_engine")
		},
		"a request that was changed": func(_ *browser, form url.Values) {
			alter(form, "workspace", "org_engine")
			form.Set("workspace", "org_engine")
		},
		"a seal of another user's form": func(b *browser, form url.Values) {
			b.signIn("user_grace")
			form.Set("seal", b.get(app.request("prompt", "consent")).form(t, "").Get("seal"))
			b.signIn("user_ada")
		},
		"a seal of another form": func(b *browser, form url.Values) {
			form.Set("seal", b.get(app.request("prompt", "consent", "workspace", "org_math")).form(t, "").Get("seal"))
			form.Set("workspace", "org_math")
		},
		"one that has another name by now": func(_ *browser, _ url.Values) {
			w.mu.Lock()
			defer w.mu.Unlock()
			workspaceNames["org_math"] = "Physics"
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() { workspaceNames["org_math"] = "Mathematics" }()
			b := h.signedIn("user_ada")
			form := b.get(app.request("prompt", "consent")).form(t, "allow")
			form.Set("workspace", "org_math")
			forge(b, form)
			b.post("/oauth/authorize", form).stale(t)
			require.Empty(t, h.grantsOf("user_ada"))
		})
	}
	form := h.signedIn("user_ada").get(app.request()).form(t, "allow")
	form["workspace"] = []string{"org_math", "org_engine"}
	h.signedIn("user_ada").post("/oauth/authorize", form).errorPage(t, 400, "workspace more than once")

	// The same on the device page.
	b := h.signedIn("user_ada")
	form = b.enter(app.device().CompleteURI).form(t, "allow")
	form.Set("workspace", "org_navy")
	b.post(devicePath, form).stale(t)
	require.Empty(t, h.grantsOf("user_ada"))
}

// The answer doesn't reveal whether a workspace exists: a stranger's is
// answered like none.
func TestStrangersWorkspaceIsAnsweredLikeNone(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	b.choose(app.request(), "org_math")
	said := map[string]bool{}
	for _, workspace := range []string{"org_navy", "org_none"} {
		page := b.get(app.request("workspace", workspace))
		page.errorPage(t, 403, "or not the one that it asked for")
		require.NotContains(t, page.text(), "Navy")
		answer := b.get(app.request("workspace", workspace, "prompt", "none")).redirected(t)
		require.Equal(t, "interaction_required", answer.Get("error"))
		said[answer.Get("error_description")] = true
	}
	require.Len(t, said, 1)
	require.Len(t, h.grantsOf("user_ada"), 1)
}

// A user who leaves a workspace between the page and its answer gives no access
// to it, even while List still has it.
func TestMembershipIsAskedAgainAtTheAnswer(t *testing.T) {
	for name, late := range map[string]bool{"List knows": false, "List is late": true} {
		t.Run(name, func(t *testing.T) {
			h, w := newWorkspaceHost(t)
			app := h.inWorkspaces(store.WorkspaceRequired)
			b := h.signedIn("user_ada")
			form := b.get(app.request()).form(t, "allow")
			form.Set("workspace", "org_math")
			device := b.enter(app.device().CompleteURI).form(t, "allow")
			device.Set("workspace", "org_math")
			w.leaves("user_ada", "org_math", late)
			b.post("/oauth/authorize", form).stale(t)
			if late {
				b.post(devicePath, device).stale(t)
			} else { // It is another page by now.
				require.Contains(t, b.post(devicePath, device).text(), "That code isn't valid")
			}
			require.Empty(t, h.grantsOf("user_ada"))
			require.Zero(t, h.consents(t))
		})
	}
}

// A user who leaves a workspace between the code and its exchange, or between
// two refreshes, gives no more access to it, and their access in it ends at
// once. Other workspaces and users are not affected.
func TestWhoHasLeftAWorkspaceGivesNoTokens(t *testing.T) {
	for name, late := range map[string]func(h *host, app *application, code, refresh string) *reply{
		"at the exchange": func(_ *host, app *application, code, _ string) *reply { return app.redeem(code) },
		"at a refresh":    func(_ *host, app *application, _, refresh string) *reply { return app.refresh(refresh) },
	} {
		t.Run(name, func(t *testing.T) {
			h, w := newWorkspaceHost(t)
			app, other := h.inWorkspaces(store.WorkspaceRequired), h.inWorkspaces(store.WorkspaceRequired)
			w.members["user_grace"] = append(w.members["user_grace"], "org_math")
			got, elsewhere, hers := app.in("org_math", "user_ada"), app.in("org_engine", "user_ada"), app.in("org_math", "user_grace")
			others := other.in("org_math", "user_ada")
			code := h.signedIn("user_ada").choose(app.request("prompt", "consent"), "org_math")
			w.leaves("user_ada", "org_math", false)
			require.Equal(t, "org_math", h.workspaceOf(got.AccessToken), "the guard doesn't ask")
			require.Equal(t, false, member(t, app.post("/oauth/token_info", "token", got.AccessToken), "active"))
			h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
			found, err := h.LookupToken(ctx, got.AccessToken)
			require.NoError(t, err)
			require.True(t, found.UserLeft && !found.Live)

			h.eventKinds()
			late(h, app, code, got.RefreshToken).refused(t, 400, "invalid_grant")
			require.Equal(t, []provider.EventKind{provider.EventGrantRevoked}, h.eventKinds())
			require.Contains(t, h.log.String(), "the user may not act for the workspace: Config.Workspaces.Member returned false")
			for _, token := range []string{got.AccessToken, others.AccessToken} {
				h.bearer("/api/notes", token).refused(t, 401, "invalid_token")
			}
			app.redeem(code).refused(t, 400, "invalid_grant")
			require.Equal(t, "org_engine", h.workspaceOf(elsewhere.AccessToken))
			require.Equal(t, "org_math", h.workspaceOf(app.refresh(hers.RefreshToken).tokens(t).AccessToken))
			app.refresh(elsewhere.RefreshToken).tokens(t)
		})
	}
}

// Without a call by the host, access ends within the lifetime of an access
// token.
func TestLeavingEndsAccessWithinOneLifetime(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	got := app.in("org_math", "user_ada")
	w.leaves("user_ada", "org_math", false)
	h.clock.Add(2*time.Hour - time.Second)
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	h.clock.Add(time.Second)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
}

// While the host can't say who is a member, nothing is spent and no one loses
// anything.
func TestOutageOfWorkspacesCostsNothing(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	got, code, page := app.in("org_math", "user_ada"), b.choose(app.request("prompt", "consent"), "org_math"), b.get(app.request("prompt", "consent"))
	w.fails(errors.New("dial tcp: the members are on fire"))
	app.redeem(code).refused(t, 503, "temporarily_unavailable")
	app.refresh(got.RefreshToken).refused(t, 503, "temporarily_unavailable")
	app.post("/oauth/token_info", "token", got.AccessToken).refused(t, 503, "temporarily_unavailable")
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 503, "temporarily_unavailable")
	_, err := h.LookupToken(ctx, got.AccessToken)
	require.ErrorContains(t, err, "Config.Workspaces")
	b.answer(page, "allow").errorPage(t, 503, "cannot answer right now")
	b.get(app.request()).errorPage(t, 503, "cannot answer right now")
	b.get(app.request("prompt", "consent")).errorPage(t, 503, "cannot answer right now")
	b.get(h.url+connections).errorPage(t, 503, "cannot answer right now")
	require.NotContains(t, h.log.String(), "store: ", "the log says who doesn't answer")
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)
	w.fails(nil)
	app.redeem(code).tokens(t)
	app.refresh(got.RefreshToken).tokens(t)
	require.NotEmpty(t, b.answer(page, "allow").redirected(t).Get("code"))
}

// A grant for one workspace gives no access to another, by a refresh or a
// consent.
func TestGrantOfOneWorkspaceIsNoneOfAnother(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	code := b.choose(app.request(), "org_math")
	got := app.redeem(code, "workspace", "org_engine").tokens(t)
	require.Equal(t, "org_math", h.workspaceOf(got.AccessToken))
	got = app.refresh(got.RefreshToken, "workspace", "org_engine").tokens(t)
	require.Equal(t, "org_math", h.workspaceOf(got.AccessToken))
	b.get(app.request("workspace", "org_engine")).statusIs(t, 200)
	require.Equal(t, "consent_required", b.get(app.request("workspace", "org_engine", "prompt", "none")).redirected(t).Get("error"))
	alone := h.inWorkspaces(store.WorkspaceOptional)
	b.choose(alone.request(), "org_math")
	require.Equal(t, "consent_required", b.get(alone.request("workspace", "org_engine", "prompt", "none")).redirected(t).Get("error"))
}

// A form makes one grant, for one workspace: sent again for another, it gives
// nothing, and a Cancel on it takes back what it gave.
func TestFormIsForOneWorkspace(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	again := b.keep(b.get(app.request()))
	again.form.Set("workspace", "org_math")
	code := again.send("allow").redirected(t).Get("code")
	require.Equal(t, code, again.send("allow").redirected(t).Get("code"))
	again.form.Set("workspace", "org_engine")
	again.send("allow").stale(t)
	require.Len(t, h.grantsOf("user_ada"), 1)
	require.Equal(t, "access_denied", again.send("deny").redirected(t).Get("error"))
	require.Empty(t, h.grantsOf("user_ada"))
	app.redeem(code).refused(t, 400, "invalid_grant")
	for _, workspace := range []string{"org_math", ""} {
		require.NotEmpty(t, b.get(app.request("prompt", "none", "workspace", workspace)).redirected(t).Get("error"))
	}
	again.form.Set("workspace", "org_math")
	again.send("allow").stale(t)
}

// Back and another workspace, in the browser that knows the first answer: the
// user is asked again.
func TestBackAndAnotherWorkspace(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	b.choose(app.request(), "org_engine")
	page := b.get(app.request("prompt", "consent"))
	form := page.form(t, "allow")
	b.post("/oauth/authorize", form).redirected(t)
	require.NotEmpty(t, b.follow(b.post("/oauth/authorize", form)).form(t, "")["workspace"], "it asked with prompt=consent")
	plain := h.inWorkspaces(store.WorkspaceRequired)
	form = b.get(plain.request()).form(t, "allow")
	form.Set("workspace", "org_math")
	b.post("/oauth/authorize", form).redirected(t)
	require.NotEmpty(t, b.follow(b.post("/oauth/authorize", form)).redirected(t).Get("code"))
	form.Set("workspace", "org_engine")
	b.follow(b.post("/oauth/authorize", form)).statusIs(t, 200)
}

// If the same form is sent at once for two workspaces, one grant is made.
func TestFormSentAtOnceForTwoWorkspaces(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	for range 5 {
		b := h.signedIn("user_ada")
		require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada"}))
		page := b.keep(b.get(app.request()))
		var all sync.WaitGroup
		codes := make([]string, 8)
		for i := range codes {
			own := page
			own.form = url.Values{}
			for name, values := range page.form {
				own.form[name] = slices.Clone(values)
			}
			own.form.Set("workspace", []string{"org_math", "org_engine"}[i%2])
			all.Go(func() {
				if r := own.send("allow"); r.StatusCode == 303 {
					codes[i] = r.redirected(t).Get("code")
				} else {
					r.stale(t)
				}
			})
		}
		all.Wait()
		grants := h.grantsOf("user_ada")
		require.Len(t, grants, 1)
		won := map[string]int{"org_math": 0, "org_engine": 1}[grants[0].WorkspaceID]
		for i, code := range codes {
			require.Equal(t, i%2 == won, code != "", "a code for another workspace than was chosen")
		}
	}
}

// A user leaves, and is cut off there, while the page is answered or a token is
// refreshed: when the cut-off has returned, nothing works.
func TestLeaveWorkspaceRacesSignIns(t *testing.T) {
	h, w := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	for range 10 {
		w.mu.Lock()
		w.left = map[string]bool{}
		w.mu.Unlock()
		b := h.signedIn("user_ada")
		held := app.in("org_math", "user_ada")
		form := b.get(app.request("prompt", "consent")).form(t, "allow")
		form.Set("workspace", "org_math")
		var all sync.WaitGroup
		var code string
		var next *reply
		all.Go(func() {
			if r := b.post("/oauth/authorize", form); r.StatusCode == 303 {
				code = r.redirected(t).Get("code")
			}
		})
		all.Go(func() { next = app.refresh(held.RefreshToken) })
		all.Go(func() {
			w.leaves("user_ada", "org_math", true)
			require.NoError(t, h.LeaveWorkspace(ctx, "user_ada", "org_math"))
		})
		all.Wait()
		require.Empty(t, h.grantsOf("user_ada"))
		h.bearer("/api/notes", held.AccessToken).refused(t, 401, "invalid_token")
		if code != "" {
			app.redeem(code).refused(t, 400, "invalid_grant")
		}
		if next.StatusCode == 200 {
			h.bearer("/api/notes", next.tokens(t).AccessToken).refused(t, 401, "invalid_token")
		}
	}
}

// Each cut-off of workspaces revokes the matching grants and consents, and
// nothing else. One without a match revokes nothing.
func TestWorkspaceCutOffsEndWhatTheyName(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(h *host, app, other *application) error
		dead []int
	}{
		"user and workspace": {func(h *host, _, _ *application) error { return h.LeaveWorkspace(ctx, "user_ada", "org_math") }, []int{0, 3}},
		"workspace": {func(h *host, _, _ *application) error {
			return h.RevokeGrants(ctx, provider.GrantFilter{WorkspaceID: "org_math"})
		}, []int{0, 2, 3}},
		"workspace for good": {func(h *host, _, _ *application) error { return h.EraseWorkspace(ctx, "org_math") }, []int{0, 2, 3}},
		"user, application, and workspace": {func(h *host, app, _ *application) error {
			return h.RevokeGrants(ctx, provider.GrantFilter{UserID: "user_ada", ApplicationID: app.ID, WorkspaceID: "org_math"})
		}, []int{0}},
		"application and workspace": {func(h *host, app, _ *application) error {
			return h.RevokeGrants(ctx, provider.GrantFilter{ApplicationID: app.ID, WorkspaceID: "org_math"})
		}, []int{0, 2}},
		"no workspace": {func(h *host, _, _ *application) error { return h.EraseWorkspace(ctx, "") }, nil},
		"a user and no workspace": {func(h *host, _, _ *application) error {
			require.ErrorContains(t, h.LeaveWorkspace(ctx, "user_ada", ""), "is empty")
			return nil
		}, nil},
		"a workspace and no user": {func(h *host, _, _ *application) error {
			require.ErrorContains(t, h.LeaveWorkspace(ctx, "", "org_math"), "is empty")
			return nil
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			h, w := newWorkspaceHost(t)
			w.members["user_grace"] = []string{"org_math"}
			app, other := h.inWorkspaces(store.WorkspaceRequired), h.inWorkspaces(store.WorkspaceRequired)
			got := []tokens{app.in("org_math", "user_ada"), app.in("org_engine", "user_ada"), app.in("org_math", "user_grace"), other.in("org_math", "user_ada")}
			require.NoError(t, tt.end(h, app, other))
			for i, held := range got {
				want := 200
				if slices.Contains(tt.dead, i) {
					want = 401
				}
				require.Equal(t, want, h.bearer("/api/notes", held.AccessToken).StatusCode, i)
			}
			b := h.signedIn("user_ada")
			answer := b.get(app.request("prompt", "none", "workspace", "org_math")).redirected(t)
			require.Equal(t, slices.Contains(tt.dead, 0), answer.Get("code") == "", "what was agreed to goes with the grants")
		})
	}
}

// An erased workspace stays erased, even if the host says that it has members.
func TestErasedWorkspaceStaysGone(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	form := b.get(app.request()).form(t, "allow")
	form.Set("workspace", "org_math")
	require.NoError(t, h.EraseWorkspace(ctx, "org_math"))
	b.post("/oauth/authorize", form).stale(t)
	b.get(app.request("workspace", "org_math")).errorPage(t, 403, "You have no workspace")
	_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, WorkspaceID: "org_math"})
	require.ErrorContains(t, err, "EraseWorkspace was called")
	b.choose(app.request(), "org_engine")
}

// Disabling workspaces removes rights and adds none: an application that acts
// only for workspaces is refused, and tokens for one neither work nor can be
// refreshed. After workspaces are enabled again, everything continues.
func TestSwitchedOffWorkspacesAddNoRights(t *testing.T) {
	kept, w := memory.New(), newWorkspaces()
	before, after := newHost(t, w.on, func(c *provider.Config) { c.Store = kept }), newHost(t, func(c *provider.Config) { c.Store = kept })
	app, optional := before.inWorkspaces(store.WorkspaceRequired), before.inWorkspaces(store.WorkspaceOptional)
	got, held := app.in("org_math", "user_ada"), optional.in("org_math", "user_ada")
	app.h, optional.h = after, after
	b := after.signedIn("user_ada")
	b.get(app.request()).errorPage(t, 400, "no longer offers the workspaces")
	app.refresh(got.RefreshToken).refused(t, 400, "unauthorized_client")
	optional.refresh(held.RefreshToken).refused(t, 400, "invalid_grant")
	require.Equal(t, false, member(t, optional.post("/oauth/token_info", "token", held.AccessToken), "active"))
	after.bearer("/api/notes", held.AccessToken).refused(t, 401, "invalid_token")
	after.bearer("/oauth/userinfo", held.AccessToken).refused(t, 401, "invalid_token")
	page := b.get(optional.request())
	page.statusIs(t, 200)
	require.NotContains(t, page.text(), "orkspace")
	app.h, optional.h = before, before
	app.refresh(got.RefreshToken).tokens(t)
	optional.refresh(held.RefreshToken).tokens(t)
	require.Equal(t, "org_math", before.workspaceOf(held.AccessToken))

	// A token that is revoked meanwhile stays revoked.
	optional.h = after
	optional.post("/oauth/token/revoke", "token", held.RefreshToken).statusIs(t, 200)
	before.bearer("/api/notes", held.AccessToken).refused(t, 401, "invalid_token")
}

// If workspaces are disabled, an application that skips consent doesn't act for
// the user alone after the user has chosen a workspace.
func TestSwitchedOffWorkspacesSkipNoConsent(t *testing.T) {
	kept, w := memory.New(), newWorkspaces()
	before, after := newHost(t, w.on, func(c *provider.Config) { c.Store = kept }), newHost(t, func(c *provider.Config) { c.Store = kept })
	app := before.application(provider.ApplicationSettings{Scopes: scopes.New("profile"), Workspace: store.WorkspaceOptional, SkipConsent: true})
	before.signedIn("user_ada").choose(app.request(), "org_math")
	app.h = after
	b := after.signedIn("user_ada")
	require.Equal(t, "consent_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
	require.NotEmpty(t, b.answer(b.get(app.request()), "allow").redirected(t).Get("code"))
	require.NotEmpty(t, b.get(app.request("prompt", "none")).redirected(t).Get("code"), "this they have agreed to")
}

// A user who chose to act alone has not made a choice for an application that
// by now acts only for workspaces.
func TestActingAloneIsNotAChoiceIfAWorkspaceIsRequired(t *testing.T) {
	h, _ := newWorkspaceHost(t)
	app := h.inWorkspaces(store.WorkspaceOptional)
	b := h.signedIn("user_ada")
	b.choose(app.request(), "")
	require.NotEmpty(t, b.get(app.request("prompt", "none")).redirected(t).Get("code"))
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.Workspace = store.WorkspaceRequired
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "interaction_required", b.get(app.request("prompt", "none")).redirected(t).Get("error"))
	require.NotContains(t, b.get(app.request()).text(), "only your own account")
}

// How many calls of the store workspaces cost, for applications that use them.
func TestStoreStepsWithWorkspaces(t *testing.T) {
	var steps []string
	counting := storetest.NewBreakable(memory.New())
	counting.Before(func(_ context.Context, step string) error {
		steps = append(steps, step)
		return nil
	})
	h, _ := newWorkspaceHost(t, func(c *provider.Config) { c.Store = counting })
	app := h.inWorkspaces(store.WorkspaceRequired)
	b := h.signedIn("user_ada")
	first := b.get(app.request()).form(t, "allow")
	first.Set("workspace", "org_math")
	got := app.in("org_math", "user_ada")
	var code string
	for _, tt := range []struct {
		name string
		send func() *reply
		want []string
	}{
		{"a page", func() *reply { return b.get(app.request("prompt", "consent")) }, []string{"FindClient", "FindConsent", "FindConsent"}},
		{"an answered page", func() *reply { return b.post("/oauth/authorize", first) }, []string{"FindClient", "FindConsent", "Replace", "FindConsent", "Create"}},
		{"authorize", func() *reply { r := b.get(app.request()); code = r.redirected(t).Get("code"); return r }, []string{"FindClient", "FindConsent", "FindConsent", "Create"}},
		{"token", func() *reply { return app.redeem(code) }, []string{"FindClient", "Find", "Replace"}},
		{"refresh", func() *reply { return app.refresh(got.RefreshToken) }, []string{"FindClient", "Find", "Replace"}},
		{"guard", func() *reply { return h.bearer("/api/notes", got.AccessToken) }, []string{"Find"}},
	} {
		steps = nil
		require.Less(t, tt.send().StatusCode, 400, tt.name)
		require.Equal(t, tt.want, steps, tt.name)
	}
}

// Without a page, only workspaces from List count: Member may accept more, and
// may compare IDs less strictly, as some databases do.
func TestSkippedConsentGivesOnlyAListedWorkspace(t *testing.T) {
	h, _ := newWorkspaceHost(t, func(c *provider.Config) {
		member := c.Workspaces.Member
		c.Workspaces.Member = func(ctx context.Context, user, id string) (bool, error) {
			return member(ctx, user, strings.ToLower(id))
		}
	})
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("profile"), Workspace: store.WorkspaceRequired, SkipConsent: true})
	b := h.signedIn("user_ada")
	require.NotEmpty(t, b.get(app.request("workspace", "org_math")).redirected(t).Get("code"))
	b.get(app.request("workspace", "ORG_MATH")).errorPage(t, 403, "workspace")
	require.Equal(t, "interaction_required", b.get(app.request("workspace", "ORG_MATH", "prompt", "none")).redirected(t).Get("error"))
}

// Disconnecting an application from the user alone, while it acts for a
// workspace too, ends a sign-in in progress, with a page and without.
func TestDisconnectEndsASignInOnItsWay(t *testing.T) {
	for name, begun := range map[string]func(b *browser, app *application) func() *reply{
		"without a page": func(b *browser, app *application) func() *reply {
			return func() *reply { return b.get(app.request()) }
		},
		"with a page": func(b *browser, app *application) func() *reply {
			page := b.get(app.request("prompt", "consent"))
			return func() *reply { return b.answer(page, "allow") }
		},
		"of a device": func(b *browser, app *application) func() *reply {
			form := b.enter(app.device().CompleteURI).form(b.h.t, "allow")
			return func() *reply { return b.post(devicePath, form) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h, _ := newWorkspaceHost(t, func(c *provider.Config) { c.Store = kept })
			app := h.inWorkspaces(store.WorkspaceOptional)
			b, other := h.signedIn("user_ada"), h.signedIn("user_ada")
			b.choose(app.request(), "org_math")
			form := b.get(app.request("prompt", "consent")).form(t, "allow")
			form.Set("workspace", "")
			require.NotEmpty(t, b.post("/oauth/authorize", form).redirected(t).Get("code"))
			page, end, done := other.get(h.url+connections), begun(b, app), false
			kept.Before(func(_ context.Context, step string) error {
				if step == "Create" && !done {
					done = true
					require.Equal(t, 303, other.disconnect(t, page, app.ID).StatusCode)
				}
				return nil
			})
			end().stale(t)
			require.True(t, done)
			grants := h.grantsOf("user_ada")
			require.Len(t, grants, 1)
			require.Equal(t, "org_math", grants[0].WorkspaceID)
		})
	}
}
