package provider

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// FoundToken is what [Provider.LookupToken] returns about a token.
type FoundToken struct {
	Token // its owner and scopes; not necessarily a live access token

	Refresh  bool      // a refresh token, not an access token
	IssuedAt time.Time // zero, like ExpiresAt, for a refresh token that doesn't work

	// Live reports whether the token works. If it doesn't, one of the others
	// says why: Expired; Revoked, so its sign-in was ended; Spent, for a refresh
	// token that was exchanged for the next one; UserGone if Config.Users
	// doesn't find its user; UserLeft if Config.Workspaces.Member says that the
	// user has left its workspace.
	Live, Expired, Revoked, Spent, UserGone, UserLeft bool
}

// LookupToken returns the owner and the state of an access or refresh token,
// for any resource. Use it when a token has leaked. Looking a token up doesn't
// use it. To end its sign-in, call [Provider.RevokeGrants] with its GrantID.
//
// The error wraps [store.ErrNotFound] if the provider never issued this token,
// or has already deleted the record of one that ended long ago. Any other error
// means that the store, Config.Users, or Config.Workspaces can't answer.
func (p *Provider) LookupToken(ctx context.Context, token string) (FoundToken, error) {
	found, err := p.lookUp(ctx, token)
	if err != nil {
		return FoundToken{}, fmt.Errorf("provider: look up token: %w", err)
	}
	return found, nil
}

func (p *Provider) lookUp(ctx context.Context, token string) (FoundToken, error) {
	t, err := p.findToken(ctx, token, rules.KindAccess, rules.KindRefresh)
	if errors.Is(err, rules.ErrNotFound) {
		return FoundToken{}, store.ErrNotFound
	} else if err != nil {
		return FoundToken{}, err
	}
	if !t.machine() {
		_, err = p.user(ctx, t.userID)
	}
	gone := errors.Is(err, userinfo.ErrNotFound)
	if err != nil && !gone {
		return FoundToken{}, fmt.Errorf("Config.Users: %w", err)
	}
	err = p.checkMember(ctx, t.userID, t.workspaceID)
	left := errors.Is(err, errNotMember)
	if err != nil && !left {
		return FoundToken{}, fmt.Errorf("Config.Workspaces: %w", err)
	}
	found := FoundToken{
		Token: *t.public(), Refresh: t.kind == rules.KindRefresh, IssuedAt: t.issuedAt,
		Live: t.dead == nil && !gone && !left, Expired: errors.Is(t.dead, rules.ErrExpired),
		Revoked: errors.Is(t.dead, rules.ErrRevoked), Spent: errors.Is(t.dead, rules.ErrReused), UserGone: gone, UserLeft: left,
	}
	switch {
	case !found.Refresh: // It can be both revoked and expired.
		found.Expired = !p.now().Before(t.expiresAt)
	case t.dead != nil: // The rules keep only the times of the current one.
		found.IssuedAt, found.ExpiresAt = time.Time{}, time.Time{}
	}
	return found, nil
}
