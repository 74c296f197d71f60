package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var consentPromises = []promise{
	{"a first grant makes the consent",
		"The page of connected apps lists consents.",
		firstConsent},
	{"an absent consent is not found",
		"An application that was never agreed to must ask.",
		absentConsent},
	{"each further grant adds to the consent",
		"The page of connected apps shows all that was ever granted, and since when.",
		consentGrows},
	{"what is agreed to adds up for one resource",
		"Who said yes to it is not asked again.",
		agreedGrows},
	{"what is agreed to starts anew for another resource",
		"A yes for one API is no yes for another (RFC 8707).",
		agreedStartsAnew},
	{"a grant whose page was skipped leaves what is agreed to",
		"Nobody said yes, so when the page is switched on it has to ask.",
		skippedPage},
	{"there is one consent for each user and application",
		"What one user agrees to, or for one application, says nothing about another.",
		consentsApart},
	{"consents are listed most recently used first",
		"It is the order of the page of connected apps.",
		consentOrder},
	{"a consent outlives its grants",
		"Who comes back after a year is remembered.",
		consentOutlives},
	{"users who share a tag are kept apart",
		"The tag has 16 bits only: it says where to look, not whose it is.",
		sameTag},
}

// agrees creates a grant of some user to some application at the time.
func (t *trial) agrees(after time.Duration, resource string, skipped bool, names ...string) store.Grant {
	t.Helper()
	n := t.create(someUser, someApp, func(n *store.NewGrant) {
		n.Grant.ID = store.NewGrantID(t.after(after), someUser)
		n.Grant.Scopes = scopes.New(names...)
		n.Grant.Resource = resource
		n.Grant.CreatedAt, n.Grant.LastUsedAt = t.after(after), t.after(after)
		n.Grant.AgreedAt = t.after(after - time.Second)
		if skipped {
			n.Grant.AgreedAt = time.Time{}
		}
	})
	return n.Grant
}

// consents checks that a consent is kept as it should be, whichever way it is
// looked for.
func (t *trial) consents(want store.Consent, format string, args ...any) {
	t.Helper()
	what := fmt.Sprintf(format, args...)
	got, err := t.FindConsent(t.Context(), want.UserID, want.ApplicationID)
	if err != nil {
		t.errorf("%s: FindConsent: got error %v, want none", what, err)
		return
	}
	t.equal(got, want, "%s: FindConsent", what)
	list, err := t.ListConsents(t.Context(), want.UserID)
	t.must(err, "%s: ListConsents", what)
	i := slices.IndexFunc(list, func(c store.Consent) bool { return c.ApplicationID == want.ApplicationID })
	if i < 0 {
		t.errorf("%s: ListConsents: got %+v, want the consent to %q in it", what, list, want.ApplicationID)
		return
	}
	t.equal(list[i], want, "%s: ListConsents", what)
}

func firstConsent(t *trial) {
	g := t.agrees(0, someResource, false, "email", "profile")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: g.Scopes, Agreed: g.Scopes, Resource: someResource,
		AgreedAt: g.AgreedAt, CreatedAt: g.CreatedAt, LastUsedAt: g.CreatedAt,
	}, "after a first grant")

	n := t.newGrant(otherUser, someApp, func(n *store.NewGrant) { n.Grant.LastUsedAt = t.after(time.Hour) })
	n.Code, n.Access = nil, &store.NewToken{Hash: t.hash(), ExpiresAt: t.after(accessLifetime)}
	t.must(t.CreateGrant(t.Context(), n), "creating a grant with an access token")
	t.consents(store.Consent{
		UserID: otherUser, ApplicationID: someApp, Scopes: n.Grant.Scopes, Agreed: n.Grant.Scopes,
		AgreedAt: n.Grant.AgreedAt, CreatedAt: n.Grant.CreatedAt, LastUsedAt: n.Grant.CreatedAt,
	}, "after a first grant with an access token")
}

func absentConsent(t *trial) {
	absent := func(userID, applicationID string) {
		t.Helper()
		_, err := t.FindConsent(t.Context(), userID, applicationID)
		t.fails(err, store.ErrNotFound, "finding the consent of %q to %q", userID, applicationID)
	}
	absent(someUser, someApp)
	list, err := t.ListConsents(t.Context(), someUser)
	t.must(err, "listing the consents of a user who has none")
	t.equal(len(list), 0, "the number of consents of a user who has none")

	t.create(someUser, someApp)
	absent(someUser, otherApp)
	absent(otherUser, someApp)
	absent(someApp, someUser)
	absent(someUser, "")
	absent("", someApp)
}

func consentGrows(t *trial) {
	first := t.agrees(0, "", false, "profile", "email")
	second := t.agrees(time.Hour, "", false, "email", "admin")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp,
		Scopes: scopes.New("admin", "email", "profile"), Agreed: scopes.New("admin", "email", "profile"),
		AgreedAt: second.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: second.CreatedAt,
	}, "after a second grant")
	third := t.agrees(2*time.Hour, "", false, "email")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp,
		Scopes: scopes.New("admin", "email", "profile"), Agreed: scopes.New("admin", "email", "profile"),
		AgreedAt: third.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: third.CreatedAt,
	}, "after a third grant for less")
}

func agreedGrows(t *trial) {
	first := t.agrees(0, someResource, false, "email")
	second := t.agrees(time.Hour, someResource, false, "profile")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp,
		Scopes: scopes.New("email", "profile"), Agreed: scopes.New("email", "profile"), Resource: someResource,
		AgreedAt: second.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: second.CreatedAt,
	}, "after a second grant for the same resource")
}

func agreedStartsAnew(t *trial) {
	first := t.agrees(0, someResource, false, "email", "notes:read")
	for i, tt := range []struct {
		resource, scope string
	}{
		{otherResource, "profile"}, {"", "email"}, {someResource, "profile"},
	} {
		g := t.agrees(time.Duration(i+1)*time.Hour, tt.resource, false, tt.scope)
		all := scopes.New("email", "notes:read", "profile")
		t.consents(store.Consent{
			UserID: someUser, ApplicationID: someApp, Scopes: all, Agreed: scopes.New(tt.scope), Resource: tt.resource,
			AgreedAt: g.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: g.CreatedAt,
		}, "after %q was agreed to for resource %q", tt.scope, tt.resource)
	}
}

func skippedPage(t *trial) {
	first := t.agrees(0, someResource, true, "email")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: scopes.New("email"),
		CreatedAt: first.CreatedAt, LastUsedAt: first.CreatedAt,
	}, "after a first grant whose page was skipped")

	second := t.agrees(time.Hour, "", false, "profile")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: scopes.New("email", "profile"), Agreed: scopes.New("profile"),
		AgreedAt: second.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: second.CreatedAt,
	}, "after the page was shown")

	third := t.agrees(2*time.Hour, otherResource, true, "admin")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: scopes.New("admin", "email", "profile"), Agreed: scopes.New("profile"),
		AgreedAt: second.AgreedAt, CreatedAt: first.CreatedAt, LastUsedAt: third.CreatedAt,
	}, "after the page was skipped for another resource")
}

func consentsApart(t *trial) {
	// Ids are compared byte for byte: no folding of case, no trimming, no
	// normalizing.
	users := []string{"user", "User", "user ", " user", "us\u00e9r", "use\u0301r", "user_1", "user%1"}
	apps := []string{"app", "App", "app ", "a", "pp"}
	for i, user := range users {
		for j, app := range apps {
			t.create(user, app, func(n *store.NewGrant) { n.Grant.Scopes = scopes.New(fmt.Sprintf("s%d.%d", i, j)) })
		}
	}
	for i, user := range users {
		for j, app := range apps {
			t.consents(store.Consent{
				UserID: user, ApplicationID: app, Scopes: scopes.New(fmt.Sprintf("s%d.%d", i, j)), Agreed: scopes.New(fmt.Sprintf("s%d.%d", i, j)),
				AgreedAt: t.start.Add(-time.Second), CreatedAt: t.start, LastUsedAt: t.start,
			}, "the consent of %q to %q", user, app)
		}
		list, err := t.ListConsents(t.Context(), user)
		t.must(err, "listing the consents of %q", user)
		t.equal(len(list), len(apps), "the number of consents of %q", user)
	}
}

func consentOrder(t *trial) {
	// Last used in the order c, a, d, b, and c again.
	for i, app := range []string{"c", "a", "d", "b", "c"} {
		t.create(someUser, app, func(n *store.NewGrant) { n.Grant.CreatedAt = t.after(time.Duration(i) * tick) })
	}
	t.create(otherUser, "e")
	list, err := t.ListConsents(t.Context(), someUser)
	t.must(err, "listing consents")
	var got []string
	for _, c := range list {
		got = append(got, c.ApplicationID)
	}
	t.equal(got, []string{"c", "b", "d", "a"}, "the applications of the consents")
}

func consentOutlives(t *trial) {
	d := t.signIn(someUser, someApp)
	want, err := t.FindConsent(t.Context(), someUser, someApp)
	t.must(err, "finding the consent")
	t.must(t.RevokeToken(t.Context(), t.revocation(d, d.refresh, time.Hour)), "revoking a refresh token")
	t.consents(want, "after the only grant was revoked by its token")
	again := t.signIn(someUser, someApp)
	_, err = t.RevokeGrants(t.Context(), store.GrantFilter{ID: again.grant.ID}, t.after(time.Hour))
	t.must(err, "revoking a grant")
	t.consents(want, "after the only live grant was revoked by its id")
	t.cleansUp(store.Expiry{Before: t.after(10_000 * time.Hour), RotatedBefore: t.after(10_000 * time.Hour), Limit: 100})
	t.gone(d.key(d.access), "token of a revoked grant after a cleanup")
	t.consents(want, "after the only grant was removed")
}

func sameTag(t *trial) {
	// Among so many users two share a tag.
	seen := map[uint16]string{}
	var a, b string
	for i := 0; a == ""; i++ {
		user := fmt.Sprint("user_", i)
		tag := store.UserTag(user)
		if other, ok := seen[tag]; ok {
			a, b = other, user
		}
		seen[tag] = user
	}
	first, second := t.signIn(a, someApp), t.signIn(b, someApp)
	n, err := t.RevokeGrants(t.Context(), store.GrantFilter{UserID: a}, t.after(time.Hour))
	t.must(err, "revoking the grants of one user")
	t.equal(n, 1, "the number of grants revoked of one of two users who share a tag")
	t.revoked(first, t.after(time.Hour), "the user whose grants were revoked")
	t.keeps(second, "the user who shares a tag with one whose grants were revoked")
	_, err = t.FindConsent(t.Context(), b, someApp)
	t.must(err, "finding the consent of the other user")
	page, total, err := t.ListGrants(t.Context(), store.GrantQuery{GrantFilter: store.GrantFilter{UserID: b}})
	t.must(err, "listing the grants of the other user")
	if total != 1 || len(page) != 1 {
		t.errorf("the grants of the other user: got %d of %d, want 1 of 1", len(page), total)
	}
}
