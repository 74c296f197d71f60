// Package hosttest has what the hosts of several test suites share: a clock
// that tests move, a log that tests read, and requests whose answers are
// returned unchanged. Package providertest has what hosts need for their own
// tests.
package hosttest

import (
	"context"
	"errors"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
)

// Clock is a clock that tests move. Its Now is for Config.Now.
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands still at the given time.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Set moves the clock to the time.
func (c *Clock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// Add moves the clock forward.
func (c *Clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// Log keeps everything that is written to it, and may be read at any time.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write implements [io.Writer].
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String returns everything that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Program is a client that sends requests like a program: without cookies. It
// returns redirects instead of following them.
var Program = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Do sends a request with Program, and reads the whole answer.
func Do(t require.TestingT, method, url string, header http.Header, body string) (answer *http.Response, text string) {
	r, err := http.NewRequestWithContext(context.Background(), method, url, strings.NewReader(body))
	require.NoError(t, err)
	r.Header = header
	return Send(t, Program, r)
}

// Send sends a request, and reads the whole answer.
func Send(t require.TestingT, c *http.Client, r *http.Request) (answer *http.Response, text string) {
	answer, err := c.Do(r) //nolint:gosec // A test says where it goes.
	require.NoError(t, err)
	read, err := io.ReadAll(answer.Body)
	require.NoError(t, errors.Join(err, answer.Body.Close()))
	return answer, string(read)
}

// formInput is a hidden field, or a ticked checkbox or radio button.
var formInput = regexp.MustCompile(`<input type="(?:hidden" name="([^"]*)" value="([^"]*)"|(?:checkbox|radio)" name="([^"]*)" value="([^"]*)" checked(?: required)?)>`)

// Fields returns the fields of a page's form, as a browser reads them: line
// ends are normalized and invalid UTF-8 is replaced before character references
// are resolved.
func Fields(page string) url.Values {
	page = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\x00", "\uFFFD").Replace(strings.ToValidUTF8(page, "\uFFFD"))
	form := url.Values{}
	for _, m := range formInput.FindAllStringSubmatch(page, -1) {
		form.Add(html.UnescapeString(m[1]+m[3]), html.UnescapeString(m[2]+m[4]))
	}
	return form
}
