package provider_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

var ctx = context.Background()

func TestCreateApplication(t *testing.T) {
	h := newHost(t)
	app, secret, err := h.CreateApplication(ctx, provider.ApplicationSettings{
		Name: "Wiki", RedirectURIs: []string{callback}, OwnerID: "user_ada", Metadata: map[string]string{"team": "docs"},
	})
	require.NoError(t, err)
	require.Regexp(t, `^oa_[0-9A-Za-z]{27}$`, app.ID)
	require.Regexp(t, `^[0-9A-Za-z]{16}$`, app.ClientID)
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, secret.Reveal())
	require.Equal(t, "profile email", app.Scopes.String())
	require.NotContains(t, fmt.Sprintf("%+v", app), secret.Reveal())

	byID, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	byClientID, err := h.FindClient(ctx, app.ClientID)
	require.NoError(t, err)
	require.Equal(t, app, byID)
	require.Equal(t, app, byClientID)
	_, err = h.FindApplication(ctx, app.ClientID)
	require.ErrorIs(t, err, store.ErrNotFound)

	public, secret, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "CLI", Public: true})
	require.NoError(t, err)
	require.True(t, secret.IsZero())
	require.Empty(t, public.Secrets)
	require.True(t, public.PKCERequired)
}

func TestCreateApplicationNamesEveryProblem(t *testing.T) {
	h := newHost(t)
	_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         strings.Repeat("ä", 257),
		RedirectURIs: []string{"http://example.com", callback, callback, callback + strings.Repeat("x", 1024)},
		Scopes:       scopes.New("profile", "nothing"),
		ClientURI:    "javascript:alert(1)",
		Metadata:     map[string]string{"k": strings.Repeat("x", 17<<10)},
		OwnerID:      "a\x00b",
	})
	for _, says := range []string{"name is longer", "is plain http", "occurs twice", "too long", `scope "nothing"`, "client_uri", "metadata has", "owner id"} {
		require.ErrorContains(t, err, says)
	}
	_, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Zero(t, total, "nothing may be half applied")

	for _, name := range []string{"", "a\nb", "a\x00b", "a\xff"} {
		_, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: name})
		require.ErrorContains(t, err, "name")
	}
	_, _, err = h.CreateApplication(ctx, provider.ApplicationSettings{Name: "x", Scopes: scopes.New("a  b")})
	require.ErrorContains(t, err, "scopes")
	for _, malformed := range []string{"", "a b", `a"`} {
		_, _, err = h.CreateApplication(ctx, provider.ApplicationSettings{Name: "x", Scopes: scopes.Set{malformed}})
		require.ErrorContains(t, err, "scopes: ", "%q", malformed)
	}
}

func TestListApplications(t *testing.T) {
	h := newHost(t)
	for i := range 12 {
		h.clock.Add(time.Second)
		h.application(provider.ApplicationSettings{Name: fmt.Sprintf("App %02d", i), OwnerID: fmt.Sprintf("user_%d", i%2)})
	}
	page, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Equal(t, 12, total)
	require.Len(t, page, 10)
	require.Equal(t, "App 11", page[0].Name)
	page, total, err = h.ListApplications(ctx, store.ApplicationQuery{OwnerID: "user_1", Name: "app 0", Order: store.NameAscending, Limit: 2, Offset: 1})
	require.NoError(t, err)
	require.Equal(t, 5, total)
	require.Equal(t, []string{"App 03", "App 05"}, []string{page[0].Name, page[1].Name})
}

func TestUpdateApplicationLosesNoChange(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			_, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
				if a.Metadata == nil {
					a.Metadata = map[string]string{}
				}
				a.Metadata[fmt.Sprint(i)] = "set"
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	got, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Len(t, got.Metadata, 20)
	require.EqualValues(t, 21, got.Version)
}

// Two updates in the same microsecond are told apart by their changes.
func TestUpdatesAtTheSameInstantLoseNothing(t *testing.T) {
	for name, edit := range map[string]func(*provider.ApplicationSettings){
		"owner":  func(s *provider.ApplicationSettings) { s.OwnerID = "user_ada" },
		"page":   func(s *provider.ApplicationSettings) { s.ClientURI = "https://wiki.example.com" },
		"logo":   func(s *provider.ApplicationSettings) { s.LogoURL = "https://wiki.example.com/logo.png" },
		"PKCE":   func(s *provider.ApplicationSettings) { s.PKCERequired = true },
		"skip":   func(s *provider.ApplicationSettings) { s.SkipConsent = true },
		"notes":  func(s *provider.ApplicationSettings) { s.Metadata = map[string]string{"a": "b"} },
		"scopes": func(s *provider.ApplicationSettings) { s.Scopes = scopes.New("email") },
	} {
		t.Run(name, func(t *testing.T) {
			kept := storetest.NewBreakable(memory.New())
			h := newHost(t, func(c *provider.Config) { c.Store = kept })
			app := h.application(provider.ApplicationSettings{})
			update := func(edit func(*provider.ApplicationSettings)) {
				_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
					edit(s)
					return nil
				})
				require.NoError(t, err)
			}
			kept.Once("UpdateApplication", func() {
				kept.Heal()
				update(func(*provider.ApplicationSettings) {}) // Another update is faster.
			})
			update(edit)
			got, err := h.FindApplication(ctx, app.ID)
			require.NoError(t, err)
			want := got.ApplicationSettings
			edit(&want)
			require.Equal(t, want, got.ApplicationSettings)
			require.EqualValues(t, 3, got.Version)
		})
	}
}

func TestUpdateApplicationChecksAndKeepsWhatIsNotItsToChange(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	_, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
		a.Name, a.RedirectURIs = "Better", []string{"http://example.com"}
		return nil
	})
	require.ErrorContains(t, err, "is plain http")
	mine := errors.New("mine")
	_, err = h.UpdateApplication(ctx, app.ID, func(*provider.ApplicationSettings) error { return mine })
	require.ErrorIs(t, err, mine)
	got, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, app.Application, got)

	got, err = h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
		a.Name = "Better"
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, "Better", got.Name)
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, kept, got)
	require.Equal(t, app.ClientID, kept.ClientID)
	require.Equal(t, app.Secrets, kept.Secrets)
	require.EqualValues(t, 2, kept.Version)

	_, err = h.UpdateApplication(ctx, "oa_nobody", func(*provider.ApplicationSettings) error { return nil })
	require.ErrorIs(t, err, store.ErrNotFound)
}

// An edit gets only the settings, so it can't seem to change anything else.
func TestUpdateApplicationChangesSettingsAlone(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	wanted := provider.ApplicationSettings{
		Name: "Better", RedirectURIs: []string{"https://new.example.com/cb"}, Scopes: scopes.New("notes:read"), PKCERequired: true, SkipConsent: true,
		OwnerID: "user_ada", ClientURI: "https://new.example.com", LogoURL: "https://new.example.com/logo.png", Metadata: map[string]string{"k": "v"},
	}
	h.clock.Add(time.Minute)
	got, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
		require.Equal(t, app.ApplicationSettings, *s)
		*s = wanted
		return nil
	})
	require.NoError(t, err)
	want := app.Application
	want.ApplicationSettings, want.Version, want.UpdatedAt = wanted, 2, got.UpdatedAt
	want.Reviewed = false // It has an owner now.
	require.Equal(t, want, got)
	wanted.Metadata["k"], wanted.RedirectURIs[0] = "changed", "changed"
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, got, kept, "what is kept shares nothing with the settings")
	require.Equal(t, "v", got.Metadata["k"])

	// An empty set of scopes stays empty, even if the store returns nil.
	for range 2 {
		kept, err = h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
			if len(s.Scopes) > 0 {
				s.Scopes = scopes.Set{}
			}
			s.Name += "!"
			return nil
		})
		require.NoError(t, err)
		require.Empty(t, kept.Scopes)
	}
}

// A page that shows an application sends its version when it saves.
func TestUpdateApplicationIfVersion(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	rename := func(name string, ifVersion ...int64) error {
		_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
			s.Name = name
			return nil
		}, ifVersion...)
		return err
	}
	require.NoError(t, rename("Two", app.Version))
	err := rename("Stale", app.Version)
	require.ErrorIs(t, err, store.ErrConflict)
	require.ErrorContains(t, err, "it has version 2, not 1")
	require.ErrorIs(t, rename("Stale", 0), store.ErrConflict, "a form without a version")
	require.NoError(t, rename("Three", 2))
	kept, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Equal(t, "Three", kept.Name)
}

// What the functions return contains no hash, in any form.
func TestApplicationsHoldNoHash(t *testing.T) {
	h := newOpenHost(t)
	hash, err := bcrypt.GenerateFromPassword([]byte("chosen by a person"), bcrypt.MinCost)
	require.NoError(t, err)
	kept := parseHash(t, string(hash))
	imported, err := h.ImportApplication(ctx, "legacy", provider.ApplicationSettings{Name: "Wiki"}, kept)
	require.NoError(t, err)
	registered, token := h.clientOf(h.register(minimal))
	record, err := h.store.FindApplication(ctx, registered.ID)
	require.NoError(t, err)
	byID, err := h.FindApplication(ctx, imported.ID)
	require.NoError(t, err)
	page, _, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	type inside struct{ value any }
	var printed strings.Builder
	for _, value := range []any{imported, byID, page, registered.Application, kept, &kept, inside{page}, inside{kept}, record, inside{record}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&printed, verb+"\n", value)
		}
		slog.New(slog.NewTextHandler(&printed, nil)).Info("x", "value", value)
		slog.New(slog.NewJSONHandler(&printed, nil)).Info("x", "value", value)
		encoded, err := json.Marshal(value)
		require.NoError(t, err)
		printed.Write(encoded)
	}
	require.Contains(t, printed.String(), "[redacted]")
	for _, secret := range []string{string(hash), record.Registration.Token.Reveal(), record.Secrets[0].Hash.Reveal(), token} {
		for _, form := range []string{secret, strings.TrimPrefix(secret, "sha256:"), hex.EncodeToString([]byte(secret))} {
			require.NotContains(t, printed.String(), form)
		}
	}
}

func TestSecretRotationWithOverlap(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{})
	old := app.secret
	works := func(secret string) bool {
		return app.redeem(app.code("user_ada"), "client_secret", secret).StatusCode == 200
	}
	secret, err := h.AddSecret(ctx, app.ID, h.clock.Now().Add(time.Hour))
	require.NoError(t, err)
	require.True(t, works(old))
	require.True(t, works(secret.Reveal()))
	h.clock.Add(time.Hour)
	require.False(t, works(old))
	require.True(t, works(secret.Reveal()))

	next, err := h.AddSecret(ctx, app.ID, time.Time{})
	require.NoError(t, err)
	require.False(t, works(secret.Reveal()), "the zero time retires the others at once")
	require.True(t, works(next.Reveal()))
	got, err := h.FindApplication(ctx, app.ID)
	require.NoError(t, err)
	require.Len(t, got.Secrets, 1, "secrets that ended are forgotten")

	for range 9 {
		_, err = h.AddSecret(ctx, app.ID, h.clock.Now().Add(time.Hour))
		require.NoError(t, err)
	}
	_, err = h.AddSecret(ctx, app.ID, h.clock.Now().Add(time.Hour))
	require.ErrorContains(t, err, "10 secrets work already")

	public := h.application(provider.ApplicationSettings{Public: true})
	_, err = h.AddSecret(ctx, public.ID, time.Time{})
	require.ErrorContains(t, err, "public application")
	_, err = h.AddSecret(ctx, "oa_nobody", time.Time{})
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestDeleteApplicationEndsEverythingIssuedUnderIt(t *testing.T) {
	h := newHost(t)
	app, other := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")}), h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got, kept := app.tokens("user_ada"), other.tokens("user_ada")
	code := app.code("user_ada")
	require.NoError(t, h.DeleteApplication(ctx, app.ID))
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	app.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	app.redeem(code).refused(t, 401, "invalid_client")
	h.bearer("/api/notes", kept.AccessToken).statusIs(t, 200)
	require.NoError(t, h.DeleteApplication(ctx, app.ID), "it may be called again")
}

func TestTurningPublicEndsEverythingAndDropsTheSecrets(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	got := app.tokens("user_ada")
	turn := func(public bool) provider.Application {
		a, err := h.UpdateApplication(ctx, app.ID, func(a *provider.ApplicationSettings) error {
			a.Public = public
			return nil
		})
		require.NoError(t, err)
		return a
	}
	turned := turn(true)
	require.Empty(t, turned.Secrets)
	require.True(t, turned.PKCERequired)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	app.redeem("x").refused(t, 401, "invalid_client")

	turn(false)
	app.redeem("x").refused(t, 401, "invalid_client")
	secret, err := h.AddSecret(ctx, app.ID, time.Time{})
	require.NoError(t, err)
	app.redeem("x", "client_secret", secret.Reveal()).refused(t, 400, "invalid_grant")
}

// A public application can't redeem a code without PKCE, even if it was
// confidential when its request was read, so that the code has no challenge.
func TestTurningPublicDuringAnAnswer(t *testing.T) {
	for _, skip := range []bool{false, true} {
		kept := storetest.NewBreakable(memory.New())
		h := newHost(t, func(c *provider.Config) { c.Store = kept })
		app := h.application(provider.ApplicationSettings{SkipConsent: skip})
		b := h.browser()
		b.signIn("user_ada")
		form := b.get(app.request())
		kept.Once("FindConsent", func() {
			kept.Heal()
			_, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error {
				s.Public, s.SkipConsent = true, skip
				return nil
			})
			require.NoError(t, err)
		})
		var answer *reply
		if skip {
			answer = b.get(app.request())
		} else {
			answer = b.answer(form, "allow")
		}
		code := answer.redirected(t).Get("code")
		require.NotEmpty(t, code)
		app.Public, app.secret = true, ""
		app.redeem(code).refused(t, 400, "invalid_grant")
		app.redeem(code, "code_verifier", "").refused(t, 400, "invalid_grant")
		grants, _, err := h.ListGrants(ctx, provider.GrantFilter{ApplicationID: app.ID}, "", 0)
		require.NoError(t, err)
		require.NotEmpty(t, grants, "the grant exists, and no one can redeem it")
	}
}

func TestListAndRevokeGrants(t *testing.T) {
	h := newHost(t)
	one, two := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")}), h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	a, b := one.tokens("user_ada"), one.tokens("user_ada")
	h.clock.Add(time.Second)
	c := two.tokens("user_ada")
	d := one.tokens("user_grace")
	list := func(f provider.GrantFilter, after string, limit int) ([]provider.Grant, string) {
		page, next, err := h.ListGrants(ctx, f, after, limit)
		require.NoError(t, err)
		return page, next
	}
	ada := provider.GrantFilter{UserID: "user_ada"}
	all, next := list(ada, "", 0)
	require.Len(t, all, 3)
	require.Empty(t, next)
	page, next := list(ada, "", 1)
	require.Equal(t, two.ID, page[0].ApplicationID)
	require.NotEmpty(t, next)
	page, next = list(ada, next, 2)
	require.Equal(t, all[1:], page)
	require.Empty(t, next)
	page, _ = list(provider.GrantFilter{ID: all[0].ID}, "", 0)
	require.Equal(t, all[:1], page)
	page, _ = list(provider.GrantFilter{ID: all[0].ID, UserID: "user_grace"}, "", 0)
	require.Empty(t, page)
	page, _ = list(provider.GrantFilter{}, "", 0)
	require.Empty(t, page, "the empty filter matches nothing")
	_, _, err := h.ListGrants(ctx, ada, "nonsense", 0)
	require.ErrorContains(t, err, "the cursor after")
	_, _, err = h.ListGrants(ctx, ada, "", -1)
	require.ErrorContains(t, err, "negative")

	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: all[0].ID, UserID: "user_grace"}))
	h.bearer("/api/notes", c.AccessToken).statusIs(t, 200)
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{ID: all[0].ID}))
	h.bearer("/api/notes", c.AccessToken).refused(t, 401, "invalid_token")
	h.eventKinds()
	require.NoError(t, h.RevokeGrants(ctx, provider.GrantFilter{}))
	require.Empty(t, h.eventKinds())
	h.bearer("/api/notes", a.AccessToken).statusIs(t, 200)
	require.NoError(t, h.RevokeGrants(ctx, ada))
	require.Equal(t, []provider.EventKind{provider.EventGrantRevoked}, h.eventKinds())
	for _, token := range []string{a.AccessToken, b.AccessToken} {
		h.bearer("/api/notes", token).refused(t, 401, "invalid_token")
	}
	h.bearer("/api/notes", d.AccessToken).statusIs(t, 200)
	require.NoError(t, h.RevokeAllGrants(ctx))
	h.bearer("/api/notes", d.AccessToken).refused(t, 401, "invalid_token")
	h.bearer("/api/notes", one.tokens("user_grace").AccessToken).statusIs(t, 200)
}

func TestCleanupDeletesOnlyWhatIsDead(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("notes:read")})
	dead := app.tokens("user_grace")
	h.clock.Add(71 * time.Hour)
	live := app.tokens("user_ada")
	rotated := app.refresh(live.RefreshToken).tokens(t)
	h.clock.Add(90 * time.Minute)
	require.Empty(t, h.grantsOf("user_grace"))
	app.refresh(dead.RefreshToken).refused(t, 400, "invalid_grant")
	// It is deleted at midnight, a day or two later.
	h.clock.Add(2 * day)
	rotated = app.refresh(rotated.RefreshToken).tokens(t)
	n, err := h.Cleanup(ctx)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = h.Cleanup(ctx)
	require.NoError(t, err)
	require.Zero(t, n)
	h.bearer("/api/notes", rotated.AccessToken).statusIs(t, 200)
	// A spent token is recognized as long as the grant lives.
	app.refresh(live.RefreshToken).refused(t, 400, "invalid_grant")
	h.bearer("/api/notes", rotated.AccessToken).refused(t, 401, "invalid_token")
}

// Only Reveal returns a secret.
func TestSecretIsRedacted(t *testing.T) {
	const value = "hunter2hunter2"
	s := provider.NewSecret(value)
	type inside struct{ secret provider.Secret }
	type outside struct{ Secret provider.Secret }
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", outside{s}, "pointer", &s)
	encoded, err := json.Marshal(outside{s})
	require.NoError(t, err)
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q %x %X %d", s, s, s, s, s, s, s, s), fmt.Sprintf("%v %+v", &s, outside{s}),
		fmt.Sprintf("%v %+v %#v", inside{s}, inside{s}, inside{s}), log.String(), string(encoded),
	} {
		require.NotContains(t, text, "hunter")
		require.NotContains(t, text, "68756e746572")
	}
	require.Equal(t, value, s.Reveal())
	require.Equal(t, "", provider.Secret{}.Reveal())
	require.True(t, provider.Secret{}.IsZero())
}

// An error doesn't tell about scopes that the caller did not name.
func TestUsualScopesAreThoseThatAreOffered(t *testing.T) {
	for _, tt := range []struct{ offered, want []string }{
		{[]string{"notes:read"}, nil},
		{[]string{"notes:read", "email"}, []string{"email"}},
		{[]string{"profile", "email", "notes:read"}, []string{"profile", "email"}},
	} {
		h := newHost(t, func(c *provider.Config) {
			c.Scopes = nil
			for _, name := range tt.offered {
				c.Scopes = append(c.Scopes, scopes.Scope{Name: name, Title: "x"})
			}
		})
		app, _, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki"})
		require.NoError(t, err)
		require.True(t, app.Scopes.Equal(scopes.New(tt.want...)), "%v", app.Scopes)
		ensured, err := h.EnsureApplication(ctx, "wiki", provider.ApplicationSettings{Name: "Wiki", Public: true}, provider.Secret{})
		require.NoError(t, err)
		require.True(t, ensured.Scopes.Equal(app.Scopes), "%v", ensured.Scopes)
	}
}
