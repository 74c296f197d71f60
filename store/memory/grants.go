package memory

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
	"unique"

	"github.com/latchkey-go/latchkey/store"
)

// CreateGrant implements [store.Grants].
func (s *Store) CreateGrant(ctx context.Context, n store.NewGrant) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.Check(); err != nil {
		return err
	}

	sh := s.shardOf(n.Grant.ID.Tag())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.grants[n.Grant.ID] != nil {
		return store.ErrExists
	}
	g := newGrant(n, sh.user(n.Grant.UserID))
	sh.add(g)
	g.user.agree(g)
	return nil
}

func newGrant(n store.NewGrant, u *user) *grant {
	g := &grant{
		id:          n.Grant.ID,
		user:        u,
		application: unique.Make(n.Grant.ApplicationID),
		resource:    unique.Make(n.Grant.Resource),
		scopes:      scopeSetOf(n.Grant.Scopes),
		createdAt:   instantOf(n.Grant.CreatedAt),
		lastUsedAt:  instantOf(n.Grant.LastUsedAt),
		agreedAt:    instantOf(n.Grant.AgreedAt),
		expiresAt:   instantOf(n.Grant.ExpiresAt),
		revokedAt:   instantOf(n.Grant.RevokedAt),
	}
	if n.Code != nil {
		g.code = &code{
			hash:             n.Code.Hash,
			redirectURI:      unique.Make(n.Code.RedirectURI),
			redirectOptional: n.Code.RedirectOptional,
			challenge:        strings.Clone(n.Code.Challenge), // which may be cut from a long request
			expiresAt:        instantOf(n.Code.ExpiresAt),
		}
	}
	if n.Access != nil {
		g.giveAccess(*n.Access, g.scopes, g.createdAt)
	}
	return g
}

// FindToken implements [store.Grants].
func (s *Store) FindToken(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
	if err := ctx.Err(); err != nil {
		return store.Token{}, store.Grant{}, err
	}
	sh := s.shardOf(k.GrantID.Tag())
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	g := sh.grants[k.GrantID]
	if g == nil {
		return store.Token{}, store.Grant{}, store.ErrNotFound
	}
	if i := g.findAccess(k.Hash); i >= 0 {
		token, grant := g.withToken(g.access[i].out(), g.access[i].scopes)
		return token, grant, nil
	}
	if t, at := g.findRefresh(k.Hash); at != nowhere {
		token, grant := g.withToken(g.refreshOut(t, at != current), g.scopes)
		return token, grant, nil
	}
	return store.Token{}, store.Grant{}, store.ErrNotFound
}

// RevokeToken implements [store.Grants].
func (s *Store) RevokeToken(ctx context.Context, r store.TokenRevocation) error {
	if err := cmp.Or(ctx.Err(), r.Check()); err != nil {
		return err
	}
	sh := s.shardOf(r.Key.GrantID.Tag())
	sh.mu.Lock()
	defer sh.mu.Unlock()
	g := sh.grants[r.Key.GrantID]
	if g == nil {
		return nil
	}
	access := g.findAccess(r.Key.Hash)
	_, refresh := g.findRefresh(r.Key.Hash)
	switch {
	case access < 0 && refresh == nowhere:
		return nil
	case g.application.Value() != r.ApplicationID:
		return store.ErrMismatch
	case refresh != nowhere:
		g.revoke(instantOf(r.At))
	default:
		g.endAccess(access)
	}
	return nil
}

// ListGrants implements [store.Grants].
func (s *Store) ListGrants(ctx context.Context, q store.GrantQuery) ([]store.Grant, int, error) {
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	limit, err := store.CheckPage(q.Limit, q.Offset)
	if err != nil {
		return nil, 0, err
	}
	var matched []store.Grant
	shards := s.shardsOf(q.GrantFilter)
	for i := range shards {
		sh := &shards[i]
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		sh.mu.RLock()
		for _, g := range sh.matching(q.GrantFilter) {
			if g.revokedAt == 0 {
				matched = append(matched, g.out())
			}
		}
		sh.mu.RUnlock()
	}
	slices.SortFunc(matched, func(a, b store.Grant) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), bytes.Compare(b.ID[:], a.ID[:]))
	})
	return slices.Clone(page(matched, limit, q.Offset)), len(matched), nil
}

// RevokeGrants implements [store.Grants].
func (s *Store) RevokeGrants(ctx context.Context, f store.GrantFilter, at time.Time) (int, error) {
	if err := cmp.Or(ctx.Err(), store.CheckTime(at)); err != nil {
		return 0, err
	}
	revoked := 0
	shards := s.shardsOf(f)
	for i := range shards {
		sh := &shards[i]
		if err := ctx.Err(); err != nil {
			return revoked, err
		}
		sh.mu.Lock()
		for _, g := range sh.matching(f) {
			if g.revoke(instantOf(at)) {
				revoked++
			}
		}
		sh.forgetConsents(f)
		sh.mu.Unlock()
	}
	return revoked, nil
}

// shardsOf returns the shards that can have grants or consents which f
// matches: one if it names a grant or a user.
func (s *Store) shardsOf(f store.GrantFilter) []shard {
	var tag uint16
	switch {
	case f.IsZero():
		return nil
	case !f.ID.IsZero():
		tag = f.ID.Tag()
	case f.UserID != "":
		tag = store.UserTag(f.UserID)
	default:
		return s.shards[:]
	}
	i := tag % shardCount
	return s.shards[i : i+1]
}

// matching returns the shard's grants that f matches, revoked ones too.
func (sh *shard) matching(f store.GrantFilter) []*grant {
	var matched []*grant
	consider := func(g *grant) {
		if (f.UserID == "" || f.UserID == g.user.id) && (f.ApplicationID == "" || f.ApplicationID == g.application.Value()) {
			matched = append(matched, g)
		}
	}
	switch {
	case !f.ID.IsZero():
		if g := sh.grants[f.ID]; g != nil {
			consider(g)
		}
	case f.UserID != "":
		if u := sh.users[f.UserID]; u != nil {
			for _, g := range u.grants {
				consider(g)
			}
		}
	default:
		for _, g := range sh.grants {
			consider(g)
		}
	}
	return matched
}
