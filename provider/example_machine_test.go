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
	"github.com/latchkey-go/latchkey/scopes"
)

func reports(w http.ResponseWriter, r *http.Request) {
	token, _ := provider.TokenFromContext(r.Context())
	if token.Machine() {
		fmt.Fprintln(w, "all reports")
		return
	}
	fmt.Fprintln(w, "the reports of", token.UserID)
}

// Accept a token without a user where the guard allows machines.
func ExampleProvider_AllowMachines() {
	cfg := goodConfig()
	cfg.Scopes = []scopes.Scope{{Name: "reports:read", Title: "Read reports"}}
	cfg.Machines = &provider.Machines{}
	p, err := provider.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	nightly, secret, err := p.CreateApplication(context.Background(), provider.ApplicationSettings{
		Name: "Nightly reports", MachineScopes: scopes.New("reports:read"),
	})
	if err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	p.Mount(mux)
	mux.Handle("GET /api/reports", p.AllowMachines().Require("reports:read")(http.HandlerFunc(reports)))
	mux.Handle("GET /api/me", p.Require()(http.HandlerFunc(me)))
	server := httptest.NewServer(mux)
	defer server.Close()

	token, err := machineToken(server.URL+"/oauth/token", nightly.ClientID, secret.Reveal())
	if err != nil {
		log.Fatal(err)
	}
	for _, path := range []string{"/api/reports", "/api/me"} {
		r, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(path, response.StatusCode)
		response.Body.Close()
	}
	// Output:
	// /api/reports 200
	// /api/me 403
}

// machineToken is what golang.org/x/oauth2/clientcredentials does.
func machineToken(tokenURL, clientID, secret string) (string, error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {clientID}, "client_secret": {secret}}
	response, err := http.Post(tokenURL, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Token string `json:"access_token"`
		Error string `json:"error"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", err
	}
	if answer.Error != "" {
		return "", errors.New(answer.Error)
	}
	return answer.Token, nil
}
