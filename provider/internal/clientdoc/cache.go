// Package clientdoc fetches what clients keep at URLs of theirs, and remembers it:
// client ID metadata documents (draft-ietf-oauth-client-id-metadata-document) and
// JWK Sets. It says what the URLs may be, which addresses they may be at, how long
// a document may be used, and how many are fetched at once, for one user, and from
// one host. What is in a document is for its caller to say.
package clientdoc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// The bounds, so that nobody keeps another from being served, or makes this
// server a burden to somebody else's. Errors are not remembered (section 5.2 of
// the draft), so it is the bounds by user that keep one user from asking a host
// again and again.
const (
	maxFetches   = 64 // at once
	maxByHost    = 8  // of them from one host
	maxByUser    = 2  // of them for one user
	maxPerMinute = 20 // that are begun for one user

	maxKept       = 1000 // documents that are remembered
	maxKeptByUser = 16   // of them that one user asked for and nobody else
)

// patience is how long somebody waits for a document anew of which there is one
// that may still be used.
const patience = 500 * time.Millisecond

// Error says what is wrong with a document or its answer.
type Error struct {
	Wrong string // goes on after "The document at ..."
	Err   error  // the cause, for the log; may be nil

	passing bool // it says nothing of the document that there was
}

// Error returns what is wrong, and the cause.
func (e *Error) Error() string {
	text := "the document " + e.Wrong
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Passing reports whether it says nothing of the document that there was, so that
// the next try may well succeed.
func (e *Error) Passing() bool { return e.passing }

// ErrBusy says that as many documents as may be are being fetched, of all or of
// one host. ErrTooMany says it of one user.
var (
	ErrBusy    = errors.New("too many documents are being fetched")
	ErrTooMany = errors.New("too many documents are being fetched for this user")
)

// errSlow says that a document did not arrive while somebody waited.
var errSlow = errors.New("the document takes too long to fetch")

// Options are what a [Cache] needs. Only Now and Parse are required.
type Options[T any] struct {
	// Transport fetches the documents. The default connects to public
	// addresses only and uses no proxy.
	Transport http.RoundTripper

	// Resolver looks up the names for it. The default is net.DefaultResolver.
	Resolver *net.Resolver

	// Accept is the header of that name. The default is "application/json".
	Accept string

	// Now is the clock.
	Now func() time.Time

	// Parse reads a document.
	Parse func(ctx context.Context, url string, body []byte) (T, error)
}

// Cache fetches documents and remembers what Parse made of each. It is safe for
// concurrent use.
type Cache[T any] struct {
	client *http.Client
	accept string
	now    func() time.Time
	parse  func(ctx context.Context, url string, body []byte) (T, error)

	mu       sync.Mutex
	kept     map[string]*kept[T]   // by URL
	underWay map[string]*flight[T] // by URL
	byHost   map[string]int        // of them
	byUser   map[string]int        // of them
	begun    map[string]int        // by user, since the time below
	since    time.Time
}

// kept is a document that is remembered.
type kept[T any] struct {
	document   T
	fetchedAt  time.Time
	freshUntil time.Time // It is fetched anew from then on,
	until      time.Time // and until then used if that takes long.

	// user is the only one who has asked for it, or empty if there are more.
	user string
}

// flight is a fetch that is under way.
type flight[T any] struct {
	url, host, user string
	done            chan struct{} // closed when the rest is set

	document T
	err      error
}

// New returns an empty Cache.
func New[T any](o Options[T]) *Cache[T] {
	transport := o.Transport
	if transport == nil {
		transport = publicTransport(o.Resolver)
	}
	return &Cache[T]{
		accept: cmp.Or(o.Accept, "application/json"), now: o.Now, parse: o.Parse,
		kept: map[string]*kept[T]{}, underWay: map[string]*flight[T]{}, byHost: map[string]int{}, byUser: map[string]int{},
		client: &http.Client{
			Transport: transport,
			// A redirect would let one origin speak for another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Find returns the document at a URL that [CheckURL] has accepted, fetched or
// remembered, for a user. It is shared with all others who ask, so it must not be
// changed. Before it is fetched, mayFetch is called, and an error of it is
// returned. Other errors are those of Parse, an [*Error], [ErrBusy], [ErrTooMany],
// and that of ctx.
//
// One that is remembered and has to be fetched anew is returned as it is for
// some time, if the fetch takes long, is not allowed, or fails on the way.
func (c *Cache[T]) Find(ctx context.Context, user, url string, mayFetch func() error) (T, error) {
	document, usable, fresh := c.remembered(user, url)
	if fresh {
		return document, nil
	}
	f, err := c.begin(ctx, user, url, mayFetch)
	if err == nil {
		document, err = f.wait(ctx, usable)
	}
	if err == nil || ctx.Err() != nil {
		return document, err
	}
	if document, usable, _ := c.remembered(user, url); usable {
		return document, nil
	}
	return document, err
}

// FindNewer is Find for somebody to whom a document that is remembered is of no
// use, as there may be a newer one: it is fetched again if that was last done a
// minute ago or more. newer is false if it was not.
func (c *Cache[T]) FindNewer(ctx context.Context, user, url string, mayFetch func() error) (document T, newer bool, err error) {
	if !c.outdate(url) {
		return document, false, nil
	}
	f, err := c.begin(ctx, user, url, mayFetch)
	if err == nil {
		document, err = f.wait(ctx, false)
	}
	return document, err == nil, err
}

// outdate has a document fetched when it is asked for next, and reports whether
// that may be.
func (c *Cache[T]) outdate(url string) bool {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[url]
	if k == nil {
		return true
	}
	if now.Sub(k.fetchedAt) < minFresh {
		return false
	}
	if now.Before(k.freshUntil) {
		k.freshUntil = now
	}
	return true
}

// remembered returns a document that may be used, and whether it need not be
// fetched anew.
func (c *Cache[T]) remembered(user, url string) (document T, usable, fresh bool) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	k := c.kept[url]
	if k == nil || !now.Before(k.until) {
		return document, false, false
	}
	if k.user != user {
		k.user = ""
	}
	return k.document, true, now.Before(k.freshUntil)
}

// begin begins to fetch a document, or joins those who wait for it.
func (c *Cache[T]) begin(ctx context.Context, user, url string, mayFetch func() error) (*flight[T], error) {
	c.mu.Lock()
	f := c.underWay[url]
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	// Asked without the lock, as the host's code may take its time.
	if err := mayFetch(); err != nil {
		return nil, err
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.underWay[url]; f != nil {
		return f, nil // Somebody was faster,
	}
	f = &flight[T]{url: url, host: hostname(url), user: user, done: make(chan struct{})}
	if k := c.kept[url]; k != nil && now.Before(k.freshUntil) {
		f.document = k.document // or even faster.
		close(f.done)
		return f, nil
	}
	if err := c.mayBegin(f, now); err != nil {
		return nil, err
	}
	c.underWay[url] = f
	c.byHost[f.host]++
	c.byUser[user]++
	c.begun[user]++
	// Whoever waits gets the answer even if this visitor hangs up.
	go c.run(context.WithoutCancel(ctx), f)
	return f, nil
}

// mayBegin keeps the bounds of what is under way.
func (c *Cache[T]) mayBegin(f *flight[T], now time.Time) error {
	if age := now.Sub(c.since); age < 0 || age >= time.Minute {
		c.since, c.begun = now, map[string]int{}
	}
	switch {
	case c.byUser[f.user] >= maxByUser || c.begun[f.user] >= maxPerMinute:
		return ErrTooMany
	case len(c.underWay) >= maxFetches || c.byHost[f.host] >= maxByHost:
		return ErrBusy
	}
	return nil
}

// run fetches a document and lets those go on who wait for it.
func (c *Cache[T]) run(ctx context.Context, f *flight[T]) {
	var use lifetime
	defer func() {
		if fault := recover(); fault != nil { // by a Transport of the host's
			f.err = notFetched(fmt.Errorf("the fetch panicked: %v", fault))
		}
		c.finish(f, use)
	}()
	f.document, use, f.err = c.fetch(ctx, f.url)
}

func (c *Cache[T]) finish(f *flight[T], use lifetime) {
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.underWay, f.url)
	count(c.byHost, f.host)
	count(c.byUser, f.user)
	var wrong *Error
	if f.err == nil {
		c.keep(&kept[T]{f.document, now, now.Add(use.fresh), now.Add(use.fresh + use.stale), f.user}, f.url, now)
	} else if !errors.As(f.err, &wrong) || !wrong.passing {
		delete(c.kept, f.url) // Its server says that it is another now, or gone.
	}
	close(f.done)
}

// count counts one down.
func count(m map[string]int, key string) {
	if m[key]--; m[key] == 0 {
		delete(m, key)
	}
}

// keep remembers a document. If there are as many as may be, another is
// forgotten: one that only this user has asked for, if there are many of them, or
// that only one user has asked for, or any. Which of these could not be known in
// advance and used, and what is forgotten is fetched again. What failed is not
// kept, so it takes no room from what is good.
func (c *Cache[T]) keep(k *kept[T], url string, now time.Time) {
	if before := c.kept[url]; before != nil && before.user != k.user {
		k.user = ""
	}
	delete(c.kept, url)
	var own, ofOne, last string
	owned := 0
	for url, other := range c.kept {
		if !now.Before(other.until) {
			delete(c.kept, url)
			continue
		}
		last = url
		if other.user != "" {
			ofOne = url
		}
		if k.user != "" && other.user == k.user {
			own, owned = url, owned+1
		}
	}
	switch {
	case owned >= maxKeptByUser:
		delete(c.kept, own)
	case len(c.kept) >= maxKept && ofOne != "":
		delete(c.kept, ofOne)
	case len(c.kept) >= maxKept:
		delete(c.kept, last)
	}
	c.kept[url] = k
}

// wait waits for a document: not for long if there is one that may be used.
func (f *flight[T]) wait(ctx context.Context, usable bool) (document T, err error) {
	var enough <-chan time.Time
	if usable {
		enough = time.After(patience)
	}
	select {
	case <-f.done:
		return f.document, f.err
	case <-enough:
		return document, errSlow
	case <-ctx.Done():
		return document, ctx.Err()
	}
}
