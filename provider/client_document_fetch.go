package provider

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/latchkey-go/latchkey/store"
)

const (
	maxDocument  = 16 << 10 // bytes
	maxDocuments = 1000     // that are remembered, wrong ones too
	maxFetches   = 16       // at once
	maxFromHost  = 2        // of them from one host

	fetchTimeout = 5 * time.Second

	// The bounds of how long a document is remembered. Not even one that says
	// no-store is fetched twice a minute: it has to be the same while a page
	// is read. How many documents of one host are fetched at once is bounded too,
	// so that nobody makes this server a burden to another.
	minFresh     = time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = 5 * time.Minute

	endpointDocument = "document"
)

// documents fetches and remembers the documents of clients.
type documents struct {
	p      *Provider
	client *http.Client

	mu       sync.Mutex
	byURL    map[string]*fetched
	underWay map[string]int // fetches, by host
	fetches  int            // all of them
}

// fetched is a document that was fetched, or that somebody is fetching.
type fetched struct {
	done chan struct{} // closed when the rest is set

	app     store.Application
	refusal *Error
	until   time.Time // fetched anew from then on
}

func newDocuments(p *Provider) *documents {
	transport := p.cfg.ClientIDDocuments.Transport
	if transport == nil {
		transport = publicTransport(nil)
	}
	return &documents{
		p: p, byURL: map[string]*fetched{}, underWay: map[string]int{},
		client: &http.Client{
			Transport: transport,
			// A redirect would let one origin speak for another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// find returns the application that the document describes, fetched or
// remembered.
func (d *documents) find(r *http.Request, clientID string) (store.Application, *Error) {
	now := d.p.now()
	d.mu.Lock()
	f := d.byURL[clientID]
	if f != nil && (!f.isDone() || now.Before(f.until)) {
		d.mu.Unlock()
		return f.wait(r.Context())
	}
	d.mu.Unlock()

	// Asked without the lock, as the host's code may take its time.
	if e := d.p.limit(r, endpointDocument, clientID); e != nil {
		return store.Application{}, e
	}
	d.mu.Lock()
	if other := d.byURL[clientID]; other != nil && other != f {
		d.mu.Unlock()
		return other.wait(r.Context()) // Somebody was faster.
	}
	host := documentHost(clientID)
	if d.fetches == maxFetches || d.underWay[host] == maxFromHost {
		d.mu.Unlock()
		return store.Application{}, unavailable("client documents", errors.New("too many are being fetched"))
	}
	d.fetches++
	d.underWay[host]++
	f = &fetched{done: make(chan struct{}), until: now.Add(minFresh),
		refusal: errNotFetched(errors.New("the fetch was interrupted"))} // by a panic of the Transport
	d.makeRoom()
	d.byURL[clientID] = f
	d.mu.Unlock()
	defer func() {
		close(f.done)
		d.mu.Lock()
		defer d.mu.Unlock()
		d.fetches--
		if d.underWay[host]--; d.underWay[host] == 0 {
			delete(d.underWay, host)
		}
	}()

	// Whoever waits gets the answer even if this visitor hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), fetchTimeout)
	defer cancel()
	f.app, f.until, f.refusal = d.fetch(ctx, clientID)
	return f.app.Clone(), f.refusal
}

func (f *fetched) isDone() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *fetched) wait(ctx context.Context) (store.Application, *Error) {
	select {
	case <-f.done:
		return f.app.Clone(), f.refusal
	case <-ctx.Done():
		return store.Application{}, unavailable("client documents", ctx.Err())
	}
}

// makeRoom forgets a document if there are as many as may be. It is any one that
// nobody waits for: what is forgotten is fetched again, and no choice could be
// known in advance and used.
func (d *documents) makeRoom() {
	if len(d.byURL) < maxDocuments {
		return
	}
	for clientID, f := range d.byURL {
		if f.isDone() {
			delete(d.byURL, clientID)
			return
		}
	}
}

// errNotFetched is one text for whatever keeps an answer from coming, so that
// nobody can find out by it what this server can reach. The log has the cause.
func errNotFetched(cause error) *Error {
	return errDocument("cannot be fetched: it does not arrive whole within 5 seconds, from an https server at a public address.", cause)
}

// fetch fetches a document and reads it.
func (d *documents) fetch(ctx context.Context, clientID string) (app store.Application, until time.Time, e *Error) {
	until = d.p.now().Add(minFresh)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, clientID, nil)
	if err != nil {
		return app, until, errNotFetched(err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("Accept-Encoding", "identity") // A small answer must not become a large one.
	request.Header.Set("User-Agent", "Latchkey (client ID metadata documents)")
	answer, err := d.client.Do(request)
	if err != nil {
		return app, until, errNotFetched(err)
	}
	defer func() { _ = answer.Body.Close() }() // It was only read.
	contentType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json")
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return app, until, errDocument("is answered with a redirect, which is not followed: use the URL where it is.", nil)
	case answer.StatusCode != http.StatusOK:
		return app, until, errDocument(fmt.Sprintf("is answered with status %d in place of 200.", answer.StatusCode), nil)
	case err != nil || !isJSON:
		return app, until, errDocument("is no JSON: its Content-Type is not application/json.", err)
	case answer.Uncompressed || !slices.Contains([]string{"", "identity"}, strings.ToLower(answer.Header.Get("Content-Encoding"))):
		return app, until, errDocument("is compressed, though that was not asked for.", nil)
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	switch err = cmp.Or(err, ctx.Err()); { // What was cut off may look like an end.
	case err != nil:
		return app, until, errNotFetched(err)
	case len(body) > maxDocument:
		return app, until, errDocument("is larger than 16 KiB.", nil)
	}
	if app, e = d.p.parseDocument(clientID, body); e != nil {
		return app, until, e
	}
	return app, d.p.now().Add(lifetimeOf(answer.Header, d.p.now())), nil
}

// parseDocument reads a document. What else is in it than the metadata of RFC
// 7591 is ignored.
func (p *Provider) parseDocument(clientID string, body []byte) (store.Application, *Error) {
	request, e := parseRegistration(body)
	switch {
	case e != nil:
		return store.Application{}, errDocument("is wrong: "+e.Description, e.Err)
	case request.clientID != clientID:
		return store.Application{}, errDocument("is wrong: client_id is not the URL that it was fetched from, character for character.", nil)
	case request.clientSecret != "":
		return store.Application{}, errDocument("is wrong: client_secret is in it, and what everybody can read is no secret: leave it out.", nil)
	case request.foreign != "":
		return store.Application{}, errDocument("is wrong: "+request.foreign+" is in it, which a server gives and a document does not: leave it out.", nil)
	}
	return p.applicationOf(clientID, request.clientMetadata)
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
