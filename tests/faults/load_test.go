package faults

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/store"
)

const (
	loadWorkers = 6

	// sharedUsers are signed in by all workers and are cut off meanwhile. Other
	// users have one sign-in each.
	sharedUsers = 4

	// openSignIns is how many sign-ins a worker has in progress, and maxChain how
	// often each is refreshed.
	openSignIns = 6
	maxChain    = 10

	// longDead is how many grants are already due for a sweep at the start: more
	// than one sweep removes.
	longDead = 1100
)

// loadTime is how long a load lasts, as set by LATCHKEY_LOAD, such as "60s".
func loadTime(t testing.TB) time.Duration {
	d, err := time.ParseDuration(env("LATCHKEY_LOAD", "1s"))
	require.NoError(t, err, "LATCHKEY_LOAD")
	return d
}

// load is traffic on several instances of one provider. Every answer is
// compared with the model.
type load struct {
	t     *testing.T
	at    target
	kept  opened
	first *client
	seed  uint64

	mu       sync.Mutex
	hosts    []*process
	apps     []*application // applications for sign-ins, the lasting ones first
	allApps  []*application
	consents map[key]*consents
	away     []*span // when something was unavailable
	lost     int     // authorizations and applications that may exist because their requests were not answered

	cuts     cutoffs
	rounds   atomic.Int64 // how often something failed and came back
	users    atomic.Int64
	inFlight [loadWorkers]atomic.Int64 // when the request of each worker was sent
	workers  []*worker
	tally
}

const lastingApps = 3

// application is an application for sign-ins.
type application struct {
	*client
	record *thing
}

// newLoad prepares a load on hosts. LATCHKEY_SEED repeats the random choices of
// its workers.
func newLoad(t *testing.T, at target, hosts []*process) *load {
	t.Helper()
	kept, err := at.open(t.Context())
	require.NoError(t, err)
	t.Cleanup(kept.close)
	l := &load{t: t, at: at, kept: kept, first: newClient(t, kept), seed: rand.Uint64(), hosts: hosts, consents: map[key]*consents{}}
	if text := os.Getenv("LATCHKEY_SEED"); text != "" {
		l.seed, err = strconv.ParseUint(text, 10, 64)
		require.NoError(t, err, "LATCHKEY_SEED")
	}
	l.cuts.byKey, l.counts = map[key][]*span{}, map[string]int{}
	l.addApp(l.first, span{to: time.Now()})
	for n := range loadWorkers {
		w := &worker{load: l, n: n, random: rand.New(rand.NewPCG(l.seed, uint64(n))), next: n}
		l.workers = append(l.workers, w)
	}
	for len(l.apps) < lastingApps {
		l.workers[0].createApp()
	}
	l.buryDead()
	return l
}

// buryDead creates grants that have long been dead.
func (l *load) buryDead() {
	long := time.Now().Add(-24 * time.Hour)
	var all sync.WaitGroup
	for w := range poolSize {
		all.Go(func() {
			for i := w; i < longDead; i += poolSize {
				user := fmt.Sprintf("user_dead_%d", i%50)
				err := l.kept.Create(l.t.Context(), store.Document{
					ID: store.NewID(long, user), Kind: store.KindGrant, UserID: user, ApplicationID: l.first.ID,
					CreatedAt: long, LastUsedAt: long, SweepAt: long.Add(time.Hour), Mark: int64(i) + 1,
				})
				if err != nil {
					l.t.Error(err)
				}
			}
		})
	}
	all.Wait()
}

// run runs the workers for d.
func (l *load) run(d time.Duration) {
	end := time.Now().Add(d)
	l.runUntil(func() bool { return time.Now().After(end) })
}

// runUntil runs the workers until done, or until an answer is wrong.
func (l *load) runUntil(done func() bool) {
	var all sync.WaitGroup
	for _, w := range l.workers {
		all.Go(func() {
			for !done() && !l.t.Failed() {
				w.step()
			}
		})
	}
	all.Wait()
}

// wrong fails the test. Other workers finish their current step.
func (l *load) wrong(format string, args ...any) {
	l.t.Helper()
	l.t.Errorf("LATCHKEY_SEED=%d: %s", l.seed, fmt.Sprintf(format, args...))
}

// goAway records that something is unavailable from now on, so that requests
// may fail until back.
func (l *load) goAway() (back func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := &span{from: time.Now()}
	l.away = append(l.away, s)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		s.to = time.Now()
	}
}

// mayFail reports whether a request may stay unanswered.
func (l *load) mayFail(during span) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.away {
		if !s.from.After(during.to) && !s.before(during) {
			return true
		}
	}
	return false
}

// wasAway reports whether anything was ever unavailable.
func (l *load) wasAway() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.away) > 0
}

func (l *load) addApp(c *client, made span) {
	l.mu.Lock()
	defer l.mu.Unlock()
	app := &application{c, &thing{keys: []key{{app: c.ID, what: records}}, made: made}}
	l.apps, l.allApps = append(l.apps, app), append(l.allApps, app)
}

func (l *load) consentsOf(user string, app *application) *consents {
	l.mu.Lock()
	defer l.mu.Unlock()
	k := key{user: user, app: app.ID}
	if l.consents[k] == nil {
		l.consents[k] = &consents{}
	}
	return l.consents[k]
}

// tally counts what a load consisted of.
type tally struct {
	mu      sync.Mutex
	counts  map[string]int
	answers int // compared with the model
	races   int // several requests about one sign-in at once
	either  int // answers that could have been either, because something else overlapped
	unknown int // requests that were not answered
}

func (l *tally) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d answers (%d could have been either), %d races, %d not answered:", l.answers, l.either, l.races, l.unknown)
	for _, kind := range slices.Sorted(maps.Keys(l.counts)) {
		fmt.Fprintf(&text, " %s %d", kind, l.counts[kind])
	}
	return text.String()
}

// worker is one of the senders of requests.
type worker struct {
	*load
	n      int
	random *rand.Rand
	next   int // the instance that is asked next

	open []*signIn // in progress
	all  []*signIn
}

// one returns true in one of n cases.
func (w *worker) one(n int) bool { return w.random.IntN(n) == 0 }

// answer is the result of a request. It is unknown if no answer came, or only
// that something is unavailable.
type answer struct {
	reply
	unknown bool
}

type send func(host string) (reply, error)

// ask sends requests at once, each to another instance, and waits for the
// answers.
func (w *worker) ask(kind string, sends ...send) ([]answer, span) {
	w.mu.Lock()
	hosts := make([]string, len(sends))
	for i := range sends {
		hosts[i] = w.hosts[w.next%len(w.hosts)].url
		w.next++
	}
	w.mu.Unlock()
	answers, errs := make([]answer, len(sends)), make([]error, len(sends))
	during := span{from: time.Now()}
	w.inFlight[w.n].Store(during.from.UnixMicro())
	var all sync.WaitGroup
	for i, f := range sends {
		all.Go(func() { answers[i].reply, errs[i] = f(hosts[i]) })
	}
	all.Wait()
	during.to = time.Now()
	w.inFlight[w.n].Store(0)
	unknown := 0
	for i := range answers {
		if errs[i] != nil || answers[i].status == http.StatusServiceUnavailable {
			answers[i].unknown = true
			unknown++
			if !w.mayFail(during) {
				w.wrong("%s was not answered: %s %v", kind, answers[i].reply, errs[i])
			}
		}
	}
	w.count(kind, len(sends), unknown)
	return answers, during
}

// count counts concurrent requests of one kind.
func (l *tally) count(kind string, sent, unknown int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[kind] += sent
	l.answers += sent
	l.unknown += unknown
	if sent > 1 {
		l.races++
	}
}

// saw compares what a request has found with the model.
func (w *worker) saw(s *signIn, during span, alive bool, what string) {
	if live, die := w.cuts.may(s.thing, during); live && die {
		w.tally.mu.Lock()
		w.either++
		w.tally.mu.Unlock()
	}
	if !w.cuts.saw(s.thing, during, alive) {
		w.wrong("%s: %s finds it alive: %t; during %v; the model knows: %s", s, what, alive, during, w.cuts.about(s.thing))
	}
}

// step does one random thing.
func (w *worker) step() {
	switch n := w.random.IntN(100); {
	case n < 6:
		w.cutOff()
	case n < 8:
		w.sweep()
	case n < 9:
		w.createApp()
	case n < 10:
		w.deleteApp()
	case len(w.open) < openSignIns || n < 16:
		if s := w.signIn(); s != nil {
			w.open, w.all = append(w.open, s), append(w.all, s)
		}
		if len(w.open) > openSignIns {
			w.open = w.open[1:] // It stays unchanged until the end.
		}
	default:
		i := w.random.IntN(len(w.open))
		if !w.goOn(w.open[i]) {
			w.open = append(w.open[:i], w.open[i+1:]...)
		}
	}
}

// someApp returns an application, and whether it may be deleted meanwhile.
func (w *worker) someApp() *application {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.apps[w.random.IntN(len(w.apps))]
}

// cutOff cuts off a user, a user at an application or, rarely, an application.
func (w *worker) cutOff() {
	k := key{user: fmt.Sprintf("user_%d", w.random.IntN(sharedUsers))}
	switch n := w.random.IntN(20); {
	case n == 0:
		k = key{app: w.someApp().ID}
	case n < 14:
		k.app = w.someApp().ID
	}
	w.end("cut off", "/test/revoke?user="+k.user+"&application="+k.app, k)
}

// end makes the host end everything that the keys cover.
func (w *worker) end(kind, path string, keys ...key) {
	var ends []func()
	for _, k := range keys {
		ends = append(ends, w.cuts.begin(k))
	}
	answers, _ := w.ask(kind, w.first.to("POST", path))
	if w.done(kind, answers[0]) {
		for _, end := range ends {
			end()
		}
	}
}

// done reports whether a request to the host itself was done. Such a request
// never fails.
func (w *worker) done(kind string, a answer) bool {
	if !a.unknown && a.status != http.StatusOK {
		w.wrong("%s: %s", kind, a.reply)
	}
	return !a.unknown && a.status == http.StatusOK
}

func (c *client) to(method, path string) send {
	return func(host string) (reply, error) { return c.do(method, host+path, nil, nil) }
}

func (w *worker) createApp() {
	answers, during := w.ask("create application", w.first.to("POST", "/test/applications"))
	if !w.done("create application", answers[0]) {
		w.mu.Lock()
		w.lost++
		w.mu.Unlock()
		return
	}
	c := *w.first
	fmt.Sscan(answers[0].body, &c.ID, &c.ClientID, &c.secret)
	w.addApp(&c, during)
}

// deleteApp deletes an application while others sign in to it.
func (w *worker) deleteApp() {
	w.mu.Lock()
	if len(w.apps) <= lastingApps {
		w.mu.Unlock()
		return
	}
	i := lastingApps + w.random.IntN(len(w.apps)-lastingApps)
	app := w.apps[i]
	w.mu.Unlock()
	w.end("delete application", "/test/delete?application="+app.ID, key{app: app.ID}, key{app: app.ID, what: records})
	w.mu.Lock()
	defer w.mu.Unlock()
	for i := range w.apps {
		if w.apps[i] == app {
			w.apps = append(w.apps[:i:i], w.apps[i+1:]...)
			return
		}
	}
}

// sweep sweeps on several instances at once: as the provider does, or as it
// will a day later. Then only cut-offs are due that no request can still depend
// on, and waiting devices.
func (w *worker) sweep() {
	path := "/test/cleanup"
	end := func() {}
	if before := w.dayAfterAll(); !before.IsZero() && !w.one(3) {
		path = fmt.Sprint("/test/sweep?before=", before.UnixMicro())
		end = w.cuts.begin(key{what: devices})
	}
	var sends []send
	for range 1 + w.random.IntN(len(w.hosts)) {
		sends = append(sends, w.first.to("POST", path))
	}
	answers, _ := w.ask("sweep", sends...)
	for _, a := range answers {
		w.done("sweep", a)
	}
	end()
}

// dayAfterAll is a day after the oldest pending request was sent. No pending
// request can have missed a cut-off from a day before that. It is zero if a
// request may be pending that no one waits for.
func (w *worker) dayAfterAll() time.Time {
	now := time.Now()
	if w.wasAway() {
		return time.Time{}
	}
	oldest := now.UnixMicro()
	for i := range w.inFlight {
		if at := w.inFlight[i].Load(); at != 0 {
			oldest = min(oldest, at)
		}
	}
	return time.UnixMicro(oldest).Add(24*time.Hour - time.Millisecond)
}
