// Doctor checks a deployment of a provider from outside, and says what is wrong
// and what to change.
//
//	go run github.com/latchkey-go/latchkey/provider/doctor https://app.example.com [client_id]
//
// The URL is the issuer that applications use. With the client_id of an
// application, it also checks whether that application can sign in.
//
// The first finding is the cause, with its code. Consequences of a cause come
// after it, or are left out. docs/reference/doctor.md lists all codes. Doctor
// needs no secret and changes nothing: it reads pages and documents, and
// otherwise sends requests that the provider refuses.
//
// The exit status is 0 if it found nothing, 1 if it found problems, and 2 if
// the arguments are wrong.
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
		fmt.Fprintf(stderr, "doctor: %v (-h shows the usage)\n", err)
		return 2
	}
	if n := flags.NArg(); n != 1 && n != 2 {
		fmt.Fprintf(stderr, "doctor: the issuer is missing: pass it, such as https://app.example.com, and optionally a client_id (-h shows the usage)\n")
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
