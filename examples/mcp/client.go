package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"runtime"
	"time"

	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/modelcontextprotocol/go-sdk/oauthex"
)

// demo is an MCP client that knows only the address of an MCP server. It calls
// the tools of Acme Notes.
func demo(ctx context.Context, address string, openBrowser bool, stdout io.Writer) error {
	// The redirect URI is a server on this machine (RFC 8252 section 7.3).
	back, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer back.Close()
	redirectURI := "http://" + back.Addr().String() + "/callback"
	answers := make(chan url.Values)
	callback := &http.Server{Handler: callbackHandler(answers), ReadHeaderTimeout: 5 * time.Second}
	go callback.Serve(back)
	defer callback.Close()

	printing := &http.Client{Transport: printer{stdout}}
	handler, err := auth.NewAuthorizationCodeHandler(&auth.AuthorizationCodeHandlerConfig{
		Client: printing,
		DynamicClientRegistrationConfig: &auth.DynamicClientRegistrationConfig{Metadata: &oauthex.ClientRegistrationMetadata{
			ClientName:              "Demo agent",
			RedirectURIs:            []string{redirectURI},
			TokenEndpointAuthMethod: "none", // A program on a user's machine can't keep a secret.
			GrantTypes:              []string{"authorization_code", "refresh_token"},
		}},
		RedirectURL: redirectURI,
		AuthorizationCodeFetcher: func(ctx context.Context, args *auth.AuthorizationArgs) (*auth.AuthorizationResult, error) {
			fmt.Fprintf(stdout, "\nSign in with your browser. If it doesn't open, go to this address:\n%s\n\n", args.URL)
			if openBrowser {
				if err := open(ctx, args.URL); err != nil {
					fmt.Fprintf(stdout, "The browser did not open: %v\n", err)
				}
			}
			return await(ctx, args.URL, answers)
		},
	})
	if err != nil {
		return err
	}
	client := mcp.NewClient(&mcp.Implementation{Name: "demo-agent", Version: "1.0.0"}, nil)
	session, err := client.Connect(ctx, &mcp.StreamableClientTransport{Endpoint: address, OAuthHandler: handler, HTTPClient: printing}, nil)
	if err != nil {
		return err
	}
	defer session.Close()
	note := map[string]any{"title": "From the agent", "text": "You allowed me to write this."}
	for _, call := range []*mcp.CallToolParams{
		{Name: "whoami"},
		{Name: "list_notes"},
		{Name: "add_note", Arguments: note}, // This needs another scope, so the browser opens again.
		{Name: "list_notes"},
	} {
		result, err := session.CallTool(ctx, call)
		if err != nil {
			return fmt.Errorf("calling %s: %w", call.Name, err)
		}
		content, err := json.Marshal(result.StructuredContent)
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: %s\n", call.Name, content)
	}
	return nil
}

// printer prints each response, and says which refusals are part of the flow.
type printer struct{ out io.Writer }

// RoundTrip implements http.RoundTripper.
func (p printer) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	why := ""
	switch {
	case answer.StatusCode == http.StatusForbidden:
		why = ", as expected: the token lacks the scope notes:write"
	case answer.StatusCode == http.StatusUnauthorized && r.Header.Get("Authorization") == "":
		why = ", as expected: the client has no token yet"
	}
	fmt.Fprintf(p.out, "  %s %s: %s%s\n", r.Method, r.URL.Path, answer.Status, why)
	return answer, nil
}

const callbackPage = `<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Sign-in</title>
<body style="max-width: 34rem; margin: 3rem auto; padding: 0 1rem; font: 1.1rem/1.5 system-ui, sans-serif">
<p>You can close this page and go back to the terminal.</p>`

// callbackHandler receives the redirect from the provider.
func callbackHandler(answers chan<- url.Values) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		select {
		case answers <- r.URL.Query():
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintln(w, callbackPage)
		case <-time.After(time.Second):
			http.Error(w, "No sign-in is in progress.", http.StatusBadRequest)
		}
	})
	return mux
}

// await returns the response to the authorization request at the address. Any
// page in the browser can call the redirect URI, so await ignores responses with
// another state.
func await(ctx context.Context, address string, answers <-chan url.Values) (*auth.AuthorizationResult, error) {
	request, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	for state := request.Query().Get("state"); ; {
		select {
		case answer := <-answers:
			if answer.Get("state") != state {
				continue
			}
			if answer.Has("error") {
				return nil, fmt.Errorf("the sign-in failed: %s", cmp.Or(answer.Get("error_description"), answer.Get("error")))
			}
			return &auth.AuthorizationResult{Code: answer.Get("code"), State: state, Iss: answer.Get("iss")}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// open opens an address in the user's browser.
func open(ctx context.Context, address string) error {
	opener := []string{"xdg-open"}
	switch runtime.GOOS {
	case "windows":
		opener = []string{"rundll32", "url.dll,FileProtocolHandler"}
	case "darwin":
		opener = []string{"open"}
	}
	ctx = context.WithoutCancel(ctx)                                               // The browser stays open when this program ends.
	command := exec.CommandContext(ctx, opener[0], append(opener[1:], address)...) //nolint:gosec // The address comes from the server that the user named, and goes through no shell.
	if err := command.Start(); err != nil {
		return err
	}
	go command.Wait()
	return nil
}
