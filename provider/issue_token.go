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

// TokenSettings describes the access token that [Provider.IssueToken] makes.
type TokenSettings struct {
	// UserID is the user that the token acts for. Config.Users must find them.
	UserID string

	// ApplicationID is the application that the token belongs to. For personal
	// access tokens, create one application without redirect URIs, so that no
	// one can sign in with it.
	ApplicationID string

	// WorkspaceID is the workspace that the token is for. Config.Workspaces must
	// report the user as a member, and the application must use workspaces. If
	// empty, the token acts for the user alone.
	WorkspaceID string

	// Scopes lists what the token may do, out of what the application may ask
	// for. If empty, the token identifies the user and has no other access.
	Scopes scopes.Set

	// Resource is the URL of the entry of Config.Resources that the token is
	// for. If empty, the token is for [Provider.Require].
	Resource string

	// Lifetime is how long the token works. The default is the Access lifetime
	// for the application and the resource: see [Lifetimes].
	Lifetime time.Duration

	// Label is the user's name for the token, at most 100 characters without
	// control characters. [Grant] has it. It may be empty.
	Label string
}

const maxLabel = 100 // characters

// IssueToken makes an access token without a browser: a personal access token
// for a script, or a token for a job that the host runs for a user. The caller
// must make sure that the user wants it. The token can't be refreshed. The
// Secret is the token's text; it can't be shown again, because Latchkey stores
// only a hash. Use the GrantID of the Token to list it with
// [Provider.ListGrants] or revoke it with [Provider.RevokeGrants].
//
// The error says what is wrong with n. It wraps [store.ErrNotFound] if the
// application doesn't exist, and [userinfo.ErrNotFound] if the user doesn't.
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
		return nil, secret, errors.New("the UserID is empty: set it to the user that the token is for")
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
	// Read the cut-off numbers before checking that application and user exist:
	// see prepare.
	consent, err := p.records.findConsent(ctx, store.CutKey{UserID: n.UserID, ApplicationID: n.ApplicationID, WorkspaceID: n.WorkspaceID})
	if err != nil {
		return nil, secret, err
	}
	switch seen := consent.Seen(); {
	case seen.ForeverAt(store.CutKey{UserID: n.UserID}):
		return nil, secret, fmt.Errorf("EraseUser was called for this user: %w", userinfo.ErrNotFound)
	case seen.ForeverAt(store.CutKey{WorkspaceID: n.WorkspaceID}):
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
		return nil, secret, errors.New("the WorkspaceID is empty, but the application acts only for workspaces")
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
