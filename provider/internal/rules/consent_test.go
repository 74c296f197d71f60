package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// An agreed is a consent as a store keeps it.
type agreed struct {
	t    *testing.T
	doc  store.Document
	cuts store.Cuts
	err  error // of the last agreement
}

func (a *agreed) read() *Consent {
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

func (a *agreed) agree(n byte, after time.Duration, resource string, names ...string) (*Consent, Step) {
	a.t.Helper()
	c := a.read()
	before := *c
	step, err := c.Agree(someKey, Agreement{Form: form(n), Scopes: scopes.New(names...), Resource: resource, Now: start.Add(after)})
	if step == Write {
		a.doc = c.Document(a.doc.Mark + 1)
		require.NoError(a.t, a.doc.Check())
	} else {
		require.Equal(a.t, before, *c)
	}
	a.err = err
	return c, step
}

// is checks what the consent says.
func (a *agreed) is(all, agreed, resource string, at, created, used time.Duration) {
	a.t.Helper()
	c := a.read()
	require.ElementsMatch(a.t, set(all), set(c.Scopes))
	require.ElementsMatch(a.t, set(agreed), set(c.Agreed))
	require.Equal(a.t, resource, c.Resource)
	require.Equal(a.t, []Instant{start.Add(at), start.Add(created), start.Add(used)}, []Instant{c.AgreedAt, c.CreatedAt, c.LastUsedAt})
	require.Equal(a.t, someKey, store.CutKey{UserID: c.UserID, ApplicationID: c.ApplicationID, WorkspaceID: c.WorkspaceID})
	require.True(a.t, c.Covers(set(agreed), resource))
	require.True(a.t, c.Covers(nil, resource))
	require.False(a.t, c.Covers(set(agreed+" zzz"), resource))
	require.False(a.t, c.Covers(nil, resource+"/x"))
}

func TestAgree(t *testing.T) {
	a := &agreed{t: t}
	require.False(t, a.read().Covers(nil, ""), "nothing was agreed to yet")
	require.Zero(t, a.read().Mark())

	_, step := a.agree(1, 0, someResource, "profile", "email")
	require.Equal(t, Write, step)
	a.is("email profile", "email profile", someResource, 0, 0, 0)
	require.Equal(t, store.ConsentID(someKey.UserID, someKey.ApplicationID, ""), a.doc.ID)

	// It adds up for one resource.
	a.agree(2, time.Hour, someResource, "admin")
	a.is("admin email profile", "admin email profile", someResource, time.Hour, 0, time.Hour)
	a.agree(3, 2*time.Hour, someResource, "email")
	a.is("admin email profile", "admin email profile", someResource, 2*time.Hour, 0, 2*time.Hour)

	// It starts anew for another.
	a.agree(4, 3*time.Hour, otherResource, "notes:read")
	a.is("admin email notes:read profile", "notes:read", otherResource, 3*time.Hour, 0, 3*time.Hour)
	a.agree(5, 4*time.Hour, someResource, "profile")
	a.is("admin email notes:read profile", "profile", someResource, 4*time.Hour, 0, 4*time.Hour)

	// The newest decision counts, by a clock that runs behind too.
	a.agree(6, 3*time.Hour, "")
	a.is("admin email notes:read profile", "", "", 3*time.Hour, 0, 4*time.Hour)
}

// A form that is sent again is no newer decision.
func TestAgreeFormSentAgain(t *testing.T) {
	a := &agreed{t: t}
	a.agree(0, 0, someResource, "email")
	for n := byte(1); n < maxForms; n++ {
		a.agree(n, time.Duration(n)*time.Hour, otherResource, "profile")
		for again := byte(0); again <= n; again++ {
			c, step := a.agree(again, 20*time.Hour, someResource, "admin")
			require.Equal(t, Keep, step)
			require.Equal(t, a.cuts, c.Seen())
		}
	}
	a.is("email profile", "profile", otherResource, (maxForms-1)*time.Hour, 0, (maxForms-1)*time.Hour)
	a.agree(maxForms, 30*time.Hour, otherResource, "admin")
	_, step := a.agree(1, 40*time.Hour, otherResource, "admin")
	require.Equal(t, Keep, step)
	_, step = a.agree(0, 40*time.Hour, otherResource, "admin")
	require.Equal(t, Write, step, "the first of more forms than are remembered")
}

// A consent that is cut off counts as none: nothing carries over. The next
// agreement lives, and has seen the cut-off.
func TestConsentIsCutOffByNumbers(t *testing.T) {
	a := &agreed{t: t}
	a.agree(0, 0, someResource, "email")
	a.doc.State += "\xfa\x01x" // of a newer version
	before := *a.read()
	require.NotEmpty(t, before.unknown)
	for i := range a.cuts {
		a.cuts[i] = 5
		c := *a.read()
		require.Equal(t, Consent{forms: before.forms, count: 1, void: 1, seen: a.cuts, mark: a.doc.Mark}, c)
		require.False(t, c.Covers(nil, someResource))
		a.cuts[i] = 0
		require.Equal(t, before, *a.read())
	}
	a.cuts[someKey.Index()] = 5
	_, step := a.agree(1, time.Hour, someResource, "profile")
	require.Equal(t, Write, step)
	a.is("profile", "profile", someResource, time.Hour, time.Hour, time.Hour)
	require.Equal(t, a.cuts, a.doc.Seen)
}

// A form that was answered before a cut-off, sent again, brings nothing back.
func TestAgreeFormFromBeforeACutOff(t *testing.T) {
	a := &agreed{t: t}
	for n := range byte(3) {
		a.agree(n, 0, "", "email")
	}
	a.cuts[someKey.Index()] = 5
	brings := func() {
		t.Helper()
		for n := range byte(3) {
			_, step := a.agree(n, time.Hour, "", "email")
			require.Equal(t, Keep, step)
			require.ErrorIs(t, a.err, ErrRevoked)
		}
	}
	brings()
	require.False(t, a.read().Covers(nil, ""))

	// Not even after the user has agreed anew, or was cut off once more.
	a.agree(3, time.Hour, "", "profile")
	brings()
	c, step := a.agree(3, time.Hour, "", "profile")
	require.Equal(t, Keep, step)
	require.NoError(t, a.err, "a form from after the cut-off")
	require.Equal(t, a.cuts, c.Seen())
	a.cuts[someKey.Index()]++
	brings()
	a.agree(3, time.Hour, "", "profile")
	require.ErrorIs(t, a.err, ErrRevoked)

	for n := byte(4); n < 4+maxForms; n++ {
		a.agree(n, 2*time.Hour, "", "email")
	}
	require.Zero(t, a.read().void, "all were forgotten")
}

func TestReadConsentOfAnotherKind(t *testing.T) {
	s := newSignIn(t)
	_, err := ReadConsent(&s.doc, s.cuts)
	require.ErrorIs(t, err, ErrState, "its ID can't be that of another document")
}
