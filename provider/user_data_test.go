package provider_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

// export returns the output of ExportUser, parsed and as text.
func export(t *testing.T, h *host, userID string) (got struct {
	UserID   string    `json:"user_id"`
	Exported time.Time `json:"exported_at"`
	SignIns  []struct {
		Application string `json:"application_id"`
		Scopes      []string
		Label       string
	} `json:"sign_ins"`
	Consents []struct {
		Application string `json:"application_id"`
		Scopes      []string
	}
	Applications []struct{ ID, Name string }
}, text string) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, h.ExportUser(t.Context(), userID, &b))
	require.NoError(t, json.Unmarshal(b.Bytes(), &got), "%s", b.String())
	require.Equal(t, userID, got.UserID)
	return got, b.String()
}

// An export has everything about one user, nothing about others, and no secret.
func TestExportHoldsAllOfOneUser(t *testing.T) {
	h := newHost(t)
	wiki := h.application(provider.ApplicationSettings{Name: "Wiki", Scopes: scopes.New("profile", "notes:read"), OwnerID: "user_grace"})
	mine := h.application(provider.ApplicationSettings{Name: "Mine", OwnerID: "user_ada", Scopes: scopes.New("email")})
	const signIns = 250 // more than one page
	for range signIns - 1 {
		_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: mine.ID, Scopes: []string{"email"}, Label: "backup"})
		require.NoError(t, err)
	}
	h.clock.Add(time.Second)
	tokens := wiki.tokens("user_ada")
	grace := wiki.tokens("user_grace")
	got, text := export(t, h, "user_ada")
	require.Len(t, got.SignIns, signIns)
	require.Equal(t, wiki.ID, got.SignIns[0].Application)
	require.Equal(t, []string{"profile", "notes:read"}, got.SignIns[0].Scopes)
	require.Equal(t, "backup", got.SignIns[1].Label)
	require.Len(t, got.Consents, 1)
	require.Equal(t, wiki.ID, got.Consents[0].Application)
	require.Equal(t, mine.ID, got.Applications[0].ID)
	require.Len(t, got.Applications, 1)
	require.NotContains(t, text, "user_grace")
	for _, secret := range []string{tokens.AccessToken, tokens.RefreshToken, grace.AccessToken, mine.secret, "Hash", "hash", "Secrets"} {
		require.NotContains(t, text, secret)
	}

	_, text = export(t, h, "nobody")
	for _, name := range []string{"sign_ins", "consents", "applications"} {
		require.Contains(t, text, fmt.Sprintf("%q:[]", name))
	}
	require.ErrorContains(t, h.ExportUser(ctx, "", &bytes.Buffer{}), "user ID is empty")
}

// An export that can't be complete writes nothing.
func TestExportWritesAllOrNothing(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = kept })
	h.application(provider.ApplicationSettings{}).tokens("user_ada")
	for _, step := range []string{"List", "ListApplications"} {
		kept.Fail(errFire, step)
		var b bytes.Buffer
		require.ErrorIs(t, h.ExportUser(ctx, "user_ada", &b), errFire)
		require.Zero(t, b.Len())
		kept.Heal()
	}
}

// Erasing a user ends all their sign-ins, leaves other users alone, and leaves
// no record a day later.
func TestEraseUserLeavesNothing(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Name: "Wiki", Scopes: scopes.New("notes:read"), OwnerID: "user_ada"})
	others := h.application(provider.ApplicationSettings{Name: "Other", Scopes: scopes.New("notes:read"), OwnerID: "user_grace"})
	ada, grace := app.tokens("user_ada"), app.tokens("user_grace")
	code := app.code("user_ada")
	require.NoError(t, h.EraseUser(ctx, "user_ada"))
	require.NoError(t, h.EraseUser(ctx, "user_ada"), "again")
	require.NoError(t, h.EraseUser(ctx, ""))

	h.bearer("/api/notes", ada.AccessToken).statusIs(t, 401)
	app.refresh(ada.RefreshToken).refused(t, 400, "invalid_grant")
	app.redeem(code).refused(t, 400, "invalid_grant")
	_, _, err := h.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID, Scopes: []string{"notes:read"}})
	require.ErrorIs(t, err, userinfo.ErrNotFound, "a token for the erased user")
	got, _ := export(t, h, "user_ada")
	require.Empty(t, got.SignIns)
	require.Empty(t, got.Consents)
	require.Empty(t, got.Applications)
	for _, id := range []string{app.ID, others.ID} {
		_, err = h.FindApplication(ctx, id)
		require.NoError(t, err, "an application that others use")
	}
	h.bearer("/api/notes", grace.AccessToken).statusIs(t, 200)
	kept, err := h.FindApplication(ctx, others.ID)
	require.NoError(t, err)
	require.Equal(t, "user_grace", kept.OwnerID)

	h.clock.Add(26 * time.Hour)
	_, err = h.Cleanup(ctx)
	require.NoError(t, err)
	h.clock.Add(26 * time.Hour)
	_, err = h.Cleanup(ctx)
	require.NoError(t, err)
	consent, cuts, err := h.store.FindConsent(ctx, "user_ada", app.ID, "")
	require.NoError(t, err)
	require.Zero(t, consent)
	require.Zero(t, cuts, "the cut-off itself has gone")
	got, _ = export(t, h, "user_grace")
	require.Len(t, got.Consents, 1)
}

// A page that an erased user still has open gives no access, although the user
// is still signed in to the host. Page and log say that the application isn't
// the cause.
func TestErasedUserCannotAllow(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	b := h.browser()
	b.signIn("user_ada")
	page := b.get(app.request())
	require.NoError(t, h.EraseUser(ctx, "user_ada"))
	b.answer(page, "allow").errorPage(t, 403, "The signed-in user no longer exists.")
	require.Contains(t, h.logged(), "EraseUser was called for this user")
	b.get(app.request()).errorPage(t, 403, "The signed-in user no longer exists.")
	require.Empty(t, h.grantsOf("user_ada"))
}

// An erasure that failed halfway is finished by the next call.
func TestErasureThatFailedIsFinished(t *testing.T) {
	for _, step := range []string{"CutOff", "ListApplications", "UpdateApplication"} {
		t.Run(step, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store = kept })
			app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read"), OwnerID: "user_ada"})
			got := app.tokens("user_ada")
			kept.Fail(errFire, step)
			require.ErrorIs(t, h.EraseUser(ctx, "user_ada"), errFire)
			kept.Heal()
			require.NoError(t, h.EraseUser(ctx, "user_ada"))
			h.bearer("/api/notes", got.AccessToken).statusIs(t, 401)
			left, err := h.FindApplication(ctx, app.ID)
			require.NoError(t, err)
			require.Empty(t, left.OwnerID)
		})
	}
}
