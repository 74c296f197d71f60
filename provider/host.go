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

// errNotThatUser is a mistake in Config.Users. It counts as a user who is not
// found: what else it returned is ignored.
var errNotThatUser = fmt.Errorf("%w: Config.Users returned no error, and a user whose ID is not the one that it was asked for: it must return userinfo.ErrNotFound for a user who is not there, and fill in User.ID for one who is",
	userinfo.ErrNotFound)

// errNoUserID is an ID that no user can have.
var errNoUserID = fmt.Errorf("%w: not the ID of a user", userinfo.ErrNotFound)

// checkUserID refuses what is no user's ID: the empty one, which the grants of
// machines have, and one that reads as a machine. It counts as a user who is not
// found.
func (p *Provider) checkUserID(id string) error {
	switch {
	case id == "":
		return fmt.Errorf("%w: the user ID is empty", errNoUserID)
	case strings.HasPrefix(id, machineSubject) && p.offer.hasMachines():
		return fmt.Errorf("%w: the user ID %.200q begins with %q, which is what a machine is called while Config.Machines is set: give the user another ID", errNoUserID, id, machineSubject)
	}
	return nil
}

// user asks the host for a user. The one that it returns has the ID.
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

// saysNoRows reports whether an error is what database libraries return where
// nothing is found.
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
		err = fmt.Errorf("Config.CurrentUser says that the user %.200q is signed in, and Config.Users does not find that ID: where nobody is signed in, CurrentUser returns an empty UserID: %w", id, err)
		return user, errNoAccount(err)
	case err != nil:
		return user, unavailable("Config.Users", err)
	}
	return user, nil
}

// errNoAccount refuses a visitor who is signed in as a user who is not there.
func errNoAccount(cause error) *Error {
	return &Error{Code: codeAccessDenied, Status: http.StatusForbidden, reason: pages.ReasonNoAccount, Err: cause,
		Description: "The signed-in user is not known any more."}
}
