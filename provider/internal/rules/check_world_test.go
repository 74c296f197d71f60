package rules

import (
	"errors"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

// The model checker tries every order in which the steps of a few requests can
// interleave, with lost answers, late writes, and crashes, and checks each end.
//
//   - This file is the store: the contract as a value that can be compared.
//   - check_actor_test.go and check_requests_test.go have the requests, as the
//     provider runs them.
//   - check_explore_test.go tries all orders.
//   - check_judge_test.go decides which ends are right.
//   - check_test.go has the scenarios and the planted bugs.

// kept is everything that the store has, and what the host knows of the user.
// There are one user, one application, one workspace, two forms, each with its
// grant, and one consent.
type kept struct {
	docs    [3]store.Document
	cuts    store.Cuts
	deleted bool // the application's record
	left    bool // the user, the workspace
}

// consentSlot is the index of the consent. The index of a grant is its form's
// number.
const consentSlot = 2

var (
	checkKey  = store.CutKey{UserID: "u", ApplicationID: "a", WorkspaceID: "w"}
	consentID = store.ConsentID(checkKey.UserID, checkKey.ApplicationID, checkKey.WorkspaceID)
)

// formID returns the ID of a form, and of the grant that follows from it.
func formID(form int) store.ID {
	id := consentID
	id[0], id[1] = 'f', byte(form)
	return id
}

func slot(id store.ID) int {
	if id == consentID {
		return consentSlot
	}
	return int(id[1])
}

// A verb is a method of the store, or await, which waits for another request.
type verb string

const (
	await             verb = "await"
	findApplication   verb = "FindApplication"
	find              verb = "Find"
	findConsent       verb = "FindConsent"
	create            verb = "Create"
	replace           verb = "Replace"
	end               verb = "End"
	cutOff            verb = "CutOff"
	sweep             verb = "Sweep"
	deleteApplication verb = "DeleteApplication"
	askMember         verb = "Member"   // The host says whether the user is a member of the workspace.
	leave             verb = "leave"    // The host removes the user from it.
	failover          verb = "failover" // The database loses what was written to a document.
)

// A call is one access of a request to the store.
type call struct {
	verb        verb
	id          store.ID
	doc         store.Document
	mark        int64
	key         store.CutKey
	number      int64
	at, sweepAt time.Time
	other       int // the request to await
}

func (c *call) writes() bool {
	return c.verb != await && c.verb != findApplication && c.verb != find && c.verb != findConsent && c.verb != askMember
}

// An answer is the store's answer to a call, or the result of another request.
type answer struct {
	doc    store.Document
	cuts   store.Cuts
	err    error
	result result
}

// errUnknown is the answer to a write that may have succeeded.
var errUnknown = errors.New("the outcome is unknown")

// apply does what package store specifies for the method, and what package
// plain does: TestCheckerKeepsTheContract compares them. A bug may change it.
func (k *kept) apply(c call, planted bug) (a answer) {
	if c.doc.Mark != 0 {
		c.id = c.doc.ID
	}
	d := &k.docs[slot(c.id)]
	switch c.verb {
	case findApplication:
		if k.deleted {
			a.err = store.ErrNotFound
		}
	case find:
		if a.doc, a.cuts = *d, k.cuts; d.Mark == 0 {
			a = answer{err: store.ErrNotFound}
		}
	case findConsent:
		a.doc, a.cuts = k.docs[consentSlot], k.cuts
	case create:
		if d.Mark != 0 && planted != createReplaces {
			return answer{err: store.ErrExists}
		}
		*d = c.doc
	case replace:
		ended := d.EndedAt
		if planted == replaceRevives {
			ended = time.Time{}
		}
		if d.Mark == 0 || d.Mark != c.mark && planted != replaceAnything || !ended.IsZero() {
			return answer{err: store.ErrConflict}
		}
		*d = c.doc
		d.EndedAt = ended
	case end:
		switch {
		case planted == endDeletes:
			*d = store.Document{}
		case planted == endCompares && c.mark != d.Mark:
			return answer{err: store.ErrConflict}
		case d.Mark != 0 && d.EndedAt.IsZero():
			d.EndedAt = c.at
			if d.SweepAt.IsZero() || c.sweepAt.Before(d.SweepAt) {
				d.SweepAt = c.sweepAt
			}
		}
	case cutOff:
		number := &k.cuts[c.key.Index()]
		*number = max(c.number, *number+1)
		if planted == numbersFall {
			*number = c.number
		}
	case deleteApplication:
		k.deleted = true
	case askMember:
		if k.left {
			a.err = ErrNotFound
		}
	case leave:
		k.left = true
	case sweep:
		k.sweep(c.at)
	case failover:
		*d = c.doc
	}
	return a
}

// sweep removes everything that is due.
func (k *kept) sweep(before time.Time) {
	dayAgo, covered := before.Add(-day), false
	for i := range k.docs {
		d := &k.docs[i]
		due := !d.SweepAt.IsZero() && !d.SweepAt.After(before)
		for i, number := range k.cuts {
			due = due || number > d.Seen[i] && !store.CutTime(number).After(dayAgo)
		}
		if due {
			*d = store.Document{}
		}
		covered = covered || d.Mark != 0
	}
	for i, number := range k.cuts {
		if !covered && !store.CutTime(number).After(dayAgo) {
			k.cuts[i] = 0
		}
	}
}
