package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A cell is a value that is read and written without regard for what goes on
// in between, as in a backend that reads a record, lets go of it and writes it
// back.
type cell[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]V
}

func (c *cell[K, V]) get(key K) (V, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.values[key]
	return v, ok
}

func (c *cell[K, V]) set(key K, value V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[K]V{}
	}
	c.values[key] = value
}

// A found is what FindToken returns.
type found struct {
	token store.Token
	grant store.Grant
}

// alive makes FindToken return these first.
func alive(f *faulty, tokens *cell[store.Key, found]) {
	f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
		if t, ok := tokens.get(k); ok {
			return t.token, t.grant, nil
		}
		return f.Store.FindToken(ctx, k)
	}
}

var wrongRaces = []wrong{
	{"a code is read, then deleted", []string{"races/of many that race for one code exactly one redeems it"}, func(f *faulty) {
		var spent cell[store.Key, bool]
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if _, ok := spent.get(r.Key); ok {
				return f.Store.RedeemCode(ctx, r)
			}
			pause()
			spent.set(r.Key, true)
			issued, err := f.Store.RedeemCode(ctx, r)
			if errors.Is(err, store.ErrReused) || errors.Is(err, store.ErrRevoked) {
				err = nil
			}
			return issued, err
		}
	}},
	{"a refresh token is read, then replaced", []string{"races/of many that race with one refresh token exactly one rotates"}, func(f *faulty) {
		var spent cell[store.Key, bool]
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			_, ok := spent.get(r.Key)
			pause()
			spent.set(r.Key, true)
			issued, err := f.Store.RotateRefresh(ctx, r)
			if !ok && issued.Retried {
				issued.Retried, issued.Salt = false, r.Salt
			}
			return issued, err
		}
	}},
	{"a second chain begins within the grace", []string{"races/of many that race with one refresh token exactly one rotates"}, func(f *faulty) {
		var second cell[store.Key, found]
		alive(f, &second)
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried {
				k := store.Key{GrantID: r.Key.GrantID, Hash: r.Refresh.Hash}
				second.set(k, found{store.Token{Hash: k.Hash, Kind: store.KindRefresh}, issued.Grant})
			}
			return issued, err
		}
	}},
	{"without grace, whoever has an earlier clock than the winner succeeds", []string{"races/of many that race without grace exactly one succeeds"}, func(f *faulty) {
		var rotated cell[store.Key, time.Time]
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if err == nil {
				rotated.set(r.Key, r.At)
			} else if at, ok := rotated.get(r.Key); ok && at.After(r.At) {
				return store.Issued{Salt: r.Salt}, nil
			}
			return issued, err
		}
	}},
	{"a code is redeemed on what was read before a revocation", []string{"races/a redemption beside a revocation leaves nothing alive"}, func(f *faulty) {
		var tokens cell[store.Key, found]
		alive(f, &tokens)
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			page, _, _ := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{ID: r.Key.GrantID}})
			pause()
			issued, err := f.Store.RedeemCode(ctx, r)
			if errors.Is(err, store.ErrRevoked) && len(page) == 1 {
				k := store.Key{GrantID: r.Key.GrantID, Hash: r.Access.Hash}
				tokens.set(k, found{store.Token{Hash: k.Hash, Kind: store.KindAccess}, page[0]})
				return store.Issued{Grant: page[0]}, nil
			}
			return issued, err
		}
	}},
	{"a token is rotated on what was read before a revocation", []string{"races/a rotation beside a revocation leaves nothing alive"}, func(f *faulty) {
		var tokens cell[store.Key, found]
		alive(f, &tokens)
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			page, _, _ := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{ID: r.Key.GrantID}})
			pause()
			issued, err := f.Store.RotateRefresh(ctx, r)
			if errors.Is(err, store.ErrRevoked) && len(page) == 1 {
				k := store.Key{GrantID: r.Key.GrantID, Hash: r.Access.Hash}
				tokens.set(k, found{store.Token{Hash: k.Hash, Kind: store.KindAccess}, page[0]})
				return store.Issued{Grant: page[0]}, nil
			}
			return issued, err
		}
	}},
	{"a user's consents are deleted after the grants", []string{"races/a grant made beside a revocation is revoked or has its consent"}, func(f *faulty) {
		var gone cell[string, bool]
		f.createGrant = func(ctx context.Context, n store.NewGrant) error {
			pause()
			err := f.Store.CreateGrant(ctx, n)
			gone.set(n.Grant.UserID, false)
			return err
		}
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			page, _, err := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: filter, Limit: 1000})
			for _, g := range page {
				f.revokeID(ctx, g.ID, at)
			}
			pause()
			pause()
			pause()
			gone.set(filter.UserID, true)
			return len(page), err
		}
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			if deleted, _ := gone.get(userID); deleted {
				return store.Consent{}, store.ErrNotFound
			}
			return f.Store.FindConsent(ctx, userID, applicationID)
		}
	}},
	{"an application is read, then written back", []string{
		"races/of many that update one version exactly one succeeds", "races/no update is lost among many that try again",
	}, func(f *faulty) {
		f.updateApplication = func(ctx context.Context, app store.Application) error {
			kept, err := f.Store.FindApplication(ctx, app.ID)
			if err != nil {
				return err
			}
			if kept.Version != app.Version {
				return store.ErrConflict
			}
			pause()
			return f.forceUpdate(ctx, app)
		}
	}},
	{"a client id is looked for, then taken", []string{"races/of many that create one client id exactly one succeeds"}, func(f *faulty) {
		f.createApplication = func(ctx context.Context, app store.Application) error {
			if _, err := f.Store.FindClient(ctx, app.ClientID); err == nil {
				return store.ErrExists
			}
			pause()
			if err := f.Store.CreateApplication(ctx, app); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	{"a consent is read, then written back", []string{"races/grants that one user makes at once all add to the consent"}, func(f *faulty) {
		var united cell[one, scopes.Set]
		f.createGrant = func(ctx context.Context, n store.NewGrant) error {
			of := one{n.Grant.UserID, n.Grant.ApplicationID}
			before, _ := united.get(of)
			pause()
			united.set(of, slices.Clone(before).Union(n.Grant.Scopes))
			return f.Store.CreateGrant(ctx, n)
		}
		agreeing(f, func(c *store.Consent) { c.Scopes, _ = united.get(one{c.UserID, c.ApplicationID}) })
	}},
}
