package faults

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// audit asks every instance about every sign-in of a load, once no other
// request can overlap with the answers, and then compares what is left in the
// store a few days later with the model.
func (l *load) audit() {
	l.t.Helper()
	for _, spans := range l.cuts.byKey {
		settle(spans)
	}
	var all sync.WaitGroup
	for _, w := range l.workers {
		all.Go(func() {
			for _, s := range w.all {
				if !l.t.Failed() {
					w.audit(s)
				}
			}
		})
	}
	all.Wait()
	if l.t.Failed() {
		return
	}
	live, dead := l.signIns()
	l.auditLists(live)
	l.auditApps()
	consents := l.auditConsents(live)
	l.auditStore(live, dead, consents)
	l.auditEnd(live)
	l.t.Logf("%s: %s; %d sign-ins alive and %d dead at the end, %d consents", l.at.Kind, &l.tally, len(live), len(dead), consents)
}

// audit settles the state of one sign-in.
func (w *worker) audit(s *signIn) {
	settle(s.ends)
	if len(s.pairs) == 0 {
		if strings.Count(s.user, "_") > 1 && !s.unsure && w.one(3) {
			return // The application never polls.
		}
		w.redeem(s, 1)
		if len(s.pairs) == 0 {
			return
		}
	}
	if s.unsure {
		w.refresh(s, 1)
	}
	for range w.hosts {
		for ago := range s.pairs {
			token := s.last(ago).Access
			answers, during := w.ask("guard", func(host string) (reply, error) { return s.app.notes(host, token) })
			w.found(s, during, token, s.id+" "+s.user+" "+s.app.ID, answers)
		}
		w.introspect(s, w.random.IntN(len(s.pairs)), 1)
	}
	w.refresh(s, 1)
	w.list(s)
	for range 100 { // All access tokens may have been revoked by now.
		if s.id != "" || !w.lives(s) {
			break
		}
		w.find(s, 1)
	}
	now := time.Now()
	if live, die := w.cuts.may(s.thing, span{from: now, to: now}); live == die {
		w.wrong("%s: it may be alive (%t) and dead (%t)", s, live, die)
	}
}

// lives reports whether a settled sign-in is alive.
func (l *load) lives(s *signIn) bool {
	now := time.Now()
	_, die := l.cuts.may(s.thing, span{from: now, to: now})
	return !die
}

// signIns are those with a known state, which excludes codes that were never
// redeemed.
func (l *load) signIns() (live, dead []*signIn) {
	for _, w := range l.workers {
		for _, s := range w.all {
			switch {
			case len(s.pairs) == 0:
			case l.lives(s):
				live = append(live, s)
			case s.id != "":
				dead = append(dead, s)
			}
		}
	}
	return live, dead
}

// auditLists checks on every instance that the shared users have the live
// sign-ins, and no others.
func (l *load) auditLists(live []*signIn) {
	for i := range sharedUsers {
		user := fmt.Sprintf("user_%d", i)
		var want []string
		for _, s := range live {
			if s.user == user {
				want = append(want, s.id+" "+s.app.ID)
			}
		}
		for range l.hosts {
			answers, _ := l.workers[0].ask("list", l.first.to("GET", "/test/grants?user="+user))
			got := strings.Split(strings.TrimSpace(answers[0].body), "\n")
			if l.lost > 0 { // Some may exist whose requests were not answered.
				require.Subset(l.t, got, want)
				continue
			}
			require.ElementsMatch(l.t, want, slices.DeleteFunc(got, func(s string) bool { return s == "" }))
		}
	}
}

func (l *load) auditApps() {
	now := time.Now()
	kept := 0
	for _, app := range l.allApps {
		_, err := l.kept.FindApplication(l.t.Context(), app.ID)
		live, die := l.cuts.may(app.record, span{from: now, to: now})
		if err == nil && !live || err != nil && !die {
			l.wrong("application %s: %v", app.ID, err)
		}
		if err == nil {
			kept++
		}
	}
	_, total, err := l.kept.ListApplications(l.t.Context(), store.ApplicationQuery{Limit: 1})
	require.NoError(l.t, err)
	if total < kept || total > kept+l.lost {
		l.wrong("%d applications, not %d", total, kept)
	}
}

// auditConsents checks that the expected consents exist, each sign-in with its
// own, and returns how many.
func (l *load) auditConsents(live []*signIn) (n int) {
	now := time.Now()
	has := map[key]bool{}
	for k, s := range l.consents {
		d, cuts, err := l.kept.FindConsent(l.t.Context(), k.user, k.app, "")
		require.NoError(l.t, err)
		s.keepDocuments()
		some, none := s.may(&l.cuts, span{from: now, to: now})
		found := d.Mark != 0 && !cuts.Exceed(&d.Seen)
		if found && !some || !found && !none {
			l.wrong("%s at %s: a consent: %t", k.user, k.app, found)
		}
		if has[k] = found; found {
			n++
		}
	}
	for _, s := range live {
		if !has[key{user: s.user, app: s.app.ID}] {
			l.wrong("%s: alive without a consent", s)
		}
	}
	return n
}

// auditStore sweeps at a time when everything dead is due, and nothing that can
// be refreshed, and checks what is left. A cut-off that the load has swept
// around, as if a day had passed, may stay two days longer.
func (l *load) auditStore(live, dead []*signIn, consents int) {
	later := time.Now().Add(75 * time.Hour)
	for end := time.Now().Add(60 * time.Second); ; {
		n, err := l.kept.Sweep(l.t.Context(), later, 1000)
		require.NoError(l.t, err)
		if n == 0 && l.documents() <= len(live)+consents || time.Now().After(end) {
			break
		}
	}
	require.Equal(l.t, len(live)+consents, l.documents(), "remaining documents")
	for _, s := range append(slices.Clone(live), dead...) {
		id, err := store.ParseID(s.id)
		require.NoError(l.t, err, "%s", s)
		_, _, err = l.kept.Find(l.t.Context(), id)
		if l.lives(s) {
			require.NoError(l.t, err, "%s", s)
		} else {
			require.ErrorIs(l.t, err, store.ErrNotFound, "%s", s)
		}
	}
	// Cut-offs are swept once they cover nothing.
	for k := range l.cuts.byKey {
		covers := func(s *signIn) bool { return (k.user == "" || k.user == s.user) && (k.app == "" || k.app == s.app.ID) }
		if k.what != documents || slices.ContainsFunc(live, covers) {
			continue
		}
		require.Eventually(l.t, func() bool {
			_, cuts, err := l.kept.FindConsent(l.t.Context(), k.user, k.app, "")
			require.NoError(l.t, err)
			left := cuts[store.CutKey{UserID: k.user, ApplicationID: k.app}.Index()] != 0
			if left {
				_, err = l.kept.Sweep(l.t.Context(), later, 1000)
				require.NoError(l.t, err)
			}
			return !left || l.consentLeft(k)
		}, 20*time.Second, time.Millisecond, "a cut-off remains: %v", k)
	}
}

// consentLeft reports whether a consent remains that the key covers.
func (l *load) consentLeft(k key) bool {
	for at := range l.consents {
		if (k.user == "" || k.user == at.user) && (k.app == "" || k.app == at.app) {
			if d, _, err := l.kept.FindConsent(l.t.Context(), at.user, at.app, ""); err != nil || d.Mark != 0 {
				return true
			}
		}
	}
	return false
}

// documents counts the documents of all kinds in the store.
func (l *load) documents() int {
	if l.at.isSQL() {
		return count(l.t, l.kept, l.at, "select count(*) from p_documents")
	}
	n := 0
	each := func(ctx context.Context, c *redis.Client) error {
		keys := c.Scan(ctx, 0, l.at.Prefix+"{*}:d:*", 1000).Iterator()
		for keys.Next(ctx) {
			n++
		}
		return keys.Err()
	}
	cluster, ok := l.kept.redis.(*redis.ClusterClient)
	if !ok {
		require.NoError(l.t, each(l.t.Context(), l.kept.redis.(*redis.Client)))
		return n
	}
	var mu sync.Mutex // The client library asks all servers concurrently.
	require.NoError(l.t, cluster.ForEachMaster(l.t.Context(), func(ctx context.Context, c *redis.Client) error {
		mu.Lock()
		defer mu.Unlock()
		return each(ctx, c)
	}))
	return n
}

// auditEnd makes one instance end everything, and then nothing works on any
// instance.
func (l *load) auditEnd(live []*signIn) {
	w := l.workers[0]
	w.end("end all", "/test/revoke-all", key{})
	for _, s := range live[:min(len(live), 50)] {
		w.find(s, len(l.hosts))
		w.refresh(s, 1)
	}
}
