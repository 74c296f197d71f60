package main

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store/memory"
)

func TestMain(m *testing.M) {
	acme.HashCost = bcrypt.MinCost // It is slow under the race detector.
	m.Run()
}

// demo is both apps on free ports for one test.
type demo struct {
	*acme.Host
	acmeURL, spaURL string
	clientID        string

	mu     sync.Mutex
	late   time.Duration // how far the provider's clock is ahead
	events map[provider.EventKind]int
}

// newDemo serves the SPA under the host name, which leads to 127.0.0.1.
func newDemo(t *testing.T, spaHost string) *demo {
	t.Helper()
	d := &demo{events: map[provider.EventKind]int{}}
	host, spa := httptest.NewUnstartedServer(nil), httptest.NewUnstartedServer(nil)
	d.acmeURL = "http://" + host.Listener.Addr().String()
	d.spaURL = "http://" + strings.Replace(spa.Listener.Addr().String(), "127.0.0.1", spaHost, 1)
	var err error
	d.Host, err = acme.New(provider.Config{Issuer: d.acmeURL, Store: memory.New(), Now: d.now, Events: d.note, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	app, err := register(t.Context(), d.Provider, d.spaURL)
	require.NoError(t, err)
	d.clientID = app.ClientID

	host.Config.Handler, spa.Config.Handler = hostHandler(d.Host), spaHandler(d.acmeURL, d.clientID)
	for _, server := range []*httptest.Server{host, spa} {
		server.Start()
		t.Cleanup(server.Close)
	}
	return d
}

func (d *demo) now() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Add(d.late)
}

// later advances the provider's clock.
func (d *demo) later(by time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late += by
}

func (d *demo) note(_ context.Context, e provider.Event) {
	if e.Kind == provider.EventRequest || e.Request == nil { // Registering the app is not a request.
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.events[e.Kind]++
}

// happened returns the events since the last call.
func (d *demo) happened() map[provider.EventKind]int {
	d.mu.Lock()
	defer d.mu.Unlock()
	events := d.events
	d.events = map[provider.EventKind]int{}
	return events
}

// token gets tokens for the SPA without running it.
func (d *demo) token(t *testing.T, login string) *oauth2.Token {
	t.Helper()
	config := oauth2.Config{
		ClientID: d.clientID, RedirectURL: d.spaURL + "/", Scopes: []string{"profile", "notes:read"},
		Endpoint: oauth2.Endpoint{AuthURL: d.acmeURL + "/oauth/authorize", TokenURL: d.acmeURL + "/oauth/token", AuthStyle: oauth2.AuthStyleInParams},
	}
	verifier := oauth2.GenerateVerifier()
	b := browser.New(nil)
	page, err := b.Open(t.Context(), config.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier)))
	require.NoError(t, err)
	page, err = b.Follow(t.Context(), page) // to the sign-in page
	require.NoError(t, err)
	page, err = b.Press(t.Context(), page, "Sign in", map[string]string{"login": login, "password": acme.Password})
	require.NoError(t, err)
	page, err = b.Follow(t.Context(), page) // to the consent page
	require.NoError(t, err)
	page, err = b.Press(t.Context(), page, "Allow", nil)
	require.NoError(t, err)
	to, err := url.Parse(page.Leads())
	require.NoError(t, err)
	token, err := config.Exchange(t.Context(), to.Query().Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	return token
}
