package providertest_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Diagnose checks an app without a network, under its production name.
func TestDiagnose(t *testing.T) {
	const issuer = "https://notes.example.com"
	currentUser := func(*http.Request) (provider.Session, error) { return provider.Session{}, nil }
	app := func(currentUser func(*http.Request) (provider.Session, error)) (http.Handler, string) {
		p, err := provider.New(provider.Config{
			Issuer: issuer, Store: memory.New(), CurrentUser: currentUser, SignIn: provider.RedirectTo("/login", "next"),
			Users: func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
		})
		require.NoError(t, err)
		wiki, _, err := p.CreateApplication(t.Context(), provider.ApplicationSettings{Name: "Wiki", RedirectURIs: []string{"https://wiki.example/callback"}})
		require.NoError(t, err)
		mux := http.NewServeMux()
		p.Mount(mux)
		mux.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
			require.NotNil(t, r.TLS)
			require.Equal(t, "notes.example.com", r.Host)
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "1", Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		})
		return mux, wiki.ClientID
	}
	mux, clientID := app(currentUser)
	require.Empty(t, providertest.Diagnose(t, mux, issuer))
	require.Empty(t, providertest.Diagnose(t, mux, issuer, clientID))

	codes := func(found []providertest.Finding) (codes []string) {
		for _, f := range found {
			require.Contains(t, f.String(), f.Problem)
			codes = append(codes, f.Code)
		}
		return codes
	}
	require.Equal(t, []string{"application-unknown"}, codes(providertest.Diagnose(t, mux, issuer, "nobody")))
	require.Equal(t, []string{"csrf-check"}, codes(providertest.Diagnose(t, http.NewCrossOriginProtection().Handler(mux), issuer)))
	mux, _ = app(func(*http.Request) (provider.Session, error) { panic("no session in the context") })
	require.Equal(t, []string{"app-fails"}, codes(providertest.Diagnose(t, mux, issuer)))
	require.Equal(t, []string{"nothing-here"}, codes(providertest.Diagnose(t, http.NotFoundHandler(), issuer)))
}

// Without a handler, it sends requests to the URL.
func TestDiagnoseByURL(t *testing.T) {
	host := providertest.New(t)
	require.Empty(t, providertest.Diagnose(t, nil, host.URL))
	require.Equal(t, "issuer-path", providertest.Diagnose(t, nil, host.URL+"/app")[0].Code)
}
