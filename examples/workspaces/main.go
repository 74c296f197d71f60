// Workspaces runs Acme Notes, whose users belong to teams, and Wiki, an app that
// reads the notes of one team.
//
//	go run ./examples/workspaces
//
// Sign in as ada and choose a team on Acme's consent page. Wiki can read the
// notes of that team and of no other. Then leave the team at Acme, and Acme
// rejects Wiki's requests.
//
// The provider.Config and the API are in host.go. Wiki is in wiki.go.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
)

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	e.About = "Workspaces runs Acme Notes, a provider whose users belong to teams, and Wiki, an app that reads the notes of one team."
	acmeAddr := e.Addr("addr", "localhost:8080", "Acme Notes, the provider")
	wikiAddr := e.Addr("wiki-addr", "127.0.0.1:8081", "Wiki, the client")
	if err := e.Listen(); err != nil {
		return err
	}
	issuer, wikiURL := acmeAddr.URL(), wikiAddr.URL()
	host, err := newHost(issuer)
	if err != nil {
		return err
	}
	client, err := registerWiki(ctx, host.acme.Provider, wikiURL)
	if err != nil {
		return err
	}
	e.Go(host.acme.Provider.Run)
	e.Serve(acmeAddr, host.handler())
	e.Serve(wikiAddr, newWiki(issuer, wikiURL, client))
	e.Printf(`Open %s and let Wiki read the notes of a team of Acme Notes, which is at %s
The users are ada and grace; the password of both is: %s
To leave a team, open %s/teams. The log then shows that Acme rejects Wiki's requests.
`, wikiURL, issuer, acme.Password, issuer)
	return e.Wait()
}
