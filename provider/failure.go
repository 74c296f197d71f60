package provider

import (
	"container/list"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Failure describes a cause for which requests of an application were refused.
// [Provider.Failures] returns them. It contains no code, token, secret, or
// email address.
type Failure struct {
	Endpoint    string // as in [Event]
	Code        string // the error code, such as "invalid_grant"
	Description string // the last message that was sent to the client

	// Cause adds a reason that concerns only what the client sent, such as
	// "wrong client secret". It is empty if Description says it all.
	Cause string

	// Sent lists up to 3 refused values, such as
	// "redirect_uri=https://a.example", the latest first. They are shortened and
	// in ASCII.
	Sent []string

	// Proved reports whether the requests came with a secret, key, or token of
	// the application. Otherwise they only named its client_id, which anyone
	// can.
	Proved bool

	Count       int
	First, Last time.Time
}

const (
	// maxCauses bounds the causes of one application, of each kind.
	maxCauses = 20

	// maxFailing and maxAllCauses bound the applications and causes of one kind.
	maxFailing   = 1000
	maxAllCauses = 5000

	maxSent      = 3
	maxSentText  = 200 // bytes
	maxCauseText = 300
)

// failures are the causes for which requests of applications were refused. It
// keeps causes that provably came from the application apart from those that
// anyone can send, so strangers replace only entries of strangers.
type failures struct{ proved, claimed failureTable }

func newFailures() *failures {
	return &failures{proved: newFailureTable(), claimed: newFailureTable()}
}

// of returns the failures of an application.
func (f *failures) of(application string) []Failure {
	return append(f.proved.of(application), f.claimed.of(application)...)
}

func (f *failures) forget(application string) {
	f.proved.forget(application)
	f.claimed.forget(application)
}

// note counts a refusal. Those of an application with a document count as
// claimed, because anyone can publish any number of documents.
func (f *failures) note(application, endpoint string, proved bool, e *Error, now time.Time) {
	switch {
	case application == "":
	case proved && !isDocumentApplication(application):
		f.proved.note(application, endpoint, true, e, now)
	default:
		f.claimed.note(application, endpoint, proved, e, now)
	}
}

type failureTable struct {
	mu     sync.Mutex
	byID   map[string]*list.Element
	recent *list.List // of *failing, the latest first
	causes int
}

// failing are the failures of one application, the latest first.
type failing struct {
	application string
	causes      []*failureCause
}

// failureCause is a Failure, and the template by which equal causes are found.
type failureCause struct {
	template string
	Failure
}

func newFailureTable() failureTable {
	return failureTable{byID: map[string]*list.Element{}, recent: list.New()}
}

func (t *failureTable) of(application string) (found []Failure) {
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.byID[application]
	if element == nil {
		return nil
	}
	for _, c := range element.Value.(*failing).causes {
		f := c.Failure
		f.Sent = slices.Clone(f.Sent)
		found = append(found, f)
	}
	return found
}

func (t *failureTable) forget(application string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if element := t.byID[application]; element != nil {
		t.drop(element)
	}
}

func (t *failureTable) drop(element *list.Element) {
	who := t.recent.Remove(element).(*failing)
	delete(t.byID, who.application)
	t.causes -= len(who.causes)
}

func (t *failureTable) note(application, endpoint string, proved bool, e *Error, now time.Time) {
	template, cause, sent := e.template, "", e.sent()
	if template == "" {
		template = short(e.Description, maxCauseText)
	}
	if e.telling && e.Err != nil {
		cause = short(e.Err.Error(), maxCauseText)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	element := t.byID[application]
	if element == nil {
		element = t.recent.PushFront(&failing{application: strings.Clone(application)})
		t.byID[application] = element
	}
	t.recent.MoveToFront(element)
	who := element.Value.(*failing)
	i := slices.IndexFunc(who.causes, func(c *failureCause) bool {
		return c.template == template && c.Cause == cause && c.Endpoint == endpoint && c.Code == e.Code
	})
	var c *failureCause
	if i >= 0 {
		c = who.causes[i]
		who.causes = slices.Delete(who.causes, i, i+1)
	} else {
		c = &failureCause{template, Failure{Endpoint: endpoint, Code: e.Code, Cause: cause, Proved: proved, First: now}}
		t.causes++
		if last := len(who.causes) - 1; last+1 == maxCauses {
			who.causes = slices.Delete(who.causes, last, last+1)
			t.causes--
		}
	}
	who.causes = slices.Insert(who.causes, 0, c)
	c.Description, c.Last = short(e.Description, maxCauseText), now
	c.Count++
	c.note(sent)
	for len(t.byID) > maxFailing || t.causes > maxAllCauses {
		t.drop(t.recent.Back())
	}
}

// note puts the sent values before earlier ones.
func (c *failureCause) note(sent string) {
	if sent == "" {
		return
	}
	c.Sent = slices.DeleteFunc(c.Sent, func(before string) bool { return before == sent })
	if len(c.Sent) == maxSent {
		c.Sent = c.Sent[:maxSent-1]
	}
	c.Sent = slices.Insert(c.Sent, 0, sent)
}

// sent returns the refused values in one line, without the client_id, which is
// known.
func (e *Error) sent() string {
	var b strings.Builder
	for i := 0; i+1 < len(e.noted); i += 2 {
		if e.noted[i] == "client_id" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%s", e.noted[i], e.noted[i+1])
	}
	return short(b.String(), maxSentText)
}

// short cuts a text. The result doesn't keep a longer text in memory.
func short(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "..."
}
