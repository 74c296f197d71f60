package memory

import (
	"cmp"
	"context"
	"slices"
	"unique"

	"github.com/latchkey-go/latchkey/store"
)

// A consent is a store.Consent, packed. It stands with its user, under the
// lock of the user's shard.
type consent struct {
	application text
	scopes      scopeSet

	agreed   scopeSet // for resource, at agreedAt
	resource text

	agreedAt, createdAt, lastUsedAt instant
}

func (c *consent) out(userID string) store.Consent {
	return store.Consent{
		UserID:        userID,
		ApplicationID: c.application.Value(),
		Scopes:        c.scopes.set(),
		Agreed:        c.agreed.set(),
		Resource:      c.resource.Value(),
		AgreedAt:      c.agreedAt.time(),
		CreatedAt:     c.createdAt.time(),
		LastUsedAt:    c.lastUsedAt.time(),
	}
}

// consent returns the user's consent to the application, or nil.
func (u *user) consent(application text) *consent {
	for i := range u.consents {
		if u.consents[i].application == application {
			return &u.consents[i]
		}
	}
	return nil
}

// agree notes in the user's consent what a new grant allows.
func (u *user) agree(g *grant) {
	c := u.consent(g.application)
	if c == nil {
		u.consents = append(u.consents, consent{
			application: g.application,
			scopes:      g.scopes,
			agreed:      scopeSetOf(nil),
			resource:    unique.Make(""),
			createdAt:   g.createdAt,
		})
		c = &u.consents[len(u.consents)-1]
	}
	c.scopes = c.scopes.union(g.scopes)
	c.lastUsedAt = g.createdAt
	if g.agreedAt == 0 {
		return // The page was skipped, so nothing was said yes to.
	}
	if c.agreedAt != 0 && c.resource == g.resource {
		c.agreed = c.agreed.union(g.scopes)
	} else {
		c.agreed = g.scopes
	}
	c.resource, c.agreedAt = g.resource, g.agreedAt
}

// FindConsent implements [store.Grants].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	if err := ctx.Err(); err != nil {
		return store.Consent{}, err
	}
	sh := s.shardOf(store.UserTag(userID))
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	u := sh.users[userID]
	if u == nil {
		return store.Consent{}, store.ErrNotFound
	}
	c := u.consent(unique.Make(applicationID))
	if c == nil {
		return store.Consent{}, store.ErrNotFound
	}
	return c.out(userID), nil
}

// ListConsents implements [store.Grants].
func (s *Store) ListConsents(ctx context.Context, userID string) ([]store.Consent, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	consents := s.consentsOf(userID)
	slices.SortFunc(consents, func(a, b store.Consent) int {
		return cmp.Or(b.LastUsedAt.Compare(a.LastUsedAt), cmp.Compare(a.ApplicationID, b.ApplicationID))
	})
	return consents, nil
}

func (s *Store) consentsOf(userID string) []store.Consent {
	sh := s.shardOf(store.UserTag(userID))
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	u := sh.users[userID]
	if u == nil {
		return nil
	}
	consents := make([]store.Consent, len(u.consents))
	for i := range u.consents {
		consents[i] = u.consents[i].out(userID)
	}
	return consents
}

// forgetConsents deletes the consents that go with the grants that f matches.
// To end one grant is not to take back what was agreed.
func (sh *shard) forgetConsents(f store.GrantFilter) {
	if !f.ID.IsZero() {
		return
	}
	if f.UserID == "" {
		for _, u := range sh.users {
			sh.forgetConsentsOf(u, f.ApplicationID)
		}
	} else if u := sh.users[f.UserID]; u != nil {
		sh.forgetConsentsOf(u, f.ApplicationID)
	}
}

// forgetConsentsOf deletes the user's consent to the application, or all of
// the user's if none is named.
func (sh *shard) forgetConsentsOf(u *user, applicationID string) {
	u.consents = slices.DeleteFunc(u.consents, func(c consent) bool {
		return applicationID == "" || c.application.Value() == applicationID
	})
	sh.forgetIfEmpty(u)
}
