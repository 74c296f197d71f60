package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// rotating makes every rotation pass through edit first.
func rotating(f *faulty, edit func(*store.RefreshRotation)) {
	f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
		edit(&r)
		return f.Store.RotateRefresh(ctx, r)
	}
}

// rotatedWith makes every rotation that is refused with the sentinel be
// answered by instead.
func rotatedWith(f *faulty, sentinel error, instead func(ctx context.Context, r store.RefreshRotation) (store.Issued, error)) {
	f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
		issued, err := f.Store.RotateRefresh(ctx, r)
		if errors.Is(err, sentinel) {
			return instead(ctx, r)
		}
		return issued, err
	}
}

// rotationsOf returns the last rotation of each grant from now on, after
// which seen is called.
func rotationsOf(f *faulty, seen func(r store.RefreshRotation, issued store.Issued, err error) (store.Issued, error)) map[store.GrantID]store.RefreshRotation {
	last := map[store.GrantID]store.RefreshRotation{}
	f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
		issued, err := f.Store.RotateRefresh(ctx, r)
		if err == nil && !issued.Retried {
			last[r.Key.GrantID] = r
		}
		return seen(r, issued, err)
	}
	return last
}

// unchanged returns what a rotation returned.
func unchanged(_ store.RefreshRotation, issued store.Issued, err error) (store.Issued, error) {
	return issued, err
}

// expired reports whether the token that is presented has expired.
func (f *faulty) expired(ctx context.Context, r store.RefreshRotation) bool {
	token, _, err := f.Store.FindToken(ctx, r.Key)
	return err == nil && !r.At.Before(token.ExpiresAt)
}

var wrongRefresh = []wrong{
	{"a rotation ends the access tokens before it", []string{
		"refresh/a rotation replaces the refresh token and keeps the access tokens", "refresh/a chain of rotations goes on",
		"cleanup/a grant lives as long as anything on it",
	}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if err == nil && token.Kind == store.KindAccess && grant.LastUsedAt.After(token.IssuedAt) {
				return store.Token{}, store.Grant{}, store.ErrNotFound
			}
			return token, grant, err
		}
	}},
	{"a rotated-away token is not marked", []string{"refresh/a rotation replaces the refresh token and keeps the access tokens"}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			token.Spent = false
			return token, grant, err
		}
	}},
	{"a rotation leaves the time of last use", []string{"refresh/a rotation replaces the refresh token and keeps the access tokens"}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			issued.Grant.LastUsedAt = issued.Grant.CreatedAt
			return issued, err
		}
	}},
	{"only the previous token is remembered", []string{
		"refresh/a chain of rotations goes on", "refresh/every earlier refresh token is a reuse",
		"tokens/a spent refresh token that is revoked takes its grant with it",
	}, func(f *faulty) {
		last := rotationsOf(f, unchanged)
		forgotten := func(ctx context.Context, k store.Key) bool {
			token, _, err := f.Store.FindToken(ctx, k)
			return err == nil && token.Spent && last[k.GrantID].Key != k
		}
		rotate := f.rotateRefresh
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if forgotten(ctx, r.Key) {
				return store.Issued{}, store.ErrNotFound
			}
			return rotate(ctx, r)
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if forgotten(ctx, k) {
				return store.Token{}, store.Grant{}, store.ErrNotFound
			}
			return f.Store.FindToken(ctx, k)
		}
		f.revokeToken = func(ctx context.Context, r store.TokenRevocation) error {
			if forgotten(ctx, r.Key) {
				return nil
			}
			return f.Store.RevokeToken(ctx, r)
		}
	}},
	{"an unknown refresh token revokes", []string{"refresh/a refresh token that the grant never had is not found and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrNotFound, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrNotFound
		})
	}},
	{"the application is not looked at", []string{
		"refresh/another application's refresh token is a mismatch and changes nothing", "refresh/refusals of a refresh token come in the documented order",
	}, func(f *faulty) {
		rotatedWith(f, store.ErrMismatch, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			_, grant, err := f.Store.FindToken(ctx, r.Key)
			if err != nil {
				return store.Issued{}, err
			}
			r.ApplicationID = grant.ApplicationID
			return f.Store.RotateRefresh(ctx, r)
		})
	}},
	{"a retry mints a salt of its own", []string{
		"retries/a retry gets the pair that was issued and changes nothing", "retries/a retry of a narrowed rotation asks for the same again",
		"races/of many that race with one refresh token exactly one rotates",
	}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried {
				issued.Salt = r.Salt
			}
			return issued, err
		}
	}},
	{"a retry says that its own tokens are new", []string{"retries/a retry gets the pair that was issued and changes nothing"}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried {
				issued.Access.Hash, issued.Access.ExpiresAt = r.Access.Hash, r.Access.ExpiresAt.Add(time.Second)
			}
			return issued, err
		}
	}},
	{"a retry is a use", []string{"retries/a retry gets the pair that was issued and changes nothing"}, func(f *faulty) {
		used := map[store.GrantID]time.Time{}
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if err == nil {
				used[r.Key.GrantID] = r.At
			}
			return issued, err
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if at, ok := used[k.GrantID]; ok {
				grant.LastUsedAt = at
			}
			return token, grant, err
		}
	}},
	{"a retry before the rotation is a reuse", []string{"retries/a retry within the grace, by either clock"}, func(f *faulty) {
		last := rotationsOf(f, unchanged)
		rotate := f.rotateRefresh
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if of, ok := last[r.Key.GrantID]; ok && r.At.Before(of.At) {
				r.Grace = 0
			}
			return rotate(ctx, r)
		}
	}},
	{"the grace itself is too late", []string{"retries/a retry within the grace, by either clock"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.Grace -= tick })
	}},
	{"a retry prolongs the grace", []string{"retries/a retry within the grace, by either clock"}, func(f *faulty) {
		retried := map[store.Key]time.Time{}
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if at, ok := retried[r.Key]; ok && r.At.Sub(at) <= r.Grace {
				r.Grace *= 2
			}
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried {
				retried[r.Key] = r.At
			}
			return issued, err
		}
	}},
	{"the grace is a microsecond longer", []string{"retries/a reuse one microsecond after the grace"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.Grace += tick })
	}},
	{"the grace counts whole seconds", []string{"retries/a reuse one microsecond after the grace"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) {
			if r.Grace > 0 {
				r.Grace += time.Second - tick
			}
		})
	}},
	{"a rotation in the future is always in its grace", []string{"retries/a reuse one microsecond after the grace"}, func(f *faulty) {
		last := rotationsOf(f, unchanged)
		rotate := f.rotateRefresh
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if of, ok := last[r.Key.GrantID]; ok && of.Key == r.Key && r.At.Before(of.At) && r.Grace > 0 {
				r.At = of.At
			}
			return rotate(ctx, r)
		}
	}},
	{"a negative grace is a grace", []string{"retries/without grace there is no retry"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.Grace = r.Grace.Abs() })
	}},
	{"no grace is the default one", []string{"retries/without grace there is no retry", "races/of many that race without grace exactly one succeeds"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) {
			if r.Grace <= 0 {
				r.Grace = grace
			}
		})
	}},
	{"a retry is answered though its successor was used", []string{"retries/a retry after the successor was used is a reuse"}, func(f *faulty) {
		salts := map[store.Key]store.Salt{}
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if salt, ok := salts[r.Key]; ok {
				return store.Issued{Salt: salt, Retried: true}, nil
			}
			issued, err := f.Store.RotateRefresh(ctx, r)
			if err == nil {
				salts[r.Key] = issued.Salt
			}
			return issued, err
		}
	}},
	{"a retry that differs is answered", []string{"retries/a retry that asks for something else is refused and changes nothing"}, func(f *faulty) {
		last := rotationsOf(f, unchanged)
		rotate := f.rotateRefresh
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := rotate(ctx, r)
			if errors.Is(err, store.ErrDiffers) {
				r.Scopes = last[r.Key.GrantID].Scopes
				return rotate(ctx, r)
			}
			return issued, err
		}
	}},
	{"a retry that differs revokes", []string{"retries/a retry that asks for something else is refused and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrDiffers, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrDiffers
		})
	}},
	{"the scope of a retry is looked at first", []string{"retries/a retry that asks for something else is refused and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrDiffers, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if !someScopes().Contains(r.Scopes) {
				return store.Issued{}, store.ErrScope
			}
			return store.Issued{}, store.ErrDiffers
		})
	}},
	{"a retry for another resource is answered", []string{"retries/a retry for a resource that is not the grant's is refused and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrResource, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			r.Resource = ""
			return f.Store.RotateRefresh(ctx, r)
		})
	}},
	{"a retry for a resource is answered where the grant is for none", []string{
		"retries/a retry for a resource that is not the grant's is refused and changes nothing",
	}, func(f *faulty) {
		rotatedWith(f, store.ErrResource, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if _, grant, err := f.Store.FindToken(ctx, r.Key); err != nil || grant.Resource != "" {
				return store.Issued{}, store.ErrResource
			}
			r.Resource = ""
			return f.Store.RotateRefresh(ctx, r)
		})
	}},
	{"a retry for another resource revokes", []string{"retries/a retry for a resource that is not the grant's is refused and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrResource, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrResource
		})
	}},
	{"the resource of a retry is looked at before its scope", []string{"retries/a retry that asks for something else is refused and changes nothing"}, func(f *faulty) {
		rotatedWith(f, store.ErrDiffers, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if r.Resource != "" {
				return store.Issued{}, store.ErrResource
			}
			return store.Issued{}, store.ErrDiffers
		})
	}},
	{"a retry is compared with the grant", []string{"retries/a retry of a narrowed rotation asks for the same again"}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried && len(r.Scopes) > 0 && !issued.Grant.Scopes.Equal(r.Scopes) {
				return store.Issued{}, store.ErrDiffers
			}
			return issued, err
		}
	}},
	{"a retry needs its access token", []string{"retries/a retry is answered though its access token has ended"}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			issued, err := f.Store.RotateRefresh(ctx, r)
			if issued.Retried {
				_, _, err = f.Store.FindToken(ctx, store.Key{GrantID: r.Key.GrantID, Hash: issued.Access.Hash})
			}
			return issued, err
		}
	}},
	{"expiry is looked at before reuse", []string{
		"retries/a retry is answered even if its token has expired since", "refresh/refusals of a refresh token come in the documented order",
	}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if f.expired(ctx, r) {
				return store.Issued{}, store.ErrExpired
			}
			return f.Store.RotateRefresh(ctx, r)
		}
	}},
	{"a reuse revokes nothing", []string{
		"refresh/a reuse ends the grant with everything on it", "refresh/every earlier refresh token is a reuse", "retries/a retry after the successor was used is a reuse",
	}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			token, grant, err := f.Store.FindToken(ctx, r.Key)
			if err == nil && token.Spent && grant.ApplicationID == r.ApplicationID && grant.RevokedAt.IsZero() {
				return store.Issued{}, store.ErrReused
			}
			return f.Store.RotateRefresh(ctx, r)
		}
	}},
	{"a reuse ends the refresh token only", []string{"refresh/a reuse ends the grant with everything on it"}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if token.Kind == store.KindAccess {
				grant.RevokedAt = time.Time{}
			}
			return token, grant, err
		}
	}},
	{"a refresh token works at its expiry", []string{"refresh/a refresh token works until just before its expiry"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.At = r.At.Add(-tick) })
	}},
	{"an expired refresh token is removed when it comes", []string{"refresh/a refresh token works until just before its expiry"}, func(f *faulty) {
		rotatedWith(f, store.ErrExpired, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			f.Store.DeleteExpired(ctx, store.Expiry{Before: r.At, Limit: 100})
			return store.Issued{}, store.ErrExpired
		})
	}},
	{"too much scope spends the token", []string{"refresh/more than the grant's scopes are refused unspent"}, func(f *faulty) {
		rotatedWith(f, store.ErrScope, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			r.Scopes = nil
			f.Store.RotateRefresh(ctx, r)
			return store.Issued{}, store.ErrScope
		})
	}},
	{"too much scope is cut to the grant's", []string{"refresh/more than the grant's scopes are refused unspent"}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.Scopes = r.Scopes.Intersect(someScopes()) })
	}},
	{"a part of a scope's name is that scope", []string{"texts/every scope name of RFC 6749 is kept"}, func(f *faulty) {
		rotatedWith(f, store.ErrScope, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			r.Scopes = nil
			return f.Store.RotateRefresh(ctx, r)
		})
	}},
	{"narrowed scopes stick", []string{"refresh/narrowed scopes do not stick to the refresh token"}, func(f *faulty) {
		narrowed := map[store.GrantID]scopes.Set{}
		rotating(f, func(r *store.RefreshRotation) {
			if len(r.Scopes) == 0 {
				r.Scopes = narrowed[r.Key.GrantID]
			}
			narrowed[r.Key.GrantID] = r.Scopes
		})
	}},
	{"a rotation ignores the resource", []string{
		"refresh/another resource than the grant's cannot be had by a refresh", "refresh/no resource can be had by a refresh where the grant is for none",
		"retries/a retry for a resource that is not the grant's is refused and changes nothing",
	}, func(f *faulty) {
		rotating(f, func(r *store.RefreshRotation) { r.Resource = "" })
	}},
	{"a wrong resource spends the refresh token", []string{
		"refresh/another resource than the grant's cannot be had by a refresh", "refresh/no resource can be had by a refresh where the grant is for none",
	}, func(f *faulty) {
		rotatedWith(f, store.ErrResource, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			r.Resource = ""
			f.Store.RotateRefresh(ctx, r)
			return store.Issued{}, store.ErrResource
		})
	}},
	{"a refresh of a grant for no resource is for each", []string{"refresh/no resource can be had by a refresh where the grant is for none"}, func(f *faulty) {
		rotatedWith(f, store.ErrResource, func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if _, grant, err := f.Store.FindToken(ctx, r.Key); err != nil || grant.Resource != "" {
				return store.Issued{}, store.ErrResource
			}
			r.Resource = ""
			return f.Store.RotateRefresh(ctx, r)
		})
	}},
	{"no resource may be named in a refresh", []string{
		"refresh/a refresh may name the grant's own resource", "retries/a retry gets the pair that was issued and changes nothing",
	}, func(f *faulty) {
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if r.Resource != "" {
				return store.Issued{}, store.ErrResource
			}
			return f.Store.RotateRefresh(ctx, r)
		}
	}},
	{"rotated tokens outlive their grants", []string{"refresh/no rotated token outlives the grant"}, uncut},
}
