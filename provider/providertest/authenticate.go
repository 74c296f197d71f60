package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Authenticate sets the Authorization header of r to an access token, and
// returns r. The token is for the user and has exactly the given scopes;
// without any, it only identifies the user.
//
// p is the provider of the app under test. It issues the token to an
// application that is deleted when the test ends. Config.Users must find the
// user, and Config.Scopes must have the scopes; otherwise the test fails.
func Authenticate(t testing.TB, p *provider.Provider, r *http.Request, userID string, scope ...string) *http.Request {
	t.Helper()
	return AuthenticateFor(t, p, "", r, userID, scope...)
}

// AuthenticateFor is like [Authenticate], with a token for the entry of
// Config.Resources with the given URL.
func AuthenticateFor(t testing.TB, p *provider.Provider, resource string, r *http.Request, userID string, scope ...string) *http.Request {
	t.Helper()
	access, err := issue(t, p, resource, userID, scope)
	if err != nil {
		t.Fatalf("providertest: Authenticate: %v", err)
	}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	r.Header.Set("Authorization", "Bearer "+access.Reveal())
	return r
}

func issue(t testing.TB, p *provider.Provider, resource, userID string, scope []string) (provider.Secret, error) {
	if userID == "" {
		return provider.Secret{}, errors.New("the user ID is empty: pass that of a user whom Config.Users finds; " +
			"for a request without a user, leave Authenticate out")
	}
	app, err := newApplication(t, p, nil, scope)
	if err != nil {
		return provider.Secret{}, err
	}
	_, access, err := p.IssueToken(t.Context(), provider.TokenSettings{UserID: userID, ApplicationID: app.ID, Scopes: app.Scopes, Resource: resource})
	if errors.Is(err, userinfo.ErrNotFound) {
		err = fmt.Errorf("the user %q is unknown to Config.Users: add the user to the app under test first, or pass the ID of an existing one: %w", userID, err)
	}
	return access, err
}

// newApplication creates an application with exactly the given scopes, so that
// tokens need not name theirs, and so that no two tests share one. It is
// deleted when the test ends, with all its tokens.
func newApplication(t testing.TB, p *provider.Provider, redirectURIs, scope []string) (provider.Application, error) {
	ctx := t.Context()
	asked, err := scopes.Parse(strings.Join(scope, " "))
	if err != nil {
		return provider.Application{}, fmt.Errorf("the scopes are malformed: %w", err)
	}
	app, _, err := p.CreateApplication(ctx, provider.ApplicationSettings{
		Name:         "providertest",
		Public:       true, // It needs no secret.
		RedirectURIs: redirectURIs,
		Scopes:       append(scopes.Set{}, asked...), // Nil would mean the default.
	})
	if err != nil {
		return app, fmt.Errorf("the application could not be created: %w", err)
	}
	t.Cleanup(func() {
		// The test's context has ended by now.
		if err := p.DeleteApplication(context.WithoutCancel(ctx), app.ID); err != nil {
			t.Logf("providertest: the application %s is left over: %v", app.ID, err)
		}
	})
	return app, nil
}
