package faults

import (
	"fmt"
	"sync"
	"time"
)

// The model says which answers are right. It knows when each request was sent
// and when its answer had come, and nothing about what happened in between: two
// requests that overlap may have been decided in either order, and one that is
// sent after the answer to another must see what that has done.

// span is the time that a request took, by the one clock of the test. If it has
// no end, it was never answered, and its effect may come at any time.
type span struct {
	from, to time.Time

	// doubt is set if it is not known whether it had its effect.
	doubt bool
}

const clock = "05.000000"

func (s span) String() string { return s.from.Format(clock) + "-" + s.to.Format(clock) }

// before reports whether s was over before other began.
func (s span) before(other span) bool { return !s.to.IsZero() && !s.to.After(other.from) }

// key is what a cut-off covers: what is about the user and the application, or
// about any where they are empty.
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

// begin notes that a cut-off was sent, and returns what to call once its answer
// has come. An early sweep takes a thousand documents at most, so it is not
// certain of any.
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

// thing is what a cut-off may end: a grant, a consent, or a device that waits.
type thing struct {
	keys []key
	made span // by the request that decided on it

	ends []*span // by requests about it alone

	alive time.Time // when the last request was sent that found it alive
	dead  time.Time // when the first answer had come that found it dead; zero: none
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
		// One that was over before the thing was decided on, or before it was
		// seen alive, is not about it.
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

// about says what the model knows of a thing.
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

// saw notes what a request has found, and reports whether it may have.
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

// end notes that a request has ended the thing or, if that is not certain, may
// have.
func (t *thing) end(during span, certain bool) {
	if !certain {
		during.to = time.Time{}
	}
	t.ends = append(t.ends, &during)
}

// settle says that whatever was not answered has had its effect by now, or never
// will.
func settle(spans []*span) {
	for _, s := range spans {
		if s.to.IsZero() {
			s.to, s.doubt = time.Now(), true
		}
	}
}

// consents are what one user has agreed to give one application, once or more.
type consents struct {
	mu       sync.Mutex
	agreed   []*thing
	canceled []*span // by answers that take back what was agreed to before
}

func (s *consents) add(t *thing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.ends = append(t.ends, s.canceled...)
	s.agreed = append(s.agreed, t)
}

// cancel notes that the user is about to say no, and returns what to call once
// that was answered, or not.
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

// settle says when a consent that was added was given.
func (s *consents) settle(t *thing, during span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.made = during
}

// ended reports whether one that was added may have ended.
func (s *consents) ended(c *cutoffs, t *thing, during span) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, die := c.may(t, during)
	return die
}

// keepDocuments leaves out what was canceled. Nothing that was agreed to is left
// then, but its document is.
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
