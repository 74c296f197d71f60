package storetest

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var revocationPromises = []promise{
	{"a filter revokes what it matches and nothing else",
		"It ends what a user, or an administrator, wants ended, and signs nobody else out.",
		revokeByFilter},
	{"the empty filter matches nothing",
		"A field that was forgotten must not sign everybody out.",
		emptyFilter},
	{"what was revoked before does not count and keeps its time",
		"The number and the time are what the host's records say.",
		revokedBefore},
	{"nothing works on a revoked grant",
		"To revoke is to end it now.",
		nothingWorks},
	{"however many grants match, all are revoked",
		"Deleting an application with a hundred thousand users is one step.",
		revokeMany},
	{"a consent without grants is deleted too",
		"Who takes an application off the list is asked when it comes again.",
		revokeConsentOnly},
	{"a new grant after a revocation is a fresh start",
		"Revoking says no to what was, not for ever.",
		grantAfterRevocation},
	{"grants are listed newest first, without the revoked ones",
		"It is the list of signed-in devices.",
		listGrants},
	{"grants are listed by what the filter names",
		"Nobody sees another user's devices.",
		listGrantsByFilter},
	{"a list of grants comes in pages and counts all that match",
		"A user may have signed in on many devices.",
		listGrantPages},
}

// A household is what one revocation is tried on: two users with two grants
// each for two applications.
type household struct {
	users, apps [2]string
	devices     []device
}

func (t *trial) household(name string) household {
	t.Helper()
	h := household{users: [2]string{name + "_ann", name + "_bob"}, apps: [2]string{name + "_wiki", name + "_chat"}}
	for _, user := range h.users {
		for _, app := range h.apps {
			h.devices = append(h.devices, t.signIn(user, app), t.signIn(user, app))
		}
	}
	return h
}

func revokeByFilter(t *trial) {
	for _, tt := range []struct {
		name     string
		filter   func(h household) store.GrantFilter
		consents bool // the consents of what the filter names are deleted
	}{
		{"id", func(h household) store.GrantFilter { return store.GrantFilter{ID: h.devices[0].grant.ID} }, false},
		{"id and user", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: h.devices[1].grant.ID, UserID: h.users[0]}
		}, false},
		{"id and application", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: h.devices[2].grant.ID, ApplicationID: h.apps[1]}
		}, false},
		{"all three", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: h.devices[7].grant.ID, UserID: h.users[1], ApplicationID: h.apps[1]}
		}, false},
		{"id and another user", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: h.devices[0].grant.ID, UserID: h.users[1]}
		}, false},
		{"id and another application", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: h.devices[0].grant.ID, ApplicationID: h.apps[1]}
		}, false},
		{"absent id", func(h household) store.GrantFilter {
			return store.GrantFilter{ID: store.NewGrantID(t.start, h.users[0])}
		}, false},
		{"user", func(h household) store.GrantFilter { return store.GrantFilter{UserID: h.users[0]} }, true},
		{"application", func(h household) store.GrantFilter { return store.GrantFilter{ApplicationID: h.apps[0]} }, true},
		{"user and application", func(h household) store.GrantFilter {
			return store.GrantFilter{UserID: h.users[1], ApplicationID: h.apps[0]}
		}, true},
		{"absent user", func(household) store.GrantFilter { return store.GrantFilter{UserID: "nobody"} }, true},
		{"absent application", func(household) store.GrantFilter { return store.GrantFilter{ApplicationID: "nothing"} }, true},
		{"user and absent application", func(h household) store.GrantFilter {
			return store.GrantFilter{UserID: h.users[0], ApplicationID: "nothing"}
		}, true},
	} {
		h := t.household(tt.name)
		f, at := tt.filter(h), t.after(time.Hour)
		n, err := t.RevokeGrants(t.Context(), f, at)
		t.must(err, "revoking by %s", tt.name)

		matched := 0
		for i, d := range h.devices {
			if matches(f, d.grant) {
				matched++
				t.revoked(d, at, "grant %d, which a revocation by %s matches", i, tt.name)
			} else {
				t.keeps(d, "grant %d, which a revocation by %s does not match", i, tt.name)
			}
		}
		t.equal(n, matched, "the number of grants revoked by %s", tt.name)
		for _, user := range h.users {
			for _, app := range h.apps {
				_, err := t.FindConsent(t.Context(), user, app)
				if tt.consents && matches(f, store.Grant{UserID: user, ApplicationID: app}) {
					t.fails(err, store.ErrNotFound, "finding the consent of %s to %s after a revocation by %s", user, app, tt.name)
				} else {
					t.must(err, "finding the consent of %s to %s after a revocation by %s", user, app, tt.name)
				}
			}
		}
	}
}

// matches is the definition of what a filter matches.
func matches(f store.GrantFilter, g store.Grant) bool {
	return !f.IsZero() &&
		(f.ID.IsZero() || f.ID == g.ID) &&
		(f.UserID == "" || f.UserID == g.UserID) &&
		(f.ApplicationID == "" || f.ApplicationID == g.ApplicationID)
}

func emptyFilter(t *trial) {
	h := t.household("empty")
	n, err := t.RevokeGrants(t.Context(), store.GrantFilter{}, t.after(time.Hour))
	t.must(err, "revoking by the empty filter")
	t.equal(n, 0, "the number of grants revoked by the empty filter")
	for _, d := range h.devices {
		t.keeps(d, "after a revocation by the empty filter")
		_, err := t.FindConsent(t.Context(), d.grant.UserID, d.grant.ApplicationID)
		t.must(err, "finding a consent after a revocation by the empty filter")
	}
	page, total, err := t.ListGrants(t.Context(), store.GrantQuery{Limit: 100})
	t.must(err, "listing by the empty filter")
	if len(page) != 0 || total != 0 {
		t.errorf("listing by the empty filter: got %d of %d grants, want none", len(page), total)
	}
}

func revokedBefore(t *trial) {
	first, second := t.signIn(someUser, someApp), t.signIn(someUser, someApp)
	revoke := func(f store.GrantFilter, after time.Duration, want int) {
		t.Helper()
		n, err := t.RevokeGrants(t.Context(), f, t.after(after))
		t.must(err, "revoking by %+v", f)
		t.equal(n, want, "the number of grants revoked by %+v after %v", f, after)
	}
	revoke(store.GrantFilter{ID: first.grant.ID}, time.Hour, 1)
	revoke(store.GrantFilter{ID: first.grant.ID}, 2*time.Hour, 0)
	revoke(store.GrantFilter{UserID: someUser}, 3*time.Hour, 1)
	revoke(store.GrantFilter{UserID: someUser}, 4*time.Hour, 0)
	revoke(store.GrantFilter{ApplicationID: someApp}, 5*time.Hour, 0)
	t.revoked(first, t.after(time.Hour), "the grant that was revoked first")
	t.revoked(second, t.after(3*time.Hour), "the grant that was revoked second")
}

func nothingWorks(t *trial) {
	n := t.create(someUser, someApp)
	first := t.signIn(someUser, someApp)
	r := t.rotation(first, time.Hour)
	second := t.rotates(first, r, "rotating")
	count, err := t.RevokeGrants(t.Context(), store.GrantFilter{UserID: someUser, ApplicationID: someApp}, t.after(time.Hour))
	t.must(err, "revoking")
	t.equal(count, 2, "the number of grants revoked, one of which only has a code")

	t.noRedemption(t.redemption(n), store.ErrRevoked, "redeeming a code of a revoked grant")
	t.noRotation(t.retry(r, time.Second), store.ErrRevoked, "retrying on a revoked grant")
	t.noRotation(t.rotation(second, 2*time.Hour), store.ErrRevoked, "rotating on a revoked grant")
	t.revoked(second, t.after(time.Hour), "after a revocation")
	t.must(t.RevokeToken(t.Context(), t.revocation(second, second.refresh, 3*time.Hour)), "revoking a refresh token of a revoked grant")
	t.revoked(second, t.after(time.Hour), "after a refresh token of it was revoked once more")
}

func revokeMany(t *trial) {
	const users, each = 40, 3
	var devices []device
	for i := range users {
		for range each {
			devices = append(devices, t.signIn(fmt.Sprint("user_", i), someApp))
		}
	}
	other := t.signIn("user_0", otherApp)
	n, err := t.RevokeGrants(t.Context(), store.GrantFilter{ApplicationID: someApp}, t.after(time.Hour))
	t.must(err, "revoking by application")
	t.equal(n, users*each, "the number of grants revoked")
	for _, d := range devices {
		t.revoked(d, t.after(time.Hour), "after its application was revoked")
	}
	for i := range users {
		_, err := t.FindConsent(t.Context(), fmt.Sprint("user_", i), someApp)
		t.fails(err, store.ErrNotFound, "finding a consent to an application that was revoked")
	}
	t.keeps(other, "after another application was revoked")
	_, err = t.FindConsent(t.Context(), "user_0", otherApp)
	t.must(err, "finding a consent to another application")
}

func revokeConsentOnly(t *trial) {
	for _, f := range []store.GrantFilter{{UserID: someUser}, {ApplicationID: someApp}, {UserID: someUser, ApplicationID: someApp}} {
		d := t.signIn(someUser, someApp)
		_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: d.grant.ID}, t.after(time.Hour))
		t.must(err, "revoking a grant")
		t.cleansUp(store.Expiry{Before: t.after(time.Hour), Limit: 100})
		n, err := t.RevokeGrants(t.Context(), f, t.after(2*time.Hour))
		t.must(err, "revoking by %+v", f)
		t.equal(n, 0, "the number of grants revoked where only a consent is left")
		_, err = t.FindConsent(t.Context(), someUser, someApp)
		t.fails(err, store.ErrNotFound, "finding a consent that was taken back by %+v", f)
		list, err := t.ListConsents(t.Context(), someUser)
		t.must(err, "listing consents")
		t.equal(len(list), 0, "the number of consents after all were taken back")
	}
}

func grantAfterRevocation(t *trial) {
	old := t.signIn(someUser, someApp)
	_, err := t.RevokeGrants(t.Context(), store.GrantFilter{UserID: someUser}, t.after(time.Minute))
	t.must(err, "revoking")
	g := t.agrees(time.Hour, "", false, "email")
	t.consents(store.Consent{
		UserID: someUser, ApplicationID: someApp, Scopes: g.Scopes, Agreed: g.Scopes,
		AgreedAt: g.AgreedAt, CreatedAt: g.CreatedAt, LastUsedAt: g.CreatedAt,
	}, "after a revocation and a new grant")
	t.keeps(t.signIn(someUser, someApp), "a grant after a revocation")
	t.revoked(old, t.after(time.Minute), "the revoked grant after a new one")
}

// grantsBy returns the page of grants and their total.
func (t *trial) grantsBy(q store.GrantQuery) ([]store.Grant, int) {
	t.Helper()
	page, total, err := t.ListGrants(t.Context(), q)
	t.must(err, "listing grants by %+v", q)
	return page, total
}

func listGrants(t *trial) {
	page, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}})
	if len(page) != 0 || total != 0 {
		t.errorf("listing the grants of a user without any: got %d of %d", len(page), total)
	}

	// Their creation is in another order than their ids, and three are of the
	// same time.
	var want []store.Grant
	for _, created := range []time.Duration{2 * tick, 0, time.Hour, tick, time.Minute, time.Hour, -time.Hour, time.Hour} {
		n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Grant.CreatedAt = t.after(created) })
		want = append(want, n.Grant)
	}
	revoked := t.signIn(someUser, someApp)
	_, err := t.RevokeGrants(t.Context(), store.GrantFilter{ID: revoked.grant.ID}, t.after(time.Hour))
	t.must(err, "revoking a grant")
	used := t.signIn(someUser, someApp, func(n *store.NewGrant) { n.Grant.CreatedAt = t.after(30 * time.Minute) })
	want = append(want, t.rotates(used, t.rotation(used, 5*time.Hour), "rotating").grant)
	slices.SortFunc(want, func(a, b store.Grant) int {
		if c := b.CreatedAt.Compare(a.CreatedAt); c != 0 {
			return c
		}
		return bytes.Compare(b.ID[:], a.ID[:])
	})
	page, total = t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{UserID: someUser}, Limit: 100})
	t.equal(total, len(want), "the number of grants that are not revoked")
	if len(page) != len(want) {
		t.fatalf("listing grants: got %d, want %d", len(page), len(want))
	}
	for i := range want {
		t.equal(page[i], want[i], "grant %d of a list", i)
	}
}

func listGrantsByFilter(t *trial) {
	h := t.household("list")
	for _, f := range []store.GrantFilter{
		{UserID: h.users[0]}, {UserID: h.users[1]}, {ApplicationID: h.apps[0]}, {UserID: h.users[1], ApplicationID: h.apps[1]},
		{ID: h.devices[3].grant.ID}, {ID: h.devices[3].grant.ID, UserID: h.users[0]}, {ID: h.devices[3].grant.ID, UserID: h.users[1]},
		{ID: h.devices[3].grant.ID, ApplicationID: h.apps[0]}, {UserID: "nobody"}, {ApplicationID: "nothing"}, {UserID: h.apps[0]},
	} {
		want := map[store.GrantID]bool{}
		for _, d := range h.devices {
			if matches(f, d.grant) {
				want[d.grant.ID] = true
			}
		}
		page, total := t.grantsBy(store.GrantQuery{GrantFilter: f, Limit: 100})
		got := map[store.GrantID]bool{}
		for _, g := range page {
			got[g.ID] = true
		}
		t.equal(got, want, "the ids of the grants listed by %+v", f)
		t.equal(total, len(want), "the number of grants listed by %+v", f)
	}
}

func listGrantPages(t *trial) {
	var all []store.GrantID // newest first
	for i := range 12 {
		n := t.create(someUser, someApp, func(n *store.NewGrant) { n.Grant.CreatedAt = t.after(-time.Duration(i) * time.Second) })
		all = append(all, n.Grant.ID)
	}
	for _, p := range []struct{ limit, offset, first, end int }{
		{5, 0, 0, 5}, {5, 5, 5, 10}, {5, 10, 10, 12}, {1, 11, 11, 12}, {100, 0, 0, 12}, {0, 0, 0, store.DefaultLimit}, {0, 5, 5, 12}, {5, 12, 0, 0}, {5, 1000, 0, 0},
	} {
		page, total := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ApplicationID: someApp}, Limit: p.limit, Offset: p.offset})
		var got []store.GrantID
		for _, g := range page {
			got = append(got, g.ID)
		}
		if !slices.Equal(got, all[p.first:p.end]) {
			t.errorf("the page of %d grants from %d: got %v, want %v", p.limit, p.offset, got, all[p.first:p.end])
		}
		t.equal(total, len(all), "the total beside the page of %d grants from %d", p.limit, p.offset)
	}
	for _, q := range []store.GrantQuery{{Limit: -1}, {Offset: -1}} {
		q.UserID = someUser
		if _, _, err := t.ListGrants(t.Context(), q); err == nil {
			t.errorf("listing grants with limit %d and offset %d: got no error", q.Limit, q.Offset)
		}
	}
}
