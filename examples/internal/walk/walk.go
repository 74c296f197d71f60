// Package walk signs in to Wiki with Acme, the way a browser does, and prints each
// step.
package walk

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/browser"
)

// step is one thing that the browser does, and what must result.
type step struct {
	says string
	act  action
	want expectation
}

type (
	action      func(ctx context.Context, b *browser.Browser, at *browser.Page) (*browser.Page, error)
	expectation func(*browser.Page) error
)

// Walk signs ada in to Wiki. An error names the step that failed and what it
// expected.
func Walk(ctx context.Context, out io.Writer, wikiURL, issuer string) error {
	return walk(ctx, out, []step{
		{
			"Ada opens Wiki, which doesn't know her.",
			open(wikiURL + "/"), shows("Sign in with Acme"),
		}, {
			`She presses "Sign in with Acme". Wiki stores a state and a PKCE verifier in her session and sends her to Acme's authorization endpoint.`,
			press("Sign in with Acme", nil), leadsTo(issuer + "/oauth/authorize"),
		}, {
			"Acme knows Wiki and its redirect URI, but Ada isn't signed in. Acme sends her to its sign-in page.",
			follow, leadsTo(issuer + "/login"),
		}, {
			"The sign-in page asks for her password. Wiki never sees it.",
			follow, shows("Sign in to Acme Notes"),
		}, {
			"She signs in. Acme starts a session and sends her back to the authorization endpoint.",
			press("Sign in", map[string]string{"login": "ada", "password": acme.Password}), leadsTo(issuer + "/oauth/authorize"),
		}, {
			"Now the authorization endpoint knows her, and asks her to consent to the scopes that Wiki requests.",
			follow, shows("Wiki wants access to your Acme Notes account", "Ada Lovelace", "Read your notes", "Allow"),
		}, {
			"She allows it. Acme sends her to Wiki's redirect URI with a code, Wiki's state, and Acme's issuer.",
			press("Allow", nil), leadsTo(wikiURL + "/callback"),
		}, {
			"Wiki checks the state and the issuer. Its server exchanges the code and the verifier for tokens.",
			follow, leadsTo(wikiURL + "/"),
		}, {
			"With the access token, Wiki gets her account and her notes from Acme, and welcomes her.",
			follow, shows("Welcome, Ada Lovelace", "ada@acme.example", "Engines", "Flying machine"),
		}, {
			"She looks at the whole userinfo document.",
			open(wikiURL + "/userinfo"), shows(`"object":"oauth_user_info"`, `"email":"ada@acme.example"`),
		},
	})
}

func walk(ctx context.Context, out io.Writer, steps []step) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	b := browser.New(Trace("browser", out))
	var at *browser.Page
	for i, s := range steps {
		fmt.Fprintf(out, "%d. %s\n", i+1, s.says)
		next, err := s.act(ctx, b, at)
		if err == nil {
			err = s.want(next)
		}
		if err != nil {
			return fmt.Errorf("step %d failed (%s): %w", i+1, s.says, err)
		}
		at = next
		fmt.Fprintln(out)
	}
	var document bytes.Buffer
	if err := json.Indent(&document, at.Body, "", "  "); err != nil {
		return fmt.Errorf("the userinfo document isn't JSON: %w", err)
	}
	fmt.Fprintln(out, strings.TrimSpace(document.String()))
	return nil
}

func open(address string) action {
	return func(ctx context.Context, b *browser.Browser, _ *browser.Page) (*browser.Page, error) {
		return b.Open(ctx, address)
	}
}

func follow(ctx context.Context, b *browser.Browser, at *browser.Page) (*browser.Page, error) {
	return b.Follow(ctx, at)
}

func press(button string, typed map[string]string) action {
	return func(ctx context.Context, b *browser.Browser, at *browser.Page) (*browser.Page, error) {
		return b.Press(ctx, at, button, typed)
	}
}

// leadsTo expects a redirect to an address, with any query.
func leadsTo(address string) expectation {
	return func(p *browser.Page) error {
		if to, _, _ := strings.Cut(p.Leads(), "?"); to != address {
			return fmt.Errorf("expected a redirect to %s, got %s", address, p.Describe())
		}
		return nil
	}
}

// shows expects a page with the given texts.
func shows(texts ...string) expectation {
	return func(p *browser.Page) error {
		for _, text := range texts {
			if p.Status != http.StatusOK || !strings.Contains(p.Text(), text) {
				return fmt.Errorf("expected a page with %q, got %s", text, p.Describe())
			}
		}
		return nil
	}
}
