package redisstore_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// What the tests use that are about Redis and not about the contract.
const (
	application     = "oauth_app_2ZyXwVuTsRqPoNmLkJiHgFeDcBa"
	redirectURI     = "https://wiki.example.com/oauth/callback"
	challenge       = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	codeLifetime    = 10 * time.Minute
	accessLifetime  = 2 * time.Hour
	refreshLifetime = 72 * time.Hour
)

func randomHash() (h store.Hash) {
	rand.Read(h[:])
	return h
}

func newGrant(userID string, at time.Time) store.NewGrant {
	return store.NewGrant{
		Grant: store.Grant{
			ID: store.NewGrantID(at, userID), UserID: userID, ApplicationID: application,
			Scopes: scopes.New("profile", "email"), CreatedAt: at, LastUsedAt: at, AgreedAt: at,
		},
		Code: &store.Code{Hash: randomHash(), RedirectURI: redirectURI, Challenge: challenge, ExpiresAt: at.Add(codeLifetime)},
	}
}

func redemption(n store.NewGrant, at time.Time) store.CodeRedemption {
	return store.CodeRedemption{
		Key: store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash}, ApplicationID: application, RedirectURI: redirectURI, Challenge: challenge, At: at,
		Access:  store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(accessLifetime)},
		Refresh: &store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(refreshLifetime)},
	}
}

func rotation(presented store.Key, at time.Time) (r store.RefreshRotation) {
	r = store.RefreshRotation{
		Key: presented, ApplicationID: application, At: at, Grace: 30 * time.Second,
		Access:  store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(accessLifetime)},
		Refresh: store.NewToken{Hash: randomHash(), ExpiresAt: at.Add(refreshLifetime)},
	}
	rand.Read(r.Salt[:])
	return r
}

// A device is one sign-in.
type device struct {
	code, access, refresh store.Key
}

// signIn makes a grant of the user and redeems its code.
func signIn(t testing.TB, s store.Store, userID string, at time.Time) device {
	t.Helper()
	n := newGrant(userID, at)
	require.NoError(t, s.CreateGrant(context.Background(), n))
	r := redemption(n, at)
	_, err := s.RedeemCode(context.Background(), r)
	require.NoError(t, err)
	return device{
		code: r.Key, access: store.Key{GrantID: n.Grant.ID, Hash: r.Access.Hash},
		refresh: store.Key{GrantID: n.Grant.ID, Hash: r.Refresh.Hash},
	}
}

// rotate rotates the refresh token of the device.
func (d *device) rotate(t testing.TB, s store.Store, at time.Time) {
	t.Helper()
	r := rotation(d.refresh, at)
	_, err := s.RotateRefresh(context.Background(), r)
	require.NoError(t, err)
	d.access.Hash, d.refresh.Hash = r.Access.Hash, r.Refresh.Hash
}
