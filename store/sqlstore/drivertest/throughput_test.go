package drivertest_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/sqlstore"
	"github.com/latchkey-go/latchkey/userinfo"
)

// BenchmarkTokenEndpoint exchanges codes at the token endpoint on PostgreSQL,
// eight at a time, and beside it has a bare program send the same two
// statements for each code over the same pool. It reports the throughput of
// the first as a share of the second's. Both are measured in turns, so that
// what else the machine does hits both.
func BenchmarkTokenEndpoint(b *testing.B) {
	const workers, round = 8, 400
	kept, _ := fresh(b, connect(b, "pgx", postgresURL()), sqlstore.Postgres)
	p, err := provider.New(provider.Config{
		Issuer:      "https://app.example.com",
		Store:       kept,
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{UserID: "user_1"}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(_ context.Context, id string) (userinfo.User, error) { return userinfo.User{ID: id}, nil },
	})
	require.NoError(b, err)
	app, secret, err := p.CreateApplication(b.Context(), provider.NewApplication{
		Name: "Wiki", RedirectURIs: []string{"https://wiki.example.com/callback"}, SkipConsent: true,
	})
	require.NoError(b, err)
	token := p.TokenHandler()

	inParallel := func(n int, do func(i int)) time.Duration {
		began := time.Now()
		var wg sync.WaitGroup
		for w := range workers {
			wg.Go(func() {
				for i := w; i < n; i += workers {
					do(i)
				}
			})
		}
		wg.Wait()
		return time.Since(began)
	}
	var endpoint, bare time.Duration
	done := 0
	for b.Loop() {
		codes, keys := make([]string, round), make([]store.Key, round)
		inParallel(round, func(i int) {
			codes[i] = newCode(b, p, app, "")
			keys[i] = newKey(b, kept, app)
		})
		endpoint += inParallel(round, func(i int) {
			form := url.Values{
				"grant_type": {"authorization_code"}, "code": {codes[i]}, "redirect_uri": {app.RedirectURIs[0]},
				"client_id": {app.ClientID}, "client_secret": {secret.Reveal()},
			}
			r := httptest.NewRequest("POST", "/oauth/token", strings.NewReader(form.Encode()))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			token.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Error(w.Body.String())
			}
		})
		bare += inParallel(round, func(i int) {
			// With a deadline, as any program has that is to survive its
			// database; the drivers watch over it in a goroutine.
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			if _, err := kept.FindClient(ctx, app.ClientID); err != nil {
				b.Error(err)
			}
			now := time.Now()
			refresh := store.NewToken{Hash: sha256.Sum256([]byte("r" + codes[i])), ExpiresAt: now.Add(time.Hour)}
			_, err := kept.RedeemCode(ctx, store.CodeRedemption{
				Key: keys[i], ApplicationID: app.ID, RedirectURI: app.RedirectURIs[0], At: now,
				Access: store.NewToken{Hash: sha256.Sum256([]byte("a" + codes[i])), ExpiresAt: now.Add(time.Hour)}, Refresh: &refresh,
			})
			if err != nil {
				b.Error(err)
			}
		})
		done += round
	}
	b.ReportMetric(float64(done)/endpoint.Seconds(), "exchanges/s")
	b.ReportMetric(float64(done)/bare.Seconds(), "bare/s")
	b.ReportMetric(bare.Seconds()/endpoint.Seconds(), "ratio")
	b.ReportMetric(0, "ns/op") // which would count the preparation
}

var codeInLocation = regexp.MustCompile(`[?&]code=([^&]+)`)

// newCode gets a code from the authorization endpoint, for a resource or, where
// it is empty, for none.
func newCode(b testing.TB, p *provider.Provider, app store.Application, resource string) string {
	query := url.Values{"response_type": {"code"}, "client_id": {app.ClientID}, "redirect_uri": {app.RedirectURIs[0]}}
	if resource != "" {
		query.Set("resource", resource)
	}
	w := httptest.NewRecorder()
	p.AuthorizeHandler().ServeHTTP(w, httptest.NewRequest("GET", "/oauth/authorize?"+query.Encode(), nil))
	m := codeInLocation.FindStringSubmatch(w.Header().Get("Location"))
	if m == nil {
		b.Fatal(w.Code, w.Body.String())
	}
	return m[1]
}

// newKey makes a code without the provider.
func newKey(b *testing.B, kept store.Store, app store.Application) store.Key {
	now := time.Now()
	id := store.NewGrantID(now, "user_1")
	hash := store.Hash(sha256.Sum256([]byte(base64.StdEncoding.EncodeToString(id[:]))))
	err := kept.CreateGrant(context.Background(), store.NewGrant{
		Grant: store.Grant{ID: id, UserID: "user_1", ApplicationID: app.ID, Scopes: app.Scopes, CreatedAt: now, LastUsedAt: now},
		Code:  &store.Code{Hash: hash, RedirectURI: app.RedirectURIs[0], ExpiresAt: now.Add(time.Minute)},
	})
	if err != nil {
		b.Fatal(err)
	}
	return store.Key{GrantID: id, Hash: hash}
}
