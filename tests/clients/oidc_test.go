package clients

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store/memory"
)

// openID turns on OpenID Connect.
func openID(t testing.TB) func(*provider.Config) {
	return func(c *provider.Config) {
		k, err := keys.New(t.Context(), keys.Options{Store: c.Store, Secrets: []string{rand.Text() + rand.Text()}, Now: c.Now})
		require.NoError(t, err)
		c.Keys, c.OpenID = k, &provider.OpenID{}
	}
}

// relyingParty is an app with coreos/go-oidc and x/oauth2, written as in their
// documentation.
type relyingParty struct {
	*oauth2.Config
	provider *oidc.Provider
	verifier *oidc.IDTokenVerifier
}

func (h *host) relyingParty(more ...string) *relyingParty {
	h.t.Helper()
	id, secret := h.application(false, wiki)
	p, err := oidc.NewProvider(h.t.Context(), h.url)
	require.NoError(h.t, err)
	return &relyingParty{
		Config: &oauth2.Config{
			ClientID: id, ClientSecret: secret, RedirectURL: wiki, Endpoint: p.Endpoint(), Scopes: append([]string{oidc.ScopeOpenID}, more...),
		},
		provider: p, verifier: p.Verifier(&oidc.Config{ClientID: id}),
	}
}

// idToken verifies the ID token in an answer, and that it names the access
// token.
func (r *relyingParty) idToken(t testing.TB, token *oauth2.Token) *oidc.IDToken {
	t.Helper()
	raw, ok := token.Extra("id_token").(string)
	require.True(t, ok, "the ID token is missing")
	verified, err := r.verifier.Verify(t.Context(), raw)
	require.NoError(t, err)
	require.NoError(t, verified.VerifyAccessToken(token.AccessToken))
	return verified
}

func TestGoOIDC(t *testing.T) {
	t.Parallel()
	h := newHost(t, openID(t))
	rp := h.relyingParty("profile", "email")
	ctx := t.Context()

	verifier, state, nonce := oauth2.GenerateVerifier(), rand.Text(), rand.Text()
	callback := h.allow(rp.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier))).Query()
	require.Equal(t, state, callback.Get("state"))
	require.Equal(t, h.url, callback.Get("iss"))
	token, err := rp.Exchange(ctx, callback.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	id := rp.idToken(t, token)
	require.Equal(t, "user_ada", id.Subject)
	require.Equal(t, nonce, id.Nonce)
	require.Equal(t, []string{rp.ClientID}, id.Audience)
	var claims struct {
		Email    string `json:"email"`
		Verified bool   `json:"email_verified"`
		Name     string `json:"name"`
		AuthTime int64  `json:"auth_time"`
	}
	require.NoError(t, id.Claims(&claims))
	require.Equal(t, "ada@example.com", claims.Email)
	require.True(t, claims.Verified)
	require.Equal(t, "Ada Lovelace", claims.Name)
	require.WithinDuration(t, time.Now(), time.Unix(claims.AuthTime, 0), time.Minute)

	user, err := rp.provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	require.NoError(t, err)
	require.Equal(t, id.Subject, user.Subject)
	require.Equal(t, "ada@example.com", user.Email)
	require.True(t, user.EmailVerified)

	renewed, err := rp.TokenSource(ctx, &oauth2.Token{RefreshToken: token.RefreshToken}).Token()
	require.NoError(t, err)
	again := rp.idToken(t, renewed)
	require.Equal(t, "user_ada", again.Subject)
	require.Empty(t, again.Nonce)

	// A token for another client, or from another provider, is refused.
	other := h.relyingParty()
	_, err = other.verifier.Verify(ctx, token.Extra("id_token").(string))
	require.ErrorContains(t, err, "audience")
	stranger := newHost(t, openID(t)).relyingParty()
	_, err = stranger.verifier.Verify(ctx, token.Extra("id_token").(string))
	require.ErrorContains(t, err, "failed to verify signature")
	require.ErrorContains(t, id.VerifyAccessToken(renewed.AccessToken), "access token hash does not match")
}

// rotateEvery is the shortest rotation period for keys whose tokens live for a
// day.
const rotateEvery = 6 * time.Hour

// newInstances starts several instances of one host, with separate key sets in
// a shared store. Requests go to them in turn. Ada is signed in.
func newInstances(t testing.TB, n int, clock *hosttest.Clock) (url string, all []*providertest.Host) {
	var next atomic.Int64
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all[int(next.Add(1))%len(all)].Mux.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	documents, secret := memory.New(), rand.Text()+rand.Text()
	for range n {
		all = append(all, providertest.New(t, func(c *provider.Config) {
			c.Issuer, c.Store, c.Now = front.URL, documents, clock.Now
			c.CurrentUser = func(*http.Request) (provider.Session, error) {
				return provider.Session{UserID: "user_ada", SignedInAt: clock.Now()}, nil
			}
			k, err := keys.New(t.Context(), keys.Options{Store: documents, Secrets: []string{secret}, Now: clock.Now, Rotate: rotateEvery})
			require.NoError(t, err)
			c.Keys, c.OpenID = k, &provider.OpenID{}
		}))
	}
	return front.URL, all
}

// cautious is a relying party that caches the keys for exactly as long as it
// may, and doesn't fetch them earlier, even for an unknown key.
type cautious struct {
	url   string
	clock *hosttest.Clock
	set   jose.JSONWebKeySet
	until time.Time
}

func (c *cautious) fetch(t testing.TB) {
	t.Helper()
	answer, text := hosttest.Do(t, "GET", c.url, nil, "")
	require.Equal(t, http.StatusOK, answer.StatusCode)
	seconds, found := strings.CutPrefix(answer.Header.Get("Cache-Control"), "public, max-age=")
	require.True(t, found)
	maxAge, err := time.ParseDuration(seconds + "s")
	require.NoError(t, err)
	c.set = jose.JSONWebKeySet{}
	require.NoError(t, json.Unmarshal([]byte(text), &c.set))
	c.until = c.clock.Now().Add(maxAge)
}

// VerifySignature implements [oidc.KeySet].
func (c *cautious) VerifySignature(_ context.Context, raw string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return nil, err
	}
	return signed.Verify(&c.set)
}

// The keys rotate twice on three instances. Meanwhile no relying party gets a
// token that it can't verify: not one with go-oidc's own cache, and none of
// those that read the keys at various times and cache them for as long as they
// may.
func TestGoOIDCWhileKeysRotate(t *testing.T) {
	t.Parallel()
	const step, apps = 10 * time.Minute, 3
	clock := hosttest.NewClock(time.Now())
	url, all := newInstances(t, 3, clock)
	browser := newPerson(t, &http.Client{})
	op, err := oidc.NewProvider(t.Context(), url)
	require.NoError(t, err)
	app, secret, err := all[0].Provider.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{wiki}})
	require.NoError(t, err)
	rp := &oauth2.Config{ClientID: app.ClientID, ClientSecret: secret.Reveal(), RedirectURL: wiki, Endpoint: op.Endpoint(), Scopes: []string{oidc.ScopeOpenID}}

	config := &oidc.Config{ClientID: app.ClientID, Now: clock.Now}
	verifiers := []*oidc.IDTokenVerifier{op.Verifier(config)}
	var caches []*cautious
	for range time.Hour / step {
		c := &cautious{url: url + "/oauth/jwks", clock: clock}
		caches = append(caches, c)
		verifiers = append(verifiers, oidc.NewVerifier(url, c, config))
	}

	var tokens [apps]*oauth2.Token
	for i := range tokens {
		code := browser.allow(rp.AuthCodeURL("x")).Query().Get("code")
		tokens[i], err = rp.Exchange(t.Context(), code)
		require.NoError(t, err)
	}
	var live []string // ID tokens, the oldest first
	signers, verified := map[string]bool{}, 0
	for at := time.Duration(0); at < 2*rotateEvery+3*time.Hour; at += step {
		for _, instance := range all {
			_, err := instance.Provider.Cleanup(t.Context())
			require.NoError(t, err)
		}
		for i, c := range caches { // The relying parties start one step after the other.
			if at >= time.Duration(i)*step && !clock.Now().Before(c.until) {
				c.fetch(t)
			}
		}
		var wait sync.WaitGroup
		var errs [apps]error
		for i := range tokens {
			wait.Go(func() {
				tokens[i], errs[i] = rp.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens[i].RefreshToken}).Token()
			})
		}
		wait.Wait()
		require.NoError(t, errors.Join(errs[:]...))
		for _, token := range tokens {
			live = append(live, token.Extra("id_token").(string))
		}
		live = live[max(0, len(live)-apps*int(time.Hour/step)):] // An ID token lives for an hour.
		for _, raw := range live {
			signed, err := jose.ParseSignedCompact(raw, []jose.SignatureAlgorithm{jose.RS256})
			require.NoError(t, err)
			signers[signed.Signatures[0].Header.KeyID] = true
			for i, verifier := range verifiers {
				if i > 0 && at < time.Duration(i)*step {
					continue // It has not started.
				}
				id, err := verifier.Verify(t.Context(), raw)
				require.NoError(t, err, "relying party %d after %v", i, at)
				require.Equal(t, "user_ada", id.Subject)
				verified++
			}
		}
		clock.Add(step)
	}
	require.GreaterOrEqual(t, len(signers), 3, "two rotations")
	t.Logf("%d verifications, by %d keys", verified, len(signers))
}
