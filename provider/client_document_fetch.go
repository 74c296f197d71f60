package provider

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	maxDocument  = 16 << 10 // bytes
	maxDocuments = 1000     // that are remembered, wrong ones too
	maxFetches   = 16       // at once

	fetchTimeout = 5 * time.Second

	// The bounds of how long a document is remembered. Not even one that says
	// no-store is fetched twice a minute: it has to be the same while a page
	// is read, and nobody must be able to make this server hammer another.
	minFresh     = time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = 5 * time.Minute

	endpointDocument = "document"
)

// documents fetches and remembers the documents of clients.
type documents struct {
	p      *Provider
	client *http.Client
	slots  chan struct{} // one for each fetch that is under way

	mu    sync.Mutex
	byURL map[string]*fetched
}

// fetched is a document that was fetched, or that somebody is fetching.
type fetched struct {
	done chan struct{} // closed when the rest is set

	metadata clientMetadata
	refusal  *Error
	until    time.Time // fetched anew from then on
}

func newDocuments(p *Provider) *documents {
	transport := p.cfg.ClientIDDocuments.Transport
	if transport == nil {
		transport = newPublicTransport(nil)
	}
	return &documents{
		p: p, slots: make(chan struct{}, maxFetches), byURL: map[string]*fetched{},
		client: &http.Client{
			Transport: transport,
			// A redirect would let one origin speak for another.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// find returns what the document says, fetched or remembered.
func (d *documents) find(r *http.Request, clientID string) (clientMetadata, *Error) {
	now := d.p.now()
	d.mu.Lock()
	f := d.byURL[clientID]
	if f != nil && (!f.isDone() || now.Before(f.until)) {
		d.mu.Unlock()
		return f.wait(r.Context())
	}
	d.mu.Unlock()

	// Asked without the lock, as the host's code may take its time.
	if e := d.mayFetch(r, clientID); e != nil {
		return clientMetadata{}, e
	}
	d.mu.Lock()
	if other := d.byURL[clientID]; other != nil && other != f {
		d.mu.Unlock()
		return other.wait(r.Context()) // Somebody was faster.
	}
	select {
	case d.slots <- struct{}{}:
	default:
		d.mu.Unlock()
		return clientMetadata{}, unavailable("client documents", errors.New("too many are being fetched"))
	}
	f = &fetched{done: make(chan struct{}), until: now.Add(minFresh),
		refusal: errNotFetched(errors.New("the fetch was interrupted"))} // by a panic of the Transport
	d.makeRoom()
	d.byURL[clientID] = f
	d.mu.Unlock()
	defer func() {
		close(f.done)
		<-d.slots
	}()

	// Whoever waits gets the answer even if this visitor hangs up.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), fetchTimeout)
	defer cancel()
	f.metadata, f.until, f.refusal = d.fetch(ctx, clientID)
	return f.metadata, f.refusal
}

func (f *fetched) isDone() bool {
	select {
	case <-f.done:
		return true
	default:
		return false
	}
}

func (f *fetched) wait(ctx context.Context) (clientMetadata, *Error) {
	select {
	case <-f.done:
		return f.metadata, f.refusal
	case <-ctx.Done():
		return clientMetadata{}, unavailable("client documents", ctx.Err())
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

// mayFetch asks the host.
func (d *documents) mayFetch(r *http.Request, clientID string) *Error {
	if e := d.p.limit(r, endpointDocument, clientID); e != nil {
		return e
	}
	u, err := url.Parse(clientID)
	if err != nil {
		return errNotRegistered(err)
	}
	if allow := d.p.cfg.ClientIDDocuments.Allow; allow != nil {
		if err := allow(r.Context(), u); err != nil {
			return refuse(codeInvalidClient, "The application that sent you here is not allowed here.").because(err)
		}
	}
	return nil
}

// errNotFetched is one text for whatever went wrong, so that nobody can find out
// by it what this server can reach. The log has the cause.
func errNotFetched(cause error) *Error {
	return refuse(codeInvalidClient, "The document at the client_id could not be fetched: it has to be there, as application/json with status 200 and without a redirect, of at most 16 KiB, within 5 seconds.").because(cause)
}

// fetch fetches a document and reads it.
func (d *documents) fetch(ctx context.Context, clientID string) (m clientMetadata, until time.Time, e *Error) {
	until = d.p.now().Add(minFresh)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, clientID, nil)
	if err != nil {
		return m, until, errNotFetched(err)
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "latchkey")
	answer, err := d.client.Do(request)
	if err != nil {
		return m, until, errNotFetched(err)
	}
	defer answer.Body.Close()
	contentType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json")
	switch {
	case answer.StatusCode != http.StatusOK:
		return m, until, errNotFetched(fmt.Errorf("status %d", answer.StatusCode))
	case err != nil || !isJSON:
		return m, until, errNotFetched(errors.New("the content type is not JSON"))
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxDocument+1))
	switch {
	case err != nil:
		return m, until, errNotFetched(err)
	case len(body) > maxDocument:
		return m, until, errNotFetched(errors.New("the document is too long"))
	}
	if m, e = parseDocument(clientID, body); e != nil {
		return m, until, e
	}
	return m, d.p.now().Add(lifetimeOf(answer.Header)), nil
}

// parseDocument reads a document. What else is in it than the metadata of RFC
// 7591 is ignored.
func parseDocument(clientID string, body []byte) (clientMetadata, *Error) {
	request, e := parseRegistration(body)
	switch {
	case e != nil:
		return clientMetadata{}, errDocument(e)
	case request.clientID != clientID:
		return clientMetadata{}, errDocument(refuseMetadata("client_id", "client_id is not the URL of the document, character for character."))
	case request.clientSecret != "":
		return clientMetadata{}, errDocument(refuseMetadata("client_secret", "client_secret is there for everybody to read: leave it out."))
	}
	return request.clientMetadata, nil
}

// lifetimeOf is how long an answer may be remembered (RFC 9111 section 4.2), as a
// cache that many share.
func lifetimeOf(h http.Header) time.Duration {
	fresh, age := defaultFresh, time.Duration(0)
	if expires, err := http.ParseTime(h.Get("Expires")); err == nil {
		if date, err := http.ParseTime(h.Get("Date")); err == nil {
			fresh = expires.Sub(date)
		}
	}
	directives := map[string]string{}
	for directive := range strings.SplitSeq(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		directives[strings.ToLower(name)] = strings.Trim(value, `"`)
	}
	for _, name := range []string{"max-age", "s-maxage"} {
		if seconds, err := strconv.ParseUint(directives[name], 10, 31); err == nil {
			fresh = time.Duration(seconds) * time.Second
		}
	}
	for _, name := range []string{"no-store", "no-cache", "private"} {
		if _, there := directives[name]; there {
			fresh = 0
		}
	}
	if seconds, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		age = time.Duration(seconds) * time.Second
	}
	return min(max(fresh-age, minFresh), maxFresh)
}

// newPublicTransport returns a transport that reaches public addresses only.
// The address is looked at when the connection is made and the name is resolved,
// so that a name that leads to another address the second time gains nothing.
func newPublicTransport(resolver *net.Resolver) *http.Transport {
	dialer := &net.Dialer{Timeout: fetchTimeout, Resolver: resolver, Control: refuseInside}
	return &http.Transport{
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		DisableKeepAlives:      true,
		DisableCompression:     true, // A small answer must not become a large one.
		MaxResponseHeaderBytes: maxDocument,
	}
}

// refuseInside is the Control of a dialer: it refuses addresses that are not
// public.
func refuseInside(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !isPublic(to.Addr()) {
		return fmt.Errorf("%s is not a public address", to.Addr())
	}
	return nil
}

// notPublic are the special-purpose addresses (RFC 6890 and IANA's registries)
// that are not reachable from everywhere, or lead to another address that is
// written inside.
var notPublic = func() (list []netip.Prefix) {
	for _, prefix := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24",
		"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
	} {
		list = append(list, netip.MustParsePrefix(prefix))
	}
	return list
}()

// global is all of IPv6 that is in use between networks: outside of it are
// loopback, link-local and unique local addresses, and those that stand for an
// IPv4 address.
var global = netip.MustParsePrefix("2000::/3")

// isPublic reports whether an address can belong to anybody's server on the
// Internet.
func isPublic(a netip.Addr) bool {
	if a.Is4In6() || a.Zone() != "" || a.Is6() && !global.Contains(a) {
		return false
	}
	for _, prefix := range notPublic {
		if prefix.Contains(a) {
			return false
		}
	}
	return a.IsValid()
}
