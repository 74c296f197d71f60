package provider_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// with returns a registration's metadata as an update sends it, with members
// added as JSON.
func with(app *application, body string, members ...string) string {
	object := map[string]json.RawMessage{"client_id": json.RawMessage(`"` + app.ClientID + `"`)}
	if err := json.Unmarshal([]byte(body), &object); err != nil {
		panic(err)
	}
	for i := 0; i < len(members); i += 2 {
		object[members[i]] = json.RawMessage(members[i+1])
	}
	encoded, err := json.Marshal(object)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}

// A client that changes between public and confidential starts anew.
func TestUpdateBetweenPublicAndConfidential(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	got := app.tokens("user_ada")
	h.bearer("/api/notes", got.AccessToken).statusIs(t, 200)

	confidential := with(app, native, "token_endpoint_auth_method", `"client_secret_post"`)
	shown := h.manage("PUT", app.ClientID, token, confidential).registered(t, 200)
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, shown["client_secret"])
	require.Equal(t, float64(0), shown["client_secret_expires_at"])
	require.Equal(t, "client_secret_post", shown["token_endpoint_auth_method"])
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	app.redeem("x").refused(t, 401, "invalid_client")
	app.secret = shown["client_secret"].(string)
	app.redeem("x").refused(t, 400, "invalid_grant")
	require.NotContains(t, h.manage("PUT", app.ClientID, token, confidential).registered(t, 200), "client_secret", "it is shown once")
	app.redeem("x").refused(t, 400, "invalid_grant")

	got = app.tokens("user_ada")
	shown = h.manage("PUT", app.ClientID, token, with(app, native)).registered(t, 200)
	require.NotContains(t, shown, "client_secret")
	require.NotContains(t, shown, "client_secret_expires_at")
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	app.redeem("x").refused(t, 401, "invalid_client")
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Empty(t, kept.Secrets)
}

// An application that Allow accepted can't become one that it would refuse.
func TestAllowIsAskedAboutUpdatesToo(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) {
		c.Registration.Allow = func(_ *http.Request, app provider.Application) error {
			if !strings.HasPrefix(app.RedirectURIs[0], "https://agent.example.com/") {
				return fmt.Errorf("not for %s", app.RedirectURIs[0])
			}
			return nil
		}
	})
	app, token := h.clientOf(h.register(minimal))
	h.manage("PUT", app.ClientID, token, with(app, `{"redirect_uris":["https://evil.example.com/"]}`)).refused(t, 403, "access_denied")
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app.Application, kept)
	h.manage("PUT", app.ClientID, token, with(app, minimal, "client_name", `"Two"`)).registered(t, 200)
}

// The host changes a registered application without breaking its registration.
func TestHostChangesASelfRegisteredApplication(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	changed, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
		a.Name, a.SkipConsent, a.PKCERequired, a.Public = "Checked", true, false, false
		a.RedirectURIs = []string{callback}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, app.Registration, changed.Registration)
	require.False(t, changed.SkipConsent, "it is not reviewed")
	require.True(t, changed.PKCERequired)

	shown := h.manage("GET", app.ClientID, token, "").registered(t, 200)
	require.Equal(t, "Checked", shown["client_name"])
	require.Equal(t, "client_secret_basic", shown["token_endpoint_auth_method"], "it says what is true now")
	shown = h.manage("PUT", app.ClientID, token, with(app, minimal)).registered(t, 200)
	require.NotEmpty(t, shown["client_secret"], "it has had none yet")
	_, err = h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error { a.Public = true; return nil })
	require.NoError(t, err)
	shown = h.manage("GET", app.ClientID, token, "").registered(t, 200)
	require.Equal(t, "none", shown["token_endpoint_auth_method"])
}

// Only applications that registered themselves here are managed here.
func TestOnlySelfRegisteredApplicationsAreManaged(t *testing.T) {
	h := newOpenHost(t)
	for _, origin := range []store.Origin{store.OriginDocument, store.OriginManual} {
		app, token := h.clientOf(h.register(native))
		h.change(app, func(a *store.Application) { a.Origin = origin })
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			h.manage(method, app.ClientID, token, with(app, native)).refused(t, 401, "invalid_token")
		}
	}
	require.Equal(t, 2, h.applications(t))
}

func TestUpdateOfWhatIsDeletedMeanwhile(t *testing.T) {
	h := newOpenHost(t, func(c *provider.Config) { c.Store = storetest.NewBreakable(c.Store) })
	app, token := h.clientOf(h.register(native))
	s := h.store.(*storetest.Breakable)
	s.Fail(store.ErrNotFound, "UpdateApplication")
	h.manage("PUT", app.ClientID, token, with(app, native)).refused(t, 401, "invalid_token")
	for _, step := range []string{"UpdateApplication", "CutOff", "DeleteApplication"} {
		s.Fail(errors.New("the store is down"), step)
		method := map[string]string{"UpdateApplication": "PUT"}[step]
		if method == "" {
			method = "DELETE"
		}
		h.manage(method, app.ClientID, token, with(app, native)).refused(t, 503, "temporarily_unavailable")
		h.manage("GET", app.ClientID, token, "").registered(t, 200)
	}
	s.Fail(errors.New("the store is down"), "FindClient")
	h.manage("GET", app.ClientID, token, "").refused(t, 503, "temporarily_unavailable")
	s.Fail(errors.New("the store is down"), "CreateApplication")
	h.register(native).refused(t, 503, "temporarily_unavailable")
}

// Of many parallel updates one is saved, and it is complete.
func TestUpdatesRaceToOneWholeDocument(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	var wg sync.WaitGroup
	var mu sync.Mutex
	secrets := map[string]bool{}
	for i := range 32 {
		wg.Go(func() {
			auth := []string{"none", "client_secret_basic"}[i%2]
			body := fmt.Sprintf(`{"client_id":%q,"redirect_uris":["http://127.0.0.1/%d"],"client_name":"App %d","client_uri":"https://a.example.com/%d","contacts":["%d"],
				"software_version":"%d","token_endpoint_auth_method":%q}`, app.ClientID, i, i, i, i, i, auth)
			r := h.manage("PUT", app.ClientID, token, body)
			var shown map[string]any
			if r.StatusCode != 200 || json.Unmarshal([]byte(r.body), &shown) != nil {
				t.Error(r.Status, r.body)
				return
			}
			if shown["client_name"] != fmt.Sprintf("App %d", i) {
				t.Error("another's document was answered", r.body)
			}
			if secret, ok := shown["client_secret"].(string); ok {
				mu.Lock()
				defer mu.Unlock()
				secrets[secret] = true
			}
		})
	}
	wg.Wait()
	shown := h.manage("GET", app.ClientID, token, "").registered(t, 200)
	var i int
	_, err := fmt.Sscanf(shown["client_name"].(string), "App %d", &i)
	require.NoError(t, err)
	require.Equal(t, []any{fmt.Sprintf("http://127.0.0.1/%d", i)}, shown["redirect_uris"])
	require.Equal(t, fmt.Sprintf("https://a.example.com/%d", i), shown["client_uri"])
	require.Equal(t, []any{fmt.Sprint(i)}, shown["contacts"])
	require.Equal(t, fmt.Sprint(i), shown["software_version"])
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.EqualValues(t, 33, kept.Version, "each took place once")
	require.Equal(t, i%2 == 0, kept.Public)
	works := 0
	for secret := range secrets {
		if app.redeem("x", "client_secret", secret).StatusCode == 400 {
			works++
		}
	}
	require.Equal(t, i%2, works, "the one stored secret was shown")
}

// When deletions race with updates, a deletion wins.
func TestDeletionRacesWithUpdates(t *testing.T) {
	h := newOpenHost(t)
	app, token := h.clientOf(h.register(native))
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			method, want := "PUT", []int{200, 401}
			if i%4 == 3 {
				method, want = "DELETE", []int{204, 401}
			}
			if r := h.manage(method, app.ClientID, token, with(app, native)); r.StatusCode != want[0] && r.StatusCode != want[1] {
				t.Error(r.Status, r.body)
			}
		})
	}
	wg.Wait()
	require.Zero(t, h.applications(t))
}

// The host's settings of an application don't block its updates: not when it
// becomes public, nor after the host has disabled a feature.
func TestUpdateIsNotRefusedForWhatTheHostHasSet(t *testing.T) {
	w := newWorkspaces()
	h := newOpenHost(t, w.on)
	app, token := h.clientOf(h.register(minimal))
	require.False(t, app.Public)
	_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		s.Workspace, s.Lifetimes = store.WorkspaceOptional, provider.Lifetimes{Grace: time.Hour}
		return nil
	})
	require.NoError(t, err)
	off := newOpenHost(t, func(c *provider.Config) { c.Store = h.store })
	for _, h := range []*host{h, off} {
		h.manage("PUT", app.ClientID, token, with(app, native)).registered(t, 200)
		kept, err := h.FindApplication(ctx, app.ID)
		require.NoError(t, err)
		require.True(t, kept.Public)
		require.Equal(t, time.Hour, kept.Lifetimes.Grace)
		require.Equal(t, store.WorkspaceOptional, kept.Workspace)
		app.Application = kept
	}

	// The grace period is that of a public application anyway.
	app.secret = ""
	got := app.redeem(h.signedIn("user_ada").choose(app.request(), "org_math")).tokens(t)
	app.refresh(got.RefreshToken).tokens(t)
	h.clock.Add(11 * time.Minute)
	app.refresh(got.RefreshToken).refused(t, 400, "invalid_grant")
}
