package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// signIn is one sign-in, and what its worker knows about it. Others affect it
// only by cut-offs.
type signIn struct {
	*thing // the grant

	user string
	app  *application
	id   string // of the grant; empty if not yet known

	code   string // empty if not redeemed yet
	device *device
	waits  *thing // the device's own record

	pairs   []pair          // the newest last
	revoked map[string]bool // access tokens; false: possibly

	// unsure is set if the last redemption or refresh was not answered. It must be
	// repeated before anything else is known about the chain.
	unsure bool
}

func (s *signIn) String() string {
	return fmt.Sprintf("%s at %s (grant %q, %d pairs, device %t, unsure %t)", s.user, s.app.ID, s.id, len(s.pairs), s.device != nil, s.unsure)
}

// last returns the pair from n rotations ago.
func (s *signIn) last(ago int) pair { return s.pairs[len(s.pairs)-1-ago] }

// signIn signs a user in, in a browser or on a device. It returns nil if that
// is the end of it.
func (w *worker) signIn() *signIn {
	s := &signIn{user: fmt.Sprintf("user_%d", w.random.IntN(sharedUsers)), app: w.someApp(), revoked: map[string]bool{}}
	if w.one(2) {
		s.user = fmt.Sprintf("user_alone_%d", w.users.Add(1))
	}
	if w.one(6) {
		// A user who enters codes of deleted devices must wait after ten of them, so
		// this user has no other device.
		s.user = fmt.Sprintf("user_device_%d", w.users.Add(1))
		return w.device(s)
	}
	consents := w.consentsOf(s.user, s.app)
	answers, during := w.ask("authorize", func(host string) (reply, error) { return s.app.visit(host, s.user) })
	page := answers[0]
	some, none := consents.may(&w.cuts, during)
	switch {
	case page.unknown:
		w.lose(1)
		return nil
	case w.gone(s.app, during, page.status == http.StatusBadRequest):
		return nil
	case page.code() != "":
		if !some {
			w.wrong("%s: no page, but the user has allowed nothing", s)
		}
		s.thing, s.code = newThing(s.user, s.app.ID, during), page.code()
		return s
	case page.status != http.StatusOK || !none:
		w.wrong("%s: a page with status %d, but the user has agreed (%t)", s, page.status, !none)
		return nil
	}
	return w.agree(s, consents, page.reply, 1+w.random.IntN(8)/7)
}

// agree submits the consent page, possibly several times at once.
func (w *worker) agree(s *signIn, consents *consents, page reply, times int) *signIn {
	answer := func(decision string) send {
		return func(host string) (reply, error) { return s.app.decide(host+"/oauth/authorize", s.user, page, decision) }
	}
	if w.one(16) {
		end := consents.cancel()
		answers, during := w.ask("deny", answer("deny"))
		a := answers[0]
		end(strings.Contains(a.header.Get("Location"), "error=access_denied"))
		if !a.unknown && !w.gone(s.app, during, a.status == http.StatusBadRequest) && !strings.Contains(a.header.Get("Location"), "error=access_denied") {
			w.wrong("%s: denied: %s", s, a.reply)
		}
		return nil
	}
	// Others may find the consent before this request is answered, and the consent
	// may be stored even if a later step fails.
	agreed := newThing(s.user, s.app.ID, span{from: time.Now()})
	consents.add(agreed)
	answers, during := w.ask("agree", repeat(answer("allow"), times)...)
	s.thing = newThing(s.user, s.app.ID, during)
	unknown := false
	for _, a := range answers {
		switch code := a.code(); {
		case a.unknown:
			unknown = true
		case code != "" && s.code != "" && code != s.code:
			w.wrong("%s: one form, two codes", s)
		case code != "":
			s.code = code
		case w.gone(s.app, during, a.status == http.StatusBadRequest):
		default:
			// The first of two forms was cut off before the second came, or the user
			// canceled on another page, maybe before this consent was stored again
			// because its first answer was lost.
			_, die := w.cuts.may(s.thing, during)
			if (!die || times == 1) && !consents.ended(&w.cuts, agreed, during) {
				w.wrong("%s: no code for a form: %s", s, a.reply)
			}
		}
	}
	switch {
	case s.code != "":
		consents.settle(agreed, during)
		return s
	case unknown:
		w.lose(1)
	}
	return nil
}

// device has a device ask for access, and its user decide.
func (w *worker) device(s *signIn) *signIn {
	answers, during := w.ask("device", s.app.askForDevice)
	s.device = &device{}
	switch a := answers[0]; {
	case a.unknown, w.gone(s.app, during, a.status == http.StatusUnauthorized):
		return nil
	case json.Unmarshal([]byte(a.body), s.device) != nil || s.device.DeviceCode == "":
		w.wrong("%s: a device asks: %s", s, a.reply)
		return nil
	}
	s.waits = &thing{keys: []key{{app: s.app.ID, what: records}, {what: devices}}, made: during}
	if w.one(2) {
		w.poll(s)
	}
	answers, during = w.ask("device page", func(host string) (reply, error) { return s.app.page(host, s.user, *s.device) })
	page := answers[0]
	if page.unknown || !w.finds(s, during, page.status, http.StatusOK) {
		return nil
	}
	decision := "allow"
	if w.one(8) {
		decision = "deny"
	}
	decide := func(host string) (reply, error) {
		return s.app.decide(host+"/oauth/device", s.user, page.reply, decision)
	}
	answers, during = w.ask("decide on device", repeat(decide, 1+w.random.IntN(4)/3)...)
	s.thing = newThing(s.user, s.app.ID, during)
	agreed := newThing(s.user, s.app.ID, span{from: during.from}) // The consent may be stored even if a later step fails.
	if decision == "allow" {
		w.consentsOf(s.user, s.app).add(agreed)
	}
	decided, unknown := false, false
	for _, a := range answers {
		unknown = unknown || a.unknown
		// What the first of two forms gave was cut off before the second came.
		if _, die := w.cuts.may(s.thing, during); die && a.status == http.StatusForbidden && len(answers) > 1 {
			continue
		}
		decided = decided || !a.unknown && w.finds(s, during, a.status, http.StatusSeeOther)
	}
	switch {
	case !decided && !unknown:
		return nil
	case decision == "deny":
		if r, _ := w.ask("poll", s.poll); decided && !r[0].unknown && !strings.Contains(r[0].body, `"access_denied"`) {
			w.finds(s, span{from: during.from, to: time.Now()}, r[0].status, 0)
		}
		return nil
	case !decided:
		s.made.to, s.unsure = time.Time{}, true
	}
	w.consentsOf(s.user, s.app).settle(agreed, s.made)
	return s
}

func (s *signIn) poll(host string) (reply, error) { return s.app.poll(host, *s.device) }

// poll makes the device ask before its user has decided.
func (w *worker) poll(s *signIn) {
	answers, during := w.ask("poll", s.poll)
	a := answers[0]
	if !a.unknown && !waits(a) {
		w.finds(s, during, a.status, 0)
	}
}

// waits reports whether the device is told to ask again.
func waits(a answer) bool {
	return strings.Contains(a.body, `"authorization_pending"`) || strings.Contains(a.body, `"slow_down"`)
}

// finds reports whether the answer's status shows that the device exists. It
// must, unless something has removed it.
func (w *worker) finds(s *signIn, during span, status, want int) bool {
	if _, lost := w.cuts.may(s.waits, during); status != want && !lost {
		w.wrong("%s: the device is not found: %d", s, status)
	}
	return status == want
}

// gone reports whether the answer says that the application was deleted, and
// compares that with the model.
func (w *worker) gone(app *application, during span, said bool) bool {
	live, die := w.cuts.may(app.record, during)
	if said && !die || !said && !live {
		w.wrong("the answer says that the application %s was deleted: %t", app.ID, said)
	}
	return said
}

func (l *load) lose(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lost += n
}

// repeat returns n copies of a request.
func repeat(f send, times int) (all []send) {
	for range times {
		all = append(all, f)
	}
	return all
}
