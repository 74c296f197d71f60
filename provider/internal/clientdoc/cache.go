// Package clientdoc fetches client ID metadata documents
// (draft-ietf-oauth-client-id-metadata-document) and remembers them: what their
// URLs may be, which addresses they may be at, how long one may be used, and how
// many are fetched at once. What is in a document is for its caller to say.
package clientdoc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	maxSize    = 16 << 10 // bytes of a document
	maxKept    = 1000     // documents that are remembered, wrong ones too
	maxFetches = 16       // at once
	maxPerHost = 2        // of them from one host

	fetchTimeout = 5 * time.Second

	// The bounds of how long a document is remembered. Not even one that says
	// no-store is fetched twice a minute: it has to be the same while a page
	// is read. How many documents of one host are fetched at once is bounded too,
	// so that nobody makes this server a burden to another.
	minFresh     = time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = 5 * time.Minute
)

// Error says what is wrong with a document or its answer.
type Error struct {
	Wrong string // goes on after "The document at ..."
	Err   error  // the cause, for the log; may be nil
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

// ErrBusy says that as many documents as may be are being fetched.
var ErrBusy = errors.New("too many are being fetched")

// Options are what a [Cache] needs. Only Now and Parse are required.
type Options[T any] struct {
	// Transport fetches the documents. Nil: one that connects to public
	// addresses only and uses no proxy.
	Transport http.RoundTripper

	// Resolver is what that one looks names up with. Nil: net.DefaultResolver.
	Resolver *net.Resolver

	// Now is the clock.
	Now func() time.Time

	// Parse reads a document. Its error is remembered as long as that of a
	// document that cannot be fetched.
	Parse func(ctx context.Context, url string, body []byte) (T, error)
}

// Cache fetches documents and remembers what Parse made of each. It is safe for
// concurrent use.
type Cache[T any] struct {
	client *http.Client
	now    func() time.Time
	parse  func(ctx context.Context, url string, body []byte) (T, error)

	mu       sync.Mutex
	byURL    map[string]*fetched[T]
	underWay map[string]int // fetches, by host
	fetches  int            // all of them
}

// fetched is a document that was fetched, or that somebody is fetching.
type fetched[T any] struct {
	done chan struct{} // closed when the rest is set

	document T
	err      error
	until    time.Time // fetched anew from then on
}

// New returns an empty Cache.
func New[T any](o Options[T]) *Cache[T] {
	transport := o.Transport
	if transport == nil {
		transport = publicTransport(o.Resolver)
	}
	return &Cache[T]{
		now: o.Now, parse: o.Parse, byURL: map[string]*fetched[T]{}, underWay: map[string]int{},
		client: &http.Client{
			Transport: transport,
			// A redirect would let one origin speak for another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Find returns the document at a URL that [CheckURL] has accepted, fetched or
// remembered. It is shared with all others who ask, so it must not be changed.
// Before it is fetched, mayFetch is called, and an error of it is returned.
// Other errors are those of Parse, an [*Error], [ErrBusy], and that of ctx.
func (c *Cache[T]) Find(ctx context.Context, url string, mayFetch func() error) (T, error) {
	var none T
	now := c.now()
	c.mu.Lock()
	f := c.byURL[url]
	if f != nil && (!f.isDone() || now.Before(f.until)) {
		c.mu.Unlock()
		return f.wait(ctx)
	}
	c.mu.Unlock()

	// Asked without the lock, as the host's code may take its time.
	if err := mayFetch(); err != nil {
		return none, err
	}
	c.mu.Lock()
	if other := c.byURL[url]; other != nil && other != f {
		c.mu.Unlock()
		return other.wait(ctx) // Somebody was faster.
	}
	host := Host(url)
	if c.fetches == maxFetches || c.underWay[host] == maxPerHost {
		c.mu.Unlock()
		return none, ErrBusy
	}
	c.fetches++
	c.underWay[host]++
	f = &fetched[T]{done: make(chan struct{}), until: now.Add(minFresh),
		err: notFetched(errors.New("the fetch was interrupted"))} // by a panic of the Transport
	c.makeRoom()
	c.byURL[url] = f
	c.mu.Unlock()
	defer c.finish(f, host)

	// Whoever waits gets the answer even if this visitor hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	f.document, f.until, f.err = c.fetch(ctx, url)
	return f.document, f.err
}

// finish lets those go on who wait for a document, and the next fetch begin.
func (c *Cache[T]) finish(f *fetched[T], host string) {
	close(f.done)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fetches--
	if c.underWay[host]--; c.underWay[host] == 0 {
		delete(c.underWay, host)
	}
}

func (f *fetched[T]) isDone() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *fetched[T]) wait(ctx context.Context) (T, error) {
	select {
	case <-f.done:
		return f.document, f.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// makeRoom forgets a document if there are as many as may be. It is any one that
// nobody waits for: what is forgotten is fetched again, and no choice could be
// known in advance and used.
func (c *Cache[T]) makeRoom() {
	if len(c.byURL) < maxKept {
		return
	}
	for url, f := range c.byURL {
		if f.isDone() {
			delete(c.byURL, url)
			return
		}
	}
}

// notFetched is one text for whatever keeps an answer from coming, so that
// nobody can find out by it what this server can reach. The log has the cause.
func notFetched(cause error) error {
	return &Error{"cannot be fetched: it does not arrive whole within 5 seconds, from an https server at a public address.", cause}
}

// fetch fetches a document and reads it.
func (c *Cache[T]) fetch(ctx context.Context, url string) (document T, until time.Time, err error) {
	until = c.now().Add(minFresh)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return document, until, notFetched(err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Accept-Encoding", "identity") // A small answer must not become a large one.
	request.Header.Set("User-Agent", "Latchkey (client ID metadata documents)")
	answer, err := c.client.Do(request)
	if err != nil {
		return document, until, notFetched(err)
	}
	defer func() { _ = answer.Body.Close() }() // It was only read.
	if err := checkAnswer(answer); err != nil {
		return document, until, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSize+1))
	switch err = cmp.Or(err, ctx.Err()); { // What was cut off may look like an end.
	case err != nil:
		return document, until, notFetched(err)
	case len(body) > maxSize:
		return document, until, &Error{"is larger than 16 KiB.", nil}
	}
	if document, err = c.parse(ctx, url, body); err != nil {
		return document, until, err
	}
	return document, c.now().Add(lifetimeOf(answer.Header, c.now())), nil
}

// checkAnswer says whether an answer can hold a document.
func checkAnswer(answer *http.Response) error {
	contentType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json")
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return &Error{"is answered with a redirect, which is not followed: use the URL where it is.", nil}
	case answer.StatusCode != http.StatusOK:
		return &Error{fmt.Sprintf("is answered with status %d in place of 200.", answer.StatusCode), nil}
	case err != nil || !isJSON:
		return &Error{"is no JSON: its Content-Type is not application/json.", err}
	case answer.Uncompressed || !slices.Contains([]string{"", "identity"}, strings.ToLower(answer.Header.Get("Content-Encoding"))):
		return &Error{"is compressed, though that was not asked for.", nil}
	}
	return nil
}

// lifetimeOf reads how long an answer may be used (RFC 9111 sections 4.2.1 and
// 4.2.3) and keeps it within the bounds. This is a shared cache: what was
// fetched for one visitor is used for all.
func lifetimeOf(h http.Header, now time.Time) time.Duration {
	use, said := time.Duration(0), false
	var forAll bool
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name = strings.ToLower(name); name {
		case "no-store", "no-cache", "private":
			return minFresh
		case "max-age", "s-maxage":
			if forAll && name == "max-age" {
				continue
			}
			use, said, forAll = seconds(strings.Trim(value, `"`)), true, name == "s-maxage"
		}
	}
	if expires := h.Get("Expires"); !said && expires != "" {
		said = true
		if at, err := http.ParseTime(expires); err == nil {
			since, err := http.ParseTime(h.Get("Date"))
			if err != nil {
				since = now
			}
			use = at.Sub(since)
		}
	}
	if !said {
		return defaultFresh
	}
	return min(max(use-seconds(h.Get("Age")), minFresh), maxFresh)
}

// seconds reads a number of seconds. What is none counts as none; one that is
// too large, as more than is ever used.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if errors.Is(err, strconv.ErrRange) {
		return 2 * maxFresh
	}
	return time.Duration(n) * time.Second
}
