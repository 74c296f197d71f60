package provider_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// If Config.Users returns a user with another ID, that user is not found: not
// on a page, not at a refresh, not for a token, and not for IssueToken. The log
// says whose mistake it is.
func TestUsersWhoAreNotThoseAskedForAreNotFound(t *testing.T) {
	for name, mistake := range map[string]userinfo.User{
		"empty": {}, "without an ID": {Name: "Ada"}, "in capitals": {ID: "USER_ADA"}, "another user": {ID: "user_grace"},
	} {
		t.Run(name, func(t *testing.T) {
			wrong := false
			var h *host
			h = newHost(t, func(c *provider.Config) {
				c.Users = func(ctx context.Context, id string) (userinfo.User, error) {
					if wrong {
						return mistake, nil
					}
					return h.user(ctx, id)
				}
			})
			app := h.application(provider.ApplicationSettings{})
			token := app.tokens("user_ada")
			settings := provider.TokenSettings{UserID: "user_ada", ApplicationID: app.ID}
			wrong = true
			said := func() {
				t.Helper()
				text := h.log.String()[h.read:]
				h.read += len(text)
				require.Contains(t, text, `level=ERROR msg="latchkey: a mistake in the host"`)
				require.Contains(t, text, "Config.Users returned no error")
			}
			b := h.browser()
			b.signIn("user_ada")
			b.get(app.request("prompt", "consent")).errorPage(t, http.StatusForbidden, "")
			said()
			app.refresh(token.RefreshToken).refused(t, 400, "invalid_grant")
			said()
			require.Equal(t, http.StatusUnauthorized, h.bearer("/oauth/userinfo", token.AccessToken).StatusCode)
			said()
			_, _, err := h.IssueToken(t.Context(), settings)
			require.ErrorIs(t, err, userinfo.ErrNotFound)
			require.ErrorContains(t, err, "Config.Users")
			said()
			// After the mistake is fixed, everything still works.
			wrong = false
			app.refresh(token.RefreshToken).tokens(t)
			_, _, err = h.IssueToken(t.Context(), settings)
			require.NoError(t, err)
			settings.UserID = "user_nobody"
			_, _, err = h.IssueToken(t.Context(), settings)
			require.ErrorIs(t, err, userinfo.ErrNotFound)
		})
	}
}

// If Users doesn't find the ID that CurrentUser returns, either can be the
// mistake.
func TestLogNamesTheCallbacksThatDisagree(t *testing.T) {
	for _, id := range []string{"0", "<nil>", "user unknown"} {
		h := newHost(t, func(c *provider.Config) {
			c.CurrentUser = func(*http.Request) (provider.Session, error) { return provider.Session{UserID: id}, nil }
		})
		h.browser().get(h.application(provider.ApplicationSettings{}).request()).errorPage(t, http.StatusForbidden, "")
		line := h.logged()
		require.Contains(t, line, "Config.CurrentUser")
		require.Contains(t, line, "Config.Users")
		require.Contains(t, line, fmt.Sprintf(`\"%s\"`, id))
		require.Contains(t, line, "CurrentUser must return an empty UserID")
	}
}

// For a database's error about missing rows, the log says what to return
// instead. For other errors it doesn't.
func TestLogSaysWhatToReturnForNoRows(t *testing.T) {
	for _, tt := range []struct {
		err  error
		hint bool
	}{
		{sql.ErrNoRows, true},
		{fmt.Errorf("find user: %w", sql.ErrNoRows), true},
		{errors.New("record not found"), true},
		{errors.New("mongo: no documents in result"), true},
		{errors.New("connection refused"), false},
	} {
		h := newHost(t)
		app := h.application(provider.ApplicationSettings{})
		b := h.browser()
		b.signIn("user_ada")
		h.down = tt.err
		b.get(app.request()).errorPage(t, http.StatusServiceUnavailable, "")
		line := h.logged()
		require.Contains(t, line, "level=ERROR")
		require.Contains(t, line, "Config.Users: "+tt.err.Error())
		if tt.hint {
			require.Contains(t, line, "return userinfo.ErrNotFound instead")
		} else {
			require.NotContains(t, line, "ErrNotFound")
		}
	}
}

// Metadata that can't be encoded as JSON is a failure, and the log says so.
func TestLogSaysThatMetadataIsNotJSON(t *testing.T) {
	h := newHost(t)
	app := h.application(provider.ApplicationSettings{Scopes: scopes.New("public_metadata")})
	token := app.tokens("user_ada")
	h.mu.Lock()
	ada := h.users["user_ada"]
	ada.PublicMetadata = map[string]any{"plan": func() {}}
	h.users["user_ada"] = ada
	h.mu.Unlock()
	h.read = len(h.log.String())
	h.bearer("/oauth/userinfo", token.AccessToken).refused(t, http.StatusInternalServerError, "server_error")
	require.Contains(t, h.logged(), "a user whose metadata can't be encoded as JSON")
}

// Middleware that reads the body and drops it is a mistake of the host, which
// no client can fix. Middleware that parses the form is fine.
func TestLogSaysThatTheBodyWasReadBefore(t *testing.T) {
	h := newHost(t, func(c *provider.Config) { c.Registration = &provider.Registration{} })
	app := h.application(provider.ApplicationSettings{})
	token := app.tokens("user_ada").RefreshToken
	inner := h.server.Config.Handler
	var before func(r *http.Request)
	h.server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		before(r)
		inner.ServeHTTP(w, r)
	})
	drain := func(r *http.Request) { io.Copy(io.Discard, r.Body) }
	replace := func(r *http.Request) { r.Body = http.NoBody }
	for _, before = range []func(*http.Request){drain, replace} {
		for _, ask := range []func() *reply{
			func() *reply { return app.refresh(token) },
			func() *reply { return app.post("/oauth/token/revoke", "token", token) },
			func() *reply { return h.register(`{"redirect_uris":["https://x.example.com/"]}`) },
		} {
			ask().refused(t, http.StatusInternalServerError, "server_error")
			line := h.logged()
			require.Contains(t, line, "level=ERROR")
			require.Contains(t, line, "middleware of the host has read it before Latchkey")
		}
	}
	before = func(r *http.Request) { require.NoError(t, r.ParseForm()) }
	app.refresh(token).tokens(t)
	before = func(*http.Request) {}
	h.send("POST", "/oauth/token", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, "").refused(t, 401, "invalid_client")
}

// Visitors who use another host name than Issuer's have no session on the pages
// where applications send them. The log says so once. It ignores the name by
// which a proxy calls the app.
func TestLogWarnsOfAnotherHostOnce(t *testing.T) {
	for _, tt := range []struct {
		issuer, host string // empty: the server's own
		warns        bool
	}{
		{"", "", false},
		{"", "app.example.com", true},
		{"http://localhost:8080", "127.0.0.1:8080", true},
		{"https://app.example.com", "www.example.com", true},
		{"https://app.example.com", "app.example.com:8443", true},
		{"https://app.example.com", "APP.example.com:443", false},
		{"https://app.example.com", "127.0.0.1:8080", false},
		{"https://app.example.com", "backend:8080", false},
	} {
		h := newHost(t, func(c *provider.Config) {
			if tt.issuer != "" {
				c.Issuer = tt.issuer
			}
		})
		app := h.application(provider.ApplicationSettings{})
		for _, path := range []string{"/oauth/authorize?client_id=" + app.ClientID, "/oauth/connections", "/oauth/authorize?client_id=" + app.ClientID} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+path, nil)
			require.NoError(t, err)
			if tt.host != "" {
				r.Host = tt.host
			}
			send(t, &http.Client{CheckRedirect: noRedirect}, r)
		}
		log := h.log.String()
		if !tt.warns {
			require.NotContains(t, log, "another host", "%v", tt)
			continue
		}
		require.Equal(t, 1, strings.Count(log, "level=WARN"), "%v: %s", tt, log)
		require.Contains(t, log, "Config.Issuer")
		require.Contains(t, log, "host="+tt.host, "%v", tt)
	}
}
