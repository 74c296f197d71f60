package clerkapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"context"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/provider/clerkapi"
	"github.com/latchkey-go/latchkey/store/memory"
	"github.com/latchkey-go/latchkey/userinfo"
)

// Accept both keys while you rotate one.
func ExampleHandler() {
	key, oldKey := "8f1d0c2ab94e4f0a9c5d7b3e61f2a8c4", "2a7c9e1f5b3d48608d1e6c0f9b7a5432" // from the host's secrets, never from its source

	p, mux := exampleProvider(), http.NewServeMux()
	api := clerkapi.Handler(p, provider.BearerKey(key, oldKey), clerkapi.Options{})
	for _, method := range []string{"GET", "POST", "PATCH", "PUT", "DELETE"} {
		mux.Handle(method+" /v1/", api)
	}
	for _, presented := range []string{key, oldKey, "guessed"} {
		r, w := httptest.NewRequest("GET", "/v1/oauth_applications", nil), httptest.NewRecorder()
		r.Header.Set("Authorization", "Bearer "+presented)
		mux.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}
	// Output:
	// 200
	// 200
	// 401
}

func exampleProvider() *provider.Provider {
	p, err := provider.New(provider.Config{
		Issuer:      "https://app.example.com",
		Store:       memory.New(),
		CurrentUser: func(*http.Request) (provider.Session, error) { return provider.Session{}, nil },
		SignIn:      provider.RedirectTo("/login", "next"),
		Users:       func(context.Context, string) (userinfo.User, error) { return userinfo.User{}, userinfo.ErrNotFound },
	})
	if err != nil {
		panic(err)
	}
	return p
}
