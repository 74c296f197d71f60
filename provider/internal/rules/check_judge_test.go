package rules

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// judge decides whether an end is allowed: some sequential order of the
// requests must have the same end, and the invariants must hold.
func (m *machine) judge(w world, trail []string) {
	var results [maxRequests]result
	var sure, open uint8 // who was answered, and of whom it is unknown what was done
	for i := range m.requests {
		switch r := m.nodes[w.at[i]].result; {
		case w.begun>>i&1 == 0 && w.crashed>>i&1 != 0: // It never began.
		case w.crashed>>i&1 != 0, r.outcome == unknown, r.outcome == gone && w.landed>>i&1 != 0:
			open |= 1 << i
		default:
			sure |= 1 << i
			results[i] = r
		}
	}
	m.mustHold(w, &results, open == 0, trail)
	if m.planted == freshDraws {
		return // Its tokens are others than those of any order.
	}
	end := m.outcome(m.kepts[w.kept], &results, sure)
	key := fmt.Sprint(end, w.before, sure, open)
	right, known := m.right[key]
	if !known {
		s := search{m.orders, end, w.before, sure, open}
		right = s.from(m.begin, [maxRequests]result{}, 0)
		m.right[key] = right
	}
	if !right {
		m.violate("no order of the requests ends like this: "+end, trail)
	}
}

// mustHold records violated invariants of an end.
func (m *machine) mustHold(w world, results *[maxRequests]result, allTold bool, trail []string) {
	k := m.kepts[w.kept]
	granted, consented := m.alive(&k, 0)+m.alive(&k, 1) != "", m.consented(&k) != ""
	redeemed := map[Secret]bool{}
	for i, r := range results {
		reused := r.outcome == ErrReused.Error()
		switch {
		case r.outcome == starved:
			m.violate("a request ran out of rounds", trail)
		case strings.Contains(r.outcome, ErrState.Error()):
			m.violate("a state can't be read", trail)
		case reused && w.landed>>i&1 != 0:
			m.violate("a request was punished for its own write, whose answer the store lost", trail)
		case reused && m.honest:
			m.violate("an honest request was punished", trail)
		case r.outcome == ok && m.requests[i].name == "delete" && granted:
			m.violate("something works for an application that was deleted", trail)
		case r.outcome == ok && m.requests[i].name == "leave" && granted:
			m.violate("something works for a user who has left", trail)
		case r.outcome == ok && m.requests[i].name == "redeem":
			redeemed[r.refresh] = true
		case r.outcome == ok && m.requests[i].name == "refresh" && !m.loses():
			if m.forks(r.refresh, results[:i]) {
				m.violate("there is a second chain", trail)
			}
		}
	}
	if len(redeemed) > 1 {
		m.violate("a code was redeemed twice", trail)
	}
	if m.paired && (granted && !consented || allTold && consented && !granted) {
		m.violate("a grant and its consent don't live and die together", trail)
	}
}

// forks reports whether there is another refresh token of the same generation:
// in the initial chain of the scenario, or among the issued ones.
func (m *machine) forks(refresh Secret, given []result) bool {
	generation := int(refresh.generation())
	if generation <= m.rotated+1 {
		return refresh != laterPair(generation-1).refresh
	}
	return slices.ContainsFunc(given, func(r result) bool {
		return r.outcome == ok && r.refresh.generation() == refresh.generation() && r.refresh != refresh
	})
}

// loses reports whether the database may lose writes.
func (m *machine) loses() bool {
	return slices.ContainsFunc(m.requests, func(r request) bool { return r.name == "failover" })
}

// alive returns everything that works on the grant of a form.
func (m *machine) alive(k *kept, form int) string {
	d := &k.docs[form]
	var g Grant
	if ReadGrant(&g, d, &k.cuts) != nil || g.EndedAt != 0 || m.planted.cutOffBy(&k.cuts, d) {
		return ""
	}
	g.recentCount = 0 // It is remembered, but nothing works by it.
	return g.Document(1).State
}

// consented returns everything that the user has agreed to.
func (m *machine) consented(k *kept) string {
	d := &k.docs[consentSlot]
	c, err := ReadConsent(d, d.Seen)
	if err != nil || d.Mark == 0 || m.planted.cutOffBy(&k.cuts, d) {
		return ""
	}
	c.count, c.void = 0, 0
	return c.Document(1).State
}

// outcome is everything observable about an end: what the answered requests
// got, and what works. Getting something from a dead grant counts like being
// told that it is dead.
func (m *machine) outcome(k kept, results *[maxRequests]result, sure uint8) string {
	var b strings.Builder
	for i, r := range results {
		if sure>>i&1 == 0 {
			continue
		}
		switch r.outcome {
		case ok, page, ErrNotFound.Error(), ErrRevoked.Error(), ErrReused.Error():
			if m.alive(&k, m.requests[i].form) == "" {
				r = result{outcome: nothing}
			}
		}
		fmt.Fprintf(&b, "%d %s: %s %x; ", i, m.requests[i].name, r.outcome, r.refresh[:4])
	}
	for i, state := range []string{m.alive(&k, 0), m.alive(&k, 1), m.consented(&k)} {
		sum := sha256.Sum256([]byte(state))
		fmt.Fprintf(&b, "%s %x", [...]string{"grants", ",", ", consent"}[i], sum[:min(8, len(state))])
	}
	return b.String()
}

// A search looks for an order of the requests with the same end. It includes
// all answered requests, each after those that were over when it began.
// Requests with an unknown effect may be in it, up to any of their writes.
type search struct {
	*machine
	end        string
	before     [maxRequests]uint8
	sure, open uint8
}

func (s *search) from(k kept, results [maxRequests]result, done uint8) bool {
	if done&s.sure == s.sure && s.outcome(k, &results, s.sure) == s.end {
		return true
	}
	for i := range s.requests {
		if (s.sure|s.open)&^done>>i&1 == 0 || s.after(i)&s.sure&^done != 0 {
			continue
		}
		for writes, complete := 1, false; !complete; writes++ {
			most := writes
			if s.sure>>i&1 != 0 {
				most = -1 // all
			}
			var next kept
			if next, results[i], complete = s.alone(k, i, &results, most); s.from(next, results, done|1<<i) {
				return true
			}
		}
		results[i] = result{}
	}
	return false
}

// after returns the requests that were over when this one began, or that it
// waited for.
func (s *search) after(i int) uint8 {
	after := s.before[i]
	for at := s.starts[i]; !s.nodes[at].done && s.nodes[at].call.verb == await; at = s.answered(at, answer{}) {
		after |= 1 << s.nodes[at].call.other
	}
	return after
}

// alone runs a request at once, or only its first writes.
func (s *search) alone(k kept, i int, results *[maxRequests]result, writes int) (after kept, r result, complete bool) {
	at := s.starts[i]
	for !s.nodes[at].done && writes != 0 {
		n := &s.nodes[at]
		if n.call.writes() {
			writes--
		}
		if n.call.verb != await {
			at = s.answered(at, k.apply(n.call, s.planted))
			continue
		}
		other := results[n.call.other]
		if s.open>>n.call.other&1 != 0 {
			other = result{outcome: unknown}
		}
		at = s.answered(at, answer{result: other})
	}
	return k, s.nodes[at].result, s.nodes[at].done
}
