package storetest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// A trial is one check of one promise. It has what the promise is of: either a
// Store or Devices.
type trial struct {
	reporter
	store.Store
	store.Devices
	why   string
	start time.Time // when the trial plays
}

func (t *trial) errorf(format string, args ...any) {
	t.Helper()
	t.Errorf("%s\n\tWhy it matters: %s", fmt.Sprintf(format, args...), t.why)
}

func (t *trial) fatalf(format string, args ...any) {
	t.Helper()
	t.Fatalf("%s\n\tWhy it matters: %s", fmt.Sprintf(format, args...), t.why)
}

// must ends the trial if something failed that has to work.
func (t *trial) must(err error, format string, args ...any) {
	t.Helper()
	if err != nil {
		t.fatalf("%s: got error %v, want none", fmt.Sprintf(format, args...), err)
	}
}

// fails checks that something was refused with the sentinel.
func (t *trial) fails(err, want error, format string, args ...any) {
	t.Helper()
	if !errors.Is(err, want) {
		t.errorf("%s: got error %v, want %q", fmt.Sprintf(format, args...), err, want)
	}
}

// equal checks that a record is as it should be. An empty collection equals a
// nil one.
func (t *trial) equal(got, want any, format string, args ...any) {
	t.Helper()
	if d := difference(withoutEmpty(got), withoutEmpty(want)); d != "" {
		t.errorf("%s:%s", fmt.Sprintf(format, args...), d)
	}
}

// difference says how two values of one type differ, and nothing if they do
// not. Of records it names only the fields that do.
func difference(got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	g, w := reflect.ValueOf(got), reflect.ValueOf(want)
	switch got.(type) {
	case *store.Registration:
		if !g.IsNil() && !w.IsNil() {
			return difference(g.Elem().Interface(), w.Elem().Interface())
		}
	case store.Application, store.Registration, store.Grant, store.Token, store.Consent, store.Device:
		var fields strings.Builder
		for i := range g.NumField() {
			if d := difference(g.Field(i).Interface(), w.Field(i).Interface()); d != "" {
				fmt.Fprintf(&fields, "\n\t%s:%s", g.Type().Field(i).Name, d)
			}
		}
		return fields.String()
	case string:
		return fmt.Sprintf(" got %q, want %q", got, want)
	}
	return fmt.Sprintf(" got %+v, want %+v", got, want)
}

// withoutEmpty returns the record with nil for each empty collection.
func withoutEmpty(v any) any {
	switch v := v.(type) {
	case store.Application:
		v.RedirectURIs, v.Scopes, v.Secrets = noEmpty(v.RedirectURIs), noEmpty(v.Scopes), noEmpty(v.Secrets)
		if len(v.Metadata) == 0 {
			v.Metadata = nil
		}
		if v.Registration != nil {
			r := *v.Registration
			r.GrantTypes, r.Contacts = noEmpty(r.GrantTypes), noEmpty(r.Contacts)
			v.Registration = &r
		}
		return v
	case store.Device:
		v.Scopes = noEmpty(v.Scopes)
		return v
	case store.Grant:
		v.Scopes = noEmpty(v.Scopes)
		return v
	case store.Token:
		v.Scopes = noEmpty(v.Scopes)
		return v
	case store.Consent:
		v.Scopes, v.Agreed = noEmpty(v.Scopes), noEmpty(v.Agreed)
		return v
	}
	return v
}

func noEmpty[S ~[]E, E any](s S) S {
	if len(s) == 0 {
		return nil
	}
	return s
}

// What the trials use where it does not matter.
const (
	someUser      = "user_1"
	someApp       = "app_1"
	otherUser     = "user_2"
	otherApp      = "app_2"
	someRedirect  = "https://wiki.example.com/callback"
	someChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	someResource  = "https://api.example.com/notes"
	otherResource = "https://api.example.com/files"

	codeLifetime    = 10 * time.Minute
	accessLifetime  = 2 * time.Hour
	refreshLifetime = 72 * time.Hour
	grace           = 30 * time.Second

	// tick is the smallest difference between two times.
	tick = time.Microsecond
)

// someScopes returns a set that is the caller's own, so that a store which
// keeps what it was passed spoils no other trial.
func someScopes() scopes.Set { return scopes.New("email", "notes:read", "profile") }

// after returns the time at which something happens that long after the start.
func (t *trial) after(d time.Duration) time.Time { return t.start.Add(d) }

// hash returns a hash that nothing else has.
func (t *trial) hash() (h store.Hash) {
	rand.Read(h[:]) // Never fails: it would end the program.
	return h
}

// salt returns a salt that nothing else has.
func (t *trial) salt() (s store.Salt) {
	rand.Read(s[:])
	return s
}

// newGrant returns a grant with a code, not created yet.
func (t *trial) newGrant(userID, applicationID string, edits ...func(*store.NewGrant)) store.NewGrant {
	n := store.NewGrant{
		Grant: store.Grant{
			ID:            store.NewGrantID(t.start, userID),
			UserID:        userID,
			ApplicationID: applicationID,
			Scopes:        someScopes(),
			CreatedAt:     t.start,
			LastUsedAt:    t.start,
			AgreedAt:      t.start.Add(-time.Second),
		},
		Code: &store.Code{
			Hash:        t.hash(),
			RedirectURI: someRedirect,
			Challenge:   someChallenge,
			ExpiresAt:   t.after(codeLifetime),
		},
	}
	for _, edit := range edits {
		edit(&n)
	}
	return n
}

// boundTo edits a new grant to be for one resource only.
func boundTo(resource string) func(*store.NewGrant) {
	return func(n *store.NewGrant) { n.Grant.Resource = resource }
}

// create creates a grant with a code.
func (t *trial) create(userID, applicationID string, edits ...func(*store.NewGrant)) store.NewGrant {
	t.Helper()
	n := t.newGrant(userID, applicationID, edits...)
	t.must(t.CreateGrant(t.Context(), n), "creating a grant")
	return n
}

// redemption returns how the right application redeems the code of n, one
// second after the start.
func (t *trial) redemption(n store.NewGrant) store.CodeRedemption {
	at := t.after(time.Second)
	return store.CodeRedemption{
		Key:           store.Key{GrantID: n.Grant.ID, Hash: n.Code.Hash},
		ApplicationID: n.Grant.ApplicationID,
		RedirectURI:   n.Code.RedirectURI,
		Challenge:     n.Code.Challenge,
		Access:        store.NewToken{Hash: t.hash(), ExpiresAt: at.Add(accessLifetime)},
		Refresh:       &store.NewToken{Hash: t.hash(), ExpiresAt: at.Add(refreshLifetime)},
		At:            at,
	}
}

// redeems checks that a redemption works and returns what it issued.
func (t *trial) redeems(r store.CodeRedemption, format string, args ...any) store.Issued {
	t.Helper()
	issued, err := t.RedeemCode(t.Context(), r)
	t.must(err, format, args...)
	return issued
}

// noRedemption checks that a redemption is refused and that nothing is kept of
// the tokens that it brought.
func (t *trial) noRedemption(r store.CodeRedemption, want error, format string, args ...any) {
	t.Helper()
	_, err := t.RedeemCode(t.Context(), r)
	t.fails(err, want, format, args...)
	t.gone(store.Key{GrantID: r.Key.GrantID, Hash: r.Access.Hash}, "access token of a refused redemption")
	if r.Refresh != nil {
		t.gone(store.Key{GrantID: r.Key.GrantID, Hash: r.Refresh.Hash}, "refresh token of a refused redemption")
	}
}

// A device is where somebody has signed in: a grant with live tokens.
type device struct {
	grant           store.Grant // as it should be kept
	redemption      store.CodeRedemption
	access, refresh store.Token // as they should be kept
}

// key finds one of the device's tokens.
func (d device) key(token store.Token) store.Key {
	return store.Key{GrantID: d.grant.ID, Hash: token.Hash}
}

// signIn creates a grant and redeems its code.
func (t *trial) signIn(userID, applicationID string, edits ...func(*store.NewGrant)) device {
	t.Helper()
	n := t.create(userID, applicationID, edits...)
	r := t.redemption(n)
	t.redeems(r, "redeeming a code")
	return deviceOf(n, r)
}

// deviceOf returns the device on which a code was redeemed.
func deviceOf(n store.NewGrant, r store.CodeRedemption) device {
	return device{
		grant:      n.Grant,
		redemption: r,
		access: store.Token{
			Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: n.Grant.Scopes,
			IssuedAt: r.At, ExpiresAt: r.Access.ExpiresAt,
		},
		refresh: store.Token{
			Hash: r.Refresh.Hash, Kind: store.KindRefresh, Scopes: n.Grant.Scopes,
			IssuedAt: r.At, ExpiresAt: r.Refresh.ExpiresAt,
		},
	}
}

// rotation returns how the right application rotates the refresh token of the
// device, that long after the start.
func (t *trial) rotation(d device, after time.Duration) store.RefreshRotation {
	at := t.after(after)
	return store.RefreshRotation{
		Key:           d.key(d.refresh),
		ApplicationID: d.grant.ApplicationID,
		Access:        store.NewToken{Hash: t.hash(), ExpiresAt: at.Add(accessLifetime)},
		Refresh:       store.NewToken{Hash: t.hash(), ExpiresAt: at.Add(refreshLifetime)},
		Salt:          t.salt(),
		Grace:         grace,
		At:            at,
	}
}

// retry returns a rotation that is repeated that long after it: the same
// request, for which the caller drew new tokens.
func (t *trial) retry(r store.RefreshRotation, after time.Duration) store.RefreshRotation {
	r.At = r.At.Add(after)
	r.Access.Hash, r.Refresh.Hash, r.Salt = t.hash(), t.hash(), t.salt()
	return r
}

// rotates checks that a rotation is done as it should be and returns the
// device as it is then.
func (t *trial) rotates(d device, r store.RefreshRotation, format string, args ...any) device {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	issued, err := t.RotateRefresh(t.Context(), r)
	t.must(err, "%s", what)
	d.grant.LastUsedAt = r.At
	d.access = store.Token{
		Hash: r.Access.Hash, Kind: store.KindAccess, Scopes: d.grant.Scopes,
		IssuedAt: r.At, ExpiresAt: r.Access.ExpiresAt,
	}
	if len(r.Scopes) > 0 {
		d.access.Scopes = r.Scopes
	}
	d.refresh.Hash, d.refresh.IssuedAt, d.refresh.ExpiresAt = r.Refresh.Hash, r.At, r.Refresh.ExpiresAt
	t.equal(issued.Grant, d.grant, "%s: the grant that is returned", what)
	t.equal(issued.Access, d.access, "%s: the access token that is returned", what)
	if issued.Retried || issued.Salt != r.Salt {
		t.errorf("%s: got Retried %v and salt %x, want a rotation with its own salt %x", what, issued.Retried, issued.Salt, r.Salt)
	}
	return d
}

// retries checks that a rotation is answered as the retry of one that made the
// device what it is, with its salt.
func (t *trial) retries(d device, r store.RefreshRotation, salt store.Salt, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	issued, err := t.RotateRefresh(t.Context(), r)
	if err != nil {
		t.errorf("%s: got error %v, want a retry", what, err)
		return
	}
	if !issued.Retried || issued.Salt != salt {
		t.errorf("%s: got Retried %v and salt %x, want a retry with the salt of the rotation, %x", what, issued.Retried, issued.Salt, salt)
	}
	t.equal(issued.Grant, d.grant, "%s: the grant that is returned", what)
	if issued.Access.Hash.IsZero() {
		issued.Access.Hash = d.access.Hash // It may be left out.
	}
	t.equal(issued.Access, d.access, "%s: the access token that is returned", what)
	t.notOffered(r)
	t.keeps(d, "after a retry")
}

// noRotation checks that a rotation is refused and that nothing is kept of the
// tokens that it brought.
func (t *trial) noRotation(r store.RefreshRotation, want error, format string, args ...any) {
	t.Helper()
	_, err := t.RotateRefresh(t.Context(), r)
	t.fails(err, want, format, args...)
	t.notOffered(r)
}

func (t *trial) notOffered(r store.RefreshRotation) {
	t.Helper()
	t.gone(store.Key{GrantID: r.Key.GrantID, Hash: r.Access.Hash}, "access token of a rotation that did not take place")
	t.gone(store.Key{GrantID: r.Key.GrantID, Hash: r.Refresh.Hash}, "refresh token of a rotation that did not take place")
}

// finds checks that a token and its grant are kept as they should be.
func (t *trial) finds(token store.Token, grant store.Grant, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	gotToken, gotGrant, err := t.FindToken(t.Context(), store.Key{GrantID: grant.ID, Hash: token.Hash})
	if err != nil {
		t.errorf("%s: finding the %s token: got error %v, want none", what, token.Kind, err)
		return
	}
	if gotToken.Spent && gotToken.IssuedAt.IsZero() {
		gotToken.IssuedAt = token.IssuedAt // It may be left out.
	}
	t.equal(gotToken, token, "%s: the %s token", what, token.Kind)
	t.equal(gotGrant, grant, "%s: the grant of the %s token", what, token.Kind)
}

// keeps checks that the device's grant and tokens are kept as they should be.
func (t *trial) keeps(d device, format string, args ...any) {
	t.Helper()
	t.finds(d.access, d.grant, format, args...)
	t.finds(d.refresh, d.grant, format, args...)
}

// revoked checks that the device's grant was revoked at the time.
func (t *trial) revoked(d device, at time.Time, format string, args ...any) {
	t.Helper()
	d.grant.RevokedAt = at
	t.keeps(d, format, args...)
}

// gone checks that there is no such token.
func (t *trial) gone(k store.Key, format string, args ...any) {
	t.Helper()
	_, _, err := t.FindToken(t.Context(), k)
	t.fails(err, store.ErrNotFound, "finding the "+format, args...)
}
