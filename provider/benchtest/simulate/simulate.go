// Package simulate counts how often users must sign in again without an
// attack, because their clients share one file of credentials, remember
// refresh tokens that others have rotated away, and lose answers. Real clients
// do so: command-line tools, editors with several windows, and agents.
//
// A session is one user's client on one machine, and the [Model] says what it
// does: it consists of processes that share one file with an access token, its
// expiry, and a refresh token. Each day it is at work for six to twelve hours from
// nine o'clock, and meanwhile each process wakes up at random times, and then
//
//  1. takes what it remembers of the file, if it read the file less than
//     [Model.Memory] ago, or else reads the file;
//  2. is done if the access token is good for another minute;
//  3. refreshes otherwise. If there is an answer with tokens, it writes the file.
//     [Model.Lost] of the answers, with tokens or not, don't arrive, although the
//     server has done what was asked. The process then does nothing until it wakes
//     up again, or until [Model.Retry] has passed, and begins at 1;
//  4. at invalid_grant, reads the file again. If another refresh token is there,
//     it uses what is in the file: the access token, if it hasn't expired and the
//     API takes it, or else the refresh token, as in 3. If there is no other
//     refresh token, or it is refused too, the user must sign in again, and the
//     file is written. This is a forced sign-in.
//
// Requests are answered at once, and processes do not lock the file. The first
// sign-in of a session is not counted. Two runs of a model are equal, and all
// servers see clients that wake up at the same times.
//
// Time is that of package time: run it in a bubble of testing/synctest, where days
// pass at once, for servers that cannot be given a clock too.
package simulate

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// A Model is the number of sessions, and the behavior of their clients.
type Model struct {
	Sessions, Days int
	Seed           uint64

	Processes int           // per session
	Between   time.Duration // the mean time between two wakes of a process
	Memory    time.Duration // how long a process uses what it read from the file; 0 means that it always reads it
	Lost      float64       // the share of lost answers to refreshes
	Retry     time.Duration // how soon a lost request is sent again; 0 means at the next wake
}

// Careless is eight processes that remember the file for half an hour and lose
// one in twenty answers.
func Careless(sessions, days int) Model {
	return Model{
		Sessions: sessions, Days: days, Seed: 18,
		Processes: 8, Between: 10 * time.Minute, Memory: 30 * time.Minute, Lost: 0.05,
	}
}

// A Contender is a provider with certain settings.
type Contender struct {
	Name, Settings string
	Make           func() (*Server, error)
}

// A Server is a provider, with access to its database.
type Server struct {
	*benchtest.Stack

	// Copy returns what an attacker with a copy of the database would try as a
	// token.
	Copy func() ([]string, error)

	Close func() error // may be nil
}

// A Result is the result of a run.
type Result struct {
	SessionDays int
	Refreshes   int // sent
	SignIns     int // forced

	SecondChains int // sign-ins with two refresh tokens that lead to different ones and work at the end
	LeftBehind   int // sign-ins that the client has given up, with a refresh token that works at the end
	Secrets      int // strings in a copy of the database, at the end, that work as a token
}

// How long a session is at work each day.
const shortestDay, longestDay = 6 * time.Hour, 12 * time.Hour

// expiryMargin is how long before its expiry an access token is replaced.
const expiryMargin = time.Minute

// A world is a run.
type world struct {
	Model
	server   *Server
	midnight time.Time
	sessions []*session
	agenda   agenda
	result   Result
}

// A session is a user's client on one machine.
type session struct {
	ends    []time.Time // of its days
	file    credentials
	signIns [][]string // of each, all refresh tokens that were issued, even lost ones
}

// A process is one of those that share a session's file.
type process struct {
	*session
	memory        credentials
	readAt        time.Time
	wakes, losses *rand.Rand
}

// Run lets the clients of the model use the server, and then checks what the
// server stores and what still works.
func (m Model) Run(s *Server) (Result, error) {
	w := &world{Model: m, server: s, midnight: time.Now(), result: Result{SessionDays: m.Sessions * m.Days}}
	for i := range m.Sessions {
		one := &session{}
		w.sessions = append(w.sessions, one)
		random := func(stream int) *rand.Rand { return rand.New(rand.NewPCG(m.Seed, uint64(i)<<32|uint64(stream))) }
		days := random(0)
		for day := range m.Days {
			one.ends = append(one.ends, w.morning(day).Add(shortestDay+time.Duration(days.Int64N(int64(longestDay-shortestDay)))))
		}
		for j := range m.Processes {
			w.plan(&process{session: one, wakes: random(1 + 2*j), losses: random(2 + 2*j)}, w.morning(0))
		}
	}
	for len(w.agenda) > 0 {
		e := heap.Pop(&w.agenda).(event)
		if e.planned {
			w.plan(e.process, e.at)
		}
		if err := w.wake(e.process, e.at); err != nil {
			return w.result, fmt.Errorf("%s on day %d: %w", s.Name, 1+e.at.Sub(w.midnight)/(24*time.Hour), err)
		}
	}
	waitUntil(w.morning(m.Days - 1).Add(longestDay))
	return w.result, w.audit()
}

// morning returns when a working day begins.
func (w *world) morning(day int) time.Time {
	return w.midnight.Add(time.Duration(day)*24*time.Hour + 9*time.Hour)
}

// plan schedules the next wake of a process, on the same day or the next.
func (w *world) plan(p *process, after time.Time) {
	at := after.Add(w.pause(p))
	day := int(after.Sub(w.midnight) / (24 * time.Hour))
	for at.After(p.ends[day]) {
		if day++; day >= w.Days {
			return
		}
		at = w.morning(day).Add(w.pause(p))
	}
	w.agenda.add(p, at, true)
}

func (w *world) pause(p *process) time.Duration {
	return time.Duration(p.wakes.ExpFloat64() * float64(w.Between))
}

// wake is what a process does when it wakes up.
func (w *world) wake(p *process, now time.Time) error {
	if now.Sub(p.readAt) >= w.Memory {
		p.read(now)
	}
	if p.memory.refresh == "" {
		waitUntil(now)
		return w.signIn(p, now)
	}
	if now.Before(p.memory.expires.Add(-expiryMargin)) {
		return nil
	}
	waitUntil(now)
	refused, err := w.refresh(p, now)
	if err != nil || !refused {
		return err
	}
	was := p.memory.refresh
	if p.read(now); p.memory.refresh != was {
		if now.Before(p.memory.expires) {
			if taken, err := w.server.takes(p.memory.access); err != nil || taken {
				return err
			}
		}
		if refused, err := w.refresh(p, now); err != nil || !refused {
			return err
		}
	}
	w.result.SignIns++
	return w.signIn(p, now)
}

// read lets the process read the file.
func (p *process) read(now time.Time) { p.memory, p.readAt = p.file, now }

// write lets the process write the file.
func (p *process) write(c credentials, now time.Time) {
	p.file = c
	p.read(now)
}

// refresh presents the refresh token of the process, and reports whether the
// process learns that it is refused.
func (w *world) refresh(p *process, now time.Time) (refused bool, err error) {
	w.result.Refreshes++
	next, refused, err := w.server.refresh(p.memory.refresh)
	if err != nil {
		return false, err
	}
	if !refused {
		last := len(p.signIns) - 1
		p.signIns[last] = append(p.signIns[last], next.refresh)
	}
	if p.losses.Float64() < w.Lost {
		if w.Retry > 0 {
			w.agenda.add(p, now.Add(w.Retry), false)
		}
		return false, nil
	}
	if !refused {
		p.write(next, now)
	}
	return refused, nil
}

func (w *world) signIn(p *process, now time.Time) error {
	first, err := w.server.signIn()
	if err != nil {
		return err
	}
	p.signIns = append(p.signIns, []string{first.refresh})
	p.write(first, now)
	return nil
}

// waitUntil lets time pass, except before a wake that sends nothing.
func waitUntil(at time.Time) { time.Sleep(time.Until(at)) }

// An event is a process that wakes up.
type event struct {
	at      time.Time
	process *process
	planned bool // another wake follows; otherwise it is a retry
}

// An agenda is a heap of events, the earliest first.
type agenda []event

func (a *agenda) add(p *process, at time.Time, planned bool) {
	heap.Push(a, event{at, p, planned})
}

// Len implements heap.Interface.
func (a agenda) Len() int { return len(a) }

// Less implements heap.Interface.
func (a agenda) Less(i, j int) bool { return a[i].at.Before(a[j].at) }

// Swap implements heap.Interface.
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }

// Push implements heap.Interface.
func (a *agenda) Push(e any) { *a = append(*a, e.(event)) }

// Pop implements heap.Interface.
func (a *agenda) Pop() any {
	last := len(*a) - 1
	e := (*a)[last]
	*a = (*a)[:last]
	return e
}
