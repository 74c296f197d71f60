package provider

import (
	"errors"
	"net/http"
	"time"

	"github.com/latchkey-go/latchkey/provider/internal/rules"
	"github.com/latchkey-go/latchkey/store"
)

var errChangedMeanwhile = errors.New("the application was changed while it requested a token")

// issueToMachine issues an access token without a user to an application (RFC
// 6749 section 4.4).
//
// The application was read to authenticate it. Then issueToMachine reads its
// cut-off numbers, and reads the application again: if it is unchanged, the
// earlier checks hold after the numbers too. So if the application is deleted,
// or loses a secret or a scope, and is then cut off, no earlier token survives:
// either the cut-off covers it, or it isn't issued.
func (x *exchange) issueToMachine(scope string) (tokenInfo, *Error) {
	granted, e := x.offer.readMachine(&x.app, x.resource, scope)
	if e != nil {
		return tokenInfo{}, e
	}
	now := x.now()
	cost := time.Minute / time.Duration(x.cfg.Machines.PerMinute)
	if wait := x.machines.spend(map[string]time.Duration{x.app.ID: cost}, now); wait > 0 {
		return tokenInfo{}, errTooManyTokensAsked(wait)
	}
	seen, err := x.records.seenBy(x.context(), x.app.ID)
	if err != nil {
		return tokenInfo{}, unavailable("store", err)
	}
	app, err := x.records.findApplication(x.context(), x.app.ID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return tokenInfo{}, errSecret(errors.New("the application was deleted meanwhile"))
	case err != nil:
		return tokenInfo{}, unavailable("store", err)
	case app.Version != x.app.Version:
		return tokenInfo{}, unavailable("store", errChangedMeanwhile)
	}
	last := x.offer.lifetimesFor(&app, x.resource.identifier())
	lifetime := last.Access
	if last.Grant > 0 {
		lifetime = min(lifetime, last.Grant)
	}
	grant := rules.NewGrant(store.NewID(now, ""), store.CutKey{ApplicationID: app.ID}, seen, rules.At(now))
	grant.Scopes, grant.Resource, grant.ExpiresAt = granted.String(), x.resource.identifier(), rules.At(now.Add(lifetime))
	access := newCredential(grant.ID)
	grant.WithAccess(rules.NewToken{Hash: access.secret.Hash(rules.KindAccess), ExpiresAt: grant.ExpiresAt})
	if err := x.records.create(x.context(), grant.Document(newMark())); err != nil {
		return tokenInfo{}, unavailable("store", err)
	}
	x.event(Event{Kind: EventTokenIssued, ApplicationID: app.ID, GrantID: grant.ID, Machine: true})
	return tokenInfo{access: x.prefix.encode(rules.KindAccess, access), scope: grant.Scopes, expiresIn: lifetime}, nil
}

func errTooManyTokensAsked(wait time.Duration) *Error {
	return &Error{
		Code: codeUnavailable, Status: http.StatusTooManyRequests, RetryAfter: wait,
		Err:         errors.New("over Machines.PerMinute: the application should use a token until it expires"),
		Description: "The application asks for too many tokens. Use one token until its expires_in is over. Wait as long as Retry-After says.",
	}
}
