package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

var racePromises = []promise{
	{"of many that race for one code exactly one redeems it",
		"A code that can be redeemed twice can be stolen unnoticed.",
		raceForCode},
	{"of many that race with one refresh token exactly one rotates",
		"Two requests at once must neither sign the user out nor begin a second chain.",
		raceWithRetries},
	{"of many that race without grace exactly one succeeds",
		"A host that turns the grace off gets one success for each token, at any load.",
		raceWithoutGrace},
	{"a redemption beside a revocation leaves nothing alive",
		"A user who takes an application off the list is rid of it.",
		raceOfRedeemAndRevoke},
	{"a rotation beside a revocation leaves nothing alive",
		"A user who takes an application off the list is rid of it.",
		raceOfRotateAndRevoke},
	{"a grant made beside a revocation is revoked or has its consent",
		"A live grant without a consent is on no list, so nobody would revoke it.",
		raceOfCreateAndRevoke},
	{"of many that update one version exactly one succeeds",
		"The others must look at what has changed first.",
		raceOfUpdates},
	{"no update is lost among many that try again",
		"It is how the provider edits an application.",
		raceOfEdits},
	{"of many that create one client id exactly one succeeds",
		"Two applications with one client id could act for each other.",
		raceOfClientIDs},
	{"of many that create one grant exactly one succeeds",
		"A step that is sent twice must be done once.",
		raceOfGrantIDs},
	{"grants that one user makes at once all add to the consent",
		"A user may sign in on two devices at once.",
		raceOfConsents},
	{"a cleanup beside traffic breaks no chain",
		"It runs in many processes, whenever it likes.",
		raceWithCleanup},
}

// How often a race is run, and by how many. That is enough for a backend that
// reads and then writes to be caught in nearly every run of the suite.
const rounds, racers = 50, 20

// race lets n goroutines go at once and waits for all of them.
func race(n int, run func(i int)) {
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			run(i)
		})
	}
	close(start)
	wg.Wait()
}

// spread returns the clock of racer i: they differ by up to two seconds from
// the right time, in no order.
func spread(at time.Time, i int) time.Time {
	return at.Add(time.Duration(i*7%racers-racers/2) * 200 * time.Millisecond)
}

// tally counts how many errors are which of the sentinels; nil is a success.
func tally(errs []error, sentinels ...error) (counts map[error]int, other error) {
	counts = map[error]int{}
	for _, err := range errs {
		known := err == nil
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) {
				err, known = sentinel, true
			}
		}
		if known {
			counts[err]++
		} else {
			other = err
		}
	}
	return counts, other
}

// keptOf returns which of the tokens that were offered are kept.
func (t *trial) keptOf(id store.GrantID, offered []store.Hash) []store.Hash {
	t.Helper()
	var kept []store.Hash
	for _, hash := range offered {
		_, _, err := t.FindToken(t.Context(), store.Key{GrantID: id, Hash: hash})
		if err == nil {
			kept = append(kept, hash)
		} else if !errors.Is(err, store.ErrNotFound) {
			t.fatalf("finding a token that was offered: got error %v", err)
		}
	}
	return kept
}

func raceForCode(t *trial) {
	for round := range rounds {
		n := t.create(fmt.Sprint("user_", round), someApp)
		redemptions := make([]store.CodeRedemption, racers)
		var offered []store.Hash
		for i := range redemptions {
			redemptions[i] = t.redemption(n)
			redemptions[i].At = spread(t.after(time.Minute), i)
			offered = append(offered, redemptions[i].Access.Hash, redemptions[i].Refresh.Hash)
		}
		errs := make([]error, racers)
		race(racers, func(i int) { _, errs[i] = t.RedeemCode(t.Context(), redemptions[i]) })

		counts, other := tally(errs, store.ErrReused, store.ErrRevoked)
		if other != nil || counts[nil] != 1 || counts[store.ErrReused] != 1 || counts[store.ErrRevoked] != racers-2 {
			t.fatalf("%d racers for one code: got %d successes, %d of %q, %d of %q and error %v; want 1, 1, %d and none",
				racers, counts[nil], counts[store.ErrReused], store.ErrReused, counts[store.ErrRevoked], store.ErrRevoked, other, racers-2)
		}
		for i, err := range errs {
			if err != nil {
				continue
			}
			t.equal(t.keptOf(n.Grant.ID, offered), offered[2*i:2*i+2], "the tokens that are kept of those offered for one code")
			_, grant, err := t.FindToken(t.Context(), store.Key{GrantID: n.Grant.ID, Hash: redemptions[i].Access.Hash})
			t.must(err, "finding the winner's access token")
			if grant.RevokedAt.IsZero() {
				t.fatalf("after %d racers for one code the grant is not revoked", racers)
			}
		}
	}
}

// raceToRotate lets racers rotate the device's refresh token at once.
func (t *trial) raceToRotate(d device, grace time.Duration) (rotations []store.RefreshRotation, results []store.Issued, errs []error, offered []store.Hash) {
	rotations, results, errs = make([]store.RefreshRotation, racers), make([]store.Issued, racers), make([]error, racers)
	for i := range rotations {
		rotations[i] = t.rotation(d, 0)
		rotations[i].At = spread(t.after(time.Hour), i)
		rotations[i].Grace = grace
		offered = append(offered, rotations[i].Access.Hash, rotations[i].Refresh.Hash)
	}
	race(racers, func(i int) { results[i], errs[i] = t.RotateRefresh(t.Context(), rotations[i]) })
	return rotations, results, errs, offered
}

func raceWithRetries(t *trial) {
	for round := range rounds {
		d := t.signIn(fmt.Sprint("user_", round), someApp)
		rotations, results, errs, offered := t.raceToRotate(d, grace)
		winner := -1
		for i, err := range errs {
			if err != nil {
				t.fatalf("%d racers with one refresh token and a grace of %v: got error %v", racers, grace, err)
			}
			if results[i].Retried {
				continue
			}
			if winner >= 0 {
				t.fatalf("%d racers with one refresh token: more than one rotated it", racers)
			}
			winner = i
		}
		if winner < 0 {
			t.fatalf("%d racers with one refresh token: none rotated it", racers)
		}
		for i, issued := range results {
			if issued.Salt != rotations[winner].Salt {
				t.fatalf("racer %d: got the salt %x, want that of the one that rotated, %x", i, issued.Salt, rotations[winner].Salt)
			}
			if !issued.Access.ExpiresAt.Equal(rotations[winner].Access.ExpiresAt) || !issued.Grant.LastUsedAt.Equal(rotations[winner].At) {
				t.fatalf("racer %d: got an access token that expires at %v on a grant last used at %v, want those of the one that rotated, %v and %v",
					i, issued.Access.ExpiresAt, issued.Grant.LastUsedAt, rotations[winner].Access.ExpiresAt, rotations[winner].At)
			}
		}
		t.equal(t.keptOf(d.grant.ID, offered), offered[2*winner:2*winner+2], "the tokens that are kept of those offered for one refresh token")

		for i, r := range rotations {
			if i != winner {
				next := t.rotation(d, 2*time.Hour)
				next.Key.Hash = r.Refresh.Hash
				t.noRotation(next, store.ErrNotFound, "rotating the refresh token of a racer that did not rotate")
				break
			}
		}
		next := t.rotation(d, 2*time.Hour)
		next.Key.Hash = rotations[winner].Refresh.Hash
		issued, err := t.RotateRefresh(t.Context(), next)
		t.must(err, "rotating the refresh token of the racer that rotated")
		if issued.Retried || !issued.Grant.RevokedAt.IsZero() {
			t.fatalf("rotating after the race: got Retried %v and a grant revoked at %v", issued.Retried, issued.Grant.RevokedAt)
		}
	}
}

func raceWithoutGrace(t *trial) {
	for round := range rounds {
		d := t.signIn(fmt.Sprint("user_", round), someApp)
		none := -grace * time.Duration(round%2) // negative or zero
		rotations, _, errs, offered := t.raceToRotate(d, none)
		counts, other := tally(errs, store.ErrReused, store.ErrRevoked)
		if other != nil || counts[nil] != 1 || counts[store.ErrReused] != 1 || counts[store.ErrRevoked] != racers-2 {
			t.fatalf("%d racers with one refresh token and a grace of %v: got %d successes, %d of %q, %d of %q and error %v; want 1, 1, %d and none",
				racers, none, counts[nil], counts[store.ErrReused], store.ErrReused, counts[store.ErrRevoked], store.ErrRevoked, other, racers-2)
		}
		for i, err := range errs {
			if err != nil {
				continue
			}
			t.equal(t.keptOf(d.grant.ID, offered), offered[2*i:2*i+2], "the tokens that are kept of those offered for one refresh token")
			next := t.rotation(d, 2*time.Hour)
			next.Key.Hash = rotations[i].Refresh.Hash
			t.noRotation(next, store.ErrRevoked, "rotating the winner's refresh token after a reuse")
		}
	}
}

// revokers returns three ways to revoke a grant.
func (t *trial) revokers(g store.Grant, refresh store.Hash) []func() error {
	by := func(f store.GrantFilter) func() error {
		return func() error { _, err := t.RevokeGrants(t.Context(), f, t.after(time.Hour)); return err }
	}
	ways := []func() error{by(store.GrantFilter{ID: g.ID}), by(store.GrantFilter{UserID: g.UserID}), by(store.GrantFilter{ApplicationID: g.ApplicationID})}
	if !refresh.IsZero() {
		ways = append(ways, func() error {
			return t.RevokeToken(t.Context(), store.TokenRevocation{
				Key: store.Key{GrantID: g.ID, Hash: refresh}, ApplicationID: g.ApplicationID, At: t.after(time.Hour),
			})
		})
	}
	return ways
}

// noneLives checks that of all tokens that were offered none is on a grant
// that is not revoked.
func (t *trial) noneLives(id store.GrantID, offered []store.Hash, format string, args ...any) {
	t.Helper()
	for _, hash := range offered {
		token, grant, err := t.FindToken(t.Context(), store.Key{GrantID: id, Hash: hash})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		t.must(err, "finding a token that was offered")
		if grant.RevokedAt.IsZero() {
			t.fatalf("%s: the %s token is alive", fmt.Sprintf(format, args...), token.Kind)
		}
	}
}

func raceOfRedeemAndRevoke(t *trial) {
	for round := range rounds {
		n := t.create(fmt.Sprint("user_", round), fmt.Sprint("app_", round))
		ways := t.revokers(n.Grant, store.Hash{})
		r := t.redemption(n)
		var redeemed, revoked error
		race(2, func(i int) {
			if i == round/4%2 { // Whoever is started last often goes first.
				_, redeemed = t.RedeemCode(t.Context(), r)
			} else {
				revoked = ways[round%len(ways)]()
			}
		})
		t.must(revoked, "revoking while a code is redeemed")
		if redeemed != nil && !errors.Is(redeemed, store.ErrRevoked) {
			t.fatalf("redeeming a code while its grant is revoked: got error %v, want none or %q", redeemed, store.ErrRevoked)
		}
		t.noneLives(n.Grant.ID, []store.Hash{r.Access.Hash, r.Refresh.Hash}, "after a redemption raced with a revocation")
		if redeemed != nil {
			t.noRedemption(r, store.ErrRevoked, "redeeming a code of a grant that was revoked")
		}
	}
}

func raceOfRotateAndRevoke(t *trial) {
	for round := range rounds {
		d := t.signIn(fmt.Sprint("user_", round), fmt.Sprint("app_", round))
		ways := t.revokers(d.grant, d.refresh.Hash)
		r := t.rotation(d, time.Hour)
		var rotated, revoked error
		race(2, func(i int) {
			if i == round/4%2 { // Whoever is started last often goes first.
				_, rotated = t.RotateRefresh(t.Context(), r)
			} else {
				revoked = ways[round%len(ways)]()
			}
		})
		t.must(revoked, "revoking while a refresh token is rotated")
		if rotated != nil && !errors.Is(rotated, store.ErrRevoked) {
			t.fatalf("rotating a refresh token while its grant is revoked: got error %v, want none or %q", rotated, store.ErrRevoked)
		}
		t.noneLives(d.grant.ID, []store.Hash{d.access.Hash, d.refresh.Hash, r.Access.Hash, r.Refresh.Hash}, "after a rotation raced with a revocation")
		t.noRotation(t.retry(r, time.Second), store.ErrRevoked, "retrying on a grant that was revoked")
	}
}

func raceOfCreateAndRevoke(t *trial) {
	for round := range rounds {
		user := fmt.Sprint("user_", round)
		if round%2 == 0 {
			t.create(user, someApp) // so that there is a consent already
		}
		n := t.newGrant(user, someApp)
		filter := store.GrantFilter{UserID: user}
		if round%4 < 2 {
			filter.ApplicationID = someApp
		}
		var created, revoked error
		race(2, func(i int) {
			if i == round/4%2 { // Whoever is started last often goes first.
				created = t.CreateGrant(t.Context(), n)
			} else {
				_, revoked = t.RevokeGrants(t.Context(), filter, t.after(time.Minute))
			}
		})
		t.must(created, "creating a grant while the user's are revoked")
		t.must(revoked, "revoking a user's grants while one is created")
		_, live := t.grantsBy(store.GrantQuery{GrantFilter: store.GrantFilter{ID: n.Grant.ID}})
		_, err := t.FindConsent(t.Context(), user, someApp)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.fatalf("finding a consent: got error %v", err)
		}
		if (live == 1) != (err == nil) {
			t.fatalf("after a grant was created while the user's were revoked: the grant lives: %v; there is a consent: %v; want both or neither", live == 1, err == nil)
		}
	}
}

func raceWithCleanup(t *trial) {
	const chains, links, cleaners = 4, 25, 3
	devices := make([]device, chains)
	for i := range devices {
		devices[i] = t.signIn(fmt.Sprint("user_", i), someApp)
	}

	// The clock of all: it moves on by an hour when every chain has, and an
	// access token lives for two.
	var now, cleanups atomic.Int64
	var stop atomic.Bool
	failures := make([]error, chains+cleaners)
	var traffic, cleaning sync.WaitGroup
	for i := range cleaners {
		cleaning.Go(func() {
			for !stop.Load() {
				at := t.after(time.Duration(now.Load()))
				_, err := t.DeleteExpired(t.Context(), store.Expiry{Before: at, RotatedBefore: at.Add(-grace), Limit: 3})
				failures[chains+i] = errors.Join(failures[chains+i], err)
				cleanups.Add(1)
			}
		})
	}
	letCleanUp := func() {
		for enough := cleanups.Load() + 2*cleaners; cleanups.Load() < enough; {
			time.Sleep(10 * time.Microsecond)
		}
	}
	for link := range links {
		after := time.Duration(link+1) * time.Hour
		now.Store(int64(after))
		for i := range devices {
			traffic.Go(func() {
				if failures[i] != nil {
					return
				}
				r := t.rotation(devices[i], after)
				issued, err := t.RotateRefresh(t.Context(), r)
				if err != nil {
					failures[i] = fmt.Errorf("rotation %d: %w", link+1, err)
					return
				}
				letCleanUp()
				retried, err := t.RotateRefresh(t.Context(), t.retry(r, grace))
				if err != nil || !retried.Retried || retried.Salt != r.Salt {
					failures[i] = fmt.Errorf("retry %d: got Retried %v and error %w", link+1, retried.Retried, err)
					return
				}
				d := &devices[i]
				d.grant, d.access = issued.Grant, issued.Access
				d.refresh.Hash, d.refresh.IssuedAt, d.refresh.ExpiresAt = r.Refresh.Hash, r.At, r.Refresh.ExpiresAt
			})
		}
		traffic.Wait()
	}
	stop.Store(true)
	cleaning.Wait()
	for _, err := range failures {
		t.must(err, "rotating beside cleanups")
	}
	for i, d := range devices {
		t.keeps(d, "chain %d after cleanups beside it", i)
	}
}
