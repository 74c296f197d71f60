package rules

import (
	"crypto/sha256"
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

// redeem redeems the code of a form, which another request may have to create
// first.
func redeem(form, of int, applicationID string) request {
	return request{name: "redeem", form: form, run: func(a *actor) (r result) {
		if _, is := a.held(of); !is {
			return result{outcome: nothing}
		}
		code := checkCode(form)
		r.outcome = a.changeGrant(func(g *Grant) (Step, error) {
			r.access, r.refresh = a.draw("access"), a.draw("refresh")
			copy(r.refresh[generationAt:], []byte{0, 0, 0, 1})
			return g.Redeem(&Redemption{
				Code: code.Hash(KindCode), ApplicationID: applicationID, Secret: r.refresh, Now: a.now(),
				Access:  NewToken{r.access.Hash(KindAccess), a.now().Add(accessLife)},
				Refresh: NewToken{r.refresh.Hash(KindRefresh), a.now().Add(refreshLife)},
			})
		})
		return r
	}}
}

// refresh presents the refresh token of another request's result.
func refresh(of int, within time.Duration) request { return refreshAs(of, within, false) }

// publicly presents it for an application that doesn't authenticate.
func publicly(of int, within time.Duration) request { return refreshAs(of, within, true) }

func refreshAs(of int, within time.Duration, public bool) request {
	return request{name: "refresh", run: func(a *actor) (r result) {
		presented, is := a.held(of)
		if !is {
			return result{outcome: nothing}
		}
		q := Rotation{
			Presented: presented.refresh, ApplicationID: checkKey.ApplicationID, Grace: within, Public: public, Now: a.now(),
			AccessExpiresAt: a.now().Add(accessLife), RefreshExpiresAt: a.now().Add(refreshLife),
		}
		r.outcome = a.changeGrant(func(g *Grant) (Step, error) {
			salt := a.draw("salt")
			q.Salt = Salt(salt[:16])
			switch {
			case a.planted == forgottenIsHarmless:
				q.Public = false
			case a.planted == oldContinues && g.place(&q.Presented, q.Presented.Hash(KindRefresh)) == spent:
				g.current.hash, g.generation, g.rotationCount = q.Presented.Hash(KindRefresh), q.Presented.generation(), 0
			}
			rotated, step, err := g.Rotate(&q)
			if a.planted == unknownIsReuse && errors.Is(err, ErrNotFound) && presented.refresh.family() == g.family {
				err = ErrReused
			}
			if a.planted != attemptsAreForgotten {
				q.Attempt = rotated
			}
			r.access, r.refresh = rotated.Access, rotated.Refresh
			return step, err
		})
		return r
	}}
}

// revokeAccess revokes only an access token of another request's result.
func revokeAccess(of int) request {
	return request{name: "revoke access", run: func(a *actor) (r result) {
		held, is := a.held(of)
		if !is {
			return result{outcome: nothing}
		}
		r.outcome = a.changeGrant(func(g *Grant) (Step, error) {
			return g.RevokeAccess(held.access.Hash(KindAccess), checkKey.ApplicationID, a.now(), grace)
		})
		if r.outcome == ErrNotFound.Error() {
			r.outcome = ok // The client is answered alike: it is gone.
		}
		return r
	}}
}

// revokeRefresh revokes a refresh token, current or spent, and the grant with it.
func revokeRefresh(of int) request {
	return request{name: "revoke refresh", run: func(a *actor) result {
		held, is := a.held(of)
		if !is {
			return result{outcome: nothing}
		}
		g, err := a.grant(formID(0))
		if err == nil {
			_, _, err = g.LiveRefresh(&held.refresh, a.now())
		}
		if err == nil || errors.Is(err, ErrReused) {
			return a.endGrant()
		}
		return result{outcome: ok}
	}}
}

// endOne ends the grant, as a user does with one of their devices.
func endOne() request { return request{name: "end", run: (*actor).endGrant} }

// cut cuts off what the key covers.
func cut(key store.CutKey) request {
	return request{name: "cut", run: func(a *actor) result {
		return a.until(call{verb: cutOff, key: key, number: store.CutNumber(a.now().Time())})
	}}
}

// deleteApp deletes the application, for good or so that it may come back under
// the same ID.
func deleteApp(forGood bool) request {
	return request{name: "delete", run: func(a *actor) (r result) {
		cut := call{verb: cutOff, key: store.CutKey{ApplicationID: checkKey.ApplicationID}, number: store.CutNumber(a.now().Time())}
		if forGood && a.planted != deletedMayComeBack && a.planted != cutThenDelete {
			cut.number = store.CutForever(a.now().Time())
		}
		steps := []call{{verb: deleteApplication}, cut}
		if a.planted == cutThenDelete {
			steps = []call{cut, {verb: deleteApplication}}
		}
		for _, step := range steps {
			r = a.until(step)
		}
		return r
	}}
}

// leaveWorkspace lets the host remove the user from the workspace, and cut the
// user off there.
func leaveWorkspace() request {
	return request{name: "leave", run: func(a *actor) (r result) {
		key := store.CutKey{UserID: checkKey.UserID, WorkspaceID: checkKey.WorkspaceID}
		steps := []call{{verb: leave}, {verb: cutOff, key: key, number: store.CutNumber(a.now().Time())}}
		if a.planted == cutThenLeave {
			steps[0], steps[1] = steps[1], steps[0]
		}
		for _, step := range steps {
			r = a.until(step)
		}
		return r
	}}
}

// sweepLater sweeps when everything that has ended is due.
func sweepLater() request {
	return request{name: "sweep", skew: 3 * day, run: func(a *actor) result {
		return a.until(call{verb: sweep, at: a.now().Time()})
	}}
}

// failOver loses the later writes to the grant.
func failOver(to store.Document) request {
	return request{name: "failover", run: func(a *actor) result { return a.until(call{verb: failover, doc: to}) }}
}

// A visit is a sign-in of a browser, which may end with a code.
type visit struct {
	scope, resource string
	quiet           bool // no page is shown if the user has agreed before
	recheck         bool // the application may come back under its ID, so it is looked at again
	member          bool // the user may leave the workspace, so the host is asked again
	old             bool // the form is too old to be answered
}

func (s visit) answer(form int) request {
	name := "answer"
	if s.quiet {
		name = "quiet"
	}
	return request{name: name, form: form, run: func(a *actor) result {
		if a.ask(call{verb: findApplication}).err != nil {
			return result{outcome: gone}
		}
		if s.old {
			return result{outcome: page}
		}
		if a.planted == grantFirst {
			if r := a.issue(&s, a.ask(call{verb: findConsent}).cuts); r.outcome != ok {
				return r
			}
		}
		seen, refused := a.agree(&s)
		if refused != "" {
			return result{outcome: refused}
		}
		if a.planted == lateNumbers {
			seen = a.ask(call{verb: findConsent}).cuts
		}
		return a.issue(&s, seen)
	}}
}

// cancel lets the user cancel on another page than those that are answered. The
// answer doesn't depend on earlier consents.
func (s visit) cancel(form int) request {
	return request{name: "cancel", form: form, run: func(a *actor) result {
		for a.round = range a.rounds() {
			found := a.ask(call{verb: findConsent})
			c, err := ReadConsent(&found.doc, found.cuts)
			if err != nil {
				return result{outcome: err.Error()}
			}
			if c.Cancel(Decision{Form: formID(form), Shown: scopes.New(s.scope), Resource: s.resource, Now: a.now()}) == Keep {
				return result{outcome: denied}
			}
			switch err := a.ask(call{verb: replace, doc: c.Document(a.mark(c.Mark())), mark: c.Mark()}).err; {
			case err == nil:
				return result{outcome: denied}
			case errors.Is(err, errUnknown):
				return result{outcome: unknown}
			}
		}
		return result{outcome: starved}
	}}
}

// agree reads the consent and the cut-off numbers, and saves what the user has
// agreed to. Without a page it is refused unless the user has agreed before.
func (a *actor) agree(s *visit) (seen store.Cuts, refused string) {
	for a.round = range a.rounds() {
		asked := s.member && a.planted == memberFirst
		if asked && a.ask(call{verb: askMember}).err != nil {
			return seen, gone
		}
		found := a.ask(call{verb: findConsent})
		if a.planted == numbersFirst {
			found.doc = a.ask(call{verb: findConsent}).doc
		}
		c, err := ReadConsent(&found.doc, found.cuts)
		_, covered := c.Covers(set(s.scope), nil, s.resource)
		switch {
		case err != nil:
			return seen, err.Error()
		case found.cuts.Forever() || s.recheck && a.ask(call{verb: findApplication}).err != nil:
			return seen, gone
		case s.member && !asked && a.ask(call{verb: askMember}).err != nil:
			return seen, gone
		case s.quiet && !covered:
			return seen, page
		case s.quiet:
			return c.Seen(), ""
		}
		if a.planted == formsAreForgotten || a.planted == formsAreNeverVoid && !c.Stands() {
			c.count, c.void = 0, 0
		}
		shown := scopes.New(s.scope)
		step, err := c.Agree(checkKey, Decision{Form: formID(a.request.form), Shown: shown, Ticked: shown, Resource: s.resource, Now: a.now()})
		if err != nil {
			return seen, page
		}
		if step == Keep {
			return c.Seen(), ""
		}
		write := call{verb: replace, doc: c.Document(a.mark(c.Mark())), mark: c.Mark()}
		if c.Mark() == 0 {
			write.verb = create
		}
		switch err := a.ask(write).err; {
		case err == nil:
			return c.Seen(), ""
		case errors.Is(err, errUnknown):
			return seen, unknown
		}
	}
	return seen, starved
}

// issue makes the grant of the form, or finds that it exists and that its code
// can still be redeemed.
func (a *actor) issue(s *visit, seen store.Cuts) result {
	id, code := formID(a.request.form), checkCode(a.request.form)
	g := NewGrant(id, checkKey, seen, a.now())
	g.Scopes, g.Resource = s.scope, s.resource
	g.WithCode(NewCode{Hash: code.Hash(KindCode), ExpiresAt: a.now().Add(codeLife)})
	switch err := a.ask(call{verb: create, doc: g.Document(a.mark(0))}).err; {
	case err == nil:
		return result{outcome: ok}
	case errors.Is(err, errUnknown):
		return result{outcome: unknown}
	}
	if again, err := a.grant(id); err != nil || !again.Redeemable(code.Hash(KindCode), a.now()) {
		return result{outcome: page}
	}
	return result{outcome: ok}
}

// checkCode returns the code that follows from a form.
func checkCode(form int) Secret { return sha256.Sum256([]byte{'c', byte(form)}) }

// firstPair returns the pair that a scenario may start with.
func firstPair() (r result) {
	r.access, r.refresh = sha256.Sum256([]byte("access")), sha256.Sum256([]byte("refresh"))
	copy(r.refresh[generationAt:], []byte{0, 0, 0, 1})
	return r
}

// laterPair returns the pair after firstPair and the given number of rotations
// before the scenario starts.
func laterPair(rotations int) (r result) {
	r = firstPair()
	for i := range rotations {
		r.access, r.refresh = r.refresh.Successors(formID(0), Salt{byte(i)}, nil)
	}
	return r
}
