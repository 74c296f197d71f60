// Openid runs Acme Notes as an OpenID Provider, and Wiki, an app whose users sign
// in with Acme Notes.
//
//	go run ./examples/openid
//
// To try your own OpenID Connect client, pass its redirect URI. Then configure it
// with the issuer, client ID, and secret that the program prints:
//
//	go run ./examples/openid -redirect-uri http://127.0.0.1:4180/oauth2/callback
//
// The provider.Config is in host.go. Wiki, in wiki.go, uses
// github.com/coreos/go-oidc and works with any OpenID Provider.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
)

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	e.About = "Openid runs Acme Notes, an OpenID Provider, and Wiki, an app that signs users in with it."
	acmeAddr := e.Addr("addr", "localhost:8080", "Acme Notes, the provider")
	wikiAddr := e.Addr("wiki-addr", "127.0.0.1:8081", "Wiki, the client")
	redirectURI := e.Flags.String("redirect-uri", "", "a redirect `URI` of another OpenID Connect client that you want to try")
	if err := e.Listen(); err != nil {
		return err
	}
	issuer, wikiURL := acmeAddr.URL(), wikiAddr.URL()
	host, err := newHost(ctx, issuer)
	if err != nil {
		return err
	}
	client, err := registerWiki(ctx, host.Provider, wikiURL, *redirectURI)
	if err != nil {
		return err
	}
	e.Go(host.Provider.Run) // It also rotates the keys.
	e.Serve(acmeAddr, hostHandler(host))
	e.Serve(wikiAddr, newWiki(issuer, wikiURL, client))
	e.Printf(`Open %s and sign in with Acme Notes, the provider, which is at %s
The users are ada and grace; the password of both is: %s
To try another client (see -redirect-uri), give it these:

  issuer         %s
  client ID      %s
  client secret  %s

`, wikiURL, issuer, acme.Password, issuer, client.id, client.secret)
	return e.Wait()
}
