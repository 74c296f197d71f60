package providertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// The decisions that the consent page has buttons for.
const (
	allow = "allow"
	deny  = "deny"
)

const (
	patience = 30 * time.Second // for each answer, so that a test that waits for itself ends
	maxPage  = 1 << 20          // bytes that are read of a page
	maxSteps = 20               // from the authorization URL to the application
)

// Allow does what a user does when an application sends them to the host to
// sign in. It opens authorizationURL in the browser, presses Allow on the
// consent page, and returns where the browser is sent in the end: the
// application's redirect URI with a code, or with an error if the host refused.
// It doesn't open that URL; the test can do that, for example with the
// application's handler.
//
// If scopes are given, only these stay checked on the consent page. If the page
// asks for a choice, such as a workspace, Allow takes the first one; the
// workspace parameter of the request can name another. If the host doesn't ask
// the user, Allow presses nothing.
//
// The browser needs a cookie jar with a signed-in user, such as from
// [Host.SignIn]; whether it follows redirects doesn't matter. Allow finds the
// consent page by its form, so a custom page works too if it works without
// JavaScript; otherwise leave Config.Pages.Consent unset in the test. A page
// that Allow doesn't understand fails the test.
func Allow(t testing.TB, browser *http.Client, authorizationURL string, scope ...string) *url.URL {
	t.Helper()
	answer, err := visit(t.Context(), browser, authorizationURL, allow, scope...)
	if err != nil {
		t.Fatalf("providertest: Allow: %v", err)
	}
	return answer
}

// Deny is like [Allow], but presses Cancel, so the application gets the error
// access_denied. The test fails if the host doesn't ask the user.
func Deny(t testing.TB, browser *http.Client, authorizationURL string) *url.URL {
	t.Helper()
	answer, err := visit(t.Context(), browser, authorizationURL, deny)
	if err != nil {
		t.Fatalf("providertest: Deny: %v", err)
	}
	return answer
}

// stay is a CheckRedirect that follows no redirect.
func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// visit opens an authorization URL, decides on the consent page, and returns
// where the application gets the answer.
func visit(ctx context.Context, browser *http.Client, authorizationURL, decision string, scope ...string) (*url.URL, error) {
	start, err := url.Parse(authorizationURL)
	if err != nil || start.Host == "" {
		return nil, fmt.Errorf("%q is not a URL that can be opened: pass the whole URL to which the application sends people", authorizationURL)
	}
	b, err := newVisitor(browser)
	if err != nil {
		return nil, err
	}
	pressed := false
	page, err := b.open(ctx, start)
	for range maxSteps {
		if err != nil {
			return nil, err
		}
		switch {
		case page.leads != nil && answers(start, page.leads):
			if decision == deny && !pressed {
				return nil, errors.New("the user was not asked, so there was nothing to deny: they had agreed before, the application has SkipConsent, or the request was refused; it led to " + page.leads.String())
			}
			return page.leads, nil
		case page.leads != nil && origin(page.leads) != origin(start):
			return nil, fmt.Errorf("the browser was sent from %s to %s, which is neither the host nor the application%s", page.at.Path, page.leads, signInFirst)
		case page.leads != nil:
			page, err = b.open(ctx, page.leads)
		case pressed || page.status >= http.StatusBadRequest:
			return nil, &pageError{page}
		default:
			f, problem := findForm(page.body, decision)
			if problem != nil {
				return nil, fmt.Errorf("the browser is at %s, where it can't decide: %w%s", page, problem, signInFirst+ownPage)
			}
			if problem := f.tickOnly(scope); problem != nil {
				return nil, problem
			}
			pressed = true
			page, err = b.submit(ctx, page, f)
		}
	}
	return nil, fmt.Errorf("the browser was redirected %d times, at last to %s: the sign-in page and the provider seem to redirect to each other, so they do not see the same session", maxSteps, page.leads)
}

const (
	signInFirst = "\nIf that is the sign-in page: sign the browser in first, with Host.SignIn or as your app does it, and pass the client that has the cookies"
	ownPage     = "\nIf it is a custom consent page that needs scripts: leave it out in this test, or use a real browser"
)

// answers reports whether to is where the application that made the request
// wants its answer.
func answers(request, to *url.URL) bool {
	if uri := request.Query().Get("redirect_uri"); uri != "" {
		want, err := url.Parse(uri)
		return err == nil && to.Scheme == want.Scheme && to.Host == want.Host && to.Path == want.Path
	}
	q := to.Query()
	return origin(request) != origin(to) && (q.Has("code") || q.Has("error"))
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

// visitor is a browser that follows redirects one by one.
type visitor struct{ client http.Client }

func newVisitor(browser *http.Client) (*visitor, error) {
	if browser == nil {
		return nil, errors.New("the browser is nil: pass a client with a cookie jar and a signed-in user, such as Host.Client")
	}
	b := &visitor{*browser}
	b.client.CheckRedirect = stay
	if b.client.Timeout == 0 {
		b.client.Timeout = patience
	}
	if b.client.Jar == nil {
		// A Transport may sign in without cookies, but the consent page needs
		// one.
		jar, err := cookiejar.New(nil)
		if err != nil {
			return nil, err
		}
		b.client.Jar = jar
	}
	return b, nil
}

// page is an answer of the host.
type page struct {
	at     *url.URL
	leads  *url.URL // where a redirect leads; may be nil
	status int
	body   string
}

// String describes the page for an error.
func (p *page) String() string {
	return fmt.Sprintf("%s://%s%s (status %d), which says: %s", p.at.Scheme, p.at.Host, p.at.Path, p.status, excerpt(p.body))
}

func (b *visitor) open(ctx context.Context, at *url.URL) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
	if err != nil {
		return nil, err
	}
	return b.do(r)
}

// submit posts a form as browsers do, with the headers that tell a host that it
// comes from a page of the same site.
func (b *visitor) submit(ctx context.Context, from *page, f *form) (*page, error) {
	action, err := from.at.Parse(f.action)
	if err != nil {
		return nil, fmt.Errorf("the form of the consent page has the action %q, which is not a URL: %w", f.action, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, action.String(), strings.NewReader(f.fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin(from.at))
	r.Header.Set("Referer", from.at.String())
	return b.do(r)
}

func (b *visitor) do(r *http.Request) (*page, error) {
	w, err := b.client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("the host cannot be reached; is Config.Issuer the URL of the test's server? %w", err)
	}
	body, err := readBody(w)
	if err != nil {
		return nil, fmt.Errorf("the answer of %s cannot be read: %w", r.URL.Path, err)
	}
	p := &page{at: r.URL, status: w.StatusCode, body: body}
	followed := []int{http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther}
	if r.Method == http.MethodGet {
		// After a POST these would post the form again.
		followed = append(followed, http.StatusTemporaryRedirect, http.StatusPermanentRedirect)
	}
	if slices.Contains(followed, p.status) {
		if p.leads, err = w.Location(); err != nil {
			return nil, fmt.Errorf("the redirect of %s is invalid: %w", r.URL.Path, err)
		}
	}
	return p, nil
}

// pageError is the page where a visit ended without an answer.
type pageError struct{ page *page }

func (e *pageError) Error() string {
	return fmt.Sprintf("the browser got no answer for the application, but %s", e.page)
}

func readBody(w *http.Response) (string, error) {
	body, err := io.ReadAll(io.LimitReader(w.Body, maxPage))
	return string(body), errors.Join(err, w.Body.Close())
}
