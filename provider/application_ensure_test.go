package provider_test

import (
	"context"
	"errors"
	"fmt"
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

const (
	firstSecret  = "b2c7e4f09a1d836e5b70c4d2f8a9136eb2c1"
	secondSecret = "Zk3vQ9wXr7TbNf5GhJ2mLp8YcD4sVaK1"
)

var wikiSettings = provider.ApplicationSettings{
	Name: "Wiki", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "notes:read"), Metadata: map[string]string{"team": "docs"},
}

// ensure calls EnsureApplication for the client id "wiki".
func (h *host) ensure(s provider.ApplicationSettings, secret string) *application {
	h.t.Helper()
	app, err := h.EnsureApplication(ctx, "wiki", s, provider.NewSecret(secret))
	require.NoError(h.t, err)
	return &application{app, secret, h}
}

// newStepsHost is a host that counts the steps of its store.
func newStepsHost(t *testing.T) (h *host, steps func() []string) {
	var mu sync.Mutex
	var seen []string
	kept := storetest.NewBreakable(memory.New())
	kept.Before(func(_ context.Context, step string) error {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, step)
		return nil
	})
	h = newHost(t, func(c *provider.Config) { c.Store = kept })
	return h, func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { seen = nil }()
		return seen
	}
}

func TestEnsureApplicationCreatesOnceAndThenWritesNothing(t *testing.T) {
	h, steps := newStepsHost(t)
	app := h.ensure(wikiSettings, firstSecret)
	require.Equal(t, "wiki", app.ClientID)
	require.Equal(t, store.OriginManual, app.Origin)
	require.Equal(t, []string{"FindClient", "CreateApplication"}, steps())
	for range 5 {
		h.clock.Add(time.Hour)
		require.Equal(t, app.Application, h.ensure(wikiSettings, firstSecret).Application)
	}
	require.Equal(t, strings.Fields(strings.Repeat("FindClient ", 5)), steps(), "nothing is written if nothing differs")
	app.redeem(app.code("user_ada")).tokens(t)
}

func TestEnsureApplicationBringsUpToDate(t *testing.T) {
	h, steps := newStepsHost(t)
	created := h.ensure(wikiSettings, firstSecret)
	for i, edit := range []func(*provider.ApplicationSettings){
		func(s *provider.ApplicationSettings) { s.Name = "Better" },
		func(s *provider.ApplicationSettings) { s.RedirectURIs = []string{callback, callback + "/2"} },
		func(s *provider.ApplicationSettings) { s.Scopes = nil },
		func(s *provider.ApplicationSettings) { s.PKCERequired = true },
		func(s *provider.ApplicationSettings) { s.SkipConsent = true },
		func(s *provider.ApplicationSettings) { s.OwnerID = "user_ada" },
		func(s *provider.ApplicationSettings) { s.ClientURI = "https://wiki.example.com" },
		func(s *provider.ApplicationSettings) { s.LogoURL = "https://wiki.example.com/logo.png" },
		func(s *provider.ApplicationSettings) { s.Metadata = nil },
	} {
		wanted := wikiSettings
		edit(&wanted)
		steps()
		got := h.ensure(wanted, firstSecret)
		require.Contains(t, steps(), "UpdateApplication", "edit %d", i)
		require.Equal(t, created.ID, got.ID)
		require.Equal(t, created.Secrets, got.Secrets)
		if wanted.Scopes == nil {
			require.Equal(t, "profile email", got.Scopes.String())
		}
		h.ensure(wanted, firstSecret)
		require.Equal(t, []string{"FindClient"}, steps(), "edit %d", i)
	}
	h.ensure(wikiSettings, firstSecret)
	alone := wikiSettings
	alone.Lifetimes.Grace = time.Minute
	require.Equal(t, alone.Lifetimes, h.ensure(alone, firstSecret).Lifetimes, "nothing else differs")
	// The host's code undoes a manual change in the store.
	h.change(created, func(a *store.Application) { a.Name = "By hand" })
	h.clock.Add(2 * time.Hour)
	require.Equal(t, "Wiki", h.ensure(wikiSettings, firstSecret).Name)
}

// All instances of a host start at once, each with a separate provider.
func TestEnsureApplicationRaces(t *testing.T) {
	h := newHost(t)
	for round := range 10 {
		clientID := fmt.Sprint("wiki", round)
		var wg sync.WaitGroup
		var ids sync.Map
		for range 8 {
			wg.Go(func() {
				app, err := h.EnsureApplication(ctx, clientID, wikiSettings, provider.NewSecret(firstSecret))
				if err != nil {
					t.Error(err)
				}
				ids.Store(app.ID, true)
			})
		}
		wg.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		require.Equal(t, 1, n)
		app, err := h.FindClient(ctx, clientID)
		require.NoError(t, err)
		require.Len(t, app.Secrets, 1)
		require.EqualValues(t, 1, app.Version)
	}
	_, total, err := h.ListApplications(ctx, store.ApplicationQuery{})
	require.NoError(t, err)
	require.Equal(t, 10, total)
}

// Another instance creates or deletes the application between two steps.
func TestEnsureApplicationIsOvertaken(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, func(c *provider.Config) { c.Store = kept })
	other := newHost(t, func(c *provider.Config) { c.Store, c.Issuer = kept, h.url })
	kept.Once("CreateApplication", func() { other.ensure(wikiSettings, firstSecret) })
	app := h.ensure(wikiSettings, firstSecret)
	require.EqualValues(t, 1, app.Version)

	better := wikiSettings
	better.Name = "Better"
	kept.Once("UpdateApplication", func() { other.ensure(better, firstSecret) })
	require.EqualValues(t, 2, h.ensure(better, firstSecret).Version, "the other has done it")

	kept.Once("UpdateApplication", func() { require.NoError(t, other.DeleteApplication(ctx, app.ID)) })
	require.NotEqual(t, app.ID, h.ensure(wikiSettings, firstSecret).ID)
}

func TestEnsureApplicationRefusesWhatIsNotTheHosts(t *testing.T) {
	for _, origin := range []store.Origin{store.OriginRegistration, store.OriginDocument, "other"} {
		h, steps := newStepsHost(t)
		app := h.ensure(wikiSettings, firstSecret)
		h.change(app, func(a *store.Application) { a.Origin = origin })
		steps()
		for _, s := range []provider.ApplicationSettings{wikiSettings, {Name: "Other"}} {
			_, err := h.EnsureApplication(ctx, "wiki", s, provider.NewSecret(firstSecret))
			require.ErrorContains(t, err, "not the host's own")
		}
		require.Equal(t, []string{"FindClient", "FindClient"}, steps())
	}
}

func TestEnsureApplicationRefusesWeakSecrets(t *testing.T) {
	h, steps := newStepsHost(t)
	for name, secret := range map[string]string{
		"missing":       "",
		"shorter":       firstSecret[:31],
		"longer":        strings.Repeat(secondSecret, 9),
		"space":         "correct horse battery staple 12345678",
		"not ASCII":     firstSecret + "é",
		"easy to guess": strings.Repeat("a1", 32),
		"guess ":        "passwordpasswordpasswordpassword1",
		"guess  ":       "abcdefghijklmnopqrstuvwxyz0123456789",
		"guess   ":      "12345678901234567890123456789012345678901234567890",
		"guess    ":     "correcthorsebatterystaplecorrecthorse",
		"guess.":        strings.Repeat("0123456789abcdef", 4),
		"guess..":       "wiki-client-secret-wiki-client-secret-2026",
	} {
		_, err := h.EnsureApplication(ctx, "wiki", wikiSettings, provider.NewSecret(secret))
		var wrong provider.FieldErrors
		require.True(t, errors.As(err, &wrong), "%s: %v", name, err)
		require.Equal(t, "secret", wrong[0].Field)
		require.Contains(t, err.Error(), strings.Trim(name, " ."))
		if len(secret) > 8 {
			require.NotContains(t, err.Error(), secret)
		}
	}
	require.NotContains(t, steps(), "CreateApplication")
	_, err := h.EnsureApplication(ctx, "wiki", provider.ApplicationSettings{Name: "CLI", Public: true}, provider.NewSecret(firstSecret))
	require.ErrorContains(t, err, "a public application has no secret")
	for _, id := range []string{"", "a b", strings.Repeat("x", 257)} {
		_, err = h.EnsureApplication(ctx, id, provider.ApplicationSettings{}, provider.Secret{})
		require.ErrorContains(t, err, "client id")
		require.ErrorContains(t, err, "name is missing", "everything that is wrong is named")
		require.ErrorContains(t, err, "secret is missing")
	}
	// An existing application is protected from them too.
	h.ensure(wikiSettings, firstSecret)
	_, err = h.EnsureApplication(ctx, "wiki", wikiSettings, provider.NewSecret("weak"))
	require.ErrorContains(t, err, "shorter")
}

// Secrets in the formats of common tools are accepted.
func TestEnsureApplicationTakesRandomSecrets(t *testing.T) {
	h := newHost(t)
	for i, secret := range []string{
		firstSecret, secondSecret,
		"8f14e45fceea167a5a36dedd4bea2543c9f0f895fb98ab9159f51fd0297e236d", // openssl rand -hex 32
		"q7Jx0ZsT1vKfWm3RbYc9LdUe5HgNa2PoIi8Xr6Bt4Ew=",                     // openssl rand -base64 32
		"f47ac10b-58cc-4372-a567-0e02b2c3d479-9b1deb4d-3b7d-4bad-9bdd",     // UUIDs
	} {
		_, err := h.EnsureApplication(ctx, fmt.Sprint("app", i), provider.ApplicationSettings{Name: "x"}, provider.NewSecret(secret))
		require.NoError(t, err)
	}
	for i := range 200 { // those that Latchkey makes itself
		_, made, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "x"})
		require.NoError(t, err)
		require.Regexp(t, `^[0-9A-Za-z]{43}$`, made.Reveal())
		_, err = h.EnsureApplication(ctx, fmt.Sprint("made", i), provider.ApplicationSettings{Name: "x"}, made)
		require.NoError(t, err)
	}
}

// Instances of two versions of a host run side by side, each with its secret.
func TestEnsureApplicationChangesTheSecretWithAnOverlap(t *testing.T) {
	h := newHost(t)
	app := h.ensure(wikiSettings, firstSecret)
	works := func(secret string) bool {
		return app.redeem("x", "client_secret", secret).StatusCode == 400 // The code is wrong, the secret is not.
	}
	got := h.ensure(wikiSettings, secondSecret)
	require.Len(t, got.Secrets, 2)
	require.True(t, got.Secrets[0].ExpiresAt.IsZero())
	require.WithinDuration(t, h.clock.Now().Add(day), got.Secrets[1].ExpiresAt, time.Second)
	h.clock.Add(day - time.Minute)
	require.True(t, works(firstSecret))
	require.True(t, works(secondSecret))
	h.clock.Add(time.Minute)
	require.False(t, works(firstSecret))
	require.True(t, works(secondSecret))
	require.EqualValues(t, 2, h.ensure(wikiSettings, secondSecret).Version, "ended secrets make no difference")
}

// After a host goes back to its previous version, that version's secret keeps
// working.
func TestEnsureApplicationAfterGoingBack(t *testing.T) {
	h := newHost(t)
	app := h.ensure(wikiSettings, firstSecret)
	newer := wikiSettings
	newer.RedirectURIs = []string{"https://wrong.example.com/"}
	h.ensure(newer, secondSecret)
	require.Equal(t, wikiSettings.RedirectURIs, h.ensure(wikiSettings, firstSecret).RedirectURIs)
	h.clock.Add(30 * day)
	app.redeem("x", "client_secret", firstSecret).refused(t, 400, "invalid_grant")
	app.redeem("x", "client_secret", secondSecret).refused(t, 400, "invalid_grant")
}

// Two versions that keep restarting in turn settle on the newer one, and both
// secrets work all the time.
func TestEnsureApplicationOfTwoVersionsComesToRest(t *testing.T) {
	h, steps := newStepsHost(t)
	newer := wikiSettings
	newer.Name = "Newer"
	app := h.ensure(wikiSettings, firstSecret)
	works := func(secret string) {
		t.Helper()
		app.redeem("x", "client_secret", secret).refused(t, 400, "invalid_grant")
	}
	for i := range 20 {
		h.clock.Add(time.Minute)
		h.ensure(newer, secondSecret)
		works(firstSecret)
		works(secondSecret)
		h.clock.Add(time.Minute)
		h.ensure(wikiSettings, firstSecret)
		works(firstSecret)
		works(secondSecret)
		if i == 4 {
			steps()
		}
	}
	require.NotContains(t, steps(), "UpdateApplication", "it has come to rest")
	require.Contains(t, h.log.String(), "two versions")
	require.Equal(t, "Newer", h.ensure(newer, secondSecret).Name)
	h.clock.Add(2 * time.Hour)
	require.Equal(t, "Wiki", h.ensure(wikiSettings, firstSecret).Name, "an hour later it is a decision")
}

// A program that generates a secret at each start gets an error.
func TestEnsureApplicationWithASecretForEachStart(t *testing.T) {
	h := newHost(t)
	var err error
	for i := 0; err == nil && i < 20; i++ {
		_, made, failed := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "x"})
		require.NoError(t, failed)
		_, err = h.EnsureApplication(ctx, "wiki", wikiSettings, made)
	}
	require.ErrorContains(t, err, "10 secrets work already")
}

func TestEnsureApplicationTurnsPublicAndBack(t *testing.T) {
	h := newHost(t)
	app := h.ensure(wikiSettings, firstSecret)
	got := app.tokens("user_ada")
	public := wikiSettings
	public.Public = true
	turned, err := h.EnsureApplication(ctx, "wiki", public, provider.Secret{})
	require.NoError(t, err)
	require.Empty(t, turned.Secrets)
	require.True(t, turned.PKCERequired)
	h.bearer("/api/notes", got.AccessToken).refused(t, 401, "invalid_token")
	again, err := h.EnsureApplication(ctx, "wiki", public, provider.Secret{})
	require.NoError(t, err)
	require.Equal(t, turned, again)
	back := h.ensure(wikiSettings, secondSecret)
	require.Len(t, back.Secrets, 1)
	back.redeem("x").refused(t, 400, "invalid_grant")
}

func TestEnsureApplicationWhileTheStoreIsDown(t *testing.T) {
	down := errors.New("the store is down")
	for _, at := range []string{"FindClient", "CreateApplication", "FindApplication", "UpdateApplication"} {
		kept := storetest.NewBreakable(memory.New())
		h := newHost(t, func(c *provider.Config) { c.Store = kept })
		if at != "CreateApplication" {
			h.ensure(provider.ApplicationSettings{Name: "Older"}, firstSecret)
		}
		kept.Fail(down, at)
		_, err := h.EnsureApplication(ctx, "wiki", wikiSettings, provider.NewSecret(firstSecret))
		require.ErrorIs(t, err, down, at)
		kept.Heal()
		require.Equal(t, "Wiki", h.ensure(wikiSettings, firstSecret).Name)
	}
}
