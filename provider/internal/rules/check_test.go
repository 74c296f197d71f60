package rules

import (
	"flag"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/storetest/plain"
)

var moreFaults = flag.Int("faults", 0, "how many more faults the model checker tries in each scenario; 1 takes ten seconds")

// A bug is a wrong variant of a rule, of the contract, or of a loop, which the
// checker must find.
type bug string

const (
	noBug                bug = ""
	freshDraws           bug = "tokens, salt, and mark are drawn in each round"
	nothingIsRecognized  bug = "a write doesn't know itself again"
	lastIsRecognized     bug = "a write knows itself only while it is the last"
	attemptsAreForgotten bug = "a request doesn't know what it was about to write"
	oneTooFew            bug = "a rotation too few is remembered"
	oldContinues         bug = "an old token continues a separate chain"
	onlyTheLastIsOld     bug = "only the last token that was replaced gets the current pair"
	forgottenIsHarmless  bug = "a public application's token that is forgotten is refused, and nothing ends"
	unknownIsReuse       bug = "an unknown token of the family is a reuse, older or not"
	reuseIsHarmless      bug = "a reuse doesn't end the grant"
	cutsAreTimes         bug = "cut-offs are compared with times of creation"
	numbersFall          bug = "a cut-off by a clock that is behind makes a number smaller"
	lateNumbers          bug = "the numbers are read when the grant is made"
	numbersFirst         bug = "the numbers are read before the document"
	grantFirst           bug = "the grant is made before the consent"
	formsAreForgotten    bug = "a form that is sent again is a newer decision"
	formsAreNeverVoid    bug = "a form from before a cut-off is a newer decision"
	cutThenDelete        bug = "an application is cut off before its record is removed"
	memberFirst          bug = "the host is asked for the membership before the numbers are read"
	cutThenLeave         bug = "a user is cut off in a workspace before the host removes them from it"
	deletedMayComeBack   bug = "an application is deleted, but not cut off for good"
	endCompares          bug = "ending compares the mark"
	endDeletes           bug = "an ended grant is removed at once"
	versionsAreCounted   bug = "the mark is a counter"
	createReplaces       bug = "Create replaces what is there"
	replaceAnything      bug = "Replace doesn't compare the mark"
	replaceRevives       bug = "Replace replaces the ending too"
)

// The initial content of the store in scenarios.

// waitingGrant has a grant whose code can be redeemed.
func waitingGrant() (k kept) {
	g := NewGrant(formID(0), checkKey, store.Cuts{}, start)
	code := checkCode(0)
	g.Scopes = "email"
	g.WithCode(NewCode{Hash: code.Hash(KindCode), ExpiresAt: start.Add(codeLife)})
	k.docs[0] = g.Document(1)
	return k
}

// chainedGrant has a grant with firstPair.
func chainedGrant() kept {
	k := waitingGrant()
	var g Grant
	code, pair := checkCode(0), firstPair()
	if err := ReadGrant(&g, &k.docs[0], &k.cuts); err != nil {
		panic(err)
	}
	if _, err := g.Redeem(&Redemption{
		Code: code.Hash(KindCode), ApplicationID: checkKey.ApplicationID, Secret: pair.refresh, Now: start,
		Access:  NewToken{pair.access.Hash(KindAccess), start.Add(accessLife)},
		Refresh: NewToken{pair.refresh.Hash(KindRefresh), start.Add(refreshLife)},
	}); err != nil {
		panic(err)
	}
	k.docs[0] = g.Document(1)
	return k
}

// longChain has a grant with firstPair after many rotations within the grace
// period. Its access tokens have expired, or they work.
func longChain(rotations int, expired bool) kept {
	k := chainedGrant()
	var g Grant
	if err := ReadGrant(&g, &k.docs[0], &k.cuts); err != nil {
		panic(err)
	}
	expires := start.Add(accessLife)
	if expired {
		expires = start.Add(-time.Minute)
	}
	for i := range rotations {
		if _, _, err := g.Rotate(&Rotation{
			Presented: laterPair(i).refresh, ApplicationID: checkKey.ApplicationID, Salt: Salt{byte(i)}, Grace: grace, Now: start,
			AccessExpiresAt: expires, RefreshExpiresAt: start.Add(refreshLife),
		}); err != nil {
			panic(err)
		}
	}
	k.docs[0] = g.Document(1)
	return k
}

// consentedBefore has a consent from long ago.
func consentedBefore() (k kept) {
	var c Consent
	_, _ = c.Agree(checkKey, Decision{Form: formID(9), Shown: set("email"), Ticked: set("email"), Now: start.Add(-day)})
	k.docs[consentSlot] = c.Document(1)
	return k
}

func scenarios() []scenario {
	const (
		app           = "a"
		second        = time.Second
		ahead, behind = 30 * second, -30 * second
	)
	code, chain, consent := waitingGrant(), chainedGrant(), consentedBefore()
	user, both, everything := store.CutKey{UserID: checkKey.UserID}, store.CutKey{UserID: checkKey.UserID, ApplicationID: checkKey.ApplicationID}, store.CutKey{}
	workspace, inWorkspace := store.CutKey{WorkspaceID: checkKey.WorkspaceID}, store.CutKey{UserID: checkKey.UserID, WorkspaceID: checkKey.WorkspaceID}
	email, bound := visit{scope: "email"}, visit{scope: "profile", resource: otherResource}
	quiet, recheck, old := visit{scope: "email", quiet: true}, visit{scope: "email", recheck: true}, visit{scope: "email", old: true}
	member, quietMember := visit{scope: "email", member: true}, visit{scope: "email", quiet: true, member: true}
	all := func(r ...request) []request { return r }
	return []scenario{
		{name: "one redeemer", begin: code, faults: 3, honest: true, requests: all(redeem(0, -1, app))},
		{name: "one refresher without grace", begin: chain, faults: 3, honest: true, requests: all(refresh(-1, 0))},
		{name: "two redeemers, and refreshers of both", begin: code, faults: 2,
			requests: all(redeem(0, -1, app), redeem(0, -1, app), refresh(0, grace), refresh(1, grace))},
		{name: "another application's redeemer", begin: code, faults: 2,
			requests: all(redeem(0, -1, app), redeem(0, -1, "b"), refresh(0, grace))},
		{name: "a chain", begin: code, faults: 3, honest: true,
			requests: all(redeem(0, -1, app), refresh(0, grace), refresh(1, grace).by(ahead), refresh(2, grace).by(behind))},
		{name: "one token twice, and a chain of the first", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), refresh(-1, grace).by(ahead), refresh(0, grace), refresh(2, grace))},
		{name: "one token three times, and the successor of the second", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), refresh(-1, grace), refresh(-1, grace), refresh(1, grace))},
		{name: "one token twice without grace", begin: chain, faults: 2,
			requests: all(refresh(-1, 0), refresh(-1, 0), refresh(0, grace), refresh(1, grace))},
		{name: "a client that tries again", begin: chain, faults: 3, honest: true,
			requests: all(refresh(-1, grace), refresh(-1, grace).then(0).by(ahead), refresh(1, grace).by(behind), refresh(2, grace))},
		{name: "a failover that loses a rotation", begin: chain, faults: 1, honest: true,
			requests: all(refresh(-1, grace), failOver(chain.docs[0]).then(0), refresh(0, grace), refresh(-1, grace).then(1))},
		{name: "old tokens of a chain that works", begin: longChain(4, false), rotated: 4, faults: 2, honest: true,
			requests: all(refresh(-1, grace), refresh(-5, grace), publicly(-3, grace).by(ahead), refresh(0, grace).by(behind))},
		{name: "old tokens of a chain that has expired", begin: longChain(4, true), rotated: 4, faults: 2, honest: true,
			requests: all(publicly(-1, grace), publicly(-3, grace).by(ahead), refresh(-5, grace).by(behind), publicly(0, grace))},
		{name: "the oldest known token continues", begin: longChain(maxRotations, true), rotated: maxRotations, faults: 2, honest: true,
			requests: all(publicly(-1, grace), publicly(0, grace), publicly(1, grace).by(behind), publicly(-9, grace).then(0))},
		{name: "the oldest known token continues, and others on top of it", begin: longChain(maxRotations, true), rotated: maxRotations, faults: 2,
			requests: all(publicly(-1, grace), publicly(-9, grace), publicly(1, grace).by(ahead), publicly(2, grace))},
		{name: "an old token is forgotten", begin: longChain(maxRotations, false), rotated: maxRotations, faults: 2, honest: true,
			requests: all(refresh(-1-maxRotations, grace), refresh(-1, grace), refresh(-2, grace).by(ahead), refresh(0, grace))},
		{name: "an old token of a public application is forgotten", begin: longChain(maxRotations, false), rotated: maxRotations, faults: 2,
			requests: all(publicly(-1-maxRotations, grace), publicly(-1, grace), publicly(-2, grace).by(behind), publicly(0, grace))},
		{name: "an old token past the grace", begin: longChain(4, false), rotated: 4, faults: 2,
			requests: all(refresh(-1, 0), refresh(-5, grace), refresh(-4, grace).by(2*grace), refresh(1, grace))},
		{name: "an access token is revoked alongside a retry", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), revokeAccess(0), refresh(-1, grace), refresh(0, grace))},
		{name: "a refresh token is revoked alongside its use", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), revokeRefresh(-1), refresh(0, grace), revokeAccess(2))},
		{name: "ending against a chain of rotations", begin: chain, faults: 1,
			requests: all(endOne(), refresh(-1, grace), refresh(1, grace), refresh(2, grace))},
		{name: "an end, a sweep, and a chain", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), endOne(), sweepLater(), refresh(0, grace))},
		{name: "a redemption, an end, and the form once more", begin: code, faults: 1,
			requests: all(redeem(0, -1, app), endOne(), email.answer(0), redeem(0, 2, app))},
		{name: "an end, a sweep, and an old form", begin: code, faults: 2,
			requests: all(endOne(), sweepLater().then(0), old.answer(0).then(1), redeem(0, -1, app))},
		{name: "a cut-off alongside a chain", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), refresh(0, grace), cut(user), refresh(1, grace))},
		{name: "a cut-off by a clock ahead, and a sign-in by one behind", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), cut(user).by(ahead), email.answer(1).then(1).by(behind), redeem(1, 2, app))},
		{name: "a cut-off by a clock ahead, a sign-in, and a cut-off by one behind", faults: 2,
			requests: all(cut(user).by(ahead), email.answer(0).then(0), cut(user).then(1).by(behind), redeem(0, 1, app).then(2))},
		{name: "a quiet sign-in alongside a cut-off, and after it", begin: consent, faults: 2,
			requests: all(cut(both), quiet.answer(0), quiet.answer(1).then(0), redeem(0, 1, app))},
		{name: "a form twice alongside a cut-off", faults: 1, paired: true,
			requests: all(email.answer(0), email.answer(0), cut(both), redeem(0, 0, app))},
		{name: "a form, a cut-off of everything, the form again, and another", faults: 1, paired: true,
			requests: all(email.answer(0), cut(everything), email.answer(0).then(0), email.answer(1).then(1))},
		{name: "two forms, and the first once more", faults: 1, paired: true,
			requests: all(email.answer(0), bound.answer(1), email.answer(0).then(1), redeem(1, 1, app))},
		{name: "a cancel alongside a quiet sign-in, and another after it", begin: consent, faults: 2,
			requests: all(email.cancel(2), quiet.answer(0), quiet.answer(1).then(0), redeem(0, 1, app))},
		{name: "a form, a cancel on another, and the form again", faults: 1,
			requests: all(email.answer(0), email.cancel(2).then(0), email.answer(0).then(1), quiet.answer(1).then(1))},
		{name: "two forms alongside a cut-off", begin: consent, faults: 2,
			requests: all(email.answer(0), cut(user), email.answer(1).then(1), redeem(1, 2, app))},
		{name: "an application is deleted alongside a sign-in", begin: consent, faults: 1,
			requests: all(deleteApp(true), email.answer(0), redeem(0, 1, app), quiet.answer(1))},
		{name: "an application that may come back is deleted alongside a sign-in", begin: consent, faults: 2,
			requests: all(deleteApp(false), recheck.answer(0), redeem(0, 1, app), quiet.answer(1).then(0))},
		{name: "a cut-off of a workspace alongside a chain", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), refresh(0, grace), cut(workspace), refresh(1, grace))},
		{name: "a cut-off of a user in a workspace by a clock ahead, and a sign-in by one behind", begin: chain, faults: 2,
			requests: all(refresh(-1, grace), cut(inWorkspace).by(ahead), email.answer(1).then(1).by(behind), redeem(1, 2, app))},
		{name: "a form twice alongside a cut-off of a workspace", faults: 1, paired: true,
			requests: all(email.answer(0), email.answer(0), cut(workspace), redeem(0, 0, app))},
		{name: "a user leaves a workspace alongside a sign-in", faults: 2,
			requests: all(leaveWorkspace(), member.answer(0), redeem(0, 1, app))},
		{name: "a user leaves a workspace alongside a sign-in without a page", begin: consent, faults: 2,
			requests: all(leaveWorkspace(), quietMember.answer(0), redeem(0, 1, app), member.answer(1).then(0))},
	}
}

// TestChecker tries every order of the steps of every scenario.
func TestChecker(t *testing.T) {
	states, ends := 0, 0
	for _, s := range scenarios() {
		s.faults += *moreFaults
		t.Run(s.name, func(t *testing.T) {
			began := time.Now()
			m := newMachine(&s, noBug).explore()
			t.Logf("%d states, %d ends, in %v", len(m.seen), m.ends, time.Since(began).Round(time.Millisecond))
			for what, how := range m.violations {
				t.Errorf("%s, by%s", what, how)
			}
			states, ends = states+len(m.seen), ends+m.ends
		})
	}
	t.Logf("%d scenarios, %d states, %d ends", len(scenarios()), states, ends)
}

// A checker that finds nothing proves nothing. Each planted bug is found in its
// scenario, with the right violation.
func TestCheckerFindsPlantedBugs(t *testing.T) {
	const (
		noOrder  = "no order of the requests ends like this"
		punished = "a request was punished for its own write"
		together = "a grant and its consent don't live and die together"
		works    = "something works for an application that was deleted"
		stays    = "something works for a user who has left"
	)
	byName := map[string]scenario{}
	for _, s := range scenarios() {
		byName[s.name] = s
	}
	found := 0
	for _, tt := range []struct {
		planted        bug
		scenario, what string
	}{
		{freshDraws, "one redeemer", punished},
		{nothingIsRecognized, "one refresher without grace", punished},
		{lastIsRecognized, "the oldest known token continues, and others on top of it", punished},
		{attemptsAreForgotten, "one refresher without grace", punished},
		{attemptsAreForgotten, "the oldest known token continues", punished},
		{oneTooFew, "the oldest known token continues", "an honest request was punished"},
		{onlyTheLastIsOld, "old tokens of a chain that works", "an honest request was punished"},
		{onlyTheLastIsOld, "old tokens of a chain that has expired", "an honest request was punished"},
		{oldContinues, "old tokens of a chain that works", "there is a second chain"},
		{oldContinues, "old tokens of a chain that has expired", "there is a second chain"},
		{forgottenIsHarmless, "an old token of a public application is forgotten", noOrder},
		{unknownIsReuse, "a failover that loses a rotation", "an honest request was punished"},
		{reuseIsHarmless, "two redeemers, and refreshers of both", noOrder},
		{cutsAreTimes, "a cut-off by a clock ahead, and a sign-in by one behind", noOrder},
		{numbersFall, "a cut-off by a clock ahead, a sign-in, and a cut-off by one behind", noOrder},
		{lateNumbers, "a quiet sign-in alongside a cut-off, and after it", noOrder},
		{numbersFirst, "two forms alongside a cut-off", noOrder},
		{grantFirst, "a form twice alongside a cut-off", together},
		{formsAreForgotten, "two forms, and the first once more", noOrder},
		{formsAreForgotten, "a form, a cancel on another, and the form again", noOrder},
		{formsAreNeverVoid, "a form twice alongside a cut-off", together},
		{cutThenDelete, "an application is deleted alongside a sign-in", works},
		{deletedMayComeBack, "an application is deleted alongside a sign-in", works},
		{memberFirst, "a user leaves a workspace alongside a sign-in", stays},
		{cutThenLeave, "a user leaves a workspace alongside a sign-in", stays},
		{cutsAreTimes, "a cut-off of a user in a workspace by a clock ahead, and a sign-in by one behind", noOrder},
		{endCompares, "ending against a chain of rotations", "a request ran out of rounds"},
		{endDeletes, "a redemption, an end, and the form once more", noOrder},
		{versionsAreCounted, "a failover that loses a rotation", noOrder},
		{createReplaces, "a redemption, an end, and the form once more", "a code was redeemed twice"},
		{replaceAnything, "two redeemers, and refreshers of both", "a code was redeemed twice"},
		{replaceRevives, "ending against a chain of rotations", noOrder},
	} {
		t.Run(string(tt.planted), func(t *testing.T) {
			s, known := byName[tt.scenario]
			require.True(t, known)
			for what, how := range newMachine(&s, tt.planted).explore().violations {
				if strings.HasPrefix(what, tt.what) {
					t.Logf("%s, by%s", what, how)
					found++
					return
				}
			}
			t.Error("it was not found")
		})
	}
	t.Logf("%d planted bugs found", found)
}

// The store of the checker behaves like the simplest real one.
func TestCheckerKeepsTheContract(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	grant, consent := chainedGrant().docs[0], consentedBefore().docs[consentSlot]
	document := func() store.Document {
		d := consent
		if random.IntN(3) > 0 {
			d = grant
			d.ID = formID(random.IntN(2))
		}
		d.Mark, d.Seen[random.IntN(len(d.Seen))] = 1+random.Int64N(4), random.Int64N(3)*start.Time().UnixMicro()
		return d
	}
	var keys []store.CutKey
	for _, key := range checkKey.Covering() {
		keys = append(keys, key)
	}
	verbs := []verb{find, findConsent, create, replace, end, cutOff, sweep}
	for range 300 {
		var k kept
		s := plain.New()
		for range 30 {
			d := document()
			now := start.Add(time.Duration(random.IntN(100)) * time.Hour).Time()
			c := call{verb: verbs[random.IntN(len(verbs))], doc: d, id: d.ID, mark: 1 + random.Int64N(4),
				key: keys[random.IntN(len(keys))], number: store.CutNumber(now), at: now, sweepAt: now.Add(time.Hour)}
			var want answer
			switch c.verb {
			case find:
				want.doc, want.cuts, want.err = s.Find(t.Context(), c.id)
			case findConsent:
				want.doc, want.cuts, want.err = s.FindConsent(t.Context(), checkKey.UserID, checkKey.ApplicationID, checkKey.WorkspaceID)
			case create:
				want.err = s.Create(t.Context(), c.doc)
			case replace:
				want.err = s.Replace(t.Context(), c.doc, c.mark)
			case end:
				want.err = s.End(t.Context(), c.id, c.at, c.sweepAt)
			case cutOff:
				want.err = s.CutOff(t.Context(), c.key, c.number)
			case sweep:
				_, want.err = s.Sweep(t.Context(), c.at, 100)
			}
			require.Equal(t, want, k.apply(c, noBug), c.verb)
		}
	}
}
