package providertest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/providertest"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/store/storetest"
	"github.com/latchkey-go/latchkey/userinfo"
)

// recorder is a test that is expected to fail.
type recorder struct {
	testing.TB
	text string
	logs []string
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.text = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Logf(format string, args ...any) {
	r.logs = append(r.logs, fmt.Sprintf(format, args...))
}

// fatal runs f and returns the message with which it ended the test.
func fatal(t *testing.T, f func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	require.NotEmpty(t, r.text, "it should have ended the test")
	require.True(t, strings.HasPrefix(r.text, "providertest: "), r.text)
	return r.text
}

func bearer(r *http.Request) string {
	return strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
}

func TestAuthenticateIssuesARealToken(t *testing.T) {
	p := providertest.New(t, withNotes).Provider
	for _, scope := range [][]string{nil, {"profile"}, {"notes:read", "email"}, {"notes:read email"}} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Basic of before")
		require.Same(t, r, providertest.Authenticate(t, p, r, "user_grace", scope...))
		require.Len(t, r.Header.Values("Authorization"), 1)
		token, err := p.Verify(t.Context(), bearer(r))
		require.NoError(t, err)
		require.Equal(t, "user_grace", token.UserID)
		require.True(t, token.Scopes.Equal(scopes.New(strings.Fields(strings.Join(scope, " "))...)), "%v for %v", token.Scopes, scope)
	}
	r := providertest.Authenticate(t, p, &http.Request{}, "user_ada")
	require.NotEmpty(t, bearer(r), "also a request that has no header yet")
}

func TestAuthenticateLeavesNothingBehind(t *testing.T) {
	p := providertest.New(t).Provider
	var token string
	t.Run("a test", func(t *testing.T) {
		token = bearer(providertest.Authenticate(t, p, &http.Request{}, "user_ada", "profile"))
		_, err := p.Verify(t.Context(), token)
		require.NoError(t, err)
	})
	_, err := p.Verify(t.Context(), token)
	require.ErrorIs(t, err, provider.ErrInvalidToken)
	_, total, err := p.ListApplications(t.Context(), store.ApplicationQuery{Limit: 1})
	require.NoError(t, err)
	require.Zero(t, total)
}

func TestAuthenticateInParallel(t *testing.T) {
	p := providertest.New(t, withNotes).Provider
	all := []string{"profile", "email", "public_metadata", "notes:read"}
	for i := range 20 {
		user, scope := []string{"user_ada", "user_grace"}[i%2], all[:i%len(all)]
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			for range 10 {
				token, err := p.Verify(t.Context(), bearer(providertest.Authenticate(t, p, &http.Request{}, user, scope...)))
				require.NoError(t, err)
				require.Equal(t, user, token.UserID)
				require.Len(t, token.Scopes, len(scope))
			}
		})
	}
}

// broken makes a step of the store fail.
func broken(step, says string) func(*provider.Config) {
	return func(c *provider.Config) {
		kept := storetest.NewBreakable(c.Store)
		kept.Fail(errors.New(says), step)
		c.Store = kept
	}
}

func TestAuthenticateSaysWhatToDo(t *testing.T) {
	for _, tt := range []struct {
		name  string
		edit  func(*provider.Config)
		user  string
		scope []string
		says  []string
	}{
		{"an unknown user", nil, "user_nobody", nil,
			[]string{`the user "user_nobody" is unknown to Config.Users`, "add the user"}},
		{"no user", nil, "", nil, []string{"the user ID is empty", "leave Authenticate out"}},
		{"an unknown scope", nil, "user_ada", []string{"profile", "notes:raed"},
			[]string{`"notes:raed"`, "it offers profile email public_metadata private_metadata notes:read"}},
		{"a malformed scope", nil, "user_ada", []string{"profile", "no\ttab"}, []string{"scope", "character"}},
		{"users that cannot be asked", func(c *provider.Config) {
			c.Users = func(context.Context, string) (userinfo.User, error) {
				return userinfo.User{}, errors.New("the database is gone")
			}
		}, "user_ada", nil, []string{"Config.Users", "the database is gone"}},
		{"a store that takes no applications", broken("CreateApplication", "applications are read-only here"), "user_ada", nil, []string{"the application could not be created", "applications are read-only here"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := providertest.New(t, withNotes, func(c *provider.Config) {
				if tt.edit != nil {
					tt.edit(c)
				}
			})
			text := fatal(t, func(t testing.TB) {
				providertest.Authenticate(t, host.Provider, &http.Request{}, tt.user, tt.scope...)
			})
			require.True(t, strings.HasPrefix(text, "providertest: Authenticate: "), text)
			for _, part := range tt.says {
				require.Contains(t, text, part)
			}
		})
	}
}

// If a host closes its database before the test's cleanups run, the leftovers
// are only a log line.
func TestAuthenticateWhenTheStoreIsClosedAtTheEnd(t *testing.T) {
	var logs *recorder
	t.Run("a test", func(t *testing.T) {
		p := providertest.New(t, broken("DeleteApplication", "the database is closed")).Provider
		logs = &recorder{TB: t}
		providertest.Authenticate(logs, p, &http.Request{}, "user_ada")
	})
	require.Len(t, logs.logs, 1)
	require.Contains(t, logs.logs[0], "the database is closed")
}

func TestApplicationsAndGrantsMayBeApart(t *testing.T) {
	host := providertest.New(t, func(c *provider.Config) {
		c.Store = struct {
			store.Applications
			store.Documents
		}{memory.New(), memory.New()}
	})
	providertest.Authenticate(t, host.Provider, &http.Request{}, "user_ada")
	host.SignIn("user_ada")
	require.Equal(t, "email", providertest.Authorize(t, host.Provider, host.Client, "email").Scope)
}

// A host's tests link this package, which must not add to the host's go.mod.
func TestLinkedPackages(t *testing.T) {
	packages := func(of string) map[string]bool {
		out, err := exec.Command("go", "list", "-deps", of).Output()
		require.NoError(t, err)
		found := map[string]bool{}
		for _, dep := range strings.Fields(string(out)) {
			found[dep] = true
		}
		return found
	}
	the := packages("..")
	for dep := range packages(".") {
		first, _, _ := strings.Cut(dep, "/")
		if !strings.Contains(first, ".") || strings.HasPrefix(dep, "github.com/latchkey-go/latchkey/") {
			for _, driver := range []string{"sqlstore", "redisstore", "storetest"} {
				require.NotContains(t, dep, driver)
			}
			continue
		}
		require.True(t, the[dep], "providertest links %s, which provider does not", dep)
		require.NotContains(t, dep, "testify")
	}
}

func TestAuthenticateForAResource(t *testing.T) {
	const mcp = "https://app.example.com/mcp"
	p := providertest.New(t, withNotes, func(c *provider.Config) { c.Resources = []provider.Resource{{URL: mcp}} }).Provider
	r := providertest.AuthenticateFor(t, p, mcp, httptest.NewRequest("POST", "/mcp", nil), "user_ada", "notes:read")
	token, err := p.Resource(mcp).Verify(t.Context(), bearer(r), "notes:read")
	require.NoError(t, err)
	require.Equal(t, "user_ada", token.UserID)
	_, err = p.Verify(t.Context(), bearer(r))
	require.ErrorIs(t, err, provider.ErrInvalidToken, "it is for the resource only")

	says := fatal(t, func(t testing.TB) { providertest.AuthenticateFor(t, p, "https://elsewhere.example.com", r, "user_ada") })
	require.Contains(t, says, "is not in Config.Resources")
}
