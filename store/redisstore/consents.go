package redisstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/latchkey-go/latchkey/store"
)

// FindConsent implements [store.Grants].
func (s *Store) FindConsent(ctx context.Context, userID, applicationID string) (store.Consent, error) {
	kept, err := await(ctx, func() (string, error) {
		return s.client.HGet(ctx, s.keys.consents(userID), applicationID).Result()
	})
	if errors.Is(err, redis.Nil) {
		return store.Consent{}, store.ErrNotFound
	}
	if err != nil {
		return store.Consent{}, fmt.Errorf("redisstore: %w", err)
	}
	var r reader
	c := r.consent(userID, applicationID, kept)
	return c, r.err
}

// ListConsents implements [store.Grants].
func (s *Store) ListConsents(ctx context.Context, userID string) ([]store.Consent, error) {
	kept, err := await(ctx, func() (map[string]string, error) {
		return s.client.HGetAll(ctx, s.keys.consents(userID)).Result()
	})
	if err != nil {
		return nil, fmt.Errorf("redisstore: %w", err)
	}
	var r reader
	consents := make([]store.Consent, 0, len(kept))
	for applicationID, text := range kept {
		consents = append(consents, r.consent(userID, applicationID, text))
	}
	slices.SortFunc(consents, func(a, b store.Consent) int {
		return cmp.Or(b.LastUsedAt.Compare(a.LastUsedAt), cmp.Compare(a.ApplicationID, b.ApplicationID))
	})
	return consents, r.err
}
