package storetest

import (
	"context"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// agreeing makes every consent that is returned pass through edit.
func agreeing(f *faulty, edit func(*store.Consent)) {
	f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
		c, err := f.Store.FindConsent(ctx, userID, applicationID)
		edit(&c)
		return c, err
	}
}

// granting makes every new grant pass through edit first.
func granting(f *faulty, edit func(*store.NewGrant)) {
	f.createGrant = func(ctx context.Context, n store.NewGrant) error {
		edit(&n)
		return f.Store.CreateGrant(ctx, n)
	}
}

// revoking makes every filter pass through edit first.
func revoking(f *faulty, edit func(*store.GrantFilter)) {
	f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
		edit(&filter)
		return f.Store.RevokeGrants(ctx, filter, at)
	}
}

// cleaning makes every cleanup pass through edit first.
func cleaning(f *faulty, edit func(*store.Expiry)) {
	f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) {
		edit(&e)
		return f.Store.DeleteExpired(ctx, e)
	}
}

// one is a user's consent to an application.
type one struct{ userID, applicationID string }

var wrongConsents = []wrong{
	{"a consent begins when the machine says", []string{"consents/a first grant makes the consent"}, func(f *faulty) {
		agreeing(f, func(c *store.Consent) { c.CreatedAt = c.CreatedAt.Add(time.Minute) })
	}},
	{"a consent was last used when its grant was", []string{"consents/a first grant makes the consent"}, func(f *faulty) {
		used := map[one]time.Time{}
		granting(f, func(n *store.NewGrant) { used[one{n.Grant.UserID, n.Grant.ApplicationID}] = n.Grant.LastUsedAt })
		agreeing(f, func(c *store.Consent) { c.LastUsedAt = used[one{c.UserID, c.ApplicationID}] })
	}},
	{"an absent consent is the zero one", []string{"consents/an absent consent is not found"}, func(f *faulty) {
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			c, _ := f.Store.FindConsent(ctx, userID, applicationID)
			return c, ctx.Err()
		}
	}},
	{"a further grant replaces the scopes", []string{"consents/each further grant adds to the consent"}, func(f *faulty) {
		last := map[one]scopes.Set{}
		granting(f, func(n *store.NewGrant) { last[one{n.Grant.UserID, n.Grant.ApplicationID}] = n.Grant.Scopes })
		agreeing(f, func(c *store.Consent) { c.Scopes = last[one{c.UserID, c.ApplicationID}] })
	}},
	{"a further grant begins the consent anew", []string{"consents/each further grant adds to the consent"}, func(f *faulty) {
		agreeing(f, func(c *store.Consent) { c.CreatedAt = c.LastUsedAt })
	}},
	{"a further grant replaces what is agreed to", []string{"consents/what is agreed to adds up for one resource"}, func(f *faulty) {
		last := map[one]scopes.Set{}
		granting(f, func(n *store.NewGrant) { last[one{n.Grant.UserID, n.Grant.ApplicationID}] = n.Grant.Scopes })
		agreeing(f, func(c *store.Consent) { c.Agreed = last[one{c.UserID, c.ApplicationID}] })
	}},
	{"what is agreed to adds up over resources", []string{"consents/what is agreed to starts anew for another resource"}, func(f *faulty) {
		agreeing(f, func(c *store.Consent) { c.Agreed = c.Scopes })
	}},
	{"a skipped page counts as agreement", []string{"consents/a grant whose page was skipped leaves what is agreed to"}, func(f *faulty) {
		granting(f, func(n *store.NewGrant) {
			if n.Grant.AgreedAt.IsZero() {
				n.Grant.AgreedAt = n.Grant.CreatedAt
			}
		})
	}},
	{"a skipped page changes the resource", []string{"consents/a grant whose page was skipped leaves what is agreed to"}, func(f *faulty) {
		last := map[one]string{}
		granting(f, func(n *store.NewGrant) { last[one{n.Grant.UserID, n.Grant.ApplicationID}] = n.Grant.Resource })
		agreeing(f, func(c *store.Consent) { c.Resource = last[one{c.UserID, c.ApplicationID}] })
	}},
	{"there is one consent for each user", []string{"consents/there is one consent for each user and application"}, func(f *faulty) {
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			list, err := f.Store.ListConsents(ctx, userID)
			if err != nil || len(list) == 0 {
				return store.Consent{}, store.ErrNotFound
			}
			return list[0], nil
		}
	}},
	{"consents are listed last used last", []string{"consents/consents are listed most recently used first"}, func(f *faulty) {
		f.listConsents = func(ctx context.Context, userID string) ([]store.Consent, error) {
			list, err := f.Store.ListConsents(ctx, userID)
			slices.Reverse(list)
			return list, err
		}
	}},
	{"a consent goes with its last grant", []string{"consents/a consent outlives its grants", "cleanup/applications and consents stay"}, func(f *faulty) {
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			_, live, _ := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{UserID: userID, ApplicationID: applicationID}})
			if live == 0 {
				return store.Consent{}, store.ErrNotFound
			}
			return f.Store.FindConsent(ctx, userID, applicationID)
		}
	}},
	{"the tag stands for the user", []string{"consents/users who share a tag are kept apart"}, func(f *faulty) {
		users := map[string]bool{}
		granting(f, func(n *store.NewGrant) { users[n.Grant.UserID] = true })
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			n, err := f.Store.RevokeGrants(ctx, filter, at)
			for user := range users {
				if filter.UserID != "" && user != filter.UserID && store.UserTag(user) == store.UserTag(filter.UserID) {
					filter.UserID = user
					more, _ := f.Store.RevokeGrants(ctx, filter, at)
					n += more
				}
			}
			return n, err
		}
	}},
}

var wrongRevocation = []wrong{
	{"a filter with an id ignores the rest", []string{"revocation/a filter revokes what it matches and nothing else"}, func(f *faulty) {
		revoking(f, func(filter *store.GrantFilter) {
			if !filter.ID.IsZero() {
				filter.UserID, filter.ApplicationID = "", ""
			}
		})
	}},
	{"a user's grants are revoked for every application", []string{"revocation/a filter revokes what it matches and nothing else"}, func(f *faulty) {
		revoking(f, func(filter *store.GrantFilter) {
			if filter.UserID != "" && filter.ID.IsZero() {
				filter.ApplicationID = ""
			}
		})
	}},
	{"to end a grant is to take the consent back", []string{"revocation/a filter revokes what it matches and nothing else", "consents/a consent outlives its grants"}, func(f *faulty) {
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			page, _, _ := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: store.GrantFilter{ID: filter.ID}})
			n, err := f.Store.RevokeGrants(ctx, filter, at)
			for _, g := range page {
				f.Store.RevokeGrants(ctx, store.GrantFilter{UserID: g.UserID, ApplicationID: g.ApplicationID}, at)
			}
			return n, err
		}
	}},
	{"consents stay when a user's grants are revoked", []string{"revocation/a filter revokes what it matches and nothing else", "revocation/a consent without grants is deleted too"}, func(f *faulty) {
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			page, total, err := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: filter, Limit: 1000})
			for _, g := range page {
				f.revokeID(ctx, g.ID, at)
			}
			return total, err
		}
	}},
	{"the empty filter matches everything", []string{"revocation/the empty filter matches nothing"}, func(f *faulty) {
		apps := map[string]bool{}
		granting(f, func(n *store.NewGrant) { apps[n.Grant.ApplicationID] = true })
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			n, err := f.Store.RevokeGrants(ctx, filter, at)
			for app := range apps {
				if filter.IsZero() {
					more, _ := f.Store.RevokeGrants(ctx, store.GrantFilter{ApplicationID: app}, at)
					n += more
				}
			}
			return n, err
		}
	}},
	{"a second revocation counts", []string{"revocation/what was revoked before does not count and keeps its time"}, func(f *faulty) {
		revoked := map[store.GrantFilter]int{}
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			n, err := f.Store.RevokeGrants(ctx, filter, at)
			revoked[filter] += n
			return revoked[filter], err
		}
	}},
	{"a second revocation moves the time", []string{"revocation/what was revoked before does not count and keeps its time"}, func(f *faulty) {
		last := map[store.GrantID]time.Time{}
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			last[filter.ID] = at
			return f.Store.RevokeGrants(ctx, filter, at)
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			token, grant, err := f.Store.FindToken(ctx, k)
			if at, ok := last[k.GrantID]; ok {
				grant.RevokedAt = at
			}
			return token, grant, err
		}
	}},
	{"a code of a revoked grant is redeemed", []string{"revocation/nothing works on a revoked grant", "codes/refusals of a code come in the documented order"}, func(f *faulty) {
		redeemedWith(f, store.ErrRevoked, func(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
			return store.Issued{Grant: store.Grant{ID: r.Key.GrantID}}, nil
		})
	}},
	{"a retry is answered on a revoked grant", []string{"revocation/nothing works on a revoked grant"}, func(f *faulty) {
		last := rotationsOf(f, unchanged)
		rotate := f.rotateRefresh
		f.rotateRefresh = func(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
			if of, ok := last[r.Key.GrantID]; ok && of.Key == r.Key && r.At.Sub(of.At) <= r.Grace {
				return store.Issued{Salt: of.Salt, Retried: true}, nil
			}
			return rotate(ctx, r)
		}
	}},
	{"only one page of grants is revoked", []string{"revocation/however many grants match, all are revoked"}, func(f *faulty) {
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			page, _, err := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: filter, Limit: 100})
			for _, g := range page {
				f.revokeID(ctx, g.ID, at)
			}
			return len(page), err
		}
	}},
	{"a consent is deleted only beside a grant", []string{"revocation/a consent without grants is deleted too"}, func(f *faulty) {
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			if _, total, err := f.Store.ListGrants(ctx, store.GrantQuery{GrantFilter: filter}); total == 0 {
				return 0, err
			}
			return f.Store.RevokeGrants(ctx, filter, at)
		}
	}},
	{"a consent that was taken back never returns", []string{"revocation/a new grant after a revocation is a fresh start"}, func(f *faulty) {
		gone := map[string]bool{}
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			gone[filter.UserID] = true
			return f.Store.RevokeGrants(ctx, filter, at)
		}
		f.findConsent = func(ctx context.Context, userID, applicationID string) (store.Consent, error) {
			if gone[userID] {
				return store.Consent{}, store.ErrNotFound
			}
			return f.Store.FindConsent(ctx, userID, applicationID)
		}
	}},
	{"grants are listed oldest first", []string{"revocation/grants are listed newest first, without the revoked ones", "revocation/a list of grants comes in pages and counts all that match"}, func(f *faulty) {
		f.listGrants = func(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
			page, total, err := f.Store.ListGrants(ctx, q)
			slices.Reverse(page)
			return page, total, err
		}
	}},
	{"grants are listed by their ids", []string{"revocation/grants are listed newest first, without the revoked ones"}, func(f *faulty) {
		f.listGrants = func(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
			page, total, err := f.Store.ListGrants(ctx, q)
			slices.SortFunc(page, func(a, b store.Grant) int { return -slices.Compare(a.ID[:], b.ID[:]) })
			return page, total, err
		}
	}},
	{"grants of all applications are listed", []string{"revocation/grants are listed by what the filter names"}, func(f *faulty) {
		f.listGrants = func(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
			if q.UserID != "" {
				q.ApplicationID = ""
			}
			return f.Store.ListGrants(ctx, q)
		}
	}},
	{"the total of grants is the length of the page", []string{"revocation/a list of grants comes in pages and counts all that match"}, func(f *faulty) {
		f.listGrants = func(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
			page, _, err := f.Store.ListGrants(ctx, q)
			return page, len(page), err
		}
	}},
}

// longAfter is when everything is over.
var longAfter = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

var wrongCleanup = []wrong{
	{"a cleanup always counts one", []string{"cleanup/a cleanup of nothing touches nothing"}, func(f *faulty) {
		f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) {
			n, err := f.Store.DeleteExpired(ctx, e)
			return max(n, 1), err
		}
	}},
	{"a cleanup without a limit is one of everything", []string{"cleanup/a cleanup without a limit is an error"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) {
			if e.Limit <= 0 {
				e.Limit = 1 << 30
			}
		})
	}},
	{"a cleanup does nothing", []string{
		"cleanup/expired tokens are removed, and what lives on their grant stays", "cleanup/a grant on which nothing lives is removed",
		"cleanup/a cleanup that touches less than its limit is complete", "cleanup/salts are forgotten that are older than asked",
	}, func(f *faulty) {
		f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) { return 0, nil }
	}},
	{"a cleanup removes what lives for three more hours", []string{
		"cleanup/a grant lives as long as anything on it", "cleanup/a chain goes on after any cleanup",
		"races/a cleanup beside traffic breaks no chain",
	}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.Before = e.Before.Add(3 * time.Hour) })
	}},
	{"a cleanup leaves what expires at its time", []string{"cleanup/the time of expiry itself is already too late"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.Before = e.Before.Add(-tick) })
	}},
	{"a cleanup removes what expires just after its time", []string{"cleanup/the time of expiry itself is already too late"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.Before = e.Before.Add(tick) })
	}},
	{"a revoked grant is removed at once", []string{"cleanup/a revoked grant is removed after its time only"}, func(f *faulty) {
		revoked := map[store.GrantID]bool{}
		f.revokeGrants = func(ctx context.Context, filter store.GrantFilter, at time.Time) (int, error) {
			revoked[filter.ID] = true
			return f.Store.RevokeGrants(ctx, filter, at)
		}
		f.findToken = func(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
			if revoked[k.GrantID] {
				return store.Token{}, store.Grant{}, store.ErrNotFound
			}
			return f.Store.FindToken(ctx, k)
		}
	}},
	{"a cleanup has no bound", []string{"cleanup/a cleanup touches no more than its limit"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.Limit = 1 << 30 })
	}},
	{"a cleanup says its limit whatever it did", []string{"cleanup/a cleanup touches no more than its limit"}, func(f *faulty) {
		f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) {
			limit := e.Limit
			e.Limit = 1 << 30
			n, err := f.Store.DeleteExpired(ctx, e)
			return min(n, limit), err
		}
	}},
	{"a cleanup stops early", []string{"cleanup/a cleanup that touches less than its limit is complete"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.Limit = min(e.Limit, 5) })
	}},
	{"salts are never forgotten", []string{"cleanup/salts are forgotten that are older than asked"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.RotatedBefore = time.Time{} })
	}},
	{"salts are always forgotten", []string{
		"cleanup/salts are forgotten that are older than asked", "cleanup/a chain goes on after any cleanup", "races/a cleanup beside traffic breaks no chain",
	}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.RotatedBefore = longAfter })
	}},
	{"the salt of a rotation at the very time is forgotten", []string{"cleanup/salts are forgotten that are older than asked"}, func(f *faulty) {
		cleaning(f, func(e *store.Expiry) { e.RotatedBefore = e.RotatedBefore.Add(tick) })
	}},
	{"a cleanup forgets spent codes", []string{"cleanup/a spent code is remembered until its expiry"}, func(f *faulty) {
		cleaned := false
		f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) {
			cleaned = true
			return f.Store.DeleteExpired(ctx, e)
		}
		redeemedWith(f, store.ErrReused, func(context.Context, store.CodeRedemption) (store.Issued, error) {
			if cleaned {
				return store.Issued{}, store.ErrNotFound
			}
			return store.Issued{}, store.ErrReused
		})
	}},
	{"a cleanup forgets spent refresh tokens", []string{"cleanup/a spent refresh token is remembered until its expiry"}, func(f *faulty) {
		cleaned := false
		f.deleteExpired = func(ctx context.Context, e store.Expiry) (int, error) {
			cleaned = true
			return f.Store.DeleteExpired(ctx, e)
		}
		rotatedWith(f, store.ErrReused, func(context.Context, store.RefreshRotation) (store.Issued, error) {
			if cleaned {
				return store.Issued{}, store.ErrNotFound
			}
			return store.Issued{}, store.ErrReused
		})
	}},
}
