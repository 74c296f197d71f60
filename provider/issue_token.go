package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/userinfo"
)

// TokenSettings says which access token [Provider.IssueToken] makes.
type TokenSettings struct {
	// UserID is the user for whom it acts. Config.Users must know them.
	UserID string

	// ApplicationID is the application that it belongs to. Personal access
	// tokens get one of their own, made once and without redirect URIs, so
	// that nobody can sign in with it.
	ApplicationID string

	// WorkspaceID is the workspace that it is for, of which Config.Workspaces says
	// that the user is a member. The application has to use workspaces. Empty: it
	// acts for the user alone.
	WorkspaceID string

	// Scopes are what it may do: some of what the application may ask for. Empty:
	// it says who the user is, and opens nothing.
	Scopes scopes.Set

	// Resource is the URL of the one of Config.Resources that it is for.
	// Empty: it is for what [Provider.Require] guards.
	Resource string

	// Lifetime is how long it works. Zero: the Access of [Lifetimes] for the
	// application and the resource.
	Lifetime time.Duration

	// Label is what the user calls it, to know it again: [Grant] has it. At most
	// 100 characters, none of which is a control character. Empty: nothing.
	Label string
}

const maxLabel = 100 // characters

// IssueToken makes an access token without a browser: a personal access token
// that a user copies into a script, or a token for a job that the host runs for
// a user. The caller has made sure that the user wants it. It cannot be
// refreshed. The Secret is returned this once and kept as a hash only; the
// Token's GrantID names it for [Provider.ListGrants], where it is until it
// expires, and for [Provider.RevokeGrants].
//
// The error says what is wrong with n; it wraps [store.ErrNotFound] if there is
// no such application and [userinfo.ErrNotFound] if there is no such user.
func (p *Provider) IssueToken(ctx context.Context, n TokenSettings) (*Token, Secret, error) {
	token, secret, err := p.issueToken(ctx, n)
	if err != nil {
		return nil, Secret{}, fmt.Errorf("provider: issue token: %w", err)
	}
	p.emit(ctx, Event{Kind: EventGrantCreated, ApplicationID: token.ApplicationID, UserID: token.UserID, GrantID: token.GrantID, WorkspaceID: token.WorkspaceID})
	p.emit(ctx, Event{Kind: EventTokenIssued, ApplicationID: token.ApplicationID, UserID: token.UserID, GrantID: token.GrantID, WorkspaceID: token.WorkspaceID})
	return token, secret, nil
}

func (p *Provider) issueToken(ctx context.Context, n TokenSettings) (token *Token, secret Secret, err error) {
	if n.UserID == "" {
		return nil, secret, errors.New("the UserID is empty: say for whom it is")
	}
	if n.Lifetime < 0 {
		return nil, secret, errors.New("the Lifetime is negative: leave it at zero for the default")
	}
	if !utf8.ValidString(n.Label) || strings.ContainsFunc(n.Label, isMisleading) || utf8.RuneCountInString(n.Label) > maxLabel {
		return nil, secret, fmt.Errorf("the Label has more than %d characters, or control characters: shorten it", maxLabel)
	}
	resource := p.findResource(n.Resource)
	if resource == nil && n.Resource != "" {
		return nil, secret, fmt.Errorf("the resource %q is not in Config.Resources", n.Resource)
	}
	// The numbers of the cut-offs come before the question whether application
	// and user are there: see prepare.
	consent, err := p.records.findConsent(ctx, store.CutKey{UserID: n.UserID, ApplicationID: n.ApplicationID, WorkspaceID: n.WorkspaceID})
	if err != nil {
		return nil, secret, err
	}
	switch seen := consent.Seen(); {
	case erased(seen, store.CutKey{UserID: "any"}):
		return nil, secret, fmt.Errorf("EraseUser was called for this user: %w", userinfo.ErrNotFound)
	case erased(seen, store.CutKey{WorkspaceID: "any"}):
		return nil, secret, errWorkspaceErased
	case seen.Forever():
		return nil, secret, fmt.Errorf("the application was deleted: %w", store.ErrNotFound)
	}
	app, err := p.records.findApplication(ctx, n.ApplicationID)
	if err != nil {
		return nil, secret, err
	}
	if e := p.admits(ctx, app); e != nil {
		return nil, secret, e
	}
	may := p.offer.mayAskFor(app)
	granted := may.Intersect(n.Scopes)
	if excess := n.Scopes.Minus(may); len(excess) > 0 {
		return nil, secret, fmt.Errorf("the scope %q is not one that the application may ask for: those are %q", excess[0], may)
	}
	if _, err := p.user(ctx, n.UserID); err != nil {
		return nil, secret, fmt.Errorf("Config.Users: %w", err)
	}
	switch use := p.offer.workspaceUse(&app); {
	case n.WorkspaceID == "" && use == store.WorkspaceRequired:
		return nil, secret, errors.New("the WorkspaceID is empty, and the application acts for workspaces only")
	case n.WorkspaceID != "" && use == store.WorkspaceNone:
		return nil, secret, errors.New("the application does not act for workspaces: set its Workspace, and Config.Workspaces, or leave the WorkspaceID empty")
	}
	if err := p.checkMember(ctx, n.UserID, n.WorkspaceID); err != nil {
		return nil, secret, err
	}
	now := p.now()
	expires := now.Add(cmp.Or(n.Lifetime, p.offer.lifetimesFor(&app, resource.identifier()).Access))
	grant := p.newGrant(store.NewID(now, n.UserID), now, &decision{
		app: app, userID: n.UserID, workspaceID: n.WorkspaceID, scopes: granted, resource: resource.identifier(), consent: consent,
	})
	grant.ExpiresAt, grant.Label = rules.At(expires), n.Label
	access := newCredential(grant.ID)
	grant.WithAccess(rules.NewToken{Hash: access.secret.Hash(rules.KindAccess), ExpiresAt: grant.ExpiresAt})
	if err := p.records.create(ctx, grant.Document(newMark())); err != nil {
		return nil, secret, err
	}
	return &Token{UserID: n.UserID, ApplicationID: app.ID, GrantID: grant.ID, WorkspaceID: n.WorkspaceID, Scopes: granted, Resource: grant.Resource, ExpiresAt: expires},
		NewSecret(p.prefix.encode(rules.KindAccess, access)), nil
}
