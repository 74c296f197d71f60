// Package clientdoc fetches and caches what clients publish at URLs: client ID
// metadata documents (draft-ietf-oauth-client-id-metadata-document) and JWK
// Sets. It decides which URLs and addresses are allowed, how long a document
// may be used, and how many are fetched at once, for one user, and from one
// host. The caller checks the content of a document.
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

// The limits. They keep a client from blocking others, and keep this server
// from becoming a burden to other hosts. Errors are not cached (section 5.2 of
// the draft), so the limits per user keep one user from requesting a host again
// and again.
const (
	maxFetches   = 64 // at once
	maxByHost    = 8  // from one host
	maxByUser    = 2  // for one user
	maxPerMinute = 20 // started for one user

	maxKept       = 1000 // cached documents
	maxKeptByUser = 16   // cached documents that only one user asked for
)

// patience is how long a caller waits for a new fetch if the cached document
// may still be used.
const patience = 500 * time.Millisecond

// Error says what is wrong with a document or with the response.
type Error struct {
	Wrong string // completes "The document at ..."
	Err   error  // the cause, for the log; may be nil

	passing bool // it is not about the document itself
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

// Passing reports whether the error isn't about the document itself, so another
// try may succeed.
func (e *Error) Passing() bool { return e.passing }

// ErrBusy means that the maximum number of documents is being fetched, in total
// or from one host. ErrTooMany means the same for one user.
var (
	ErrBusy    = errors.New("too many documents are being fetched")
	ErrTooMany = errors.New("too many documents are being fetched for this user")
)

// errSlow means that a document did not arrive in time.
var errSlow = errors.New("the document takes too long to fetch")

// Options configures a [Cache]. Only Now and Parse are required.
type Options[T any] struct {
	// Transport fetches the documents. The default connects to public
	// addresses only and uses no proxy.
	Transport http.RoundTripper

	// Resolver resolves host names for the default Transport. The default is
	// net.DefaultResolver.
	Resolver *net.Resolver

	// Accept is the Accept header of the requests. The default is
	// "application/json".
	Accept string

	// Now is the clock.
	Now func() time.Time

	// Parse parses a document.
	Parse func(ctx context.Context, url string, body []byte) (T, error)
}

// Cache fetches documents and caches what Parse returns for each. It is safe
// for concurrent use.
type Cache[T any] struct {
	client *http.Client
	accept string
	now    func() time.Time
	parse  func(ctx context.Context, url string, body []byte) (T, error)

	mu       sync.Mutex
	kept     map[string]*kept[T]   // by URL
	underWay map[string]*flight[T] // by URL
	byHost   map[string]int        // flights by host
	byUser   map[string]int        // flights by user
	begun    map[string]int        // by user, since the time below
	since    time.Time
}

// kept is a cached document.
type kept[T any] struct {
	document   T
	fetchedAt  time.Time
	freshUntil time.Time // fetched again after this time
	until      time.Time // but used until then if the fetch takes long

	// user is the only one who has asked for it, or empty if there are more.
	user string
}

// flight is a fetch in progress.
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

// Find returns the document at a URL that [CheckURL] accepts, for a user. The
// document may come from the cache. All callers share it, so don't modify it.
// Find calls mayFetch before a fetch, and returns its error. Other errors are
// those of Parse, an [*Error], [ErrBusy], [ErrTooMany], and that of ctx.
//
// If the document is due for a new fetch, but that takes long, is not allowed,
// or fails on the way, Find returns the cached one for some time.
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

// FindNewer is like Find, for a caller that needs a newer document than the
// cached one. It fetches the document again if the last fetch was at least a
// minute ago. newer reports whether it did.
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

// outdate makes the next Find fetch the document again. It reports whether that
// is allowed.
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

// remembered returns a cached document. usable reports whether it may be used,
// and fresh whether it needs no new fetch.
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

// begin starts to fetch a document, or joins a fetch in progress.
func (c *Cache[T]) begin(ctx context.Context, user, url string, mayFetch func() error) (*flight[T], error) {
	c.mu.Lock()
	f := c.underWay[url]
	c.mu.Unlock()
	if f != nil {
		return f, nil
	}
	// Called without the lock, because the host's code may be slow.
	if err := mayFetch(); err != nil {
		return nil, err
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.underWay[url]; f != nil {
		return f, nil // Another caller was faster,
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
	// All waiting callers get the answer, even if this visitor hangs up.
	go c.run(context.WithoutCancel(ctx), f)
	return f, nil
}

// mayBegin enforces the limits on fetches in progress.
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

// run fetches a document and wakes the callers who wait for it.
func (c *Cache[T]) run(ctx context.Context, f *flight[T]) {
	var use lifetime
	defer func() {
		if fault := recover(); fault != nil { // in a Transport of the host
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
		delete(c.kept, f.url) // The server says that the document has changed or is gone.
	}
	close(f.done)
}

// count decrements a counter.
func count(m map[string]int, key string) {
	if m[key]--; m[key] == 0 {
		delete(m, key)
	}
}

// keep caches a document. If the cache is full, it drops another one: one that
// only this user has asked for if there are many of them, or else one that only
// one user has asked for, or any. An attacker can't predict which, and a
// dropped document is fetched again. Failed fetches are not cached, so they
// take no room.
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

// wait waits for a document, but only briefly if the cached one is usable.
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
