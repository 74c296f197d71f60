package clients

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// use-mcp runs in a page of another site, so all its requests to the host are
// subject to CORS. It signs in with a window, which must find the page that
// opened it afterwards. That takes a real browser.
func TestUseMCP(t *testing.T) {
	t.Parallel()
	a := newAcme(t, "-access-lifetime", "3s")
	dir := javaScript(t, "js")
	a.run(dir, nil, "node", "node_modules/esbuild/bin/esbuild", "use-mcp.mjs", "--bundle", "--format=esm",
		"--define:process.env.NODE_ENV=\"production\"", "--outfile=use-mcp.js")
	app := http.NewServeMux()
	page := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(`<!DOCTYPE html><body data-server="` + a.url + `/mcp"><div id="app"></div><script type="module" src="/use-mcp.js"></script>`))
	}
	app.HandleFunc("GET /{$}", page)
	app.HandleFunc("GET /oauth/callback", page)
	app.HandleFunc("GET /use-mcp.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, filepath.Join(dir, "use-mcp.js"))
	})
	server := httptest.NewServer(app) // 127.0.0.1 is another site than localhost.
	t.Cleanup(server.Close)

	b := newBrowser(t)
	// open opens the page, and returns the window that use-mcp opens then. It
	// sends the window to two authorization requests in a row, and only the second
	// counts. Chromium sometimes loses that one, so the test follows use-mcp's
	// link for manual sign-in.
	open := func() *tab {
		popup := b.popup()
		b.do(chromedp.Navigate(server.URL + "/"))
		window := popup()
		b.until(`mcp.log.some(line => line.message.startsWith("Connection sequence finished"))`)
		const key = `Object.keys(localStorage).find(key => key.endsWith("_last_auth_url"))`
		state := eval[string](b, `new URL(localStorage[`+key+`]).searchParams.get("state")`)
		there := `location.href.includes("` + state + `") && document.readyState === "complete"`
		for tries := 0; tries < 5 && !window.comesTo(there, 2*time.Second); tries++ {
			b.do(chromedp.Evaluate[chromedp.Void](`{
				const key = ` + key + `;
				window.open(localStorage[key], key.replace("mcp:auth_", "mcp_auth_").replace("_last_auth_url", ""));
			}`))
		}
		window.until(there)
		return window
	}
	window := open()
	window.do(
		chromedp.SendKeys(`[name="login"]`, "ada"),
		chromedp.SendKeys(`[name="password"]`, a.password),
		press("Sign in"),
		press("Allow"),
	)
	b.until(`mcp.state === "ready"`)
	require.ElementsMatch(t, []string{"add_note", "list_notes", "whoami"}, eval[[]string](b, `mcp.tools.map(tool => tool.name)`))
	const whoami = `mcp.callTool("whoami").then(result => JSON.stringify(result.structuredContent))`
	require.JSONEq(t, `{"id": "user_1815", "scopes": ["notes:read", "notes:write"]}`, eval[string](b, whoami))

	const refreshToken = `JSON.parse(localStorage[Object.keys(localStorage).find(key => key.endsWith("_tokens"))]).refresh_token`
	before := eval[string](b, refreshToken)
	time.Sleep(3100 * time.Millisecond)
	require.JSONEq(t, `{"id": "user_1815", "scopes": ["notes:read", "notes:write"]}`, eval[string](b, whoami))
	require.NotEqual(t, before, eval[string](b, refreshToken), "use-mcp has refreshed the token")

	b.do(chromedp.Reload())
	b.until(`mcp.state === "ready"`)

	// Without its tokens it must ask again, and the user cancels.
	b.do(chromedp.Evaluate[chromedp.Void](`Object.keys(localStorage).filter(key => key.endsWith("_tokens")).forEach(key => localStorage.removeItem(key))`))
	window = open()
	window.do(press("Cancel"))
	b.until(`mcp.state === "failed" && mcp.error.includes("access_denied")`)
}

// press presses a button with the keyboard, because a mouse must rest on the
// buttons of a consent page for a moment.
func press(button string) chromedp.Action[chromedp.Void] {
	return chromedp.SendKeys(`//button[.="`+button+`"]`, kb.Enter)
}

// tab is a tab of Chromium.
type tab struct {
	t   testing.TB
	ctx context.Context
}

// newBrowser starts Chromium with one tab.
func newBrowser(t testing.TB) *tab {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		missing(t, "none of chromium, chromium-browser and google-chrome is in PATH, so use-mcp is not tested in a browser")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(patience), chromedp.Flag("headless", "new"),
		// Each window would load pages for an address bar, which no test shows.
		chromedp.Flag("disable-features", "WebUIOmniboxPopup,WebUIOmniboxAimPopup"),
		// The browser can reach only this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	}
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "no-first-run", "no-default-browser-check", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-quic", "disable-dev-shm-usage",
		"disable-popup-blocking", // The window opens without a click.
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	process, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(process, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(closeTab)
	require.NoError(t, chromedp.Do(ctx))
	return &tab{t, ctx}
}

// patience is how long a test waits for what should happen in the browser.
const patience = 30 * time.Second

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	require.NoError(b.t, chromedp.Do(ctx, actions...))
}

// eval returns the value of an expression in the page.
func eval[T any](b *tab, expression string) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	result, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	require.NoError(b.t, err)
	return result
}

// popup returns a function that waits for the next window that the tab opens.
func (b *tab) popup() func() *tab {
	b.t.Helper()
	opened := chromedp.WaitNewTarget(b.ctx, func(info *target.Info) bool { return info.Type == "page" })
	return func() *tab {
		b.t.Helper()
		select {
		case id := <-opened:
			ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
			b.t.Cleanup(cancel)
			return &tab{b.t, ctx}
		case <-time.After(patience):
			b.t.Fatalf("no window opens; use-mcp says:\n%s", eval[string](b, log))
			return nil
		}
	}
}

// log is what use-mcp logged in the page.
const log = `(globalThis.mcp?.log ?? []).map(line => line.message).join("\n")`

// until waits until an expression is true in the page.
func (b *tab) until(expression string) {
	b.t.Helper()
	if !b.comesTo(expression, patience) {
		b.t.Fatalf("timeout waiting for %s; the page is at %s, and use-mcp says:\n%s", expression, eval[string](b, "location.href"), eval[string](b, log))
	}
}

// comesTo reports whether an expression is or becomes true in the page. The
// page may have to load first.
func (b *tab) comesTo(expression string, patience time.Duration) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if is, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](expression)); err == nil && is {
			return true
		}
	}
	return false
}
