package clientdoc

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
	"time"
)

const (
	maxSize      = 16 << 10 // bytes of a document
	fetchTimeout = 5 * time.Second
)

// notFetched has one text for everything that keeps an answer from arriving, so
// that it doesn't reveal what this server can reach. The log has the cause.
func notFetched(cause error) error {
	return &Error{Wrong: "cannot be fetched: an https server at a public address must send all of it within 5 seconds.", Err: cause, passing: true}
}

// fetch fetches and parses a document, and returns how long it may be used.
func (c *Cache[T]) fetch(ctx context.Context, url string) (document T, use lifetime, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return document, use, notFetched(err)
	}
	request.Header.Set("Accept", c.accept)
	request.Header.Set("Accept-Encoding", "identity") // A small answer must not decompress into a large one.
	request.Header.Set("User-Agent", "Latchkey (client metadata)")
	answer, err := c.client.Do(request)
	if err != nil {
		return document, use, notFetched(err)
	}
	defer func() { _ = answer.Body.Close() }() // The body was only read.
	if err := checkAnswer(answer); err != nil {
		return document, use, err
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxSize+1))
	switch err = cmp.Or(err, ctx.Err()); { // A canceled read can look like the end of the body.
	case err != nil:
		return document, use, notFetched(err)
	case len(body) > maxSize:
		return document, use, &Error{Wrong: "is larger than 16 KiB."}
	}
	document, err = c.parse(ctx, url, body)
	return document, lifetimeOf(answer.Header, c.now()), err
}

// checkAnswer returns an error if an answer can't be a document.
func checkAnswer(answer *http.Response) error {
	contentType, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	isJSON := contentType == "application/json" || strings.HasPrefix(contentType, "application/") && strings.HasSuffix(contentType, "+json")
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return &Error{Wrong: "is answered with a redirect, which is not followed: use the final URL."}
	case answer.StatusCode != http.StatusOK:
		return &Error{Wrong: fmt.Sprintf("is answered with status %d instead of 200.", answer.StatusCode), passing: answer.StatusCode == http.StatusTooManyRequests || answer.StatusCode >= 500}
	case err != nil || !isJSON:
		return &Error{Wrong: "is not JSON: its Content-Type is not application/json.", Err: err}
	case answer.Uncompressed || !slices.Contains([]string{"", "identity"}, strings.ToLower(answer.Header.Get("Content-Encoding"))):
		return &Error{Wrong: "is compressed, although the request does not accept that."}
	}
	return nil
}

// The limits of how long a document is used. Even one with no-store is fetched
// at most once a minute, because it must stay the same while a user reads a
// page.
const (
	minFresh     = time.Minute
	maxFresh     = 24 * time.Hour
	defaultFresh = 5 * time.Minute

	// maxStale is how much longer it is used if a new fetch fails.
	maxStale = time.Hour
)

// A lifetime is how long a document may be used.
type lifetime struct{ fresh, stale time.Duration }

// lifetimeOf reads how long an answer may be used (RFC 9111 sections 4.2.1,
// 4.2.3, and 4.2.4) and applies the limits. This is a shared cache: a document
// that was fetched for one visitor is used for all.
func lifetimeOf(h http.Header, now time.Time) lifetime {
	use, said := time.Duration(0), false
	var forAll bool
	stale := maxStale
	for _, directive := range strings.Split(strings.Join(h.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(directive), "=")
		switch name = strings.ToLower(name); name {
		case "no-store", "no-cache", "private":
			return lifetime{minFresh, 0}
		case "must-revalidate", "proxy-revalidate":
			stale = 0
		case "max-age", "s-maxage":
			if name == "s-maxage" {
				stale = 0 // This implies proxy-revalidate (section 5.2.2.10).
			}
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
		return lifetime{defaultFresh, stale}
	}
	return lifetime{min(max(use-seconds(h.Get("Age")), minFresh), maxFresh), stale}
}

// seconds parses a number of seconds. Invalid values count as missing, and
// values that are too large as more than is ever used.
func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(strings.TrimSpace(text), 10, 31)
	if errors.Is(err, strconv.ErrRange) {
		return 2 * maxFresh
	}
	return time.Duration(n) * time.Second
}
