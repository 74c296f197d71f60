package storetest

import (
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var tokenPromises = []promise{
	{"a token that is not there is not found",
		"A request with a made-up token is refused without another look.",
		absentToken},
	{"tokens are found expired, spent and revoked too",
		"The caller judges, and can say why it refuses.",
		deadTokens},
	{"finding a token changes nothing",
		"It is the path of every request, and must not write.",
		findingChangesNothing},
	{"a revoked access token ends alone",
		"An application that throws away one token goes on with the others (RFC 7009 section 2.1).",
		revokeAccess},
	{"a revoked refresh token takes its grant with it",
		"An application that signs the user out revokes its refresh token (RFC 7009 section 2.1).",
		revokeRefresh},
	{"a spent refresh token that is revoked takes its grant with it",
		"A client that lost an answer has no newer one to sign out with.",
		revokeSpent},
	{"another application's token is not revoked",
		"An application could sign out another one's users (RFC 7009 section 2.1).",
		revokeForeign},
	{"revoking what is not there is no error",
		"The client wanted it gone, and it is (RFC 7009 section 2.2).",
		revokeAbsent},
	{"a chain goes on after its access token was revoked",
		"The two tokens have different lives.",
		rotateAfterRevokedAccess},
}

// revocation returns how the right application revokes one of the device's
// tokens, that long after the start.
func (t *trial) revocation(d device, token store.Token, after time.Duration) store.TokenRevocation {
	return store.TokenRevocation{Key: d.key(token), ApplicationID: d.grant.ApplicationID, At: t.after(after)}
}

func absentToken(t *trial) {
	t.gone(store.Key{GrantID: store.NewGrantID(t.start, someUser), Hash: t.hash()}, "token in an empty store")
	t.gone(store.Key{}, "zero key in an empty store")
	d := t.signIn(someUser, someApp)
	for _, token := range []store.Token{d.access, d.refresh} {
		for name, hash := range t.wrongHashes(token.Hash) {
			t.gone(store.Key{GrantID: d.grant.ID, Hash: hash}, "%s instead of the %s token", name, token.Kind)
		}
		t.gone(store.Key{Hash: token.Hash}, "%s token without a grant", token.Kind)
	}
	d = t.rotates(d, t.rotation(d, time.Hour), "rotating")
	t.gone(store.Key{GrantID: d.grant.ID, Hash: t.hash()}, "random hash on a grant with spent tokens")
	t.gone(store.Key{GrantID: d.grant.ID}, "zero hash on a grant with spent tokens")
}

func deadTokens(t *trial) {
	past := t.after(-24 * time.Hour)
	n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Code.ExpiresAt = past.Add(time.Minute) })
	r := t.redemption(n)
	r.At, r.Access.ExpiresAt, r.Refresh.ExpiresAt = past, past.Add(time.Hour), past.Add(2*time.Hour)
	t.redeems(r, "redeeming a code a day ago")
	t.keeps(deviceOf(n, r), "after the tokens have expired")

	first := t.signIn(someUser, someApp)
	second := t.rotates(first, t.rotation(first, time.Hour), "rotating")
	_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: first.grant.ID}, t.after(2*time.Hour))
	t.must(err, "revoking a grant")
	t.revoked(second, t.after(2*time.Hour), "a token of a revoked grant")
	second.grant.RevokedAt = t.after(2 * time.Hour)
	t.finds(first.access, second.grant, "an older token of a revoked grant")
	first.refresh.Spent = true
	t.finds(first.refresh, second.grant, "a spent token of a revoked grant")
}

func findingChangesNothing(t *trial) {
	d := t.signIn(someUser, someApp)
	consent, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")
	for range 3 {
		t.keeps(d, "a token that is found again and again")
	}
	again, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent again")
	t.equal(again, consent, "the consent after tokens were found")
}

func revokeAccess(t *trial) {
	first := t.signIn(someUser, someApp)
	second := t.rotates(first, t.rotation(first, time.Hour), "rotating")

	t.must(t.RevokeToken(t.Context(), t.revocation(first, first.access, 2*time.Hour)), "revoking the older access token")
	t.gone(first.key(first.access), "access token that was revoked")
	t.keeps(second, "after an older access token was revoked")

	t.must(t.RevokeToken(t.Context(), t.revocation(second, second.access, 2*time.Hour)), "revoking the newer access token")
	t.gone(second.key(second.access), "access token that was revoked")
	t.finds(second.refresh, second.grant, "after all access tokens were revoked")
	t.must(t.RevokeToken(t.Context(), t.revocation(second, second.access, 3*time.Hour)), "revoking it again")
	t.finds(second.refresh, second.grant, "after an access token was revoked again")
}

func revokeRefresh(t *trial) {
	d, other := t.signIn(someUser, someApp), t.signIn(someUser, someApp)
	r := t.revocation(d, d.refresh, time.Hour)
	t.must(t.RevokeToken(t.Context(), r), "revoking a refresh token")
	t.revoked(d, r.At, "after its refresh token was revoked")
	t.noRotation(t.rotation(d, 2*time.Hour), store.ErrRevoked, "rotating a revoked refresh token")

	t.must(t.RevokeToken(t.Context(), t.revocation(d, d.refresh, 2*time.Hour)), "revoking a refresh token again")
	t.revoked(d, r.At, "after its refresh token was revoked again")
	t.keeps(other, "another grant of the same user and application")
	_, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent after a refresh token was revoked")
}

func revokeSpent(t *trial) {
	for generation := range 3 {
		d := t.signIn(someUser, someApp)
		var old store.Token
		for i := range 3 {
			if i == generation {
				old = d.refresh
			}
			d = t.rotates(d, t.rotation(d, time.Duration(i+1)*time.Hour), "rotation %d", i+1)
		}
		r := t.revocation(d, old, 4*time.Hour)
		t.must(t.RevokeToken(t.Context(), r), "revoking refresh token %d of 3 that were rotated away", generation+1)
		t.revoked(d, r.At, "after refresh token %d of 3 was revoked", generation+1)
	}
}

func revokeForeign(t *trial) {
	first := t.signIn(someUser, someApp)
	second := t.rotates(first, t.rotation(first, time.Hour), "rotating")
	for name, token := range map[string]store.Token{
		"access": second.access, "older access": first.access, "refresh": second.refresh, "spent refresh": first.refresh,
	} {
		r := t.revocation(second, token, 2*time.Hour)
		for _, foreign := range []string{otherApp, ""} {
			r.ApplicationID = foreign
			t.fails(t.RevokeToken(t.Context(), r), store.ErrMismatch, "revoking another application's %s token as %q", name, foreign)
		}
	}
	t.keeps(second, "after another application wanted to revoke its tokens")
	t.finds(first.access, second.grant, "after another application wanted to revoke its tokens")
	t.rotates(second, t.rotation(second, 3*time.Hour), "rotating after that")
}

func revokeAbsent(t *trial) {
	n := t.create(someUser, someApp)
	spent := t.signIn(someUser, someApp)
	for name, key := range map[string]store.Key{
		"the zero key":                         {},
		"a token of a grant that never was":    {GrantID: store.NewGrantID(t.start, someUser), Hash: t.hash()},
		"a token that the grant never had":     {GrantID: spent.grant.ID, Hash: t.hash()},
		"the zero hash":                        {GrantID: spent.grant.ID},
		"the zero hash of a grant with a code": {GrantID: n.Grant.ID},
		"a code":                               {GrantID: n.Grant.ID, Hash: n.Code.Hash},
		"a spent code":                         spent.redemption.Key,
	} {
		for _, app := range []string{someApp, otherApp} {
			r := store.TokenRevocation{Key: key, ApplicationID: app, At: t.after(time.Hour)}
			t.must(t.RevokeToken(t.Context(), r), "revoking %s as %s", name, app)
		}
	}
	t.keeps(spent, "after what is no token was revoked")
	t.redeems(t.redemption(n), "redeeming a code that was presented as a token to revoke")
}

func rotateAfterRevokedAccess(t *trial) {
	d := t.signIn(someUser, someApp)
	for i := range 3 {
		t.must(t.RevokeToken(t.Context(), t.revocation(d, d.access, time.Duration(i)*time.Hour+time.Minute)), "revoking access token %d", i)
		r := t.rotation(d, time.Duration(i+1)*time.Hour)
		r.Scopes = scopes.New("email")
		next := t.rotates(d, r, "rotating after access token %d was revoked", i)
		t.gone(d.key(d.access), "access token that was revoked before a rotation")
		t.keeps(next, "after access token %d was revoked", i)
		d = next
	}
}
