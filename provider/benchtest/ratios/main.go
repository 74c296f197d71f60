// Command ratios prints what a server with the provider costs: its CPU time for
// each request over loopback HTTP, as a multiple of what the limit takes in the
// same run (see package benchtest). Other providers stand beside it.
//
//	go run ./provider/benchtest/ratios
//	go run ./provider/benchtest/ratios -requests 20000 -rounds 5 -stacks limit,latchkey
//
// Each stack is a process of its own, so that what the client costs is not
// counted. The rounds of all stacks take turns, and each figure is the median.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	serve := flags.String("serve", "", "be the server of this stack, for the process that measures")
	names := flags.String("stacks", strings.Join(stackNames(), ","), "what to measure")
	requests := flags.Int("requests", 10_000, "of each kind in a round")
	rounds := flags.Int("rounds", 5, "how often")
	clients := flags.Int("clients", 8, "connections at once")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *serve != "" {
		return serveStack(ctx, *serve, out)
	}
	if *requests < 1 || *rounds < 1 || *clients < 1 {
		return fmt.Errorf("requests, rounds and clients are at least 1")
	}
	results := map[string]*result{}
	var order []string
	for name := range strings.SplitSeq(*names, ",") {
		if !slices.Contains(stackNames(), name) {
			return fmt.Errorf("there is no stack %q: there are %s", name, strings.Join(stackNames(), ", "))
		}
		results[name] = &result{}
		order = append(order, name)
	}
	for range *rounds {
		for _, name := range order {
			if err := results[name].round(ctx, name, *requests, *clients); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
		}
	}
	return table(out, order, results)
}

// table prints the medians, and beside them how many times the limit's.
func table(out io.Writer, order []string, results map[string]*result) error {
	fmt.Fprint(out, "| CPU µs per request, × the limit |")
	for _, k := range kinds {
		fmt.Fprintf(out, " %s |", k)
	}
	fmt.Fprint(out, "\n|---|"+strings.Repeat("---|", len(kinds))+"\n")
	limit := results["limit"]
	for _, name := range order {
		fmt.Fprintf(out, "| %s |", name)
		for _, k := range kinds {
			cost := results[name].median(k)
			if limit == nil || cost == 0 {
				fmt.Fprintf(out, " %.1f |", cost)
				continue
			}
			fmt.Fprintf(out, " %.1f = %.2f × |", cost, cost/limit.median(k))
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintln(out)
	return err
}
