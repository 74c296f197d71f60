package browser

import (
	"flag"
	"os"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
)

var update = flag.Bool("update", false, "write docs/consent.png")

// The picture of the consent page that the README shows.
func TestPicture(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	app, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "email", "notes:read")})
	p := newPage(t)
	p.isSignedIn(h, "user_ada")
	// A window that is just as large as what is in it.
	const width = 480
	size := emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 100, DeviceScaleFactor: 2}
	call(p, emulation.SetDeviceMetricsOverride, size)
	p.goes(h.authorizeURL(app, callback))
	p.shows("Wiki wants access to your Acme Notes account", "Signed in as Ada Lovelace", "Read your notes", "wiki.example.com")
	require.False(t, p.is(".note"))
	size.Height = eval[int64](p, `() => document.documentElement.scrollHeight`)
	call(p, emulation.SetDeviceMetricsOverride, size)
	shot := call(p, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{})
	if *update {
		require.NoError(t, os.WriteFile("../../docs/consent.png", shot.Data, 0o644))
	}
}
