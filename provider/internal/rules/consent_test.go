package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

// A decision changes only the scopes that the page has shown.
func TestAnswers(t *testing.T) {
	const cancel = "cancel"
	yes := func(agreed, declined string) Answer { return Answer{someResource, agreed, declined, start} }
	no := func(agreed, declined string) Answer { return Answer{someResource, agreed, declined, 0} }
	for _, tt := range []struct {
		name          string
		before        Answer
		shown, ticked string
		want          Answer
	}{
		{"the first", no("", ""), "profile email", "profile email", yes("profile email", "")},
		{"with less", no("", ""), "profile email", "profile", yes("profile", "email")},
		{"with nothing", no("", ""), "profile email", "", yes("", "profile email")},
		{"of who the user is", no("", ""), "", "", yes("", "")},
		{"unticked later", yes("profile email", ""), "profile email", "profile", yes("profile", "email")},
		{"unticked alone", yes("profile email", ""), "email", "", yes("profile", "email")},
		{"ticked later", yes("profile", "email"), "profile email", "profile email", yes("profile email", "")},
		{"swapped", yes("profile", "email"), "profile email", "email", yes("email", "profile")},
		{"of more", yes("profile", "email"), "admin", "admin", yes("profile admin", "email")},
		{"without more", yes("profile", "email"), "admin", "", yes("profile", "email admin")},
		{"of what was not shown", no("", ""), "profile", "profile admin", yes("profile", "")},
		{"after a cancel", no("admin", "email"), "profile", "profile", yes("admin profile", "email")},
		{"canceled", yes("profile email", "admin"), "profile email admin", cancel, no("", "admin")},
		{"canceled in part", yes("profile email", "admin"), "email", cancel, no("profile", "admin")},
		{"canceled more", yes("profile", ""), "admin", cancel, no("profile", "")},
		{"canceled first", no("", ""), "profile", cancel, no("", "")},
		{"canceled twice", no("profile", "email"), "profile", cancel, no("", "email")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := Decision{Resource: someResource, Shown: set(tt.shown), Ticked: set(tt.ticked), Now: start}
			decide := Answer.allow
			if tt.ticked == cancel {
				decide = Answer.cancel
			}
			got := decide(tt.before, &q)
			require.ElementsMatch(t, set(tt.want.Agreed), got.AgreedSet())
			require.ElementsMatch(t, set(tt.want.Declined), got.DeclinedSet())
			got.Agreed, got.Declined = tt.want.Agreed, tt.want.Declined
			require.Equal(t, tt.want, got)
		})
	}
}

func TestAnswerCovers(t *testing.T) {
	for _, tt := range []struct {
		name            string
		answer          Answer
		asked, required string
		agreed          string
		ok              bool
	}{
		{"never asked", Answer{}, "", "", "", false},
		{"agreed", Answer{"", "profile email", "", start}, "email", "", "email", true},
		{"declined", Answer{"", "profile", "email", start}, "profile email", "", "profile", true},
		{"nothing but declined", Answer{"", "", "email", start}, "email", "", "", true},
		{"nothing asked", Answer{"", "", "", start}, "", "", "", true},
		{"more", Answer{"", "profile", "email", start}, "profile email admin", "", "profile", false},
		{"canceled", Answer{"", "profile", "email", 0}, "profile", "", "profile", false},
		{"canceled, and nothing asked", Answer{}, "", "", "", false},
		{"declined before it was required", Answer{"", "profile", "email", start}, "profile email", "email", "profile", false},
		{"required of another", Answer{"", "profile", "email", start}, "profile email", "admin", "profile", true},
		{"required and agreed", Answer{"", "profile", "email", start}, "profile email", "profile", "profile", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agreed, ok := tt.answer.covers(set(tt.asked), set(tt.required))
			require.Equal(t, tt.ok, ok)
			require.ElementsMatch(t, set(tt.agreed), agreed)
		})
	}
}

// An answered is a consent as a store has it.
type answered struct {
	t    testing.TB
	doc  store.Document
	cuts store.Cuts
	err  error // of the last answer
}

func (a *answered) read() *Consent {
	a.t.Helper()
	c, err := ReadConsent(&a.doc, a.cuts)
	require.NoError(a.t, err)
	require.Equal(a.t, a.doc.Mark, c.Mark())
	require.Equal(a.t, a.cuts, c.Seen())
	return &c
}

// form returns the ID of a form of the user.
func form(n byte) store.ID {
	id := store.ConsentID(someKey.UserID, "form", string(rune('a'+n)))
	return id
}

func (a *answered) decide(rule func(*Consent) (Step, error)) Step {
	a.t.Helper()
	c := a.read()
	before := *c
	step, err := rule(c)
	if step == Write {
		a.doc = c.Document(a.doc.Mark + 1)
		require.NoError(a.t, a.doc.Check())
		require.Equal(a.t, a.cuts, a.doc.Seen)
	} else {
		require.Equal(a.t, before, *c)
	}
	a.err = err
	return step
}

func (a *answered) allow(n byte, after time.Duration, resource, shown, ticked string) Step {
	a.t.Helper()
	return a.decide(func(c *Consent) (Step, error) {
		return c.Agree(someKey, Decision{Form: form(n), Resource: resource, Shown: set(shown), Ticked: set(ticked), Now: start.Add(after)})
	})
}

func (a *answered) cancel(n byte, resource, shown string) Step {
	a.t.Helper()
	return a.decide(func(c *Consent) (Step, error) {
		return c.Cancel(Decision{Form: form(n), Resource: resource, Shown: set(shown), Now: start}), nil
	})
}

// is checks what the consent says for a resource.
func (a *answered) is(resource, agreed, declined string, at time.Duration) {
	a.t.Helper()
	c := a.read()
	got := c.Answer(resource)
	require.ElementsMatch(a.t, set(agreed), got.AgreedSet())
	require.ElementsMatch(a.t, set(declined), got.DeclinedSet())
	require.Equal(a.t, start.Add(at), got.AgreedAt)
	require.Equal(a.t, someKey, store.CutKey{UserID: c.UserID, ApplicationID: c.ApplicationID, WorkspaceID: c.WorkspaceID})
	require.True(a.t, c.Stands())
	given, ok := c.Covers(set(agreed).Union(set(declined)), nil, resource)
	require.True(a.t, ok)
	require.ElementsMatch(a.t, set(agreed), given)
	_, ok = c.Covers(set(agreed).Union(set("zzz")), nil, resource)
	require.False(a.t, ok)
	_, ok = c.Covers(nil, nil, resource+"/x")
	require.False(a.t, ok)
}

// covers reports whether no question is needed.
func (a *answered) covers(asked, resource string) bool {
	a.t.Helper()
	_, ok := a.read().Covers(set(asked), nil, resource)
	return ok
}

func TestAgree(t *testing.T) {
	a := &answered{t: t}
	require.False(t, a.covers("", ""), "nothing was agreed to yet")
	require.False(t, a.read().Stands())
	require.Zero(t, a.read().Mark())

	require.Equal(t, Write, a.allow(1, 0, someResource, "profile email", "profile email"))
	a.is(someResource, "profile email", "", 0)
	require.Equal(t, store.ConsentID(someKey.UserID, someKey.ApplicationID, ""), a.doc.ID)
	a.allow(2, time.Hour, someResource, "email admin", "admin")
	a.is(someResource, "profile admin", "email", time.Hour)

	// Each resource is separate.
	a.allow(3, 2*time.Hour, otherResource, "notes:read profile", "notes:read")
	a.is(otherResource, "notes:read", "profile", 2*time.Hour)
	a.is(someResource, "profile admin", "email", time.Hour)
	require.ElementsMatch(t, set("profile admin notes:read"), a.read().ScopeSet(), "everything that is agreed to now")

	// The newest decision counts, even if the clock is behind.
	a.allow(4, time.Minute, someResource, "admin", "")
	a.is(someResource, "profile", "admin email", time.Minute)
	c := a.read()
	require.Equal(t, []Instant{start, start.Add(2 * time.Hour)}, []Instant{c.CreatedAt, c.LastUsedAt})
	require.Equal(t, []string{otherResource, someResource}, []string{c.Answers()[0].Resource, c.Answers()[1].Resource})
}

// With one resource more than are remembered, the oldest answer is dropped.
func TestAgreeBoundsResources(t *testing.T) {
	a := &answered{t: t}
	resource := func(n byte) string { return string(rune('a' + n)) }
	for n := range byte(maxAnswers) {
		a.allow(n, 0, resource(n), "email", "email")
	}
	a.allow(100, 0, resource(0), "profile", "")
	a.allow(101, 0, resource(maxAnswers), "email", "email")
	require.Len(t, a.read().Answers(), maxAnswers)
	require.False(t, a.covers("email", resource(1)))
	for n := range byte(maxAnswers + 1) {
		require.Equal(t, n != 1, a.covers("email", resource(n)), n)
	}
	size := len(a.doc.State)
	for n := range byte(100) {
		a.allow(102+n, 0, resource(n), "email", "email")
	}
	require.LessOrEqual(t, len(a.doc.State), size+maxAnswers)
}

func TestCancel(t *testing.T) {
	a := &answered{t: t}
	require.Equal(t, Keep, a.cancel(0, "", "email"), "nothing was agreed to, so there is nothing to keep")
	a.allow(1, 0, someResource, "profile email admin", "profile email")
	a.allow(2, 0, otherResource, "profile", "profile")
	require.Equal(t, Keep, a.cancel(3, "", "email"), "nothing for this resource")
	require.Equal(t, Write, a.cancel(4, someResource, "email admin"))
	require.Equal(t, Keep, a.cancel(4, someResource, "profile"), "the form sent again")
	for _, asked := range []string{"", "profile", "email", "admin"} {
		require.False(t, a.covers(asked, someResource), "nothing succeeds silently after it")
	}
	require.ElementsMatch(t, set("admin"), a.read().Answer(someResource).DeclinedSet(), "its box still starts unticked")
	require.ElementsMatch(t, set("profile"), a.read().ScopeSet())
	a.is(otherResource, "profile", "", 0)

	a.allow(4, 0, someResource, "email", "email")
	require.ErrorIs(t, a.err, ErrRevoked, "the form was canceled")
	a.allow(5, time.Hour, someResource, "profile", "profile")
	a.is(someResource, "profile", "admin", time.Hour)
	require.False(t, a.covers("email", someResource))
	require.Equal(t, Keep, a.cancel(4, someResource, "profile"), "it is no newer decision")

	// On the form that was allowed a moment ago.
	require.True(t, a.read().Gave(form(5)))
	require.Equal(t, Write, a.cancel(5, someResource, "profile"))
	require.False(t, a.read().Gave(form(5)))
	a.allow(5, 0, someResource, "profile", "profile")
	require.ErrorIs(t, a.err, ErrRevoked)
	a.cancel(6, otherResource, "profile")
	require.False(t, a.read().Stands())
}

// A form that is sent again is not a newer decision.
func TestAgreeFormSentAgain(t *testing.T) {
	a := &answered{t: t}
	a.allow(0, 0, someResource, "email", "email")
	for n := byte(1); n < maxForms; n++ {
		a.allow(n, time.Duration(n)*time.Hour, otherResource, "profile email", "profile")
		for again := byte(1); again <= n; again++ {
			require.Equal(t, Keep, a.allow(again, 20*time.Hour, otherResource, "profile email", "profile"))
			require.NoError(t, a.err)
		}
		require.Equal(t, Keep, a.allow(n, 20*time.Hour, otherResource, "profile email", "profile email"))
		require.ErrorIs(t, a.err, ErrRevoked, "it gives what was not agreed to")
	}
	a.is(otherResource, "profile", "email", (maxForms-1)*time.Hour)
	a.allow(maxForms, 30*time.Hour, otherResource, "admin", "admin")
	require.Equal(t, Keep, a.allow(1, 40*time.Hour, otherResource, "profile", "profile"))
	require.Equal(t, Write, a.allow(0, 40*time.Hour, otherResource, "profile", "profile"), "the first of more forms than are remembered")
}

// Of two pages, the last decision counts, in any order. What the other one gave
// doesn't come back when a form is sent again.
func TestAgreeFormOvertaken(t *testing.T) {
	a := &answered{t: t}
	a.allow(1, 0, "", "profile email", "profile email")
	a.allow(0, time.Hour, "", "profile email", "profile")
	require.Equal(t, Keep, a.allow(1, 2*time.Hour, "", "profile email", "profile email"))
	require.ErrorIs(t, a.err, ErrRevoked)
	a.is("", "profile", "email", time.Hour)
	require.Equal(t, Keep, a.allow(0, 2*time.Hour, "", "profile email", "profile"))
	require.NoError(t, a.err)
	a.cancel(2, "", "email")
	require.Equal(t, Keep, a.allow(0, 2*time.Hour, "", "profile email", "profile"))
	require.ErrorIs(t, a.err, ErrRevoked)
}

// A consent that is cut off counts as none, and nothing carries over. The next
// one is live, and has seen the cut-off.
func TestConsentIsCutOffByNumbers(t *testing.T) {
	a := &answered{t: t}
	a.allow(0, 0, someResource, "email profile", "email")
	a.doc.State += "\xfa\x01x" // of a newer version
	before := *a.read()
	require.NotEmpty(t, before.unknown)
	for i := range a.cuts {
		a.cuts[i] = 5
		c := *a.read()
		require.Equal(t, Consent{forms: before.forms, count: 1, void: 1, seen: a.cuts, mark: a.doc.Mark}, c)
		require.False(t, a.covers("", someResource))
		require.Equal(t, Keep, a.cancel(1, someResource, "email"))
		a.cuts[i] = 0
		require.Equal(t, before, *a.read())
	}
	a.cuts[someKey.Index()] = 5
	require.Equal(t, Write, a.allow(1, time.Hour, someResource, "profile", "profile"))
	a.is(someResource, "profile", "", time.Hour)
	require.Equal(t, start.Add(time.Hour), a.read().CreatedAt)
}

// A form that was answered before a cut-off restores nothing when it is sent
// again.
func TestAgreeFormFromBeforeACutOff(t *testing.T) {
	a := &answered{t: t}
	for n := range byte(3) {
		a.allow(n, 0, "", "email", "email")
	}
	a.cuts[someKey.Index()] = 5
	brings := func() {
		t.Helper()
		for n := range byte(3) {
			require.Equal(t, Keep, a.allow(n, time.Hour, "", "email", "email"))
			require.ErrorIs(t, a.err, ErrRevoked)
		}
	}
	brings()
	require.False(t, a.covers("", ""))

	// Not even after the user has agreed anew, or was cut off once more.
	a.allow(3, time.Hour, "", "profile email", "profile email")
	brings()
	require.Equal(t, Keep, a.allow(3, time.Hour, "", "profile email", "profile email"))
	require.NoError(t, a.err, "a form from after the cut-off")
	a.cuts[someKey.Index()]++
	brings()
	a.allow(3, time.Hour, "", "profile email", "profile email")
	require.ErrorIs(t, a.err, ErrRevoked)

	for n := byte(4); n < 4+maxForms; n++ {
		a.allow(n, 2*time.Hour, "", "email", "email")
	}
	require.Zero(t, a.read().void, "all were forgotten")
}

func TestReadConsentOfAnotherKind(t *testing.T) {
	s := newSignIn(t)
	_, err := ReadConsent(&s.doc, s.cuts)
	require.ErrorIs(t, err, ErrState, "its ID can't be that of another document")
}

// The last choice is kept until it is withdrawn or cut off, and doesn't count
// as consent.
func TestChoose(t *testing.T) {
	a := &answered{t: t}
	chooses := func(choice Choice) Step {
		return a.decide(func(c *Consent) (Step, error) { return c.Choose(someKey, choice, start), nil })
	}
	require.Zero(t, a.read().Choice())
	require.Equal(t, Keep, chooses(Choice{}), "nothing is kept without a user")
	for _, choice := range []Choice{{true, "w"}, {true, ""}, {true, "w|é"}} {
		require.Equal(t, Write, chooses(choice))
		require.Equal(t, choice, a.read().Choice())
		require.Equal(t, Keep, chooses(choice))
		require.Equal(t, store.ConsentID(someKey.UserID, someKey.ApplicationID, ""), a.doc.ID)
		require.False(t, a.read().Stands())
		require.False(t, a.covers("", ""))
	}
	a.allow(0, 0, "", "email", "email")
	require.Equal(t, Choice{true, "w|é"}, a.read().Choice(), "another change leaves it")
	a.cuts[someKey.Index()] = 5
	require.Zero(t, a.read().Choice())
	require.Equal(t, Write, chooses(Choice{true, "v"}))
	require.Equal(t, Write, chooses(Choice{}))
	require.Zero(t, a.read().Choice())
}

// After everything is withdrawn, no form that was answered before gives it
// again.
func TestWithdraw(t *testing.T) {
	a := &answered{t: t}
	withdraws := func() Step { return a.decide(func(c *Consent) (Step, error) { return c.Withdraw(), nil }) }
	require.Equal(t, Keep, withdraws())
	a.allow(0, 0, "", "email profile", "email")
	a.allow(1, 0, someResource, "email", "email")
	require.Equal(t, Write, withdraws())
	require.Equal(t, Keep, withdraws())
	require.False(t, a.read().Stands())
	require.Empty(t, a.read().ScopeSet())
	require.Equal(t, "profile", a.read().Answer("").Declined, "what was left unticked stays so")
	for n := range byte(2) {
		require.Equal(t, Keep, a.allow(n, time.Hour, "", "email", "email"))
		require.ErrorIs(t, a.err, ErrRevoked)
	}
	require.Equal(t, Write, a.allow(2, time.Hour, "", "email", "email"))
	require.True(t, a.read().Stands())
}

// A consent in a workspace is separate from that of the user alone.
func TestAgreeInAWorkspace(t *testing.T) {
	var c Consent
	key := store.CutKey{UserID: "u", ApplicationID: "a", WorkspaceID: "w"}
	_, err := c.Agree(key, Decision{Form: form(0), Shown: set("email"), Ticked: set("email"), Now: start})
	require.NoError(t, err)
	d := c.Document(1)
	require.Equal(t, store.ConsentID("u", "a", "w"), d.ID)
	require.Equal(t, key, d.Key())
	for i, covering := range key.Covering() {
		var now store.Cuts
		now[i] = 1
		cut, err := ReadConsent(&d, now)
		require.NoError(t, err)
		require.False(t, cut.Stands(), covering)
	}
}
