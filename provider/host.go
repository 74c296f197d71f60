package provider

import (
	"context"
	"errors"
	"net/http"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/userinfo"
)

// user asks the host for a user.
func (p *Provider) user(ctx context.Context, id string) (userinfo.User, error) {
	ctx, stop := p.records.bounded(ctx)
	defer stop()
	return p.cfg.Users(ctx, id)
}

// findUser finds the signed-in user.
func (p *Provider) findUser(ctx context.Context, id string) (userinfo.User, *Error) {
	user, err := p.user(ctx, id)
	switch {
	case errors.Is(err, userinfo.ErrNotFound):
		return user, &Error{Code: codeAccessDenied, Status: http.StatusForbidden, reason: pages.ReasonNoAccount, Err: err,
			Description: "The signed-in user is not known any more."}
	case err != nil:
		return user, unavailable("Config.Users", err)
	}
	return user, nil
}
