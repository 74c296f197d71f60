package rules

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// A request is one request of a scenario. It is a program that calls the store:
// the provider's loops, with everything except the store and the rules left
// out.
type request struct {
	name string
	form int // whose grant it is about
	run  func(*actor) result

	skew  time.Duration // of the clock of its instance
	after int           // it begins when this one is over, counted from 1; zero: at any time
}

// then returns the request so that it starts after another one.
func (r request) then(after int) request { r.after = after + 1; return r }

// by returns the request for an instance whose clock is off.
func (r request) by(skew time.Duration) request { r.skew = skew; return r }

// A result is the answer of a request, and the data that other requests need.
type result struct {
	outcome         string // one of these, or the text of a refusal
	access, refresh Secret
}

const (
	ok      = "ok"
	page    = "page"    // the user is shown a page: they were not asked yet, or it is too late
	denied  = "denied"  // the user has said no
	unknown = "unknown" // 503: it is unknown what was done
	starved = "starved" // 503: it was overtaken in each round
	nothing = "nothing" // there was nothing to ask with
	gone    = "gone"    // the application is
)

// An actor runs one request. For each step it starts over: the answers of the
// store so far are replayed, and it stops at the first call without an answer.
// So its behavior depends on nothing else.
type actor struct {
	index   int
	request *request
	planted bug
	answers []answer
	next    *call // has no answer yet
	round   int   // of the loop; only a bug reads it
}

// waits stops an actor.
type waits struct{}

// play runs the request up to the first call without an answer, or to its
// result.
func (a *actor) play() (r result) {
	defer func() {
		if p := recover(); p != nil && p != any(waits{}) {
			panic(p)
		}
	}()
	if a.request.after > 0 {
		a.ask(call{verb: await, other: a.request.after - 1})
	}
	if r = a.request.run(a); r.outcome != ok {
		return result{outcome: r.outcome} // Then there are no tokens.
	}
	return r
}

func (a *actor) ask(c call) answer {
	if len(a.answers) == 0 {
		a.next = &c
		panic(waits{})
	}
	first := a.answers[0]
	a.answers = a.answers[1:]
	return first
}

// until repeats a write that is idempotent.
func (a *actor) until(c call) result {
	for range a.rounds() {
		if a.ask(c).err == nil {
			return result{outcome: ok}
		}
	}
	return result{outcome: starved}
}

func (a *actor) rounds() int {
	if a.planted == endCompares {
		return 3 // A scenario can't overtake a request eight times.
	}
	return 8
}

// now is the time by the clock of the instance.
func (a *actor) now() Instant { return start.Add(a.request.skew) }

// draw generates a random value, once for each request.
func (a *actor) draw(what string) Secret {
	seed := []byte{byte(a.index), 0}
	if a.planted == freshDraws {
		seed[1] = byte(a.round)
	}
	return sha256.Sum256(append(seed, what...))
}

// mark generates the mark of a write that replaces another.
func (a *actor) mark(before int64) int64 {
	if a.planted == versionsAreCounted {
		return before + 1
	}
	s := a.draw("mark")
	return int64(s.Hash(KindCode).prefix()>>1 | 1)
}

// held returns the result of another request, or the start of the scenario: -1
// is the first pair, -2 the second, and so on.
func (a *actor) held(of int) (r result, is bool) {
	if of < 0 {
		return laterPair(-1 - of), true
	}
	r = a.ask(call{verb: await, other: of}).result
	return r, r.outcome == ok
}

// cutOffBy reports whether the numbers cut a document off.
func (b bug) cutOffBy(cuts *store.Cuts, d *store.Document) bool {
	if b != cutsAreTimes {
		return cuts.Exceed(&d.Seen)
	}
	for _, number := range cuts {
		if number >= int64(At(d.CreatedAt)) {
			return true
		}
	}
	return false
}

// grant finds and reads a grant.
func (a *actor) grant(id store.ID) (g Grant, err error) {
	found := a.ask(call{verb: find, id: id})
	if found.err != nil {
		return g, ErrNotFound
	}
	err = ReadGrant(&g, &found.doc, &found.cuts)
	g.CutOff = a.planted.cutOffBy(&found.cuts, &found.doc)
	switch {
	case a.planted == nothingIsRecognized:
		g.recentCount = 0
	case a.planted == lastIsRecognized && g.recentCount > 1:
		g.recent[0], g.recentCount = g.recent[g.recentCount-1], 1
	case a.planted == oneTooFew && g.rotationCount > 0:
		g.forget(1)
	case a.planted == onlyTheLastIsOld:
		g.forget(g.rotationCount - 1)
	}
	return g, err
}

// changeGrant is the provider's loop of the same name.
func (a *actor) changeGrant(rule func(*Grant) (Step, error)) string {
	outcome := starved
	for a.round = range a.rounds() {
		g, err := a.grant(formID(a.request.form))
		if err != nil {
			return err.Error()
		}
		step, err := rule(&g)
		switch {
		case errors.Is(err, ErrReused):
			if ended := a.endGrant(); ended.outcome != ok {
				return ended.outcome
			}
			return err.Error()
		case err != nil:
			return err.Error()
		case step == Keep:
			return ok
		}
		switch err := a.ask(call{verb: replace, doc: g.Document(a.mark(g.Mark())), mark: g.Mark()}).err; {
		case err == nil:
			return ok
		case errors.Is(err, errUnknown):
			outcome = unknown
		}
	}
	return outcome
}

// endGrant revokes a grant, with as many tries as it takes.
func (a *actor) endGrant() result {
	c := call{verb: end, id: formID(a.request.form), at: a.now().Time(), sweepAt: Tombstone(a.now()).Time()}
	switch a.planted {
	case reuseIsHarmless:
		return result{outcome: ok}
	case endCompares:
		for range a.rounds() {
			if c.mark = a.ask(call{verb: find, id: c.id}).doc.Mark; a.ask(c).err == nil {
				return result{outcome: ok}
			}
		}
		return result{outcome: starved}
	}
	return a.until(c)
}
