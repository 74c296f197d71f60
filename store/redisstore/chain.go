package redisstore

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// RedeemCode implements [store.Grants].
func (s *Store) RedeemCode(ctx context.Context, r store.CodeRedemption) (store.Issued, error) {
	if err := cmp.Or(ctx.Err(), r.Check()); err != nil {
		return store.Issued{}, err
	}
	var refresh, refreshExpires, unnamed string
	if r.Refresh != nil {
		refresh, refreshExpires = string(r.Refresh.Hash[:]), number(r.Refresh.ExpiresAt)
	}
	if r.RedirectURI == "" {
		unnamed = "1"
	}
	answer, err := s.run(ctx, redeemCode, s.chainKeys(r.Key.GrantID, r.ApplicationID),
		newAttempt(), member(r.Key.GrantID, r.ApplicationID), r.ApplicationID, number(r.At),
		string(r.Key.Hash[:]), hashText(r.RedirectURI), unnamed, r.Challenge, r.Resource,
		string(r.Access.Hash[:]), number(r.Access.ExpiresAt), refresh, refreshExpires)
	if err != nil {
		return store.Issued{}, err
	}
	var read reader
	issued, details, err := read.issued(r.Key.GrantID, answer)
	if err != nil {
		return store.Issued{}, err
	}
	issued.Access = store.Token{
		Hash: r.Access.Hash, Kind: store.KindAccess, IssuedAt: cut(r.At), ExpiresAt: read.time(details[0]),
		Scopes: slices.Clone(issued.Grant.Scopes),
	}
	return issued, read.err
}

// RotateRefresh implements [store.Grants].
func (s *Store) RotateRefresh(ctx context.Context, r store.RefreshRotation) (store.Issued, error) {
	if err := cmp.Or(ctx.Err(), r.Check()); err != nil {
		return store.Issued{}, err
	}
	if r.Key.Hash.IsZero() {
		return store.Issued{}, store.ErrNotFound
	}
	grace := "-1"
	if r.Grace > 0 {
		grace = strconv.FormatInt(r.Grace.Microseconds(), 10)
	}
	answer, err := s.run(ctx, rotateRefresh, s.chainKeys(r.Key.GrantID, r.ApplicationID),
		newAttempt(), member(r.Key.GrantID, r.ApplicationID), r.ApplicationID, number(r.At),
		string(r.Key.Hash[:]), setText(r.Scopes), r.Resource, string(r.Salt[:]), grace,
		string(r.Access.Hash[:]), number(r.Access.ExpiresAt), string(r.Refresh.Hash[:]), number(r.Refresh.ExpiresAt))
	if err != nil {
		return store.Issued{}, err
	}
	var read reader
	issued, details, err := read.issued(r.Key.GrantID, answer)
	if err != nil {
		return store.Issued{}, err
	}
	if issued.Retried {
		issued.Access = read.access(issued.Grant, details[0])
		issued.Access.Scopes = slices.Clone(issued.Access.Scopes)
		copy(issued.Salt[:], details[1])
		return issued, read.err
	}
	issued.Salt = r.Salt
	issued.Access = store.Token{
		Hash: r.Access.Hash, Kind: store.KindAccess, IssuedAt: cut(r.At), ExpiresAt: read.time(details[0]),
		Scopes: slices.Clone(issued.Grant.Scopes),
	}
	if len(r.Scopes) > 0 {
		issued.Access.Scopes = scopes.New(r.Scopes...)
	}
	return issued, read.err
}

// issued reads the answer of a script that issues tokens: the outcome, the
// grant, and details that depend on the script.
func (r *reader) issued(id store.GrantID, answer any) (issued store.Issued, details []string, err error) {
	list, _ := answer.([]any)
	if len(list) == 0 {
		return store.Issued{}, nil, outcome(answer)
	}
	if err := outcome(list[0]); err != nil {
		return store.Issued{}, nil, err
	}
	details = texts(list[min(2, len(list)):], 2)
	var values []any
	if len(list) > 1 {
		values, _ = list[1].([]any)
	}
	if len(values) != len(grantFields) {
		return store.Issued{}, nil, errCorrupt
	}
	issued.Grant, _ = r.grant(id, values)
	issued.Retried = list[0] == "retried"
	return issued, details, nil
}

// cut returns t in UTC and without what is finer than a microsecond.
func cut(t time.Time) time.Time { return time.UnixMicro(t.UnixMicro()).UTC() }
