package storetest

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// redeeming makes every redemption pass through edit first.
func redeeming(f *faulty, edit func(*store.CodeRedemption)) {
	f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
		edit(&r)
		return f.Store.RedeemCode(ctx, r)
	}
}

// redeemedWith makes every redemption that is refused with the sentinel be
// answered by instead.
func redeemedWith(f *faulty, sentinel error, instead func(ctx context.Context, r store.CodeRedemption) (store.Issued, error)) {
	f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
		issued, err := f.Store.RedeemCode(ctx, r)
		if errors.Is(err, sentinel) {
			return instead(ctx, r)
		}
		return issued, err
	}
}

// codesOf returns the codes that are created from now on.
func codesOf(f *faulty) map[store.Key]store.NewGrant {
	codes := map[store.Key]store.NewGrant{}
	f.createGrant = func(ctx context.Context, n store.NewGrant) error {
		if n.Code != nil {
			code := *n.Code
			n.Code = &code
			codes[store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash}] = n
		}
		return f.Store.CreateGrant(ctx, n)
	}
	return codes
}

// uncut makes tokens outlive their grants.
func uncut(f *faulty) {
	expiries := map[store.Hash]time.Time{}
	f.createGrant = func(ctx context.Context, n store.NewGrant) error {
		if n.Access != nil {
			expiries[n.Access.Hash] = n.Access.ExpiresAt
		}
		return f.Store.CreateGrant(ctx, n)
	}
	f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
		issued, err := f.Store.RedeemCode(ctx, r)
		expiries[r.Access.Hash] = r.Access.ExpiresAt
		if r.Refresh != nil {
			expiries[r.Refresh.Hash] = r.Refresh.ExpiresAt
		}
		return issued, err
	}
	f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
		issued, err := f.Store.RotateRefresh(ctx, r)
		if !issued.Retried {
			expiries[r.Access.Hash], expiries[r.Refresh.Hash] = r.Access.ExpiresAt, r.Refresh.ExpiresAt
		}
		return issued, err
	}
	f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
		token, grant, err := f.Store.FindToken(ctx, k)
		if expiry, ok := expiries[k.Hash]; ok && err == nil {
			token.ExpiresAt = expiry
		}
		return token, grant, err
	}
}

var wrongCodes = []wrong{
	{"no refresh token is ever kept", []string{"codes/a code is redeemed for the tokens of its grant"}, func(f *faulty) {
		redeeming(f, func(r *store.CodeRedemption) { r.Refresh = nil })
	}},
	{"a redemption returns no grant", []string{"codes/a code is redeemed for the tokens of its grant"}, func(f *faulty) {
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			issued, err := f.Store.RedeemCode(ctx, r)
			issued.Grant = store.Grant{}
			return issued, err
		}
	}},
	{"a code passes as a token", []string{"codes/a code is redeemed for the tokens of its grant"}, func(f *faulty) {
		codes := codesOf(f)
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if n, ok := codes[k]; ok {
				return store.Token{Hash: k.Hash, Kind: store.KindAccess}, n.Grant, nil
			}
			return f.Store.FindToken(ctx, k)
		}
	}},
	{"a second grant with an id is taken for the first", []string{"codes/a grant id is taken once", "races/of many that create one grant exactly one succeeds"}, func(f *faulty) {
		f.createGrant = func(ctx context.Context, n store.NewGrant) error {
			if err := f.Store.CreateGrant(ctx, n); !errors.Is(err, store.ErrExists) {
				return err
			}
			return nil
		}
	}},
	{"a grant that is refused leaves its consent", []string{"codes/a grant id is taken once"}, func(f *faulty) {
		f.createGrant = func(ctx context.Context, n store.NewGrant) error {
			err := f.Store.CreateGrant(ctx, n)
			if errors.Is(err, store.ErrExists) {
				n.Grant.ID = store.NewGrantID(n.Grant.CreatedAt, n.Grant.UserID)
				f.Store.CreateGrant(ctx, n)
			}
			return err
		}
	}},
	{"tokens outlive their grants", []string{"codes/an access token can be kept with a new grant", "codes/no token outlives the grant"}, uncut},
	{"an unknown code revokes", []string{"codes/a code that the grant never had is not found and changes nothing"}, func(f *faulty) {
		redeemedWith(f, store.ErrNotFound, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrNotFound
		})
	}},
	{"a code is known by its first half", []string{"codes/a code that the grant never had is not found and changes nothing"}, func(f *faulty) {
		codes := codesOf(f)
		redeeming(f, func(r *store.CodeRedemption) {
			for k := range codes {
				if k.GrantID == r.Key.GrantID && string(k.Hash[:16]) == string(r.Key.Hash[:16]) {
					r.Key = k
				}
			}
		})
	}},
	{"a mismatch revokes", []string{"codes/a mismatch is refused and changes nothing", "codes/a spent code of another application changes nothing"}, func(f *faulty) {
		redeemedWith(f, store.ErrMismatch, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrMismatch
		})
	}},
	{"a mismatch spends the code", []string{"codes/a mismatch is refused and changes nothing"}, func(f *faulty) {
		codes := codesOf(f)
		redeemedWith(f, store.ErrMismatch, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			n := codes[r.Key]
			r.ApplicationID, r.RedirectURI, r.Challenge = n.Grant.ApplicationID, n.Code.RedirectURI, n.Code.Challenge
			f.Store.RedeemCode(ctx, r)
			return store.Issued{}, store.ErrMismatch
		})
	}},
	{"a challenge is checked only if a verifier comes", []string{"codes/a mismatch is refused and changes nothing"}, func(f *faulty) {
		codes := codesOf(f)
		redeeming(f, func(r *store.CodeRedemption) {
			if n, ok := codes[r.Key]; ok && r.Challenge == "" {
				r.Challenge = n.Code.Challenge
			}
		})
	}},
	{"a redirect uri may always be left out", []string{"codes/a mismatch is refused and changes nothing"}, func(f *faulty) {
		codes := codesOf(f)
		redeeming(f, func(r *store.CodeRedemption) {
			if n, ok := codes[r.Key]; ok && r.RedirectURI == "" {
				r.RedirectURI = n.Code.RedirectURI
			}
		})
	}},
	{"redirect uris are compared without regard to case", []string{"codes/a mismatch is refused and changes nothing"}, func(f *faulty) {
		codes := codesOf(f)
		redeeming(f, func(r *store.CodeRedemption) {
			if n, ok := codes[r.Key]; ok && strings.EqualFold(r.RedirectURI, n.Code.RedirectURI) {
				r.RedirectURI = n.Code.RedirectURI
			}
		})
	}},
	{"a redirect uri may never be left out", []string{"codes/a redirect uri may be left out if the code says so"}, func(f *faulty) {
		redeeming(f, func(r *store.CodeRedemption) {
			if r.RedirectURI == "" {
				r.RedirectURI = "absent"
			}
		})
	}},
	{"every code needs a verifier", []string{"codes/a code without a challenge is redeemed without a verifier"}, func(f *faulty) {
		redeeming(f, func(r *store.CodeRedemption) {
			if r.Challenge == "" {
				r.Challenge = "absent"
			}
		})
	}},
	{"a spent code is refused and revokes nothing", []string{"codes/a spent code revokes the grant"}, func(f *faulty) {
		spent := map[store.Key]bool{}
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if spent[r.Key] {
				return store.Issued{}, store.ErrReused
			}
			issued, err := f.Store.RedeemCode(ctx, r)
			spent[r.Key] = err == nil
			return issued, err
		}
	}},
	{"a spent code is forgotten at once", []string{"codes/a spent code revokes the grant"}, func(f *faulty) {
		redeemedWith(f, store.ErrReused, func(context.Context, store.CodeRedemption) (store.Issued, error) {
			return store.Issued{}, store.ErrNotFound
		})
	}},
	{"a code works at its expiry", []string{"codes/a code works until just before its expiry"}, func(f *faulty) {
		redeeming(f, func(r *store.CodeRedemption) { r.At = r.At.Add(-tick) })
	}},
	{"an expired code is spent", []string{"codes/a code works until just before its expiry"}, func(f *faulty) {
		redeemedWith(f, store.ErrExpired, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			f.revokeID(ctx, r.Key.GrantID, r.At)
			return store.Issued{}, store.ErrExpired
		})
	}},
	{"the expiry of a code is looked at first", []string{"codes/refusals of a code come in the documented order"}, func(f *faulty) {
		codes := codesOf(f)
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if n, ok := codes[r.Key]; ok && !r.At.Before(n.Code.ExpiresAt) {
				return store.Issued{}, store.ErrExpired
			}
			return f.Store.RedeemCode(ctx, r)
		}
	}},
	{"the resource is looked at first", []string{"codes/refusals of a code come in the documented order"}, func(f *faulty) {
		codes := codesOf(f)
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if n, ok := codes[r.Key]; ok && r.Resource != "" && r.Resource != n.Grant.Resource {
				return store.Issued{}, store.ErrResource
			}
			return f.Store.RedeemCode(ctx, r)
		}
	}},
	{"a spent code counts before a mismatch", []string{"codes/a spent code of another application changes nothing"}, func(f *faulty) {
		spent := map[store.Key]bool{}
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			issued, err := f.Store.RedeemCode(ctx, r)
			if errors.Is(err, store.ErrMismatch) && spent[r.Key] {
				f.revokeID(ctx, r.Key.GrantID, r.At)
				err = store.ErrReused
			}
			spent[r.Key] = spent[r.Key] || err == nil
			return issued, err
		}
	}},
	{"a wrong resource spends the code", []string{
		"codes/another resource than the grant's is refused unspent", "codes/a resource is refused unspent where the grant is for none",
	}, func(f *faulty) {
		redeemedWith(f, store.ErrResource, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			r.Resource = ""
			f.Store.RedeemCode(ctx, r)
			return store.Issued{}, store.ErrResource
		})
	}},
	{"the resource that is asked for is ignored", []string{
		"codes/another resource than the grant's is refused unspent", "codes/a resource is refused unspent where the grant is for none",
	}, func(f *faulty) {
		redeeming(f, func(r *store.CodeRedemption) { r.Resource = "" })
	}},
	{"a grant for no resource is for each", []string{"codes/a resource is refused unspent where the grant is for none"}, func(f *faulty) {
		codes := codesOf(f)
		redeeming(f, func(r *store.CodeRedemption) {
			if codes[r.Key].Grant.Resource == "" {
				r.Resource = ""
			}
		})
	}},
	{"a resource that is named later binds the grant", []string{"codes/a resource is refused unspent where the grant is for none"}, func(f *faulty) {
		redeemedWith(f, store.ErrResource, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			resource := r.Resource
			r.Resource = ""
			issued, err := f.Store.RedeemCode(ctx, r)
			issued.Grant.Resource = resource
			return issued, err
		})
	}},
	{"no resource may be named with a code", []string{"codes/the grant's own resource may be named"}, func(f *faulty) {
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if r.Resource != "" {
				return store.Issued{}, store.ErrResource
			}
			return f.Store.RedeemCode(ctx, r)
		}
	}},
	{"no token and the zero hash are the same", []string{
		"codes/no refresh token is issued if none is offered", "tokens/a token that is not there is not found",
	}, func(f *faulty) {
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if k.Hash.IsZero() {
				return store.Token{Kind: store.KindRefresh}, store.Grant{ID: k.GrantID}, nil
			}
			return f.Store.FindToken(ctx, k)
		}
	}},
	{"a redemption without a refresh token is refused", []string{"codes/no refresh token is issued if none is offered"}, func(f *faulty) {
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			if r.Refresh == nil {
				return store.Issued{}, errors.New("no refresh token")
			}
			return f.Store.RedeemCode(ctx, r)
		}
	}},
	{"tokens are found by their hash alone", []string{"codes/a credential counts only under its own grant"}, func(f *faulty) {
		keys := map[store.Hash]store.Key{}
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			issued, err := f.Store.RedeemCode(ctx, r)
			if err == nil {
				keys[r.Access.Hash] = store.Key{GrantID: r.Key.GrantID, Hash: r.Access.Hash}
			}
			return issued, err
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if known, ok := keys[k.Hash]; ok {
				k = known
			}
			return f.Store.FindToken(ctx, k)
		}
	}},
	{"what a refused redemption offered is kept", []string{"codes/a spent code revokes the grant"}, func(f *faulty) {
		kept := map[store.Hash]bool{}
		f.redeemCode = func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			issued, err := f.Store.RedeemCode(ctx, r)
			kept[r.Access.Hash] = err != nil
			return issued, err
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if kept[k.Hash] {
				return store.Token{Hash: k.Hash, Kind: store.KindAccess}, store.Grant{ID: k.GrantID}, nil
			}
			return f.Store.FindToken(ctx, k)
		}
	}},
}
