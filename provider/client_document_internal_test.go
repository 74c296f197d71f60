package provider

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/pages"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

func documentProvider(t testing.TB, transport http.RoundTripper) *Provider {
	p, err := New(Config{
		Issuer:            "https://app.example.com",
		Store:             memory.New(),
		CurrentUser:       func(*http.Request) (Session, error) { return Session{}, nil },
		SignIn:            RedirectTo("/login", "next"),
		Users:             func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
		Logger:            slog.New(slog.DiscardHandler),
		ClientIDDocuments: &ClientIDDocuments{},
		Transport:         transport,
	})
	require.NoError(t, err)
	return p
}

type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// If this server fetches too many documents, that isn't the client's fault. If
// a user opens too many, it is only that user's.
func TestTooManyFetchesAreAnsweredWith429Or503(t *testing.T) {
	began, release := make(chan string, 100), make(chan struct{})
	p := documentProvider(t, transportFunc(func(r *http.Request) (*http.Response, error) {
		began <- r.URL.Path
		<-release
		return nil, errors.New("no")
	}))
	r, err := http.NewRequest("GET", "/", nil)
	require.NoError(t, err)
	const users = 4 // with two documents each, which is all that one host is asked for
	refusals := make(chan *Error, 2*users)
	for i := range 2 * users {
		go func() {
			_, e := p.findDocument(r, fmt.Sprint("mallory", i/2), fmt.Sprint("https://victim.example.com/", i))
			refusals <- e
		}()
		<-began
	}
	_, e := p.findDocument(r, "mallory0", "https://other.example.com/more")
	require.Equal(t, http.StatusTooManyRequests, e.Status)
	require.Equal(t, time.Minute, e.RetryAfter)
	_, e = p.findDocument(r, "ada", "https://victim.example.com/more")
	require.Equal(t, http.StatusServiceUnavailable, e.Status)
	ctx, hangUp := context.WithCancel(context.Background())
	hangUp()
	_, e = p.findDocument(r.WithContext(ctx), "ada", "https://victim.example.com/0")
	require.Equal(t, http.StatusServiceUnavailable, e.Status, "who does not wait to the end")
	close(release)
	for range 2 * users {
		require.Equal(t, codeInvalidClient, (<-refusals).Code)
	}
}

// Two instances make the same application of a document.
func TestDocumentApplicationID(t *testing.T) {
	const a, b = "https://wiki.example.com/a", "https://wiki.example.com/b"
	require.Regexp(t, "^oa_[0-9A-Za-z]{27}$", documentApplicationID(a))
	require.Equal(t, documentApplicationID(a), documentApplicationID(a))
	require.NotEqual(t, documentApplicationID(a), documentApplicationID(b))
}

// If another instance interferes, the application is saved as in the document,
// or the user is asked again.
func TestKeepingADocumentMeetsAnother(t *testing.T) {
	ctx := context.Background()
	const id = "https://wiki.example.com/c"
	p := documentProvider(t, nil)
	racing := storetest.NewBreakable(memory.New())
	p.records.store = racing
	app, fault := p.parseDocument(context.Background(), id, []byte(`{"client_id":"`+id+`","client_name":"Wiki","redirect_uris":["https://wiki.example.com/cb"]}`))
	require.Nil(t, fault)
	kept := func() store.Application {
		got, err := racing.FindClient(ctx, id)
		require.NoError(t, err)
		return got
	}

	old := app
	old.Name, old.OwnerID = "Old name", "user_1"
	racing.Once("CreateApplication", func() { require.NoError(t, racing.CreateApplication(ctx, old)) })
	require.Nil(t, p.keepDocument(ctx, app))
	require.Equal(t, "Wiki", kept().Name, "another was created just before, of an older document")
	require.Equal(t, "user_1", kept().OwnerID, "what a document does not say stays")
	version := kept().Version

	require.Nil(t, p.keepDocument(ctx, app))
	require.Equal(t, version, kept().Version, "what has not changed is not written")

	renamed := app
	renamed.Name = "New name"
	racing.Once("UpdateApplication", func() { require.NoError(t, racing.UpdateApplication(ctx, kept())) })
	require.Nil(t, p.keepDocument(ctx, renamed))
	require.Equal(t, "New name", kept().Name, "it was changed just before")

	racing.Once("UpdateApplication", func() { require.NoError(t, racing.DeleteApplication(ctx, app.ID)) })
	require.Nil(t, p.keepDocument(ctx, app))
	require.Equal(t, "Wiki", kept().Name, "it was deleted just before")

	now := time.Now()
	p.cfg.Now = func() time.Time { return now.Add(maxUseAge + time.Minute) }
	require.Nil(t, p.keepDocument(ctx, app))
	require.WithinDuration(t, p.now(), kept().UpdatedAt, time.Second, "its use is noted")

	require.NoError(t, racing.DeleteApplication(ctx, app.ID))
	manual := app
	manual.Origin = store.OriginManual
	racing.Once("CreateApplication", func() { require.NoError(t, racing.CreateApplication(ctx, manual)) })
	e := p.keepDocument(ctx, app)
	require.NotNil(t, e)
	require.Equal(t, pages.ReasonStaleForm, e.reason)
	require.Equal(t, store.OriginManual, kept().Origin)

	down := errors.New("the store is down")
	racing.Fail(down, "FindClient")
	e = p.keepDocument(ctx, app)
	require.NotNil(t, e)
	require.Equal(t, http.StatusServiceUnavailable, e.Status)
	require.ErrorIs(t, e, down)
}

// Every accepted document can be saved, and is the requested one.
func FuzzDocument(f *testing.F) {
	const id = "https://wiki.example.com/client.json"
	f.Add([]byte(`{"client_id":"` + id + `","redirect_uris":["https://wiki.example.com/cb"]}`))
	f.Add([]byte(`{"client_id":"` + id + `","redirect_uris":["cursor:/cb","http://127.0.0.1/cb"],"client_name":"W\u0000","scope":"profile  email","contacts":[null]}`))
	f.Add([]byte(`{"client_id":"` + id + `","client_id":"x","redirect_uris":["https://wiki.example.com/cb"],"logo_uri":"https://wiki.example.com/a;b"}`))
	f.Add([]byte(`{"Client_ID":"` + id + `","client_uri":"//x","tos_uri":"javascript:1","grant_types":["authorization_code"],"response_types":null}`))
	f.Add([]byte(`[]`))
	f.Add([]byte("{}{}"))
	p := documentProvider(f, nil)
	f.Fuzz(func(t *testing.T, body []byte) {
		app, e := p.parseDocument(context.Background(), id, body)
		if e != nil {
			require.NotEmpty(t, e.Description)
			for i := range len(e.Description) {
				c := e.Description[i]
				require.True(t, c >= 0x20 && c <= 0x7e && c != '"' && c != '\\', "%q", e.Description)
			}
			return
		}
		require.Empty(t, p.offer.checkApplication(app))
		require.NoError(t, app.Check())
		require.Equal(t, id, app.ClientID)
		require.Equal(t, store.OriginDocument, app.Origin)
		require.True(t, app.Public && app.PKCERequired && !app.SkipConsent && len(app.Secrets) == 0)
		require.NotEmpty(t, app.RedirectURIs)
		require.True(t, p.offer.scopes.Contains(app.Scopes))
		require.True(t, app.LogoURL == "" || strings.HasPrefix(app.LogoURL, "https://wiki.example.com/"), app.LogoURL)
		var said map[string]any
		require.NoError(t, json.Unmarshal(body, &said))
		require.Equal(t, id, said["client_id"])
	})
}
