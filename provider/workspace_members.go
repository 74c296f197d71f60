package provider

import (
	"context"
	"errors"
	"fmt"

	"github.com/latchkey-go/latchkey/store"
)

// LeaveWorkspace ends everything that a user has given applications in a
// workspace. Call it after the host has removed the user from the workspace.
// When it returns nil, no token of the user for the workspace works. Without
// the call, such tokens can't be refreshed, and stop working within
// Lifetimes.Access. After an error, call it again until it succeeds. It is an
// error if one of the IDs is empty.
func (p *Provider) LeaveWorkspace(ctx context.Context, userID, workspaceID string) error {
	if userID == "" || workspaceID == "" {
		return errors.New("provider: leave workspace: the user or the workspace is empty: to end everything of one of them, call RevokeGrants")
	}
	return p.RevokeGrants(ctx, GrantFilter{UserID: userID, WorkspaceID: workspaceID})
}

// EraseWorkspace ends everything that is connected to a workspace, for good,
// and has it deleted, like [Provider.EraseUser]. Call it after the host has
// deleted the workspace. After an error, call it again until it succeeds. Don't
// give the ID to another workspace for two days.
func (p *Provider) EraseWorkspace(ctx context.Context, workspaceID string) error {
	if workspaceID == "" {
		return nil
	}
	if err := p.records.cutOff(ctx, store.CutKey{WorkspaceID: workspaceID}, store.CutForever); err != nil {
		return fmt.Errorf("provider: erase workspace: %w", err)
	}
	p.emit(ctx, Event{Kind: EventGrantRevoked, WorkspaceID: workspaceID})
	return nil
}

// memberStillThere refuses tokens for a workspace that the user has left, and
// revokes what that user had in it.
func (p *Provider) memberStillThere(ctx context.Context, userID, workspaceID string) *Error {
	err := p.checkMember(ctx, userID, workspaceID)
	switch {
	case err == nil:
		return nil
	case !errors.Is(err, errNotMember):
		return unavailable("Config.Workspaces", err)
	case errors.Is(err, errWorkspacesOff): // When workspaces are enabled again, the next refresh succeeds.
		return errLeft(err)
	}
	if err := p.LeaveWorkspace(ctx, userID, workspaceID); err != nil {
		return unavailable("store", err)
	}
	return errLeft(err)
}

func errLeft(cause error) *Error {
	return refuse(codeInvalidGrant, "The user may no longer act for the workspace.").because(cause)
}
