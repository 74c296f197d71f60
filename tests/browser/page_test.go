package browser

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/audits"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/inspector"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// page is a tab. Everything that the browser reports about it fails the test,
// unless the test says that it expects it.
type page struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	changed  chan struct{} // closed and replaced by each event that a test can wait for
	url      string        // of the current document
	loaded   []string      // the URLs of all documents that were loaded
	seen     int           // how many of them the test has waited for
	posted   int           // how many forms were sent
	faults   []string
	expected []string                     // these reports must occur
	allowed  []string                     // these may occur
	requests map[network.RequestID]string // their URLs
	frames   map[cdp.FrameID]string       // the URLs of frames in the page
}

// newPage opens a private window.
func newPage(t testing.TB) *page {
	t.Helper()
	return openPage(t, browser(t), chromedp.WithNewBrowserContext())
}

// another opens another tab with the same cookies as p.
func (p *page) another() *page {
	p.t.Helper()
	return openPage(p.t, p.ctx)
}

// harmless are Chromium's remarks about redirects and about keys that are
// faster than any person's. They don't concern a page.
var harmless = []string{"issue: BounceTrackingIssue", `"errorType":"NavigationEntryMarkedSkippable"`, "Autofocus processing was blocked"}

// violations reports what the page's Content-Security-Policy blocks.
const violations = `addEventListener("securitypolicyviolation", e => reportViolation(e.violatedDirective + " refused " + e.blockedURI), true)`

func openPage(t testing.TB, parent context.Context, options ...chromedp.ContextOption) *page {
	t.Helper()
	p := &page{t: t, changed: make(chan struct{}), allowed: slices.Clone(harmless), requests: map[network.RequestID]string{}, frames: map[cdp.FrameID]string{}}
	ctx, closeTab := chromedp.NewContext(parent, append(options, chromedp.WithListener(p.listen))...)
	p.ctx = ctx
	t.Cleanup(func() {
		p.check()
		closeTab()
	})
	require.NoError(t, chromedp.Do(ctx))
	call(p, audits.Enable, cdp.Empty{})
	call(p, runtime.AddBinding, runtime.AddBindingParams{Name: "reportViolation"})
	call(p, cdppage.AddScriptToEvaluateOnNewDocument, cdppage.AddScriptToEvaluateOnNewDocumentParams{Source: violations})
	// Each tab acts as if it were in front.
	call(p, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
	return p
}

// call sends a command of the DevTools protocol.
func call[P, R any](p *page, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Call(ctx, command, params)
	require.NoError(p.t, err, "%s", command.Method)
	return result
}

// do runs actions.
func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	require.NoError(p.t, chromedp.Do(ctx, actions...))
}

// eval calls a JavaScript function in the page and returns what it returns.
func eval[T any](p *page, function string, args ...any) T {
	p.t.Helper()
	var texts []string
	for _, arg := range args {
		text, err := json.Marshal(arg)
		require.NoError(p.t, err)
		texts = append(texts, string(text))
	}
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T]("("+function+")("+strings.Join(texts, ",")+")", chromedp.EvalAwaitPromise))
	require.NoError(p.t, err)
	return result
}

// listen gets every event of the tab, one by one.
func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *cdppage.EventFrameNavigated:
		if e.Frame.ParentID != "" {
			p.frames[e.Frame.ID] = e.Frame.URL
			break
		}
		p.url = e.Frame.URL + e.Frame.URLFragment
		if e.Type == cdppage.NavigationTypeBackForwardCacheRestore {
			p.loaded = append(p.loaded, p.url) // The document has loaded already.
		}
	case *cdppage.EventLoadEventFired:
		p.loaded = append(p.loaded, p.url)
	case *network.EventRequestWillBeSent:
		p.requests[e.RequestID] = e.Request.Method + " " + e.Request.URL
		if e.Request.Method == http.MethodPost {
			p.posted++
		}

	case *runtime.EventConsoleAPICalled:
		texts := []string{}
		for _, arg := range e.Args {
			texts = append(texts, string(arg.Value)+arg.Description)
		}
		p.fault("console.%s: %s", e.Type, strings.Join(texts, " "))
	case *runtime.EventExceptionThrown:
		p.fault("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventBindingCalled:
		p.fault("policy violation: %s", e.Payload)
	case *log.EventEntryAdded:
		p.fault("log: %s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
	case *audits.EventIssueAdded:
		details, _ := json.Marshal(e.Issue.Details)
		p.fault("issue: %s %s", e.Issue.Code, details)
	case *network.EventLoadingFailed:
		p.fault("failed: %s: %s %s", p.requests[e.RequestID], e.ErrorText, e.BlockedReason)
	case *network.EventResponseReceived:
		if e.Response.Status >= 400 {
			p.fault("status %d: %s", e.Response.Status, p.requests[e.RequestID])
		}
	case *cdppage.EventJavascriptDialogOpening:
		p.fault("dialog: %s", e.Message)
	case *inspector.EventTargetCrashed:
		p.fault("the page crashed")
	default:
		return
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *page) fault(format string, args ...any) {
	p.faults = append(p.faults, fmt.Sprintf(format, args...))
}

// expects says that the browser will report this, which is a part of the
// report. If it doesn't, the test fails too.
func (p *page) expects(complaint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.Contains(p.expected, complaint) {
		p.expected = append(p.expected, complaint)
	}
}

// allows says that the browser may report this.
func (p *page) allows(complaint string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.allowed = append(p.allowed, complaint)
}

// fails waits until a request has failed, as the test expects.
func (p *page) fails(request string) {
	p.t.Helper()
	p.expects("failed: " + request)
	p.until(request+" to fail", func() bool {
		return slices.ContainsFunc(p.faults, func(f string) bool { return strings.HasPrefix(f, "failed: "+request) })
	})
}

// until waits for something that an event brings about.
func (p *page) until(what string, done func() bool) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	for {
		p.mu.Lock()
		ok, changed := done(), p.changed
		loaded, faults := slices.Clone(p.loaded), slices.Clone(p.faults)
		p.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-changed:
		case <-ctx.Done():
			p.t.Fatalf("timeout waiting for %s; loaded were\n\t%s\nand the browser reported\n\t%s", what, strings.Join(loaded, "\n\t"), strings.Join(faults, "\n\t"))
		}
	}
}

// arrives waits until the page has loaded a document that the test has not
// waited for yet and whose URL begins with prefix. It returns the URL.
func (p *page) arrives(prefix string) (url string) {
	p.t.Helper()
	p.until("the page at "+prefix, func() bool {
		for i := p.seen; i < len(p.loaded); i++ {
			if strings.HasPrefix(p.loaded[i], prefix) {
				p.seen, url = i+1, p.loaded[i]
				return true
			}
		}
		return false
	})
	return url
}

// goes opens a URL, as if it were typed, and waits until the page has loaded,
// after any redirects.
func (p *page) goes(url string) {
	p.t.Helper()
	p.mu.Lock()
	p.seen = len(p.loaded)
	p.mu.Unlock()
	call(p, cdppage.Navigate, cdppage.NavigateParams{URL: url})
	p.arrives("")
}

// address returns the URL of the page.
func (p *page) address() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.url
}

// goesBack presses the button Back.
func (p *page) goesBack() {
	p.t.Helper()
	history := call(p, cdppage.GetNavigationHistory, cdp.Empty{})
	entry := history.Entries[history.CurrentIndex-1]
	call(p, cdppage.NavigateToHistoryEntry, cdppage.NavigateToHistoryEntryParams{EntryID: entry.ID})
}

// words is the text of an element, or its label.
const words = `(e => (e.labels?.[0] ?? e).innerText.replace(/\s+/g, " ").trim())`

// findByText finds a clickable element by its text.
const findByText = `(text => {
	const found = [...document.querySelectorAll("a, button, summary, label")].filter(e => ` + words + `(e) === text && e.checkVisibility({visibilityProperty: true}));
	if (found.length !== 1) throw new Error(found.length + " elements say " + text + " on " + document.body.innerText);
	return found[0];
})`

// middle scrolls to an element and returns its middle.
const middle = `(e => {
	e.scrollIntoView({block: "center", behavior: "instant"});
	const r = e.getBoundingClientRect();
	return [r.x + r.width / 2, r.y + r.height / 2];
})`

// atMiddle reports whether nothing else covers an element's middle.
const atMiddle = `(e => {
	const r = e.getBoundingClientRect();
	return e.contains(document.elementFromPoint(r.x + r.width / 2, r.y + r.height / 2));
})`

// findBySelector finds the first element that matches.
const findBySelector = `(selector => document.querySelector(selector))`

// rests moves the mouse to the middle of what find finds by text, and waits
// until a click would reach it.
func (p *page) rests(find, text string) (x, y float64) {
	p.t.Helper()
	at := eval[[]float64](p, "text => "+middle+"("+find+"(text))", text)
	p.mouse(input.DispatchMouseEventTypeMouseMoved, at[0], at[1])
	for deadline := time.Now().Add(patience); !eval[bool](p, "text => "+atMiddle+"("+find+"(text))", text); {
		require.True(p.t, time.Now().Before(deadline), "%s is covered", text)
		time.Sleep(20 * time.Millisecond)
	}
	return at[0], at[1]
}

// mouse does one thing with the mouse.
func (p *page) mouse(what input.DispatchMouseEventType, x, y float64) {
	p.t.Helper()
	e := input.DispatchMouseEventParams{Type: what, X: x, Y: y}
	if what != input.DispatchMouseEventTypeMouseMoved {
		e.Button, e.ClickCount = input.MouseButtonLeft, 1
	}
	call(p, input.DispatchMouseEvent, e)
}

// point rests the mouse on the element with the text.
func (p *page) point(text string) (x, y float64) {
	p.t.Helper()
	return p.rests(findByText, text)
}

// clicks clicks with the mouse on the element with the text.
func (p *page) clicks(text string) {
	p.t.Helper()
	x, y := p.point(text)
	p.do(chromedp.MouseClickXY(x, y))
}

// clicksOn clicks with the mouse on the first element that matches a selector.
func (p *page) clicksOn(selector string) {
	p.t.Helper()
	x, y := p.rests(findBySelector, selector)
	p.do(chromedp.MouseClickXY(x, y))
}

// pastes inserts text at the focus.
func (p *page) pastes(text string) {
	p.t.Helper()
	call(p, input.InsertText, input.InsertTextParams{Text: text})
}

// press presses keys, such as kb.Tab, and types text.
func (p *page) press(keys string) {
	p.t.Helper()
	p.do(chromedp.KeyEvent(keys))
}

// text is the visible text, in one line.
func (p *page) text() string {
	p.t.Helper()
	return strings.Join(strings.Fields(eval[string](p, `() => document.body.innerText`)), " ")
}

// shows checks that the page shows each text.
func (p *page) shows(texts ...string) {
	p.t.Helper()
	for _, text := range texts {
		require.Contains(p.t, p.text(), text)
	}
}

// is reports whether a selector matches an element.
func (p *page) is(selector string) bool {
	p.t.Helper()
	return eval[bool](p, `s => document.querySelector(s) !== null`, selector)
}

// isClosed reports whether the tab has closed itself.
func (p *page) isClosed() bool {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	return errors.Is(chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void]("1")), chromedp.ErrTargetDetached)
}

// check fails the test for everything that the browser reported. A question to
// the page and one to the browser make sure that all reports have arrived.
func (p *page) check() {
	p.t.Helper()
	if p.ctx.Err() != nil {
		return
	}
	if !p.isClosed() {
		if p.t.Failed() {
			p.picture("failed")
		}
		eval[bool](p, `() => true`)
		call(p, cdppage.GetNavigationHistory, cdp.Empty{})
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, expected := range p.expected {
		kept := slices.DeleteFunc(slices.Clone(p.faults), func(f string) bool { return strings.Contains(f, expected) })
		if len(kept) == len(p.faults) {
			p.t.Errorf("the browser should report %q", expected)
		}
		p.faults = kept
	}
	for _, fault := range p.faults {
		if !slices.ContainsFunc(p.allowed, func(a string) bool { return strings.Contains(fault, a) }) {
			p.t.Errorf("the browser reports %s", fault)
		}
	}
}

// pictures is the folder for screenshots.
var pictures struct {
	once sync.Once
	dir  string
	err  error
}

var notInFileNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

// keeps writes a screenshot.
func (p *page) keeps(name string, data []byte) {
	p.t.Helper()
	pictures.once.Do(func() {
		if pictures.dir = os.Getenv("LATCHKEY_SCREENSHOTS"); pictures.dir != "" {
			pictures.err = os.MkdirAll(pictures.dir, 0o755)
			return
		}
		pictures.dir, pictures.err = os.MkdirTemp("", "latchkey-screenshots-")
	})
	require.NoError(p.t, pictures.err)
	name = strings.Trim(notInFileNames.ReplaceAllString(p.t.Name()+" "+name, "-"), "-") + ".png"
	require.NoError(p.t, os.WriteFile(filepath.Join(pictures.dir, name), data, 0o644))
}

// picture writes a screenshot of the whole page, if LATCHKEY_SCREENSHOTS names
// a folder for it, or the test has failed.
func (p *page) picture(name string) {
	p.t.Helper()
	if !p.t.Failed() && os.Getenv("LATCHKEY_SCREENSHOTS") == "" {
		return
	}
	// Make the window as high as the page: in right-to-left text, Chromium draws
	// what is outside the window in the wrong place.
	size := eval[[]int64](p, `() => [innerWidth, document.documentElement.scrollHeight, devicePixelRatio]`)
	call(p, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: size[0], Height: size[1], DeviceScaleFactor: float64(size[2])})
	shot := call(p, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{})
	call(p, emulation.ClearDeviceMetricsOverride, cdp.Empty{})
	p.keeps(name, shot.Data)
}

// viewport writes a screenshot of the window, as a person sees it.
func (p *page) viewport(name string) {
	p.t.Helper()
	shot := call(p, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{})
	p.keeps(name, shot.Data)
}

func ptr[T any](v T) *T { return &v }
