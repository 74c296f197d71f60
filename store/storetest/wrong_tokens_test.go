package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var wrongTokens = []wrong{
	{"a token is known by all but its last bit", []string{"tokens/a token that is not there is not found"}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if errors.Is(err, store.ErrNotFound) {
				k.Hash[31] ^= 1
				return f.Store.FindToken(ctx, k)
			}
			return token, grant, err
		}
	}},
	{"expired tokens are hidden", []string{"tokens/tokens are found expired, spent and revoked too"}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if err == nil && token.ExpiresAt.Before(time.Now()) {
				return store.Token{}, store.Grant{}, store.ErrNotFound
			}
			return token, grant, err
		}
	}},
	{"tokens of revoked grants are hidden", []string{
		"tokens/tokens are found expired, spent and revoked too", "tokens/a revoked refresh token takes its grant with it", "cleanup/a revoked grant is removed after its time only",
	}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if err == nil && !grant.RevokedAt.IsZero() {
				return store.Token{}, store.Grant{}, store.ErrNotFound
			}
			return token, grant, err
		}
	}},
	{"finding a token is a use", []string{"tokens/finding a token changes nothing"}, func(f *faulty) {
		found := time.Duration(0)
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			grant.LastUsedAt = grant.LastUsedAt.Add(found)
			found += time.Second
			return token, grant, err
		}
	}},
	{"a revoked access token takes its grant with it", []string{"tokens/a revoked access token ends alone"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			err := f.Store.RevokeToken(ctx, r)
			if err == nil {
				f.revokeID(ctx, r.Key.GrantID, r.At)
			}
			return err
		}
	}},
	{"a revoked access token lives on", []string{"tokens/a revoked access token ends alone", "tokens/a chain goes on after its access token was revoked"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if token, _, err := f.Store.FindToken(ctx, r.Key); err == nil && token.Kind == store.KindAccess {
				return nil
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"a revoked refresh token ends nothing else", []string{
		"tokens/a revoked refresh token takes its grant with it", "races/a rotation beside a revocation leaves nothing alive",
	}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if token, _, err := f.Store.FindToken(ctx, r.Key); err == nil && token.Kind == store.KindRefresh {
				return nil
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"a spent refresh token cannot be revoked", []string{"tokens/a spent refresh token that is revoked takes its grant with it"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if token, _, err := f.Store.FindToken(ctx, r.Key); err == nil && token.Spent {
				return nil
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"anybody may revoke a token", []string{"tokens/another application's token is not revoked"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			err := f.Store.RevokeToken(ctx, r)
			if errors.Is(err, store.ErrMismatch) {
				f.revokeID(ctx, r.Key.GrantID, r.At)
			}
			return err
		}
	}},
	{"revoking what is not there is an error", []string{"tokens/revoking what is not there is no error"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if _, _, err := f.Store.FindToken(ctx, r.Key); err != nil {
				return err
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"a code may be revoked as a token", []string{"tokens/revoking what is not there is no error"}, func(f *faulty) {
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if _, _, err := f.Store.FindToken(ctx, r.Key); errors.Is(err, store.ErrNotFound) {
				f.revokeID(ctx, r.Key.GrantID, r.At)
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"a chain ends with its access token", []string{"tokens/a chain goes on after its access token was revoked"}, func(f *faulty) {
		ended := map[store.GrantID]bool{}
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			ended[r.Key.GrantID] = true
			return f.Store.RevokeToken(ctx, r)
		}
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if ended[r.Key.GrantID] {
				return store.Issued{}, store.ErrNotFound
			}
			return f.Store.RotateRefresh(ctx, r)
		}
	}},
}
