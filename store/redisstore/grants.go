package redisstore

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// CreateGrant implements [store.Grants].
func (s *Store) CreateGrant(ctx context.Context, n store.NewGrant) error {
	if err := cmp.Or(ctx.Err(), n.Check()); err != nil {
		return err
	}
	g := n.Grant
	fields := []any{"u", g.UserID, "a", g.ApplicationID}
	add := func(field, value string) {
		if value != "" {
			fields = append(fields, field, value)
		}
	}
	add("s", setText(g.Scopes))
	add("r", g.Resource)
	add("c", timeText(g.CreatedAt))
	add("l", timeText(g.LastUsedAt))
	add("g", timeText(g.AgreedAt))
	add("e", timeText(g.ExpiresAt))
	add("v", timeText(g.RevokedAt))

	var expires time.Time
	if n.Code != nil {
		expires = n.Code.ExpiresAt
		add("h", string(n.Code.Hash[:]))
		add("d", hashText(n.Code.RedirectURI))
		if n.Code.RedirectOptional {
			add("o", "1")
		}
		add("p", n.Code.Challenge)
		add("q", number(expires))
	} else {
		expires = n.Access.ExpiresAt
		if !g.ExpiresAt.IsZero() && g.ExpiresAt.Before(expires) {
			expires = g.ExpiresAt
		}
		add("A"+string(n.Access.Hash[:]), number(g.CreatedAt)+separator+number(expires))
	}
	first := expires
	if !g.RevokedAt.IsZero() && g.RevokedAt.Before(first) {
		first = g.RevokedAt
	}

	sh := shardOf(g.ID.Tag())
	args := append([]any{
		newAttempt(), member(g.ID, g.ApplicationID), g.UserID, g.ApplicationID, number(g.CreatedAt),
		setText(g.Scopes), g.Resource, timeText(g.AgreedAt), timeText(g.RevokedAt), number(expires), number(first),
	}, fields...)
	answer, err := s.run(ctx, createGrant, []string{
		s.keys.grant(g.ID), s.keys.tag(g.ID.Tag()), s.keys.application(sh, g.ApplicationID), s.keys.due(sh),
		s.keys.consents(g.UserID), s.keys.consenters(sh, g.ApplicationID),
	}, args...)
	if err != nil {
		return err
	}
	return outcome(answer)
}

// number returns a time that a script computes with, where even the zero time
// is a number.
func number(t time.Time) string { return strconv.FormatInt(t.UnixMicro(), 10) }

// hashText returns the SHA-256 of a text. Redirect URIs are only compared, so
// their hash will do, which is short whatever they are.
func hashText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

// outcomes are what the scripts call the outcomes of the contract.
var outcomes = map[string]error{
	"created": nil, "redeemed": nil, "rotated": nil, "retried": nil, "updated": nil, "deleted": nil, "done": nil,
	"decided": nil, "polled": nil, "too soon": nil,
	"not found": store.ErrNotFound,
	"exists":    store.ErrExists,
	"conflict":  store.ErrConflict,
	"mismatch":  store.ErrMismatch,
	"revoked":   store.ErrRevoked,
	"reused":    store.ErrReused,
	"expired":   store.ErrExpired,
	"scope":     store.ErrScope,
	"resource":  store.ErrResource,
	"differs":   store.ErrDiffers,
}

// outcome returns the error that a script means by its answer.
func outcome(answer any) error {
	name, _ := answer.(string)
	err, ok := outcomes[name]
	if !ok {
		return fmt.Errorf("redisstore: a script answers %q", answer)
	}
	return err
}

// FindToken implements [store.Grants]. It is a single HMGET of what can be the
// token, by the names that it would have, and of its grant.
func (s *Store) FindToken(ctx context.Context, k store.Key) (store.Token, store.Grant, error) {
	if k.Hash.IsZero() {
		return store.Token{}, store.Grant{}, cmp.Or(ctx.Err(), store.ErrNotFound)
	}
	fields := append(slices.Clip(slices.Clone(grantFields)), "A"+string(k.Hash[:]), "rh", "ri", "rx", "ph", "pi", "px", "S"+string(k.Hash[:8]))
	values, err := await(ctx, func() ([]any, error) { return s.client.HMGet(ctx, s.keys.grant(k.GrantID), fields...).Result() })
	if err != nil {
		return store.Token{}, store.Grant{}, fmt.Errorf("redisstore: %w", err)
	}

	var r reader
	g, ok := r.grant(k.GrantID, values)
	if !ok {
		return store.Token{}, store.Grant{}, store.ErrNotFound
	}
	text := texts(values[len(grantFields):], 8)
	access, current, previous, spent := text[0], text[1:4], text[4:7], text[7]
	t := store.Token{Kind: store.KindRefresh, Scopes: slices.Clone(g.Scopes)}
	switch {
	case access != "":
		t = r.access(g, access)
		t.Scopes = slices.Clone(t.Scopes)
	case k.Hash.Equal(hashOf(current[0])):
		t.IssuedAt, t.ExpiresAt = r.time(current[1]), r.time(current[2])
	case k.Hash.Equal(hashOf(previous[0])):
		t.IssuedAt, t.ExpiresAt, t.Spent = r.time(previous[1]), r.time(previous[2]), true
	case spent != "":
		t.ExpiresAt, t.Spent = r.time(spent), true
	default:
		return store.Token{}, store.Grant{}, store.ErrNotFound
	}
	t.Hash = k.Hash
	return t, g, r.err
}

// hashOf returns the hash whose bytes were kept, or the zero hash.
func hashOf(text string) (h store.Hash) {
	copy(h[:], text)
	return h
}

// RevokeToken implements [store.Grants].
func (s *Store) RevokeToken(ctx context.Context, r store.TokenRevocation) error {
	if err := cmp.Or(ctx.Err(), r.Check()); err != nil {
		return err
	}
	answer, err := s.run(ctx, revokeToken, s.chainKeys(r.Key.GrantID, r.ApplicationID),
		member(r.Key.GrantID, r.ApplicationID), r.ApplicationID, number(r.At), string(r.Key.Hash[:]))
	if err != nil {
		return err
	}
	return outcome(answer)
}

// chainKeys are the keys of the steps by token. The application is the one
// that presents the token; if it is not the grant's, nothing is changed.
func (s *Store) chainKeys(id store.GrantID, applicationID string) []string {
	sh := shardOf(id.Tag())
	return []string{s.keys.grant(id), s.keys.application(sh, applicationID), s.keys.due(sh), s.keys.salts(sh)}
}
