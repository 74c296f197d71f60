package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// httptest's certificate is for this name.
const documentID = "https://client.example.com:8443/oauth/client.json"

// documentSite is a stranger's server that publishes documents.
type documentSite struct {
	server  *httptest.Server
	fetches atomic.Int32

	mu    sync.Mutex
	serve http.HandlerFunc
	last  *http.Request
}

func newDocumentSite(t testing.TB) *documentSite {
	s := &documentSite{}
	s.document(nil)
	s.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fetches.Add(1)
		s.mu.Lock()
		serve := s.serve
		s.last = r
		s.mu.Unlock()
		serve(w, r)
	}))
	s.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.server.StartTLS()
	t.Cleanup(s.server.Close)
	return s
}

func (s *documentSite) handle(serve http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve = serve
}

// document publishes a document with the given changes; nil leaves a member out.
func (s *documentSite) document(changes map[string]any, header ...string) {
	document := map[string]any{
		"client_id":     documentID,
		"client_name":   "Wiki Reader",
		"redirect_uris": []string{callback, "http://127.0.0.1/callback", "cursor://callback"},
		"scope":         "profile notes:read unheard_of openid",
	}
	for name, value := range changes {
		document[name] = value
		if value == nil {
			delete(document, name)
		}
	}
	body, err := json.Marshal(document)
	if err != nil {
		panic(err)
	}
	s.raw(string(body), append([]string{"Content-Type", "application/json"}, header...)...)
}

func (s *documentSite) raw(body string, header ...string) {
	s.handle(func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Write([]byte(body))
	})
}

// transport reaches the site by the name in documentID, and nothing else.
func (s *documentSite) transport() *http.Transport {
	transport := s.server.Client().Transport.(*http.Transport).Clone()
	transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address != "client.example.com:8443" {
			return nil, errors.New("no such host in this test: " + address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, s.server.Listener.Addr().String())
	}
	return transport
}

// newDocumentHost is a host that allows applications with documents.
func newDocumentHost(t testing.TB, edit ...func(*provider.Config)) (*host, *documentSite, *application) {
	site := newDocumentSite(t)
	h := newHost(t, append([]func(*provider.Config){func(c *provider.Config) {
		c.ClientIDDocuments, c.Transport = &provider.ClientIDDocuments{}, site.transport()
	}}, edit...)...)
	app := &application{Application: documentApplication(), h: h}
	return h, site, app
}

func documentApplication() provider.Application {
	return provider.Application{ClientID: documentID, ApplicationSettings: provider.ApplicationSettings{RedirectURIs: []string{callback}, Public: true}}
}

func (h *host) kept() []provider.Application {
	h.t.Helper()
	apps, _, err := h.ListApplications(context.Background(), store.ApplicationQuery{Origin: store.OriginDocument})
	require.NoError(h.t, err)
	return apps
}

func TestApplicationWithADocumentSignsIn(t *testing.T) {
	h, site, app := newDocumentHost(t)
	site.document(map[string]any{
		"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
		"client_uri": "https://client.example.com/", "logo_uri": "https://client.example.com:8443/logo.png", "tos_uri": "https://client.example.com/tos",
		"policy_uri": "https://client.example.com/privacy", "contacts": []string{"ops@client.example.com"}, "software_id": "reader", "software_version": "1.2",
		"application_type": "native", "jwks_uri": nil, "an_extension": map[string]any{"a": 1},
	})
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	page.statusIs(t, http.StatusOK)
	require.Empty(t, h.kept(), "nothing is kept before the user agrees")
	answer := b.answer(page, "allow").redirected(t)
	require.Equal(t, h.url, answer.Get("iss"))
	got := app.redeem(answer.Get("code")).tokens(t)
	require.Equal(t, "profile notes:read", got.Scope, "those of its document that are offered")

	require.Contains(t, h.bearer("/oauth/userinfo", got.AccessToken).body, "user_ada")
	h.bearer("/api/notes", got.AccessToken).statusIs(t, http.StatusOK)
	next := app.refresh(got.RefreshToken).tokens(t)
	require.NotEmpty(t, next.RefreshToken)
	require.Equal(t, int32(1), site.fetches.Load(), "once for the page and the answer, never for tokens")

	kept := h.kept()
	require.Len(t, kept, 1)
	require.Regexp(t, "^oa_[0-9A-Za-z]{27}$", kept[0].ID)
	require.Equal(t, documentID, kept[0].ClientID)
	require.Equal(t, "Wiki Reader", kept[0].Name)
	require.True(t, kept[0].Public)
	require.True(t, kept[0].PKCERequired)
	require.Empty(t, kept[0].Secrets)
	require.Equal(t, "https://client.example.com/", kept[0].ClientURI)
	require.Equal(t, "https://client.example.com:8443/logo.png", kept[0].LogoURL)
	require.Equal(t, "https://client.example.com/tos", kept[0].TermsURI)
	require.Equal(t, "https://client.example.com/privacy", kept[0].PolicyURI)
	require.Equal(t, &provider.RegistrationInfo{
		Type: "native", AuthMethod: "none", GrantTypes: []string{"authorization_code", "refresh_token"}, Contacts: []string{"ops@client.example.com"},
		SoftwareID: "reader", SoftwareVersion: "1.2",
	}, kept[0].Registration)

	// Introspection and revocation know it by its client_id like any other.
	app.post("/oauth/token/revoke", "token", next.RefreshToken, "client_secret", "").statusIs(t, http.StatusOK)
	h.bearer("/oauth/userinfo", next.AccessToken).statusIs(t, http.StatusUnauthorized)

	// Deleting the application cuts it off.
	got = app.tokens("user_ada")
	require.NoError(t, h.DeleteApplication(context.Background(), kept[0].ID))
	h.bearer("/oauth/userinfo", got.AccessToken).statusIs(t, http.StatusUnauthorized)
	app.refresh(got.RefreshToken).refused(t, http.StatusUnauthorized, "invalid_client")
}

// A fetch doesn't reveal for whom it is made.
func TestDocumentRequest(t *testing.T) {
	h, site, app := newDocumentHost(t)
	h.signedIn("user_ada").get(app.request()).statusIs(t, http.StatusOK)
	r := site.last
	require.Equal(t, "GET", r.Method)
	require.Equal(t, "/oauth/client.json", r.RequestURI)
	require.Equal(t, "client.example.com:8443", r.Host)
	require.Equal(t, http.Header{
		"Accept": {"application/json"}, "Accept-Encoding": {"identity"}, "User-Agent": {"Latchkey (client metadata)"},
	}, r.Header)
}

// A visitor who isn't signed in can't make the server fetch anything, and is
// redirected only to sign in.
func TestLinkAloneFetchesNoDocument(t *testing.T) {
	h, site, app := newDocumentHost(t)
	b := h.browser()
	r := b.get(app.request("redirect_uri", "https://evil.example.com/"))
	require.Equal(t, http.StatusSeeOther, r.StatusCode)
	require.True(t, strings.HasPrefix(r.Header.Get("Location"), "/login?"), r.Header)
	b.get(app.request("prompt", "none")).errorPage(t, http.StatusBadRequest, "login_required")
	b.get(app.request("prompt", "none", "scope", "unheard_of")).errorPage(t, http.StatusBadRequest, "login_required")
	b.get(app.request("sign_in_after", fmt.Sprint(h.clock.Now().Unix()))).errorPage(t, http.StatusForbidden, "login_required")
	b.post("/oauth/authorize", url.Values{"decision": {"allow"}, "request": {strings.SplitN(app.request(), "?", 2)[1]}})
	app.post("/oauth/token", "grant_type", "refresh_token", "refresh_token", "x", "client_secret", "").refused(t, http.StatusUnauthorized, "invalid_client")
	require.Zero(t, site.fetches.Load())

	// After signing in they return to the same request, and still have to
	// decide.
	back, err := url.Parse(r.Header.Get("Location"))
	require.NoError(t, err)
	b.signIn("user_ada")
	b.get(h.url+back.Query().Get("next")).errorPage(t, http.StatusBadRequest, "redirect_uri")
	require.Equal(t, int32(1), site.fetches.Load())
	b.get(app.request("prompt", "none")).errorPage(t, http.StatusBadRequest, "consent_required")
}

// If the field is nil, an https client_id is unknown.
func TestNoDocumentsUnlessSwitchedOn(t *testing.T) {
	h, site, app := newDocumentHost(t, func(c *provider.Config) {
		c.ClientIDDocuments = nil
	})
	h.signedIn("user_ada").get(app.request()).errorPage(t, http.StatusBadRequest, "not registered")
	h.browser().get(app.request()).errorPage(t, http.StatusBadRequest, "not registered")
	require.Zero(t, site.fetches.Load())
	require.NotContains(t, h.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, "client_id_metadata_document_supported")

	on, _, _ := newDocumentHost(t)
	require.Contains(t, on.send("GET", "/.well-known/oauth-authorization-server", nil, "").body, `"client_id_metadata_document_supported":true`)
}

// A client that is no longer allowed gets no tokens, even with codes and
// refresh tokens from before. It loses nothing: when it is allowed again, it
// continues.
func TestClientThatIsNoLongerAllowedGetsNoTokens(t *testing.T) {
	for name, tt := range map[string]struct {
		shut       func(c *provider.Config)
		registered bool // or known by a document
		status     int
		code       string
	}{
		"documents are off":    {func(c *provider.Config) { c.ClientIDDocuments = nil }, false, 400, "unauthorized_client"},
		"registration is off":  {func(c *provider.Config) { c.Registration = nil }, true, 400, "unauthorized_client"},
		"both are off":         {func(c *provider.Config) { c.Registration, c.ClientIDDocuments = nil, nil }, true, 400, "unauthorized_client"},
		"Allow refuses it now": {allow(errors.New("on the list")), false, 400, "unauthorized_client"},
		"Allow can't say": {allow(&provider.Error{Code: "temporarily_unavailable", Description: "Try again.", Status: 503}),
			false, 503, "temporarily_unavailable"},
		"Allow says why": {allow(&provider.Error{Code: "access_denied", Description: "Not you."}), false, 400, "access_denied"},
	} {
		t.Run(name, func(t *testing.T) {
			open := func(c *provider.Config) {
				c.Registration, c.DeviceAuthorization = &provider.Registration{}, &provider.DeviceAuthorization{}
			}
			h, site, app := newDocumentHost(t, open)
			grants := []string{"authorization_code", grantDevice}
			site.document(map[string]any{"grant_types": grants})
			if tt.registered {
				app, _ = h.clientOf(h.register(strings.TrimSuffix(native, "}") + `,"grant_types":["authorization_code","` + grantDevice + `"]}`))
			}
			got, code := app.tokens("user_ada"), app.code("user_ada")
			device := app.device()
			h.signedIn("user_ada").decide(device, "allow")

			shut, _, _ := newDocumentHost(t, open, tt.shut, func(c *provider.Config) { c.Store, c.Now = h.store, h.clock.Now })
			app.h = shut
			for _, r := range []*reply{
				app.redeem(code), app.refresh(got.RefreshToken), device.poll(), app.post("/oauth/device_authorization"),
				app.redeem("x"), app.refresh("x"), app.post("/oauth/token", "grant_type", "password"),
			} {
				r.refused(t, tt.status, tt.code)
			}
			shut.bearer("/api/notes", got.AccessToken).statusIs(t, 200) // until it expires
			kept, err := h.FindClient(ctx, app.ClientID)
			require.NoError(t, err)
			_, _, err = shut.IssueToken(ctx, provider.TokenSettings{UserID: "user_ada", ApplicationID: kept.ID})
			require.ErrorContains(t, err, tt.code)

			app.h = h
			app.redeem(code).tokens(t)
			device.poll().tokens(t)
			next := app.refresh(got.RefreshToken).tokens(t)
			app.h = shut
			app.post("/oauth/token/revoke", "token", next.RefreshToken).statusIs(t, 200) // It can always give back.
			shut.bearer("/api/notes", next.AccessToken).statusIs(t, 401)
		})
	}
}

func allow(answer error) func(*provider.Config) {
	return func(c *provider.Config) {
		c.ClientIDDocuments.Allow = func(context.Context, *url.URL) error { return answer }
	}
}

// An application that the host registered with such a client_id stays as it is.
func TestRegisteredApplicationNeedsNoDocument(t *testing.T) {
	h, site, _ := newDocumentHost(t)
	app := h.imported("https://client.example.com/registered", provider.ApplicationSettings{Public: true}, store.SecretHash{})
	require.NotEmpty(t, app.code("user_ada"))
	require.Zero(t, site.fetches.Load())
	page := h.signedIn("user_ada").get(app.request())
	require.NotContains(t, page.text(), "Not reviewed by")
}

func TestConsentPageShowsWhoPublishedTheDocument(t *testing.T) {
	h, site, app := newDocumentHost(t)
	site.document(map[string]any{"logo_uri": "https://client.example.com:8443/logo.png"})
	b := h.signedIn("user_ada")
	page := b.get(app.request("redirect_uri", "http://127.0.0.1/callback"))
	require.Contains(t, page.text(), "client.example.com:8443")
	require.Contains(t, page.text(), "Not reviewed by")
	require.Contains(t, page.text(), "runs on your device")
	require.Contains(t, page.text(), "You'll be sent back to 127.0.0.1.")
	require.NotContains(t, page.body, "logo.png", "it is not reviewed")

	// The page of connected applications says so too.
	b.answer(b.get(app.request()), "allow").redirected(t)
	require.Contains(t, b.get(h.url+"/oauth/connections").text(), "client.example.com:8443")

	// A review holds until the document says something else.
	kept, err := h.FindClient(ctx, app.ClientID)
	require.NoError(t, err)
	_, err = h.ReviewApplication(ctx, kept.ID, true, kept.Version)
	require.NoError(t, err)
	page = b.get(app.request())
	require.NotContains(t, page.text(), "Not reviewed")
	require.Contains(t, page.body, `src="https://client.example.com:8443/logo.png"`)
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "img-src https://client.example.com:8443")

	// A logo on another server could be copied from another application.
	for _, logo := range []string{"https://client.example.com/logo.png", "https://client.example.com:8443@evil.example/l", "https://evil.example/logo.png", "data:image/png;base64,AA", "http://client.example.com:8443/l"} {
		h.clock.Add(time.Hour)
		site.document(map[string]any{"logo_uri": logo, "client_name": nil})
		page = b.get(app.request())
		page.statusIs(t, http.StatusOK)
		require.NotContains(t, page.body, "<img")
		require.Contains(t, page.text(), "Not reviewed")
		require.Contains(t, page.text(), "client.example.com:8443 wants access to your", "it has no other name")
	}
}

func TestCustomConsentPageGetsTheDocumentsHost(t *testing.T) {
	var shown pages.Consent
	h, _, app := newDocumentHost(t, func(c *provider.Config) {
		c.Pages.Consent = func(_ http.ResponseWriter, _ *http.Request, page pages.Consent) { shown = page }
		c.Pages.Texts = pages.AcceptLanguage(pages.German())
	})
	h.signedIn("user_ada").get(app.request())
	require.Equal(t, "client.example.com:8443", shown.Application.Domain)
	require.Equal(t, "Nicht von "+shown.Host.Name+" geprüft.", shown.Texts.NotReviewed)
	require.False(t, shown.Application.Reviewed)
}

// An error in a document isn't logged as a fault of this server, and nothing of
// the document is saved.
func TestBadDocumentIsLoggedAsTheirs(t *testing.T) {
	h, site, app := newDocumentHost(t)
	site.raw("the-content", "Content-Type", "application/json")
	h.signedIn("user_ada").get(app.request()).errorPage(t, http.StatusBadRequest, "invalid_client")
	require.Empty(t, h.kept())
	require.Contains(t, h.log.String(), "level=INFO")
	require.NotContains(t, h.log.String(), "level=ERROR")
	require.NotContains(t, h.log.String(), "the-content")
}

// A redirect URI that this server doesn't accept is left out. The log says
// which and why, so that the operator can tell the document's author.
func TestRedirectURIsLeftOutOfADocumentAreLogged(t *testing.T) {
	h, site, app := newDocumentHost(t)
	long := "http://evil.example/" + strings.Repeat("a", 900)
	site.document(map[string]any{"redirect_uris": []any{callback, "https://a.example/cb#x", long, 5}})
	require.NotEmpty(t, app.code("user_ada"))
	require.Equal(t, []string{callback}, h.kept()[0].RedirectURIs)
	log := h.log.String()
	require.Equal(t, 3, strings.Count(log, "redirect URI of a client document left out"))
	require.Equal(t, 3, strings.Count(log, "application="+h.kept()[0].ID+" client_id="+documentID))
	require.Contains(t, log, `redirect_uri=https://a.example/cb#x cause="redirect URI \"https://a.example/cb#x\" has a fragment`)
	require.Contains(t, log, `redirect_uri="an entry that is not a string"`)
	require.Contains(t, log, "is plain http")
	require.NotContains(t, log, strings.Repeat("a", 500), "cut to a length")
}

// A host that is slow, silent, or missing is refused in time, and the answer
// doesn't reveal which.
func TestDocumentCannotBeFetched(t *testing.T) {
	const says = "cannot be fetched: an https server at a public address must send all of it within 5 seconds"
	t.Run("slow header and slow body", func(t *testing.T) {
		h, site, app := newDocumentHost(t)
		stop := make(chan struct{})
		defer close(stop)
		wait := func(r *http.Request) {
			select {
			case <-stop:
			case <-r.Context().Done():
			}
		}
		b := h.signedIn("user_ada")
		site.handle(func(_ http.ResponseWriter, r *http.Request) { wait(r) })
		start := time.Now()
		b.get(app.request()).errorPage(t, http.StatusBadRequest, says)
		require.WithinDuration(t, start.Add(5*time.Second), time.Now(), 2*time.Second)

		site.handle(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 100 {
				w.Write([]byte(" "))
				w.(http.Flusher).Flush()
				select {
				case <-stop:
					return
				case <-r.Context().Done():
					return
				case <-time.After(100 * time.Millisecond):
				}
			}
		})
		h.clock.Add(time.Minute)
		start = time.Now()
		b.get(app.request()).errorPage(t, http.StatusBadRequest, "must send all of it within 5 seconds")
		require.WithinDuration(t, start.Add(5*time.Second), time.Now(), 2*time.Second)
	})
	t.Run("refused addresses and failures read alike", func(t *testing.T) {
		var details []string
		for name, transport := range map[string]http.RoundTripper{
			"no server": roundTrip(func(*http.Request) (*http.Response, error) {
				return nil, errors.New("dial tcp 10.1.2.3:443: connection refused")
			}),
			"refused": roundTrip(func(*http.Request) (*http.Response, error) {
				return nil, errors.New("10.1.2.3 is not a public address")
			}),
		} {
			h, _, app := newDocumentHost(t, func(c *provider.Config) { c.Transport = transport })
			page := h.signedIn("user_ada").get(app.request())
			page.errorPage(t, http.StatusBadRequest, says)
			require.NotContains(t, page.body, "10.1.2.3", name)
			require.Contains(t, h.log.String(), "10.1.2.3", "the log has the cause")
			details = append(details, errorDetail.FindString(page.body))
		}
		require.NotEmpty(t, details[0])
		require.Equal(t, details[0], details[1])
	})
	t.Run("not trusted certificate", func(t *testing.T) {
		site := newDocumentSite(t)
		transport := site.transport()
		transport.TLSClientConfig.RootCAs = nil
		h, _, app := newDocumentHost(t, func(c *provider.Config) { c.Transport = transport })
		h.signedIn("user_ada").get(app.request()).errorPage(t, http.StatusBadRequest, says)
		require.Zero(t, site.fetches.Load())
	})
	t.Run("header bomb", func(t *testing.T) {
		// With the limit of the default transport.
		site := newDocumentSite(t)
		transport := site.transport()
		transport.MaxResponseHeaderBytes = 16 << 10
		site.document(nil, "X-Bomb", strings.Repeat("a", 64<<10))
		h, _, app := newDocumentHost(t, func(c *provider.Config) { c.Transport = transport })
		h.signedIn("user_ada").get(app.request()).errorPage(t, http.StatusBadRequest, says)
	})
	t.Run("the default transport", func(t *testing.T) {
		h, _, app := newDocumentHost(t, func(c *provider.Config) { c.Transport = nil })
		// Such a name never resolves (RFC 6761), so this needs no network.
		app.ClientID = "https://documents.invalid:8443/client.json"
		h.signedIn("user_ada").get(app.request()).errorPage(t, http.StatusBadRequest, says)
	})
}

var errorDetail = regexp.MustCompile("<code>invalid_client</code>[^<]*")

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// A Transport of the host that panics doesn't block the next visitor.
func TestTransportThatPanics(t *testing.T) {
	var calls atomic.Int32
	h, _, app := newDocumentHost(t, func(c *provider.Config) {
		c.Transport = roundTrip(func(*http.Request) (*http.Response, error) {
			calls.Add(1)
			panic(http.ErrAbortHandler)
		})
	})
	b := h.signedIn("user_ada")
	for range 2 {
		b.get(app.request()).errorPage(t, http.StatusBadRequest, "cannot be fetched")
	}
	require.Contains(t, h.log.String(), "the fetch panicked")
	require.Equal(t, int32(2), calls.Load())
}

// Many visitors at once cause one fetch, of a good document and of a bad one.
func TestVisitorsShareAFetch(t *testing.T) {
	const visitors = 64
	for name, c := range map[string]struct {
		status int
		serve  http.HandlerFunc
	}{"good": {200, nil}, "bad": {400, http.NotFound}} {
		t.Run(name, func(t *testing.T) {
			var arrived atomic.Int32
			h, site, app := newDocumentHost(t, func(c *provider.Config) {
				currentUser := c.CurrentUser
				c.CurrentUser = func(r *http.Request) (provider.Session, error) {
					arrived.Add(1)
					return currentUser(r)
				}
			})
			answer := c.serve
			if answer == nil {
				answer = site.serve
			}
			site.handle(func(w http.ResponseWriter, r *http.Request) {
				for arrived.Load() < visitors && r.Context().Err() == nil {
					time.Sleep(time.Millisecond)
				}
				time.Sleep(200 * time.Millisecond) // From there they have a few steps to the fetch.
				answer(w, r)
			})
			var wg sync.WaitGroup
			statuses := make(chan int, visitors)
			for range visitors {
				b := h.signedIn("user_ada")
				wg.Go(func() {
					r, err := b.client.Get(app.request())
					if err == nil {
						r.Body.Close()
						statuses <- r.StatusCode
					}
				})
			}
			wg.Wait()
			close(statuses)
			n := 0
			for status := range statuses {
				require.Equal(t, c.status, status)
				n++
			}
			require.Equal(t, visitors, n)
			require.Equal(t, int32(1), site.fetches.Load())
		})
	}
}

// If the first visitor hangs up, the fetch continues for the others.
func TestFetchOutlivesItsVisitor(t *testing.T) {
	h, site, app := newDocumentHost(t)
	answer := site.serve
	asked, release := make(chan struct{}), make(chan struct{})
	site.handle(func(w http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		answer(w, r)
	})
	first, second := h.signedIn("user_ada"), h.signedIn("user_ada")
	ctx, hangUp := context.WithCancel(context.Background())
	gone := make(chan error)
	go func() {
		r, _ := http.NewRequestWithContext(ctx, "GET", app.request(), nil)
		_, err := first.client.Do(r)
		gone <- err
	}()
	<-asked
	hangUp()
	require.Error(t, <-gone)
	time.Sleep(100 * time.Millisecond)
	page := make(chan int)
	go func() {
		r, err := second.client.Get(app.request())
		if err != nil {
			page <- 0
			return
		}
		r.Body.Close()
		page <- r.StatusCode
	}()
	time.Sleep(100 * time.Millisecond)
	close(release)
	require.Equal(t, 200, <-page)
	require.Equal(t, int32(1), site.fetches.Load())
}

// A redirect URI that was removed from the document stops working, even for a
// saved application, and so does a form that was shown before.
func TestDocumentChanges(t *testing.T) {
	h, site, app := newDocumentHost(t)
	app.code("user_ada")
	version := h.kept()[0].Version
	b := h.signedIn("user_ada")
	page := b.get(app.request())
	h.clock.Add(10 * time.Minute)
	site.document(map[string]any{"redirect_uris": []string{"https://new.example.com/cb"}})
	b.answer(page, "allow").errorPage(t, http.StatusBadRequest, "gave a redirect_uri that is not registered")
	b.get(app.request()).errorPage(t, http.StatusBadRequest, "gave a redirect_uri that is not registered")
	require.Equal(t, version, h.kept()[0].Version, "what is kept changes when a user agrees")

	for name, change := range map[string]map[string]any{
		"name": {"client_name": "Another"},
		"logo": {"logo_uri": "https://client.example.com:8443/l.png"},
		"page": {"client_uri": "https://client.example.com/"},
	} {
		site.document(nil)
		h.clock.Add(10 * time.Minute)
		page = b.get(app.request())
		site.document(change)
		h.clock.Add(10 * time.Minute)
		stale := b.answer(page, "allow")
		stale.errorPage(t, http.StatusForbidden, "does not belong to an open page")
		require.NotEmpty(t, b.answer(b.get(app.request()), "allow").redirected(t).Get("code"), name)
	}
	require.Greater(t, h.kept()[0].Version, version)
	require.Len(t, h.kept(), 1)

	// The document is gone: no one can sign in anew, but users who are signed
	// in stay so.
	got := app.tokens("user_ada")
	site.handle(http.NotFound)
	h.clock.Add(10 * time.Minute)
	b.get(app.request()).errorPage(t, http.StatusBadRequest, "status 404")
	app.refresh(got.RefreshToken).tokens(t)
}

// A new document doesn't change the host's settings of an application.
func TestDocumentLeavesTheHostsNotes(t *testing.T) {
	h, site, app := newDocumentHost(t)
	app.code("user_ada")
	_, err := h.UpdateApplication(context.Background(), h.kept()[0].ID, func(a *provider.ApplicationSettings) error {
		a.Metadata, a.OwnerID = map[string]string{"checked": "yes"}, "user_grace"
		return nil
	})
	require.NoError(t, err)
	site.document(map[string]any{"client_name": "Renamed"})
	h.clock.Add(10 * time.Minute)
	app.code("user_ada")
	kept := h.kept()[0]
	require.Equal(t, "Renamed", kept.Name)
	require.Equal(t, "yes", kept.Metadata["checked"])
	require.Equal(t, "user_grace", kept.OwnerID)
}

// Only a user who agrees adds an application to the store.
func TestDocumentIsKeptOnlyWhenAUserAgrees(t *testing.T) {
	h, _, app := newDocumentHost(t)
	b := h.signedIn("user_ada")
	require.NotEmpty(t, b.answer(b.get(app.request()), "deny").redirected(t).Get("error"))
	b.get(app.request("scope", "unheard_of")).errorPage(t, http.StatusBadRequest, "invalid_scope")
	b.get(app.request("code_challenge", "")).errorPage(t, http.StatusBadRequest, "without a code_challenge")
	forged := b.get(app.request()).form(t, "allow")
	forged.Set("seal", "x")
	b.post("/oauth/authorize", forged).errorPage(t, http.StatusForbidden, "open page")
	require.Empty(t, h.kept())
	b.answer(b.get(app.request()), "allow").redirected(t)
	require.Len(t, h.kept(), 1)
	b.get(app.request()).statusIs(t, 200)
	page := b.get(app.request())
	require.Contains(t, page.text(), "wants access to", "it is asked for each time")
}

// Allow decides each time, before a document is fetched and when it is cached,
// so it cuts an application off at once.
func TestAllowRefusesDocuments(t *testing.T) {
	var refuse atomic.Bool
	var seen []string
	var mu sync.Mutex
	h, site, app := newDocumentHost(t, func(c *provider.Config) {
		c.ClientIDDocuments.Allow = func(_ context.Context, id *url.URL) error {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, id.Hostname()+id.Path)
			if refuse.Load() {
				return errors.New("on the list")
			}
			return nil
		}
	})
	b := h.signedIn("user_ada")
	refuse.Store(true)
	page := b.get(app.request())
	page.errorPage(t, http.StatusBadRequest, "This server does not accept the application")
	require.NotContains(t, page.body, "on the list")
	require.Contains(t, h.log.String(), "on the list")
	require.Zero(t, site.fetches.Load())
	require.Equal(t, []string{"client.example.com/oauth/client.json"}, seen)

	refuse.Store(false)
	page = b.get(app.request())
	refuse.Store(true)
	b.answer(page, "allow").errorPage(t, http.StatusBadRequest, "does not accept the application")
	b.get(app.request()).errorPage(t, http.StatusBadRequest, "does not accept the application")
	require.Empty(t, h.kept())
}

// Limit is called before a fetch, and only then.
func TestLimitBoundsFetches(t *testing.T) {
	var wait atomic.Int64
	var asked []provider.LimitRequest
	var mu sync.Mutex
	h, site, app := newDocumentHost(t, func(c *provider.Config) {
		c.Limit = func(_ context.Context, l provider.LimitRequest) time.Duration {
			mu.Lock()
			defer mu.Unlock()
			asked = append(asked, l)
			return time.Duration(wait.Load())
		}
	})
	b := h.signedIn("user_ada")
	wait.Store(int64(7 * time.Second))
	r := b.get(app.request())
	r.errorPage(t, http.StatusTooManyRequests, "Too many requests")
	require.Contains(t, r.text(), "too many attempts")
	require.Equal(t, "7", r.Header.Get("Retry-After"))
	require.Zero(t, site.fetches.Load())
	wait.Store(0)
	b.get(app.request()).statusIs(t, 200)
	wait.Store(int64(time.Second))
	b.get(app.request()).statusIs(t, 200)
	want := provider.LimitRequest{Endpoint: "document", ClientID: documentID, IP: netip.MustParseAddr("127.0.0.1")}
	require.Equal(t, []provider.LimitRequest{want, want}, asked)
}

// Two instances with one store save one application.
func TestInstancesKeepADocumentOnce(t *testing.T) {
	const rounds, users = 5, 16
	for range rounds {
		shared := memory.New()
		site := newDocumentSite(t)
		var hosts []*host
		for range 2 {
			h, _, _ := newDocumentHost(t, func(c *provider.Config) {
				c.Store, c.Transport = shared, site.transport()
			})
			hosts = append(hosts, h)
		}
		var wg sync.WaitGroup
		codes := make(chan string, users)
		start := make(chan struct{})
		for i := range users {
			h := hosts[i%2]
			app := &application{Application: documentApplication(), h: h}
			b := h.signedIn("user_ada")
			form := b.get(app.request()).form(t, "allow")
			wg.Go(func() {
				<-start
				r, err := http.NewRequest("POST", h.url+"/oauth/authorize", strings.NewReader(form.Encode()))
				if err != nil {
					return
				}
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("Origin", h.url)
				answer, err := b.client.Do(r)
				if err != nil {
					return
				}
				answer.Body.Close()
				if u, err := url.Parse(answer.Header.Get("Location")); err == nil {
					codes <- u.Query().Get("code")
				}
			})
		}
		close(start)
		wg.Wait()
		close(codes)
		n := 0
		for code := range codes {
			require.NotEmpty(t, code)
			n++
		}
		require.Equal(t, users, n)
		require.Len(t, hosts[0].kept(), 1)
		require.Equal(t, int64(1), hosts[0].kept()[0].Version, "made once, and never written again")
		require.Equal(t, int32(2), site.fetches.Load(), "once by each instance")
	}
}

// A client_id with characters and a length that only URLs may have works at
// every endpoint.
func TestLongDocumentURL(t *testing.T) {
	h, site, app := newDocumentHost(t)
	app.ClientID = documentID + "?v=1&name=(a,b;c)!$'*+%20&pad="
	app.ClientID += strings.Repeat("x", 512-len(app.ClientID))
	site.document(map[string]any{"client_id": app.ClientID})
	got := app.tokens("user_ada")
	app.refresh(got.RefreshToken).tokens(t)
	require.Equal(t, app.ClientID, h.kept()[0].ClientID)
}

// The host's settings for a client with a document hold, even when the document
// changes.
func TestDocumentKeepsTheHostsLifetimes(t *testing.T) {
	h, site, app := newDocumentHost(t)
	site.document(nil)
	app.tokens("user_ada")
	kept := h.kept()[0]
	_, err := h.UpdateApplication(ctx, kept.ID, func(s *provider.ApplicationSettings) error {
		s.Lifetimes.Access = 5 * time.Minute
		return nil
	})
	require.NoError(t, err)
	got := app.tokens("user_ada")
	require.Equal(t, 5*time.Minute, h.kept()[0].Lifetimes.Access)
	require.EqualValues(t, 300, got.ExpiresIn)
	site.document(map[string]any{"client_name": "Another"})
	h.clock.Add(time.Hour)
	got = app.tokens("user_ada")
	require.EqualValues(t, 300, got.ExpiresIn)
	require.EqualValues(t, 300, app.refresh(got.RefreshToken).tokens(t).ExpiresIn)
}
