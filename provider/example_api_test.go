package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"github.com/latchkey-go/latchkey/provider"
)

// Verify a token that doesn't arrive in an HTTP request, such as one in the
// first message of a WebSocket.
func ExampleProvider_Verify() {
	p, ctx := exampleProvider(), context.Background()
	token, err := p.Verify(ctx, "oat_made_up", "profile")
	switch {
	case errors.Is(err, provider.ErrInvalidToken):
		fmt.Println("sign in again")
	case errors.Is(err, provider.ErrInsufficientScope):
		fmt.Println("ask for more")
	case err != nil:
		fmt.Println("try again later") // The store did not answer.
	default:
		fmt.Println("hello", token.UserID)
	}
	// Output: sign in again
}

// introspected is the part of the answer of RFC 7662 that a service needs.
type introspected struct {
	Active   bool
	Scope    string
	Subject  string `json:"sub"`
	Audience string `json:"aud"`
}

// introspect is what another service does that has no access to the store.
func introspect(ctx context.Context, issuer, key, token string) (answer introspected, err error) {
	form := url.Values{"token": {token}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, issuer+"/oauth/token_info", strings.NewReader(form.Encode()))
	if err != nil {
		return answer, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", "Bearer "+key)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return answer, fmt.Errorf("introspection: %s", response.Status)
	}
	return answer, json.NewDecoder(response.Body).Decode(&answer)
}

// Let another service introspect tokens, with a separate key.
func ExampleBearerKey() {
	cfg := goodConfig()
	cfg.Introspection = provider.BearerKey("a long random key of the billing service")
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	p.Mount(mux)
	server := httptest.NewServer(mux)
	defer server.Close()

	answer, err := introspect(context.Background(), server.URL, "a long random key of the billing service", "oat_made_up")
	fmt.Println(answer.Active, err)
	_, err = introspect(context.Background(), server.URL, "a guess", "oat_made_up")
	fmt.Println(err)
	// Output:
	// false <nil>
	// introspection: 401 Unauthorized
}
