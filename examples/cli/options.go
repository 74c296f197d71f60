package main

import (
	"strings"
	"time"

	"github.com/latchkey-go/latchkey/examples/internal/run"
)

// options are the command line.
type options struct {
	issuer, clientID string
	scopes           []string
	tokenFile        string // The default is a file in the user's configuration directory.
	timeout          time.Duration
	noBrowser        bool
	device           bool
	logout           bool

	demo bool
	addr *run.Addr // of the demo's provider
}

func parseOptions(e *run.Example) (options, error) {
	e.About = "Cli signs you in to an OAuth 2.0 provider with a browser, on this machine or on another device, and prints who you are. Try it with -demo."
	var o options
	e.Flags.StringVar(&o.issuer, "issuer", "", "the provider's `URL`, such as http://127.0.0.1:8080")
	e.Flags.StringVar(&o.clientID, "client-id", "", "the client `ID` of this program at the provider")
	scope := e.Flags.String("scope", "profile email", "the scopes to request, separated by spaces")
	e.Flags.StringVar(&o.tokenFile, "token-file", "", "the `file` that keeps the sign-in (default: one for each provider, in your configuration directory)")
	e.Flags.DurationVar(&o.timeout, "timeout", 5*time.Minute, "how long to wait for you to sign in")
	e.Flags.BoolVar(&o.noBrowser, "no-browser", false, "only print the address to open")
	e.Flags.BoolVar(&o.device, "device", false, "sign in with a code and a browser on another device, such as your phone")
	e.Flags.BoolVar(&o.logout, "logout", false, "sign out, here and at the provider")
	e.Flags.BoolVar(&o.demo, "demo", false, "also run a provider, and sign in to it")
	o.addr = e.Addr("addr", "127.0.0.1:8080", "the provider with -demo")
	err := e.Parse()
	o.scopes = strings.Fields(*scope)
	switch {
	case err != nil:
		return o, err
	case o.demo && (o.issuer != "" || o.clientID != "" || o.logout):
		return o, run.Usage("-demo runs its own provider: leave out -issuer, -client-id, and -logout")
	case o.demo:
		return o, nil // The demo sets the issuer and the client ID.
	case o.issuer == "" || o.clientID == "":
		return o, run.Usage("choose a provider with -issuer and -client-id, or try -demo (-h lists the flags)")
	}
	if err := checkURL("-issuer", o.issuer); err != nil {
		return o, run.Usage("%w", err)
	}
	return o, nil
}
