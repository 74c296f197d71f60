package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/latchkey-go/latchkey/provider/internal/weburl"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
)

// maxWorkspaceID is the maximum length of a workspace ID in bytes.
const maxWorkspaceID = 256

var (
	errNotMember     = errors.New("the user may not act for the workspace")
	errWorkspacesOff = fmt.Errorf("%w: Config.Workspaces is nil", errNotMember)
)

// checkMember asks the host whether the user may act for the workspace. If not,
// the error wraps errNotMember. Without a workspace, it returns nil.
func (p *Provider) checkMember(ctx context.Context, userID, workspaceID string) error {
	if workspaceID == "" {
		return nil
	}
	if p.cfg.Workspaces == nil {
		return errWorkspacesOff
	}
	ctx, stop := p.records.bounded(ctx)
	defer stop()
	is, err := p.cfg.Workspaces.Member(ctx, userID, workspaceID)
	switch {
	case err != nil && saysNoRows(err):
		return fmt.Errorf("%w (if that means that the user is not a member, return false and no error)", err)
	case err != nil:
		return err
	case !is:
		return fmt.Errorf("%w: Config.Workspaces.Member returned false", errNotMember)
	}
	return nil
}

// workspacesOf asks the host for the workspaces of a user.
func (p *Provider) workspacesOf(ctx context.Context, userID string) ([]Workspace, error) {
	ctx, stop := p.records.bounded(ctx)
	defer stop()
	listed, err := p.cfg.Workspaces.List(ctx, userID)
	if err != nil {
		return nil, err
	}
	list := make([]Workspace, 0, len(listed))
	for _, w := range listed {
		if w.ID == "" || len(w.ID) > maxWorkspaceID || !cleanText(w.ID) {
			return nil, fmt.Errorf("the List has a workspace with the ID %.200q and the name %.200q: give each an ID of 1 to %d bytes, in UTF-8 without NUL", w.ID, w.Name, maxWorkspaceID)
		}
		if slices.ContainsFunc(list, func(other Workspace) bool { return other.ID == w.ID }) {
			continue // A query with a join can return a row twice.
		}
		if w.Name == "" || !cleanText(w.Name) { // A member may have chosen an invalid name, and must not lock the others out.
			w.Name = w.ID
		}
		if !weburl.Valid(w.PictureURL, p.cfg.Issuer) {
			w.PictureURL = ""
		}
		list = append(list, w)
	}
	return list, nil
}

func (w Workspace) onPage() pages.Workspace {
	return pages.Workspace{ID: w.ID, Name: w.Name, PictureURL: w.PictureURL}
}

// askedWorkspace returns the workspace that a request to the authorization or
// device authorization endpoint names, or "". It refuses an application that
// can't have a grant for that workspace.
func (o *offer) askedWorkspace(app *store.Application, params url.Values) (string, *Error) {
	named := params.Get(workspaceParam)
	switch {
	case named == "" || o.workspaces == nil:
		return "", nil
	case o.workspaceUse(app) == store.WorkspaceNone:
		return "", refuse(codeInvalidRequest, "This application does not act for workspaces: leave out the parameter workspace.").with(workspaceParam, named)
	case len(named) > maxWorkspaceID:
		return "", refuse(codeInvalidRequest, "The workspace is longer than %d bytes.", maxWorkspaceID)
	}
	return named, nil
}

// errNoWorkspace refuses a visitor who has no workspace to act for, or not the
// requested one. It doesn't reveal whether that one exists.
func errNoWorkspace(cause error) *Error {
	return &Error{Code: codeAccessDenied, Status: http.StatusForbidden, reason: pages.ReasonNoWorkspace, Err: cause,
		Description: "The user has no workspace that the application can act for, or not the one that it asked for."}
}

// staleIfNotMember returns e, or a refusal of the form if the user left the
// workspace after the page was shown.
func staleIfNotMember(e *Error) *Error {
	if e != nil && errors.Is(e, errNotMember) {
		return errStaleForm(e.Err)
	}
	return e
}
