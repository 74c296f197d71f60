// Doctor looks at a deployment of a provider from outside, and says what is wrong
// with it and what to change.
//
//	go run github.com/latchkey-go/latchkey/provider/doctor https://app.example.com [client_id]
//
// The URL is the issuer, as applications are given it. With the client_id of an
// application it also says whether that one can sign in.
//
// The first line names the cause, with its code; what follows from a cause comes
// after it, or not at all. docs/reference/doctor.md has every code. It needs no secret, changes
// nothing, and sends nothing that the provider would not refuse.
//
// The exit status is 0 if nothing was found, 1 if something was, and 2 if the
// arguments are wrong.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/latchkey-go/latchkey/provider/internal/diagnose"
)

const usage = `Usage: doctor [-json] https://app.example.com [client_id]

Doctor looks at a deployment from outside, and says what is wrong and what to change.
The URL is Config.Issuer. With a client_id it also sees whether that application can sign in.

  -json  print a list of findings as JSON
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	status := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(status)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("doctor", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	asJSON := flags.Bool("json", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "%s", usage)
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "doctor: %v (-h shows how to call it)\n", err)
		return 2
	}
	if n := flags.NArg(); n != 1 && n != 2 {
		fmt.Fprintf(stderr, "doctor: give the issuer, such as https://app.example.com, and perhaps a client_id (-h shows how to call it)\n")
		return 2
	}
	found, err := diagnose.Run(ctx, diagnose.Options{Issuer: flags.Arg(0), ClientID: flags.Arg(1)})
	switch {
	case errors.Is(err, diagnose.ErrUsage):
		fmt.Fprintf(stderr, "doctor: %v\n", err)
		return 2
	case err != nil:
		fmt.Fprintf(stderr, "doctor: stopped: %v\n", err)
		return 1
	}
	if *asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(append([]diagnose.Finding{}, found...)); err != nil {
			fmt.Fprintf(stderr, "doctor: %v\n", err)
			return 1
		}
	} else {
		write(stdout, found)
	}
	if len(found) > 0 {
		return 1
	}
	return 0
}

func write(w io.Writer, found []diagnose.Finding) {
	if len(found) == 0 {
		fmt.Fprintf(w, "nothing found\n")
	}
	for i, f := range found {
		if i > 0 {
			fmt.Fprintf(w, "\n")
		}
		fmt.Fprintf(w, "%s\n", f)
	}
}
