package browser

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long a test waits for what should happen. It is long, so that
// a busy machine doesn't fail a test.
const patience = 30 * time.Second

// chromium is the only browser process. Each test gets its own context, with
// its own cookies, like a private window.
var chromium struct {
	once sync.Once
	ctx  context.Context
	stop context.CancelFunc
	err  error
}

// errNoBrowser means that Chromium is not installed.
var errNoBrowser = errors.New("none of chromium, chromium-browser and google-chrome is in PATH, so the pages are not tested in a browser")

func TestMain(m *testing.M) {
	code := m.Run()
	if chromium.stop != nil {
		chromium.stop()
	}
	if npmPackages.dir != "" {
		os.RemoveAll(npmPackages.dir)
	}
	if pictures.dir != "" {
		fmt.Println("the screenshots are in", pictures.dir)
	}
	os.Exit(code)
}

// browser returns the context of the browser process.
func browser(t testing.TB) context.Context {
	t.Helper()
	chromium.once.Do(func() { chromium.err = startBrowser() })
	if errors.Is(chromium.err, errNoBrowser) {
		missing(t, "%v", chromium.err)
	}
	if chromium.err != nil {
		t.Fatalf("the browser doesn't start: %v", chromium.err)
	}
	return chromium.ctx
}

// missing skips a test because something isn't installed, or fails it in CI.
func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

func startBrowser() error {
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		return errNoBrowser
	}
	fonts, err := filepath.Abs("testdata/fonts.conf")
	if err != nil {
		return err
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.Env("FONTCONFIG_FILE=" + fonts),
		chromedp.WSURLReadTimeout(patience),
		chromedp.WindowSize(1280, 900),
		chromedp.Flag("headless", "new"),
		chromedp.Flag("lang", "en-US"),
		// Each window would load pages for an address bar, which no test shows.
		chromedp.Flag("disable-features", "WebUIOmniboxPopup,WebUIOmniboxAimPopup"),
		// The browser can reach only this machine.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
		// Use the same colors and widths on every machine.
		chromedp.Flag("force-color-profile", "srgb"),
	}
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "no-first-run", "no-default-browser-check", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-quic", "disable-dev-shm-usage", "hide-scrollbars", "mute-audio",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	process, stopProcess := chromedp.NewExecAllocator(context.Background(), options...)
	// Chromium may be newer than the protocol that the library knows. No test
	// waits for what the library can't read.
	ctx, stop := chromedp.NewContext(process, chromedp.WithErrorf(func(string, ...any) {}))
	chromium.ctx = ctx
	chromium.stop = func() {
		stop()
		stopProcess()
	}
	return chromedp.Do(ctx)
}
