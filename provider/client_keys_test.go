package provider_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// keyed is a client that signs with its key.
type keyed struct {
	*application
	keys *hosttest.Keys
	kid  string
}

func withKeys(c *provider.Config) { c.Keys = hosttest.NewKeys() }

func (h *host) keyed() *keyed {
	k := &keyed{keys: hosttest.NewKeys(), kid: "1"}
	k.application = h.application(provider.ApplicationSettings{Keys: provider.ApplicationKeys{Set: k.keys.ClientKeySet("1")}})
	return k
}

// keyedAt is a client whose keys are at a URL.
func (h *host) keyedAt(uri string) *keyed {
	k := &keyed{keys: hosttest.NewKeys(), kid: "1"}
	k.application = h.application(provider.ApplicationSettings{Keys: provider.ApplicationKeys{URI: uri}})
	return k
}

func (k *keyed) assertion(jti string) string {
	claims, err := json.Marshal(map[string]any{"iss": k.ClientID, "sub": k.ClientID, "aud": k.h.url, "jti": jti, "exp": k.h.clock.Now().Unix() + 60})
	if err != nil {
		panic(err)
	}
	return k.keys.SignAs(k.kid, claims)
}

// asks sends an assertion with a request that is cheap.
func (k *keyed) asks(assertion string) *reply {
	return k.h.post("/oauth/token_info", "token", "x", "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", assertion)
}

func TestKeysOfApplications(t *testing.T) {
	h := newHost(t, withKeys)
	keys := provider.ApplicationKeys{Set: hosttest.NewKeys().ClientKeySet("1")}
	for name, tt := range map[string]struct {
		s     provider.ApplicationSettings
		field string
	}{
		"a public application":    {provider.ApplicationSettings{Keys: keys, Public: true}, "public"},
		"both":                    {provider.ApplicationSettings{Keys: provider.ApplicationKeys{Set: keys.Set, URI: "https://wiki.example.com/jwks"}}, "jwks"},
		"no set":                  {provider.ApplicationSettings{Keys: provider.ApplicationKeys{Set: "x"}}, "jwks"},
		"a large set":             {provider.ApplicationSettings{Keys: provider.ApplicationKeys{Set: keys.Set + strings.Repeat(" ", 16<<10)}}, "jwks"},
		"plain http":              {provider.ApplicationSettings{Keys: provider.ApplicationKeys{URI: "http://wiki.example.com/jwks"}}, "jwks_uri"},
		"an address":              {provider.ApplicationSettings{Keys: provider.ApplicationKeys{URI: "https://10.0.0.1/jwks"}}, "jwks_uri"},
		"an unheard-of algorithm": {provider.ApplicationSettings{IDTokenAlg: "none"}, "id_token_signed_response_alg"},
	} {
		tt.s.Name = "Wiki"
		_, _, err := h.CreateApplication(ctx, tt.s)
		var wrong provider.FieldErrors
		require.ErrorAs(t, err, &wrong, name)
		require.Equal(t, tt.field, wrong[0].Field, name)
	}
	app, secret, err := h.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", Keys: keys, IDTokenAlg: "ES256"})
	require.NoError(t, err)
	require.True(t, secret.IsZero())
	require.Equal(t, keys, app.Keys)
	_, err = h.AddSecret(ctx, app.ID, time.Time{})
	require.ErrorContains(t, err, "authenticates with a key")
	_, err = h.ImportApplication(ctx, "imported", app.ApplicationSettings, store.HashSecret("x"))
	require.ErrorContains(t, err, "leave it out")

	for range 2 { // The second time nothing differs.
		ensured, err := h.EnsureApplication(ctx, "wiki", app.ApplicationSettings, provider.Secret{})
		require.NoError(t, err)
		require.Equal(t, int64(1), ensured.Version)
		require.Empty(t, ensured.Secrets)
	}
	_, err = h.EnsureApplication(ctx, "wiki", app.ApplicationSettings, provider.NewSecret(longEnough))
	require.ErrorContains(t, err, "an application with keys has no secret")
}

// An application switches from a secret to keys and back, and its users stay
// signed in. Becoming public revokes everything, as with a secret.
func TestChangingHowAnApplicationAuthenticates(t *testing.T) {
	h := newHost(t, withKeys)
	app := h.application(provider.ApplicationSettings{})
	got := app.tokens("user_ada")
	k := &keyed{application: app, keys: hosttest.NewKeys(), kid: "1"}
	edit := func(change func(*provider.ApplicationSettings)) provider.Application {
		changed, err := h.UpdateApplication(ctx, app.ID, func(s *provider.ApplicationSettings) error { change(s); return nil })
		require.NoError(t, err)
		return changed
	}
	with := provider.ApplicationKeys{Set: k.keys.ClientKeySet("1")}
	require.Empty(t, edit(func(s *provider.ApplicationSettings) { s.Keys = with }).Secrets)
	app.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	got = h.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", got.RefreshToken,
		"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", k.assertion("1")).tokens(t)

	edit(func(s *provider.ApplicationSettings) { s.Keys = provider.ApplicationKeys{} })
	k.asks(k.assertion("2")).refused(t, 401, "invalid_client")
	app.refresh(got.RefreshToken).refused(t, 401, "invalid_client")
	secret, err := h.AddSecret(ctx, app.ID, time.Time{})
	require.NoError(t, err)
	app.secret = secret.Reveal()
	got = app.refresh(got.RefreshToken).tokens(t)

	edit(func(s *provider.ApplicationSettings) { s.Keys = with })
	edit(func(s *provider.ApplicationSettings) { s.Keys, s.Public = provider.ApplicationKeys{}, true })
	h.bearer("/oauth/userinfo", got.AccessToken).refused(t, 401, "invalid_token")
}

// Disabling keys removes rights and adds none.
func TestApplicationsWithKeysWhenKeysAreOff(t *testing.T) {
	shared := memory.New()
	own := func(c *provider.Config) { c.Store = shared }
	on := newHost(t, own, withKeys)
	k := on.keyed()
	off := newHost(t, own)
	there := *k.application
	there.h = off
	off.signedIn("user_ada").get(there.request()).statusIs(t, http.StatusBadRequest)
	require.Contains(t, off.log.String(), "no longer accepts applications that authenticate with a key")
	there.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "x").refused(t, 401, "invalid_client")
	require.Contains(t, off.log.String(), "Config.Keys is nil")
	_, _, err := off.CreateApplication(ctx, provider.ApplicationSettings{Name: "Wiki", Keys: provider.ApplicationKeys{Set: "{}"}})
	require.ErrorContains(t, err, "keys are not offered")
}

// If the answer to a write is lost, the request recognizes its own write. If
// nothing was written, the assertion still works. If an outage hides that, the
// assertion is lost, but no sign-in is.
func TestOutagesWhileAnAssertionIsUsedUp(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	h := newHost(t, withKeys, func(c *provider.Config) { c.Store = kept })
	k := h.keyed()
	for i, fault := range []error{errFire, store.ErrExists} {
		kept.Lose(fault, "Create")
		k.asks(k.assertion(fmt.Sprint("lost", i))).statusIs(t, 200)
		k.asks(k.assertion(fmt.Sprint("lost", i))).refused(t, 401, "invalid_client")
		kept.Lose(nil)
	}
	kept.Fail(errFire, "Create")
	assertion := k.assertion("failed")
	k.asks(assertion).refused(t, 503, "temporarily_unavailable")
	kept.Fail(nil)
	k.asks(assertion).statusIs(t, 200)

	kept.Lose(errFire, "Create")
	kept.Fail(errFire, "Find")
	assertion = k.assertion("unknown")
	k.asks(assertion).refused(t, 503, "temporarily_unavailable")
	kept.Lose(nil)
	kept.Fail(nil)
	k.asks(assertion).refused(t, 401, "invalid_client")
	require.Contains(t, h.log.String(), "the client_assertion was used before")
	k.asks(k.assertion("another")).statusIs(t, 200)
}

// An assertion of a stranger, or an invalid one, stores nothing. A valid one is
// forgotten soon after it has expired.
func TestRefusedAssertionsKeepNothing(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	created := 0
	kept.Before(func(_ context.Context, step string) error {
		if step == "Create" {
			created++
		}
		return nil
	})
	h := newHost(t, withKeys, func(c *provider.Config) { c.Store = kept })
	k := h.keyed()
	stranger := &keyed{k.application, hosttest.NewKeys(), "1"}
	for i := range 100 {
		stranger.asks(stranger.assertion(fmt.Sprint(i))).refused(t, 401, "invalid_client")
	}
	require.Zero(t, created)
	require.Contains(t, h.eventKinds(), provider.EventClientRejected)
	require.NotContains(t, h.log.String(), stranger.assertion("x")[:20])
	const good = 100
	for i := range good {
		k.asks(k.assertion(fmt.Sprint(i))).statusIs(t, 200)
	}
	require.Equal(t, good, created)
	h.clock.Add(9 * time.Minute)
	swept, err := kept.Sweep(ctx, h.clock.Now().Add(-time.Minute), 1000)
	require.NoError(t, err)
	require.Equal(t, good, swept)
}

// keySites are strangers' servers with JWK Sets.
type keySites struct {
	mu    sync.Mutex
	sets  map[string]string // by URL
	asked map[string]int    // by URL
	fail  func(url string) int
	slow  chan struct{} // closed to let slow ones end
}

func newKeySites(t testing.TB) *keySites {
	s := &keySites{sets: map[string]string{}, asked: map[string]int{}, fail: func(string) int { return 0 }, slow: make(chan struct{})}
	t.Cleanup(func() { close(s.slow) })
	return s
}

func (s *keySites) RoundTrip(r *http.Request) (*http.Response, error) {
	url := r.URL.String()
	s.mu.Lock()
	s.asked[url]++
	set, status := s.sets[url], s.fail(url)
	s.mu.Unlock()
	if strings.Contains(url, "slow") {
		select {
		case <-s.slow:
		case <-r.Context().Done():
		}
		return nil, errors.New("too slow")
	}
	answer := httptest.NewRecorder()
	answer.Header().Set("Content-Type", "application/jwk-set+json")
	if status == 0 && set == "" {
		status = 404
	}
	if status != 0 {
		answer.WriteHeader(status)
	}
	io.WriteString(answer, set)
	return answer.Result(), nil
}

func (s *keySites) total() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, times := range s.asked {
		n += times
	}
	return n
}

func newKeySiteHost(t testing.TB, edit ...func(*provider.Config)) (*host, *keySites) {
	sites := newKeySites(t)
	return newHost(t, append([]func(*provider.Config){withKeys, func(c *provider.Config) { c.Transport = sites }}, edit...)...), sites
}

// A client changes its keys on its own. While they can't be fetched, the old
// ones are used for an hour, and then the client must try again.
func TestKeysAtAURL(t *testing.T) {
	h, sites := newKeySiteHost(t)
	const uri = "https://wiki.example.com/jwks"
	k := h.keyedAt(uri)
	sites.sets[uri] = k.keys.ClientKeySet("1")
	for range 3 {
		k.asks(k.assertion(rand.Text())).statusIs(t, 200)
	}
	require.Equal(t, 1, sites.asked[uri])

	next := &keyed{k.application, hosttest.NewKeys(), "2"}
	sites.sets[uri] = next.keys.ClientKeySet("2")
	next.asks(next.assertion(rand.Text())).refused(t, 401, "invalid_client") // It was looked at just now.
	k.asks(k.assertion(rand.Text())).statusIs(t, 200)
	h.clock.Add(time.Minute)
	next.asks(next.assertion(rand.Text())).statusIs(t, 200)
	k.asks(k.assertion(rand.Text())).refused(t, 401, "invalid_client")
	require.Equal(t, 2, sites.asked[uri])

	sites.fail = func(string) int { return 503 }
	h.clock.Add(time.Hour)
	next.asks(next.assertion(rand.Text())).statusIs(t, 200)
	h.clock.Add(time.Hour)
	next.asks(next.assertion(rand.Text())).refused(t, 503, "temporarily_unavailable")
	sites.fail = func(string) int { return 0 }
	next.asks(next.assertion(rand.Text())).statusIs(t, 200)
	sites.sets[uri] = `{"keys":[]}`
	h.clock.Add(time.Hour)
	next.asks(next.assertion(rand.Text())).refused(t, 401, "invalid_client")
	require.Contains(t, h.log.String(), "has no usable keys")
}

// Anyone who knows a client_id can make the server fetch that client's keys,
// and nothing else: once a minute if they exist, and twenty times if not.
func TestStrangersHaveKeysFetchedOnceAMinute(t *testing.T) {
	h, sites := newKeySiteHost(t)
	const uri = "https://wiki.example.com/jwks"
	k := h.keyedAt(uri)
	sites.sets[uri] = k.keys.ClientKeySet("1")
	k.asks(k.assertion(rand.Text())).statusIs(t, 200)
	stranger := &keyed{k.application, hosttest.NewKeys(), "https://evil.example/jwks"}
	for minute := range 5 {
		for range 50 {
			stranger.asks(stranger.assertion(rand.Text())).refused(t, 401, "invalid_client")
		}
		require.LessOrEqual(t, sites.asked[uri], 1+minute)
		h.clock.Add(time.Minute)
	}
	require.Equal(t, sites.asked[uri], sites.total(), "nothing else was asked")
	k.asks(k.assertion(rand.Text())).statusIs(t, 200)

	sites.sets[uri] = ""
	h.clock.Add(time.Hour)
	before := sites.total()
	for range 100 {
		require.Contains(t, []int{401, 503}, stranger.asks(stranger.assertion(rand.Text())).StatusCode)
	}
	require.LessOrEqual(t, sites.total()-before, 20)
}

// Many registered clients with keys on one host, or on many slow ones, don't
// make this server a burden to that host, and don't delay the host's own
// clients.
func TestKeysOfManyRegisteredClients(t *testing.T) {
	h, sites := newKeySiteHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	const victim = "https://victim.example.com/jwks"
	honest := h.keyedAt(victim)
	sites.sets[victim] = honest.keys.ClientKeySet("1")
	registered := func(uri string) *keyed {
		app, _ := h.clientOf(h.register(`{"redirect_uris":["` + callback + `"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"` + uri + `"}`))
		return &keyed{app, hosttest.NewKeys(), "1"}
	}
	var all []*keyed
	for i := range 100 {
		all = append(all, registered(fmt.Sprintf("%s?%d", victim, i)))
	}
	for _, k := range all {
		require.Contains(t, []int{401, 503}, k.asks(k.assertion("1")).StatusCode)
	}
	require.Equal(t, 20, sites.total())
	honest.asks(honest.assertion("1")).statusIs(t, 200)

	var waiting sync.WaitGroup
	for i := range 80 {
		k := registered(fmt.Sprintf("https://slow%d.example.com/jwks", i))
		waiting.Go(func() { k.asks(k.assertion("1")) })
	}
	require.Eventually(t, func() bool { return sites.total() >= 21+64 }, 5*time.Second, time.Millisecond)
	h.clock.Add(time.Hour)
	honest.asks(honest.assertion("2")).statusIs(t, 200)
	waiting.Wait()
	require.Equal(t, 22+64, sites.total())
}
