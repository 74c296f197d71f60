package provider

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Grant is one sign-in of one user to one application on one device. Its code
// and tokens belong to it: when it ends, they stop working. The grant of a
// machine has no user and one access token.
type Grant struct {
	ID            store.ID
	UserID        string // empty for a machine
	ApplicationID string
	WorkspaceID   string // the workspace it acts for; empty if for the user alone
	Scopes        scopes.Set
	Resource      string // what its tokens are for (RFC 8707); empty for [Provider.Require]
	Label         string // from [TokenSettings]; may be empty

	CreatedAt  time.Time
	LastUsedAt time.Time // the last sign-in or refresh
	AgreedAt   time.Time // when the user agreed on the consent page; zero if it was skipped
	ExpiresAt  time.Time // no token outlives it; zero if there is no such limit
}

// Machine reports whether the grant belongs to an application alone, without a
// user: see Config.Machines.
func (g *Grant) Machine() bool { return g.UserID == "" }

// GrantFilter selects the grants that match all of its non-empty fields. The
// empty filter matches nothing. A field that is empty by mistake widens the
// filter, so check IDs before you set two of them. To end what a user has in a
// workspace, call [Provider.LeaveWorkspace].
type GrantFilter struct {
	ID            store.ID
	UserID        string
	ApplicationID string
	WorkspaceID   string
}

const (
	// listBatch is how many documents are read at a time, at least, and
	// maxBatches how often before a page is returned short.
	listBatch  = 100
	maxBatches = 20
)

// ListGrants returns a page of the live grants that match f, newest first. A
// page has at most limit grants; 0 means 10. Pass "" as after for the first
// page, and the returned next for the following one. If next is empty, there
// are no more pages. A page may be short or empty and still have a next,
// because each call reads a bounded number of grants.
//
// Grants of machines are listed only if f has their ID: there is one for each
// token, and they would hide the sign-ins of people.
func (p *Provider) ListGrants(ctx context.Context, f GrantFilter, after string, limit int) (page []Grant, next string, err error) {
	limit = cmp.Or(limit, store.DefaultLimit)
	from, err := parseCursor(after)
	switch {
	case limit < 0:
		err = fmt.Errorf("the limit %d is negative", limit)
	case err != nil || f == GrantFilter{}:
	case !f.ID.IsZero():
		page, err = p.records.findListed(ctx, f)
	default:
		page, from, err = p.records.listGrants(ctx, store.Query{
			Kind: store.KindGrant, UserID: f.UserID, ApplicationID: f.ApplicationID, WorkspaceID: f.WorkspaceID, After: from, Limit: max(limit, listBatch),
		}, limit)
		next = cursorText(from)
	}
	if err != nil {
		return nil, "", fmt.Errorf("provider: list grants: %w", err)
	}
	return page, next, nil
}

// listGrants fills a page, and returns where the next one starts.
func (k records) listGrants(ctx context.Context, q store.Query, limit int) (page []Grant, next store.Cursor, err error) {
	now := rules.At(k.now())
	for range maxBatches {
		documents, next, err := k.list(ctx, q)
		if err != nil {
			return nil, store.Cursor{}, err
		}
		for i := range documents {
			d := &documents[i]
			var g rules.Grant
			if err := rules.ReadGrant(&g, d, &d.Seen); err != nil {
				return nil, store.Cursor{}, err
			}
			if !g.Lives(now) {
				continue
			}
			page = append(page, publicGrant(&g))
			if len(page) == limit && (i < len(documents)-1 || !next.IsZero()) {
				return page, store.Cursor{CreatedAt: d.CreatedAt, ID: d.ID}, nil
			}
		}
		if next.IsZero() || len(page) == limit {
			return page, next, nil
		}
		q.After = next
	}
	return page, q.After, nil
}

// findListed returns the grant with the filter's ID, if it is live and matches.
func (k records) findListed(ctx context.Context, f GrantFilter) ([]Grant, error) {
	var g rules.Grant
	err := k.findGrant(ctx, f.ID, &g)
	if errors.Is(err, rules.ErrNotFound) {
		return nil, nil
	}
	if err != nil || !f.matches(&g) || !g.Lives(rules.At(k.now())) {
		return nil, err
	}
	return []Grant{publicGrant(&g)}, nil
}

// matches reports whether the filter, which has an ID, selects the grant.
func (f GrantFilter) matches(g *rules.Grant) bool {
	return f.ID == g.ID && (f.UserID == "" || f.UserID == g.UserID) && (f.ApplicationID == "" || f.ApplicationID == g.ApplicationID) &&
		(f.WorkspaceID == "" || f.WorkspaceID == g.WorkspaceID)
}

func publicGrant(g *rules.Grant) Grant {
	return Grant{
		ID: g.ID, UserID: g.UserID, ApplicationID: g.ApplicationID, WorkspaceID: g.WorkspaceID, Scopes: g.ScopeSet(), Resource: g.Resource, Label: g.Label,
		CreatedAt: g.CreatedAt.Time(), LastUsedAt: g.LastUsedAt.Time(), AgreedAt: g.AgreedAt.Time(), ExpiresAt: g.ExpiresAt.Time(),
	}
}

// cursorText returns a position in a list as text; parseCursor reads it.
func cursorText(c store.Cursor) string {
	if c.IsZero() {
		return ""
	}
	b := binary.BigEndian.AppendUint64(nil, uint64(c.CreatedAt.UnixMicro()))
	return base64.RawURLEncoding.EncodeToString(append(b, c.ID[:]...))
}

func parseCursor(text string) (c store.Cursor, err error) {
	if text == "" {
		return c, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) != 8+len(c.ID) {
		return c, errors.New("the cursor after is not one that ListGrants returned as next")
	}
	c.CreatedAt = time.UnixMicro(int64(binary.BigEndian.Uint64(b))).UTC()
	copy(c.ID[:], b[8:])
	return c, nil
}

// RevokeGrants ends every grant that matches f, in one write. When it returns,
// none of their tokens work.
//
//   - A user ID signs the user out of every application.
//   - A user ID and an application ID sign the user out of that application.
//   - An application ID ends everything that was issued to the application,
//     tokens without a user included.
//   - A workspace ID ends everything that is connected to the workspace.
//   - A grant ID ends one sign-in. The other fields must match it too.
//
// All but the last also forget the consent of the users.
func (p *Provider) RevokeGrants(ctx context.Context, f GrantFilter) error {
	var err error
	event := Event{Kind: EventGrantRevoked, ApplicationID: f.ApplicationID, UserID: f.UserID, GrantID: f.ID, WorkspaceID: f.WorkspaceID}
	switch {
	case f == GrantFilter{}:
		return nil
	case f.ID.IsZero():
		err = p.records.cutOff(ctx, store.CutKey{UserID: f.UserID, ApplicationID: f.ApplicationID, WorkspaceID: f.WorkspaceID}, store.CutNumber)
	default:
		var g rules.Grant
		err = p.records.findGrant(ctx, f.ID, &g)
		if errors.Is(err, rules.ErrState) {
			err = nil // Its owner is stored outside the state, so the grant can still be revoked.
		}
		if errors.Is(err, rules.ErrNotFound) || err == nil && !f.matches(&g) {
			return nil
		}
		event.ApplicationID, event.UserID, event.WorkspaceID, event.Machine = g.ApplicationID, g.UserID, g.WorkspaceID, g.Machine()
		if err == nil {
			err = p.records.endGrant(ctx, f.ID)
		}
	}
	if err != nil {
		return fmt.Errorf("provider: revoke grants: %w", err)
	}
	p.emit(ctx, event)
	return nil
}

// RevokeAllGrants ends every grant of every user and forgets every consent.
// Call it after you restore a backup of the store, because the backup brings
// back grants that were revoked since it was made.
func (p *Provider) RevokeAllGrants(ctx context.Context) error {
	if err := p.records.cutOff(ctx, store.CutKey{}, store.CutNumber); err != nil {
		return fmt.Errorf("provider: revoke all grants: %w", err)
	}
	p.emit(ctx, Event{Kind: EventGrantRevoked})
	return nil
}

// userStillThere refuses to refresh for a user whom the host no longer knows,
// and revokes what that user had.
func (p *Provider) userStillThere(ctx context.Context, userID string) (userinfo.User, *Error) {
	user, err := p.user(ctx, userID)
	switch {
	case err == nil:
		return user, nil
	case !errors.Is(err, userinfo.ErrNotFound):
		return user, unavailable("Config.Users", err)
	case errors.Is(err, errNotThatUser), errors.Is(err, errNoUserID): // After the host fixes that, sign-ins work again.
		return user, refuse(codeInvalidGrant, "The user account is gone.").because(err)
	}
	if err := p.RevokeGrants(ctx, GrantFilter{UserID: userID}); err != nil {
		return user, unavailable("store", err)
	}
	return user, refuse(codeInvalidGrant, "The user account is gone.").because(err)
}
