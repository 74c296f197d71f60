package browser

import (
	"bytes"
	"context"
	"flag"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdppage "github.com/chromedp/cdproto/page"
	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/internal/hosttest"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
)

var update = flag.Bool("update", false, "write the pictures in docs/pages")

// pictureDir has the pictures of docs/howto/customize-pages.md and the README.
const pictureDir = "../../docs/pages"

const (
	maxPicture  = 60_000    // bytes of one of them
	maxPictures = 1_500_000 // bytes of all
)

// A shot is a picture of the documentation.
type shot struct {
	name          string
	width, height int64 // of the window; a height of 0: as high as the page
	open          func(p *page)
	host          *host
}

// Each page has a picture in docs/howto/customize-pages.md, in light and in dark. With -update
// they are drawn again.
func TestPictures(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/howto/customize-pages.md")
	require.NoError(t, err)
	shots := pictured(t)
	p := newPage(t)
	all, listed := 0, map[string]bool{}
	for _, s := range shots {
		for _, scheme := range []string{"light", "dark"} {
			file := s.name + "-" + scheme + ".png"
			listed[file] = true
			require.Contains(t, string(guide), "pages/"+file)
			path := filepath.Join(pictureDir, file)
			if *update {
				p.isSignedIn(s.host, "user_ada")
				p.prefers(scheme)
				require.NoError(t, os.MkdirAll(pictureDir, 0o755))
				require.NoError(t, os.WriteFile(path, p.shoot(s), 0o644))
			}
			data, err := os.ReadFile(path)
			require.NoError(t, err, "go test ./tests/browser -run TestPictures -update")
			require.Less(t, len(data), maxPicture, file)
			all += len(data)
		}
	}
	require.Less(t, all, maxPictures)
	files, err := os.ReadDir(pictureDir)
	require.NoError(t, err)
	for _, f := range files {
		require.True(t, listed[f.Name()], "docs/pages/%s is of no page", f.Name())
	}
}

// shoot opens a page in a window of its size, and returns the picture.
func (p *page) shoot(s shot) []byte {
	p.t.Helper()
	const scale = 1.5
	size := emulation.SetDeviceMetricsOverrideParams{Width: s.width, Height: max(s.height, 100), DeviceScaleFactor: scale}
	call(p, emulation.SetDeviceMetricsOverride, size)
	s.open(p)
	eval[bool](p, `() => (document.activeElement.blur(), true)`) // No caret that blinks.
	for range 3 {                                                // A page is laid out more loosely where there is room.
		if s.height == 0 {
			size.Height = eval[int64](p, `() => document.documentElement.scrollHeight`)
			call(p, emulation.SetDeviceMetricsOverride, size)
		}
	}
	return small(p.t, call(p, cdppage.CaptureScreenshot, cdppage.CaptureScreenshotParams{}).Data)
}

// small returns a picture with at most 256 colors, which these pages get by with.
func small(t testing.TB, data []byte) []byte {
	t.Helper()
	decoded, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	full := image.NewRGBA(decoded.Bounds())
	draw.Draw(full, full.Bounds(), decoded, image.Point{}, draw.Src)
	var indexed *image.Paletted
	for step := 1; indexed == nil; step *= 2 {
		indexed = palette(full, step)
	}
	var out bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	require.NoError(t, encoder.Encode(&out, indexed))
	return out.Bytes()
}

// palette returns the picture with a palette, or nil if it has too many colors.
// Rare ones, which are the edges of letters, become the nearest multiple of step.
func palette(full *image.RGBA, step int) *image.Paletted {
	count := map[color.RGBA]int{}
	for i := 0; i < len(full.Pix); i += 4 {
		count[color.RGBA{full.Pix[i], full.Pix[i+1], full.Pix[i+2], 255}]++
	}
	rounded := func(c color.RGBA) color.RGBA {
		if count[c] > 400 {
			return c
		}
		round := func(v uint8) uint8 { return uint8(min((int(v)+step/2)/step*step, 255)) }
		return color.RGBA{round(c.R), round(c.G), round(c.B), 255}
	}
	index := map[color.RGBA]uint8{}
	out := image.NewPaletted(full.Bounds(), nil)
	for i := 0; i < len(full.Pix); i += 4 {
		c := rounded(color.RGBA{full.Pix[i], full.Pix[i+1], full.Pix[i+2], 255})
		n, known := index[c]
		if !known {
			if len(index) == 256 {
				return nil
			}
			n = uint8(len(index))
			index[c] = n
			out.Palette = append(out.Palette, c)
		}
		out.Pix[i/4] = n
	}
	return out
}

// letter is a logo with a letter.
func letter(text, color string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64"><rect width="64" height="64" rx="14" fill="` + color + `"/>` + text + `</svg>`))
	}
}

// pictureHost is Acme Notes on a day that does not change.
func pictureHost(t testing.TB, edit ...func(*provider.Config)) *host {
	t.Helper()
	h := newHost(t, append([]func(*provider.Config){func(c *provider.Config) {
		c.Scopes = manyScopes()
		c.Pages.LogoURL = c.Issuer + "/logos/acme.svg"
		c.Keys, c.OpenID = hosttest.NewKeys(), &provider.OpenID{SignOut: func(http.ResponseWriter, *http.Request) error { return nil }}
		c.Workspaces = (&teams{}).of(look{}, c.Issuer)
	}}, edit...)...)
	h.advance(time.Until(time.Date(2026, 11, 12, 14, 30, 0, 0, time.UTC)))
	h.Mux.HandleFunc("GET /logos/acme.svg", letter(`<path d="M18 48 32 16l14 32M23 37h18" fill="none" stroke="#fff" stroke-width="6" stroke-linecap="round" stroke-linejoin="round"/>`, "#2f4fd0"))
	h.Mux.HandleFunc("GET /logos/wiki.svg", letter(`<path d="M14 18l9 30 9-22 9 22 9-30" fill="none" stroke="#fff" stroke-width="6" stroke-linejoin="round" stroke-linecap="round"/>`, "#0b6b4f"))
	h.Mux.HandleFunc("GET /logos/word.svg", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/svg+xml")
		w.Write([]byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 190 52"><circle cx="26" cy="26" r="16" fill="#d97706"/><path d="M62 38 72 14l10 24M66 30h12M110 22a9 9 0 1 0 0 10M122 38V21m0 7q4-7 9-7t6 7v10m0-10q4-7 9-7t6 7v10M174 30h-16a8 8 0 1 1 16-1zm0 0" fill="none" stroke="#d97706" stroke-width="4" stroke-linecap="round" stroke-linejoin="round"/></svg>`))
	})
	return h
}

// pictured are the pictures of the documentation.
func pictured(t testing.TB) []shot {
	h := pictureHost(t)
	all := scopes.Set{}
	for _, s := range manyScopes() {
		all = append(all, s.Name)
	}
	few := scopes.New("profile", "email", "notes:read", "scope:1")
	wiki, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, PostLogoutRedirectURIs: []string{callback}, Scopes: few, LogoURL: h.url + "/logos/wiki.svg",
		ClientURI: "https://wiki.example.com/", TermsURI: "https://wiki.example.com/terms", PolicyURI: "https://wiki.example.com/privacy"})
	stranger := func(name, uri string) provider.Application {
		app, _ := h.application(provider.ApplicationSettings{Name: name, Public: true, RedirectURIs: []string{uri}, Scopes: few, ClientURI: "https://home.example/", PolicyURI: "https://home.example/privacy"})
		h.change(app, func(a *store.Application) { a.Origin, a.Reviewed = store.OriginRegistration, false })
		return app
	}
	agent, editor := stranger("Claude", "https://claude.example/callback"), stranger("Editor", "vscode://editor.example/callback")
	big, _ := h.application(provider.ApplicationSettings{Name: "Connector", RedirectURIs: []string{"https://connector.example.com/callback"}, Scopes: all})
	board, _ := h.application(provider.ApplicationSettings{Name: "Board", RedirectURIs: []string{"https://board.example.com/callback"}, Scopes: scopes.New("profile", "notes:read"), Workspace: store.WorkspaceRequired})
	tv, _ := h.application(provider.ApplicationSettings{Name: "Television", Public: true, RedirectURIs: []string{}, Scopes: scopes.New("profile", "notes:read")})
	own, _ := h.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, SkipConsent: true, LogoURL: h.url + "/logos/wiki.svg"})
	day := -24 * time.Hour
	for _, used := range []struct {
		app  provider.Application
		team string
		ago  int
	}{{agent, "", 9}, {board, "team_1", 6}, {wiki, "", 3}, {wiki, "", 0}} {
		h.advance(time.Duration(used.ago) * day)
		_, _, err := h.IssueToken(context.Background(), provider.TokenSettings{UserID: "user_ada", ApplicationID: used.app.ID, Scopes: used.app.Scopes, WorkspaceID: used.team, Lifetime: 60 * 24 * time.Hour})
		require.NoError(t, err)
		h.advance(-time.Duration(used.ago) * day)
	}
	consent := func(h *host, app provider.Application, more ...string) func(*page) {
		return func(p *page) {
			p.goes(h.authorizeURL(app, app.RedirectURIs[0], append(more, "prompt", "consent", "scope", app.Scopes.String())...))
		}
	}
	device := func(then ...string) func(*page) {
		return func(p *page) {
			p.goes(h.device(tv, "").codes.VerificationURIComplete)
			p.clicksOn("main button")
			p.arrives(h.url + "/oauth/device?entered=")
			for _, button := range then {
				p.clicks(button)
				p.arrives(h.url + "/oauth/device?result=")
			}
		}
	}
	refused := func(status string, open func(*page)) func(*page) {
		return func(p *page) {
			p.expects("status " + status)
			p.expects("status of " + status)
			open(p)
		}
	}
	wrong := wiki
	wrong.RedirectURIs = []string{"https://wiki.example.com/callback/"}
	formal := pictureHost(t, func(c *provider.Config) {
		c.Pages.Texts = func(*http.Request) pages.Texts { return pages.GermanFormal() }
		c.Scopes = append(scopes.Default(), scopes.Scope{Name: "notes:read", Title: "Ihre Notizen lesen", Group: "Ihre Notizen", Access: scopes.AccessRead, Required: true},
			scopes.Scope{Name: "notes:write", Title: "Ihre Notizen ändern und löschen", Group: "Ihre Notizen", Access: scopes.AccessDelete})
	})
	german, _ := formal.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, Scopes: scopes.New("profile", "email", "notes:read", "notes:write"), LogoURL: formal.url + "/logos/wiki.svg", ClientURI: "https://wiki.example.com/"})
	branded := pictureHost(t, func(c *provider.Config) {
		c.Pages = pages.Config{Name: "Acme", LogoURL: c.Issuer + "/logos/word.svg", Wordmark: true, AccentColor: "#d97706", Style: "--radius: 4px; --font: 'Liberation Serif', serif"}
	})
	brand, _ := branded.application(provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{callback}, Scopes: few, LogoURL: branded.url + "/logos/wiki.svg", ClientURI: "https://wiki.example.com/"})
	const card, wide = 480, 760
	return []shot{
		{"consent", card, 0, consent(h, wiki), h},
		{"consent-not-reviewed", card, 0, consent(h, agent), h},
		{"consent-on-device", card, 0, consent(h, editor), h},
		{"consent-phone", 390, 844, consent(h, big), h},
		{"consent-workspace", card, 0, consent(h, board), h},
		{"consent-german", card, 0, consent(formal, german), formal},
		{"consent-brand", card, 0, consent(branded, brand), branded},
		{"connections", wide, 0, func(p *page) { p.goes(h.url + "/oauth/connections") }, h},
		{"connections-open", wide, 0, func(p *page) {
			p.goes(h.url + "/oauth/connections")
			p.clicksOn("summary")
		}, h},
		{"device", card, 0, func(p *page) { p.goes(h.url + "/oauth/device") }, h},
		{"device-wrong", card, 0, refused("400", func(p *page) {
			p.goes(h.url + "/oauth/device?user_code=BBBB-BBBB")
			p.clicksOn("main button")
			p.arrives(h.url + "/oauth/device?entered=")
		}), h},
		{"device-confirm", card, 0, device(), h},
		{"device-allowed", card, 0, device("Allow"), h},
		{"error", card, 0, refused("400", consent(h, wrong)), h},
		{"error-unknown", card, 0, refused("400", func(p *page) {
			p.goes(h.url + "/oauth/authorize?client_id=nobody")
			p.clicksOn("summary")
		}), h},
		{"form-post", card, 0, func(p *page) {
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			p.goes(h.authorizeURL(own, callback, "response_mode", "form_post"))
			call(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
		}, h},
		{"sign-out", card, 0, func(p *page) { p.goes(h.url + "/oauth/logout?client_id=" + wiki.ClientID) }, h},
	}
}
