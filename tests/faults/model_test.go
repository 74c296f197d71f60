package faults

import (
	"fmt"
	"sync"
	"time"
)

// The model says which answers are correct. It knows when each request was sent
// and when its answer arrived, and nothing about what happened in between. Two
// requests that overlap may have been decided in either order. A request that
// is sent after the answer to another must see the effect of that one.

// span is the time of a request, by the test's clock. If it has no end, it was
// never answered, and may take effect at any time.
type span struct {
	from, to time.Time

	// doubt is set if it is unknown whether the request took effect.
	doubt bool
}

const clock = "05.000000"

func (s span) String() string { return s.from.Format(clock) + "-" + s.to.Format(clock) }

// before reports whether s had ended before other began.
func (s span) before(other span) bool { return !s.to.IsZero() && !s.to.After(other.from) }

// key is what a cut-off covers: everything about the user and the application,
// or about any if they are empty.
type key struct {
	user, app string
	what      what
}

type what byte

const (
	documents what = iota // grants and consents
	records               // of applications
	devices               // that wait for their users
)

// cutoffs are the cut-offs of a load.
type cutoffs struct {
	mu    sync.Mutex
	byKey map[key][]*span
}

// begin records that a cut-off was sent, and returns a function to call once
// its answer has come. An early sweep removes at most a thousand documents, so
// its effect on a given one is uncertain.
func (c *cutoffs) begin(k key) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := &span{from: time.Now(), doubt: k.what == devices}
	c.byKey[k] = append(c.byKey[k], s)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		s.to = time.Now()
	}
}

// thing is what a cut-off may end: a grant, a consent, or a waiting device.
type thing struct {
	keys []key
	made span // by the request that created or allowed it

	ends []*span // by requests about it alone

	alive time.Time // when the last request was sent that found it alive
	dead  time.Time // when the first answer came that found it dead; zero if none
}

func newThing(user, app string, made span) *thing {
	return &thing{keys: []key{{}, {user: user}, {app: app}, {user: user, app: app}}, made: made}
}

// may reports whether a request may find the thing alive, and whether it may
// find it dead.
func (c *cutoffs) may(t *thing, during span) (live, die bool) {
	live = t.dead.IsZero() || t.dead.After(during.from)
	die = !t.dead.IsZero()
	look := func(cut *span) {
		// A cut-off that had ended before the thing was allowed, or before it was
		// seen alive, doesn't affect it.
		if !cut.before(t.made) && !cut.before(span{from: t.alive}) {
			die = die || !cut.from.After(during.to)
			live = live && (cut.doubt || !t.made.before(*cut) || !cut.before(during))
		}
	}
	for _, end := range t.ends {
		look(end)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range t.keys {
		for _, cut := range c.byKey[k] {
			look(cut)
		}
	}
	return live, die
}

// about describes what the model knows of a thing.
func (c *cutoffs) about(t *thing) string {
	text := fmt.Sprintf("made %v, alive after %s, dead before %s, ended %v", t.made, t.alive.Format(clock), t.dead.Format(clock), t.ends)
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range t.keys {
		if cuts := c.byKey[k]; len(cuts) > 0 {
			text += fmt.Sprintf(", last cut off by %v %v", k, cuts[len(cuts)-1])
		}
	}
	return text
}

// saw records what a request has found, and reports whether that is possible.
func (c *cutoffs) saw(t *thing, during span, alive bool) (right bool) {
	live, die := c.may(t, during)
	if alive {
		if during.from.After(t.alive) {
			t.alive = during.from
		}
		return live
	}
	if t.dead.IsZero() || during.to.Before(t.dead) {
		t.dead = during.to
	}
	return die
}

// end records that a request has ended the thing or, if that is uncertain, may
// have.
func (t *thing) end(during span, certain bool) {
	if !certain {
		during.to = time.Time{}
	}
	t.ends = append(t.ends, &during)
}

// settle records that every unanswered request has taken effect by now, or
// never will.
func settle(spans []*span) {
	for _, s := range spans {
		if s.to.IsZero() {
			s.to, s.doubt = time.Now(), true
		}
	}
}

// consents are what one user has allowed one application, once or more.
type consents struct {
	mu       sync.Mutex
	agreed   []*thing
	canceled []*span // by answers that take back earlier consent
}

func (s *consents) add(t *thing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.ends = append(t.ends, s.canceled...)
	s.agreed = append(s.agreed, t)
}

// cancel records that the user is about to cancel, and returns a function to
// call once the request was answered, or failed.
func (s *consents) cancel() (end func(answered bool)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cancel := &span{from: time.Now()}
	s.canceled = append(s.canceled, cancel)
	for _, t := range s.agreed {
		t.ends = append(t.ends, cancel)
	}
	return func(answered bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if answered {
			cancel.to = time.Now()
		}
	}
}

// settle sets when an added consent was given.
func (s *consents) settle(t *thing, during span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.made = during
}

// ended reports whether an added consent may have ended.
func (s *consents) ended(c *cutoffs, t *thing, during span) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, die := c.may(t, during)
	return die
}

// keepDocuments drops canceled consents. Nothing that was allowed is left then,
// but the document is.
func (s *consents) keepDocuments() {
	for _, t := range s.agreed {
		t.ends = nil
	}
}

// may reports whether a request may find a consent, and whether it may find
// none.
func (s *consents) may(c *cutoffs, during span) (some, none bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	none = true
	for _, t := range s.agreed {
		live, die := c.may(t, during)
		some = some || live && t.made.from.Before(during.to)
		none = none && (die || !t.made.before(during))
	}
	return some, none
}
