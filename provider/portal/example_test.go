package portal_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/portal"
	"github.com/latchkey-go/latchkey/scopes"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Let users with a role administrate applications.
func ExampleAdmin() {
	p, mux := exampleProvider(), http.NewServeMux()
	p.Mount(mux)
	mux.Handle("/admin/oauth/", portal.Admin(p, portal.AdminOptions{Allow: func(r *http.Request) (actor string, err error) {
		switch user := signedIn(r); user {
		case "":
			return "", portal.ErrSignIn // The visitor is sent to sign in.
		case "user_root":
			return user, nil
		default:
			return "", errors.New("no administrator")
		}
	}}))
	for _, user := range []string{"user_root", "user_ada", ""} {
		r, w := httptest.NewRequest("GET", "/admin/oauth/", nil), httptest.NewRecorder()
		r.Header.Set("Test-User", user)
		mux.ServeHTTP(w, r)
		fmt.Println(user, w.Code)
	}
	// Output:
	// user_root 200
	// user_ada 403
	//  303
}

// Let every user register applications and make tokens, with the scopes that
// the host chooses for each.
func ExampleDevelopers() {
	p, mux := exampleProvider(), http.NewServeMux()
	p.Mount(mux)
	mux.Handle("/developers/", portal.Developers(p, portal.DeveloperOptions{
		Scopes:      scopes.New("profile"),
		TokenScopes: scopes.New("profile", "email"),
	}))
	r, w := httptest.NewRequest("GET", "/developers/", nil), httptest.NewRecorder()
	r.Header.Set("Test-User", "user_ada")
	mux.ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 200
}

// signedIn stands for the host's session.
func signedIn(r *http.Request) string { return r.Header.Get("Test-User") }

func exampleProvider() *provider.Provider {
	p, err := provider.New(provider.Config{
		Issuer: "http://localhost:8080",
		Store:  memory.New(),
		CurrentUser: func(r *http.Request) (provider.Session, error) {
			return provider.Session{UserID: signedIn(r)}, nil
		},
		SignIn: provider.RedirectTo("/login", "next"),
		Users:  func(_ context.Context, id string) (userinfo.User, error) { return userinfo.User{ID: id}, nil },
	})
	if err != nil {
		panic(err)
	}
	return p
}
