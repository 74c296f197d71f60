// Cli is a command-line program that signs its user in with the system's browser
// (RFC 8252), or with a browser on another device (RFC 8628). It prints who is
// signed in, and remembers it. To try it with a provider that it runs itself:
//
//	go run ./examples/cli -demo
//	go run ./examples/cli -demo -device
//
// To use it with your provider, register a public application with the redirect
// URI http://127.0.0.1/callback, and pass its ID:
//
//	go run ./examples/cli -issuer http://127.0.0.1:8080 -client-id acme-cli
//	go run ./examples/cli -issuer http://127.0.0.1:8080 -client-id acme-cli -logout
//
// Copy client.go, loopback.go, device.go, and tokenfile.go. They use
// golang.org/x/oauth2 and work with any provider.
package main

import (
	"context"

	"github.com/latchkey-go/latchkey/examples/internal/acme"
	"github.com/latchkey-go/latchkey/examples/internal/run"
	"github.com/latchkey-go/latchkey/provider"
	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// newAcme returns the provider that -demo runs.
func newAcme(issuer string) (*acme.Host, error) {
	return acme.New(provider.Config{
		Issuer:              issuer,
		Store:               memory.New(),
		DeviceAuthorization: &provider.DeviceAuthorization{}, // for -device
	})
}

// register registers this program under a fixed client ID.
func register(ctx context.Context, p *provider.Provider, clientID string) error {
	_, err := p.ImportApplication(ctx, clientID, provider.ApplicationSettings{
		Name:         "Acme on the command line",
		Public:       true,                                  // A program on a user's machine can't keep a secret.
		RedirectURIs: []string{"http://127.0.0.1/callback"}, // Latchkey accepts any port here.
	}, store.SecretHash{})
	return err
}

func main() { run.Main(start) }

func start(ctx context.Context, e *run.Example) error {
	opts, err := parseOptions(e)
	switch {
	case err != nil:
		return err
	case opts.demo:
		return demo(ctx, e, opts)
	case opts.logout:
		return logout(ctx, opts, e.Stdout)
	}
	return whoami(ctx, opts, e.Stdout)
}
