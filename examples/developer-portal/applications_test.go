package main

import (
	"bytes"
	"errors"
	"image"
	"image/gif"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
)

// refused reports that a secret does not work at the token endpoint: the code
// is wrong too, but that is looked at later.
func (a application) refused(t *testing.T, secret string) bool {
	t.Helper()
	client := a.oauth
	client.ClientSecret = secret
	_, err := client.Exchange(t.Context(), "nonsense")
	var refusal *oauth2.RetrieveError
	require.ErrorAs(t, err, &refusal)
	require.Contains(t, []string{"invalid_client", "invalid_grant"}, refusal.ErrorCode)
	return refusal.ErrorCode == "invalid_client"
}

func TestRegister(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	require.Contains(t, ada.open(applicationsPath).Text(), "You have none yet.")
	app, page := ada.register("Notebook <b>", nil, "profile", "notes:read")
	require.Contains(t, page.Text(), "Notebook <b> is registered.")
	require.NotContains(t, string(page.Body), "<b>")
	require.Regexp(t, `^[0-9A-Za-z]{43}$`, app.secret)
	require.NotContains(t, page.URL.String(), app.secret)
	require.Equal(t, "no-store", page.Header.Get("Cache-Control"))
	for _, endpoint := range []string{"/oauth/authorize", "/oauth/token", "/oauth/userinfo", "/.well-known/oauth-authorization-server"} {
		require.Contains(t, page.Text(), p.url+endpoint)
	}

	for _, again := range []*browser.Page{ada.open(app.path), ada.open(applicationsPath)} {
		require.Equal(t, http.StatusOK, again.Status)
		require.Contains(t, again.Text(), "Notebook <b>")
		require.NotContains(t, string(again.Body), app.secret, "it is shown once")
		require.NotContains(t, again.Text(), "is registered", "and so is the message")
	}

	// The secret works, and the application does for other people.
	grace := p.signedIn(t, "grace")
	status, titles := p.notes(t, app.tokens(grace).AccessToken)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, titles, "Nanoseconds")
	require.True(t, app.refused(t, app.secret+"x"))
	require.Contains(t, ada.open(app.path).Text(), "Live sign-ins: 1.")
}

func TestRegisterPublic(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, page := ada.register("Command line", map[string]string{"public": "yes", "redirect_uris": "com.example.notes:/callback"})
	require.Empty(t, app.secret)
	require.NotContains(t, page.Text(), "shown again")
	require.Contains(t, page.Text(), "must use PKCE")
	require.False(t, page.HasButton("Make a new secret"))

	// Not even by a form of one's own making.
	confidential, _ := ada.register("Server", nil)
	form := ada.open(confidential.path)
	ada.edit = func(r *http.Request) { r.URL.Path = app.path + "/secrets" }
	page = ada.press(form, "Make a new secret", nil)
	require.Contains(t, page.Text(), "A public application has no secret.")
}

func TestWhatIsWrongIsSaidBesideTheField(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	for _, test := range []struct {
		name   string
		typed  map[string]string
		scopes []string
		says   []string
	}{
		{"redirect URIs", map[string]string{"name": "Notebook", "redirect_uris": "https://good.example/cb\nhttp://evil.example/\n\n  nonsense", "client_uri": "https://typed.example/"},
			[]string{"profile"}, []string{`redirect URI "http://evil.example/" is plain http`, `redirect URI "nonsense" is relative`}},
		{"name", map[string]string{"name": " "}, []string{"profile"}, []string{"name is missing"}},
		{"home page", map[string]string{"name": "Notebook", "client_uri": "ftp://typed.example/"}, []string{"profile"}, []string{"ftp://typed.example/"}},
		{"scopes", map[string]string{"name": "Notebook"}, nil, []string{"choose at least one scope"}},
		{"a scheme that needs a review", map[string]string{"name": "Notebook", "redirect_uris": "notebook:/cb"}, []string{"profile"},
			[]string{"use https, http on a loopback address, or a scheme with a period"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			form := ticked(ada.open("/settings/applications/new"), "scope", test.scopes...)
			page := ada.press(form, "Register", test.typed)
			require.Equal(t, http.StatusUnprocessableEntity, page.Status)
			for _, text := range test.says {
				require.Contains(t, page.Text(), text)
			}
		})
		if test.name == "redirect URIs" { // What was typed is still there, so mending it is enough.
			page := ada.press(ticked(ada.open("/settings/applications/new"), "scope", "notes:read"), "Register", test.typed)
			require.Contains(t, string(page.Body), "\nhttps://good.example/cb\r\nhttp://evil.example/\r\n\r\n  nonsense</textarea>")
			require.Equal(t, 1, strings.Count(string(page.Body), `aria-invalid="true"`))
			page = ada.press(page, "Register", map[string]string{"redirect_uris": "https://good.example/cb"})
			require.Equal(t, http.StatusOK, page.Status)
			app, _, err := p.provider.ListApplications(t.Context(), store.ApplicationQuery{OwnerID: "user_1815"})
			require.NoError(t, err)
			require.Len(t, app, 1, "nothing was kept before")
			require.Equal(t, []string{"https://good.example/cb"}, app[0].RedirectURIs)
			require.Equal(t, "https://typed.example/", app[0].ClientURI)
			require.Equal(t, "notes:read", app[0].Scopes.String())
		}
	}
}

// An editor who has not seen the newest state cannot undo it by accident.
func TestEdit(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil, "profile", "email")
	first, second := ada.open(app.path), ada.open(app.path)

	page := ada.press(ticked(first, "scope", "profile", "email", "notes:read"), "Save", map[string]string{"name": "Our notebook"})
	require.Contains(t, page.Text(), "Your changes are saved.")
	page = ada.press(second, "Save", map[string]string{"redirect_uris": callback + "\nhttps://notebook.example/"})
	require.Equal(t, http.StatusConflict, page.Status)
	require.Contains(t, page.Text(), "kept at present: Our notebook")
	require.Contains(t, page.Text(), "kept at present: profile email notes:read")
	kept := func() provider.Application {
		found, err := p.provider.FindApplication(t.Context(), strings.TrimPrefix(app.path, applicationsPath+"/"))
		require.NoError(t, err)
		return found
	}
	require.Equal(t, "Our notebook", kept().Name)
	require.Equal(t, []string{callback}, kept().RedirectURIs)

	// What was typed is still there; saved again, it is a decision.
	page = ada.press(page, "Save", map[string]string{"name": "Our notebook"})
	require.Contains(t, page.Text(), "Your changes are saved.")
	require.Equal(t, []string{callback, "https://notebook.example/"}, kept().RedirectURIs)
	require.Equal(t, "profile email", kept().Scopes.String())

	for _, wrong := range []map[string]string{{"name": ""}, {"redirect_uris": "http://evil.example/"}} {
		page = ada.press(page, "Save", wrong)
		require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	}
	page = ada.press(ticked(ada.open(app.path), "scope"), "Save", nil)
	require.Contains(t, page.Text(), "choose at least one scope")
	require.Equal(t, "Our notebook", kept().Name)
	require.False(t, app.refused(t, app.secret), "nothing of this touches the secret")
}

func TestSecrets(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil)
	rotate := func(overlap string) (string, *browser.Page) {
		page := ada.press(ada.open(app.path), "Make a new secret", map[string]string{"overlap": overlap})
		return secretOn(page), page
	}
	second, page := rotate("day")
	require.NotEmpty(t, second)
	require.Contains(t, page.Text(), "works until "+time.Now().UTC().Add(24*time.Hour).Format("2 January 2006"))
	require.Empty(t, secretOn(ada.open(app.path)))
	require.False(t, app.refused(t, app.secret), "the old one works for another day")
	require.False(t, app.refused(t, second))

	none, page := rotate("week")
	require.Empty(t, none)
	require.Contains(t, page.Text(), "Two secrets work already.")
	none, page = rotate("century")
	require.Empty(t, none)
	require.Contains(t, page.Text(), "Choose how long")

	third, page := rotate("none")
	require.NotContains(t, page.Text(), "works until")
	require.True(t, app.refused(t, app.secret))
	require.True(t, app.refused(t, second))
	require.False(t, app.refused(t, third))
}

// A secret is for the page of its application, whichever is opened first.
func TestSecretIsShownWhereItBelongs(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	other, _ := ada.register("Other", nil)
	app, _ := ada.register("Notebook", nil)
	made := ada.send(ada.open(app.path), "Make a new secret", nil)
	require.Empty(t, secretOn(ada.open(other.path)))
	require.NotEmpty(t, secretOn(ada.arrive(made)))

	// Whoever signs in next in this browser does not get it either.
	ada.send(ada.open(app.path), "Make a new secret", map[string]string{"overlap": "none"})
	ada.signIn(ada.open("/login"), "grace")
	ada.signIn(ada.open("/login"), "ada")
	require.Empty(t, secretOn(ada.open(app.path)))
}

func TestAuthorizeLinks(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	const second = "https://notebook.example/?a=1&b=2"
	for _, kind := range []string{"", "yes"} {
		app, _ := ada.register("Notebook", map[string]string{"public": kind, "redirect_uris": second + "\n" + callback}, "profile", "notes:read")
		page := ada.open(app.path)
		require.Equal(t, 2, strings.Count(string(page.Body), ">Authorize</a>"))
		verifier := find(t, page, `code_verifier=([0-9A-Za-z_-]+)`)
		link := find(t, page, `href="([^"]+)" aria-label="Authorize `+callback+`"`)
		page = ada.press(ada.open(link), "Allow", nil)
		token, err := app.oauth.Exchange(t.Context(), answer(t, page).Get("code"), oauth2.VerifierOption(verifier))
		require.NoError(t, err)
		status, _ := p.notes(t, token.AccessToken)
		require.Equal(t, http.StatusOK, status)
	}
	app, page := ada.register("Without", map[string]string{"redirect_uris": " \n"})
	require.NotEmpty(t, app.secret)
	require.Contains(t, page.Text(), "Add a redirect URI below.")
}

// To somebody else there is no such page, whatever they send.
func TestOthersApplications(t *testing.T) {
	p := newPortal(t)
	ada, grace := p.signedIn(t, "ada"), p.signedIn(t, "grace")
	app, _ := ada.register("Notebook", nil)
	own, _ := grace.register("Compiler", nil)
	require.NotContains(t, grace.open(applicationsPath).Text(), "Notebook")
	before, err := p.provider.FindApplication(t.Context(), strings.TrimPrefix(app.path, applicationsPath+"/"))
	require.NoError(t, err)

	paths := []string{app.path, applicationsPath + "/oa_nobody", applicationsPath + "/" + p.tokens.app.ID}
	buttons := map[string]string{"Save": "", "Make a new secret": "/secrets", "Upload": "/logo", "Yes, sign everybody out": "/revoke", "Yes, delete it": "/delete"}
	for _, path := range paths {
		page := grace.open(path)
		require.Equal(t, http.StatusNotFound, page.Status)
		for button, suffix := range buttons {
			grace.edit = func(r *http.Request) { r.URL.Path = path + suffix }
			page := grace.press(grace.openOwn(own), button, nil)
			require.Equal(t, http.StatusNotFound, page.Status, button)
			require.NotContains(t, string(page.Body), "Notebook")
		}
	}
	after, err := p.provider.FindApplication(t.Context(), before.ID)
	require.NoError(t, err)
	require.Equal(t, before, after)

	// And to nobody, the sign-in page.
	page := p.person(t).open(app.path)
	require.Equal(t, p.url+signInPath(app.path), page.URL.String())
}

// openOwn opens a page while edit waits for the form on it.
func (p *person) openOwn(a application) *browser.Page {
	edit := p.edit
	p.edit = nil
	page := p.open(a.path)
	p.edit = edit
	return page
}

func TestDelete(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, page := ada.register("Notebook", nil, "notes:read")
	token := app.tokens(p.signedIn(t, "grace"))
	page = ada.press(page, "Yes, sign everybody out", nil)
	require.Contains(t, page.Text(), "All sign-ins have ended.")
	status, _ := p.notes(t, token.AccessToken)
	require.Equal(t, http.StatusUnauthorized, status)

	page = ada.press(page, "Yes, delete it", nil)
	require.Contains(t, page.Text(), "Notebook is deleted.")
	require.Contains(t, page.Text(), "You have none yet.")
	require.Equal(t, http.StatusNotFound, ada.open(app.path).Status)
	require.True(t, app.refused(t, app.secret))
}

func TestLogo(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil)
	upload := func(content []byte) *browser.Page {
		page := ada.open(app.path)
		ada.edit = func(r *http.Request) {
			var body bytes.Buffer
			form := multipart.NewWriter(&body)
			part, err := form.CreateFormFile("file", "logo.png")
			require.NoError(t, err)
			part.Write(content)
			form.Close()
			r.Header.Set("Content-Type", form.FormDataContentType())
			r.Body, r.ContentLength = io.NopCloser(&body), int64(body.Len())
		}
		return ada.press(page, "Upload", nil)
	}
	encoded := func(width, height int) []byte {
		var b bytes.Buffer
		require.NoError(t, gif.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil))
		return b.Bytes()
	}
	for name, content := range map[string][]byte{
		"no image": []byte("<script>alert(1)</script>"), "SVG": []byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`), "nothing": nil,
		"too many pixels": encoded(1025, 1), "half an image": encoded(64, 64)[:40],
	} {
		require.Contains(t, upload(content).Text(), "Choose a PNG, JPEG or GIF image", name)
	}
	require.Contains(t, upload(bytes.Repeat([]byte("x"), maxLogo+1)).Text(), "at most 1 MB")
	require.NotContains(t, string(ada.open(app.path).Body), "/logos/")

	// What comes out is a picture of ours, without what hid in the file.
	page := upload(append(encoded(64, 64), "<script>alert(1)</script>"...))
	require.Contains(t, page.Text(), "The logo is saved.")
	logo := find(t, page, `src="(http[^"]+/logos/[^"]+)"`)
	shown := ada.open(logo)
	require.Equal(t, "image/png", shown.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", shown.Header.Get("X-Content-Type-Options"))
	require.NotContains(t, string(shown.Body), "script")
	picture, err := png.Decode(bytes.NewReader(shown.Body))
	require.NoError(t, err)
	require.Equal(t, 64, picture.Bounds().Dx())
	require.NotContains(t, string(p.signedIn(t, "grace").open(app.oauth.AuthCodeURL("x")).Body), "/logos/", "nobody has reviewed it")

	another := find(t, upload(encoded(32, 32)), `src="(http[^"]+/logos/[^"]+)"`)
	require.NotEqual(t, logo, another)
	ada.press(ada.open(app.path), "Yes, delete it", nil)
	require.Equal(t, http.StatusNotFound, ada.open(another).Status)
}

// No form can be sent by another site.
func TestFormsOfOtherSites(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	app, _ := ada.register("Notebook", nil)
	ada.press(ada.open(tokensPath), "Make a token", map[string]string{"label": "Script"})
	forms := 0
	for path, buttons := range map[string][]string{
		app.path:                     {"Save", "Make a new secret", "Upload", "Yes, sign everybody out", "Yes, delete it", "Sign out"},
		"/settings/applications/new": {"Register"},
		tokensPath:                   {"Make a token", "Revoke"},
		"/settings/account":          {"Sign out everywhere else", "Yes, close my account"},
		"/login":                     {"Sign in"},
	} {
		for _, button := range buttons {
			for name, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
				page := ada.open(path)
				ada.edit = func(r *http.Request) {
					r.Header.Del("Origin")
					r.Header.Set(name, value)
				}
				require.Equal(t, http.StatusForbidden, ada.send(page, button, nil).Status, button)
				forms++
			}
		}
	}
	require.Equal(t, 24, forms)
	require.False(t, app.refused(t, app.secret))
	require.Contains(t, ada.open(tokensPath).Text(), "Script")
}

func TestTooManyApplications(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	for range maxApplications {
		_, _, err := p.provider.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "One of many", OwnerID: "user_1815"})
		require.NoError(t, err)
	}
	page := ada.press(ada.open("/settings/applications/new"), "Register", map[string]string{"name": "One more"})
	require.Equal(t, http.StatusUnprocessableEntity, page.Status)
	require.Contains(t, page.Text(), "Delete one that you do not need.")
	require.Equal(t, maxApplications, strings.Count(string(ada.open(applicationsPath).Body), "One of many"))
}

func TestFormThatIsTooLong(t *testing.T) {
	p := newPortal(t)
	ada := p.signedIn(t, "ada")
	page := ada.open("/settings/applications/new")
	ada.edit = func(r *http.Request) {
		body := url.Values{"name": {strings.Repeat("x", 1<<20)}}.Encode()
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
	}
	require.Equal(t, http.StatusBadRequest, ada.press(page, "Register", nil).Status)
}

var errBroken = errors.New("the disk is full")

// A fault is no fault of the user's.
func TestFault(t *testing.T) {
	kept := storetest.NewBreakable(memory.New())
	p := newPortalOn(t, kept)
	ada := p.signedIn(t, "ada")
	kept.Fail(errBroken, "CreateApplication", "CutOff")
	page := ada.press(ada.open("/settings/applications/new"), "Register", map[string]string{"name": "Notebook"})
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	require.Contains(t, page.Text(), "Try again in a moment.")
	require.NotContains(t, page.Text(), "disk")
	require.Contains(t, logText(), "the disk is full")

	// An account that could not be closed is open.
	page = ada.press(ada.open("/settings/account"), "Yes, close my account", nil)
	require.Equal(t, http.StatusServiceUnavailable, page.Status)
	kept.Heal()
	ada = p.signedIn(t, "ada")
	page = ada.press(ada.open("/settings/account"), "Yes, close my account", nil)
	require.Contains(t, page.Text(), "Your account is closed")
}
