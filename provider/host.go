package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/userinfo"
)

// errNotThatUser is a mistake in Config.Users. Latchkey ignores the returned
// user and treats the requested one as not found.
var errNotThatUser = fmt.Errorf("%w: Config.Users returned no error, and a user with another ID than the requested one: it must return userinfo.ErrNotFound if the user does not exist, and otherwise set User.ID",
	userinfo.ErrNotFound)

// errNoUserID is an ID that no user can have.
var errNoUserID = fmt.Errorf("%w: not the ID of a user", userinfo.ErrNotFound)

// checkUserID refuses an ID that no user can have: the empty one, which grants
// of machines have, and one that looks like a machine's. It counts as a user
// who is not found.
func (p *Provider) checkUserID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: the user ID is empty", errNoUserID)
	case strings.HasPrefix(id, machineSubject) && p.offer.hasMachines():
		return fmt.Errorf("%w: the user ID %.200q begins with %q, which identifies machines while Config.Machines is set: give the user another ID", errNoUserID, id, machineSubject)
	}
	return nil
}

// user asks the host for a user. The returned user has the requested ID.
func (p *Provider) user(ctx context.Context, id string) (userinfo.User, error) {
	if err := p.checkUserID(id); err != nil {
		return userinfo.User{}, err
	}
	bounded, stop := p.records.bounded(ctx)
	defer stop()
	user, err := p.cfg.Users(bounded, id)
	switch {
	case err == nil && user.ID == id:
		return user, nil
	case err == nil:
		p.cfg.Logger.ErrorContext(ctx, "latchkey: a mistake in the host", "cause", errNotThatUser.Error())
		return userinfo.User{}, errNotThatUser
	case saysNoRows(err):
		err = fmt.Errorf("%w (if that means that there is no such user, return userinfo.ErrNotFound instead)", err)
	}
	return userinfo.User{}, err
}

// saysNoRows reports whether an error is one that database libraries return if
// a query finds nothing.
func saysNoRows(err error) bool {
	if errors.Is(err, userinfo.ErrNotFound) {
		return false
	}
	text := err.Error()
	return strings.Contains(text, "no rows in result set") || strings.Contains(text, "record not found") || strings.Contains(text, "no documents in result")
}

// findUser finds the signed-in user.
func (c *call) findUser(id string) (userinfo.User, *Error) {
	user, err := c.user(c.context(), id)
	switch {
	case errors.Is(err, userinfo.ErrNotFound):
		err = fmt.Errorf("Config.CurrentUser says that the user %.200q is signed in, but Config.Users does not find that ID; if no one is signed in, CurrentUser must return an empty UserID: %w", id, err)
		return user, errNoAccount(err)
	case err != nil:
		return user, unavailable("Config.Users", err)
	}
	return user, nil
}

// errNoAccount refuses a visitor who is signed in as a user who doesn't exist.
func errNoAccount(cause error) *Error {
	return &Error{Code: codeAccessDenied, Status: http.StatusForbidden, reason: pages.ReasonNoAccount, Err: cause,
		Description: "The signed-in user no longer exists."}
}
