package rules

import (
	"fmt"
	"strings"
)

// maxRequests is how many requests a scenario may have.
const maxRequests = 4

// A scenario is the initial content of the store, and the requests.
type scenario struct {
	name     string
	begin    kept
	faults   int // how many answers are lost, writes delayed, or instances crash
	requests []request

	rotated int // how often the grant was rotated before: as laterPair says

	honest bool // every token is presented by those who may, so none is a reuse
	paired bool // a grant and its consent live and die together
}

// A machine explores a scenario. What an actor does next depends only on the
// answers that it got. So its program is a tree, which grows once: a node is a
// call that waits for its answer, or a result.
type machine struct {
	*scenario
	planted bug

	nodes    []node
	children map[edge]int32
	starts   [maxRequests]int32
	kepts    []kept
	keptIDs  map[kept]int32

	seen       map[world]bool
	ends       int
	orders     *machine        // without the planted bug: what the requests should do, one after another
	right      map[string]bool // ends that were judged before
	violations map[string]string
}

type node struct {
	actor  int
	parent int32 // negative: none
	via    answer
	call   call
	done   bool
	result result
}

type edge struct {
	node int32
	via  answer
}

// A world is one state of everything. It is small, because all are remembered.
type world struct {
	kept    int32              // what the store keeps
	at      [maxRequests]int32 // where in its program each actor is
	before  [maxRequests]uint8 // which requests were over when it began
	begun   uint8              // who has
	crashed uint8              // who has, or never began
	landed  uint8              // who has changed a grant or a consent
	faults  uint8              // how many may still happen
	late    int32              // the node whose write is on its way, and will be done, or not; negative: none
}

func newMachine(s *scenario, planted bug) *machine {
	m := &machine{scenario: s, planted: planted, children: map[edge]int32{}, keptIDs: map[kept]int32{},
		seen: map[world]bool{}, right: map[string]bool{}, violations: map[string]string{}}
	for i := range s.requests {
		m.starts[i] = m.grow(node{actor: i, parent: -1})
	}
	if m.orders = m; planted != noBug {
		m.orders = newMachine(s, noBug)
	}
	return m
}

// grow adds a node: it replays the answers on the way to it to the actor.
func (m *machine) grow(n node) int32 {
	a := actor{index: n.actor, request: &m.requests[n.actor], planted: m.planted}
	for at := n; at.parent >= 0; at = m.nodes[at.parent] {
		a.answers = append([]answer{at.via}, a.answers...)
	}
	n.result = a.play()
	if n.done = a.next == nil; !n.done {
		n.call = *a.next
	}
	m.nodes = append(m.nodes, n)
	return int32(len(m.nodes) - 1)
}

// answered returns the node that an answer leads to.
func (m *machine) answered(at int32, a answer) int32 {
	child, known := m.children[edge{at, a}]
	if !known {
		child = m.grow(node{actor: m.nodes[at].actor, parent: at, via: a})
		m.children[edge{at, a}] = child
	}
	return child
}

// intern returns a short name for a stored value.
func (m *machine) intern(k kept) int32 {
	id, known := m.keptIDs[k]
	if !known {
		id = int32(len(m.kepts))
		m.kepts = append(m.kepts, k)
		m.keptIDs[k] = id
	}
	return id
}

// apply lets the store execute the call of a node.
func (m *machine) apply(w world, at int32) (world, answer) {
	n := &m.nodes[at]
	k := m.kepts[w.kept]
	a := k.apply(n.call, m.planted)
	w.kept = m.intern(k)
	if a.err == nil && (n.call.verb == replace || n.call.verb == create) {
		w.landed |= 1 << n.actor
	}
	if n.call.verb == failover {
		w.late = -1 // What was on its way to the old database is lost.
	}
	return w, a
}

// explore visits everything that can follow from the start.
func (m *machine) explore() *machine {
	m.from(world{kept: m.intern(m.begin), at: m.starts, faults: uint8(m.faults), late: -1}, nil)
	return m
}

func (m *machine) from(w world, trail []string) {
	if m.seen[w] {
		return
	}
	m.seen[w] = true
	moved := false
	for i := range m.requests {
		if n := &m.nodes[w.at[i]]; w.crashed>>i&1 == 0 && !n.done {
			m.step(w, i, func(next world, how string) {
				moved = true
				m.from(next, append(trail, fmt.Sprint(i, " ", m.requests[i].name, ": ", n.call.verb, how)))
			})
		}
	}
	if !moved {
		m.ends++
		m.judge(w, trail)
	}
	if w.late >= 0 {
		next, _ := m.apply(w, w.late)
		next.late = -1
		m.from(next, append(trail, fmt.Sprint(m.nodes[w.late].actor, " lands late")))
	}
}

// step yields every world that the next call of an actor can lead to.
func (m *machine) step(w world, i int, yield func(world, string)) {
	at := w.at[i]
	c := &m.nodes[at].call
	if c.verb == await {
		switch other := &m.nodes[w.at[c.other]]; {
		case w.crashed>>c.other&1 != 0:
			w.crashed |= 1 << i // What it needs will never be.
			yield(w, ", in vain")
		case other.done:
			w.at[i] = m.answered(at, answer{result: other.result})
			yield(w, "")
		}
		return
	}
	if w.begun>>i&1 == 0 {
		w.begun |= 1 << i
		for j := range m.requests {
			if w.crashed>>j&1 == 0 && m.nodes[w.at[j]].done {
				w.before[i] |= 1 << j
			}
		}
	}
	then := func(w world, a answer, how string) {
		w.at[i] = m.answered(at, a)
		yield(w, how)
	}
	done, a := m.apply(w, at)
	then(done, a, "")
	if !m.nodes[at].call.writes() || c.verb == failover || w.faults == 0 {
		return
	}
	w.faults--
	done.faults--
	then(done, answer{err: errUnknown}, ", whose answer is lost")
	twice, a := m.apply(done, at)
	then(twice, a, ", whose answer is lost, so the driver sends it again")
	if w.late < 0 && c.verb != cutOff { // A cut-off that lands late is one more cut-off.
		late := w
		late.late = at
		then(late, answer{err: errUnknown}, ", which is delayed")
	}
	w.crashed |= 1 << i
	yield(w, ", before which it crashes")
	done.crashed |= 1 << i
	yield(done, ", after which it crashes")
}

// violate records what is wrong with an end, and the shortest way there.
func (m *machine) violate(what string, trail []string) {
	how := "\n\t" + strings.Join(trail, "\n\t")
	if known, ok := m.violations[what]; !ok || len(how) < len(known) {
		m.violations[what] = how
	}
}
