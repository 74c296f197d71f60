// Package measure measures what the stacks of package benchtest cost, each as a
// multiple of the limit in the same run, and prints a table of it.
//
// Each stack runs in a separate process, so that the costs of the client and
// the memory of other stacks don't count. The rounds of all stacks take turns,
// and each figure is the median.
package measure

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// A Maker makes a stack. Its name has no comma.
type Maker struct {
	Name string
	Make func() (*benchtest.Stack, error)
}

// The stacks that need no other modules. All are measured next to the limit.
var (
	Limit    = Maker{"limit", func() (*benchtest.Stack, error) { return benchtest.NewLimit(), nil }}
	Latchkey = Maker{"latchkey", benchtest.NewMemory}
)

// Main is the main function of a program that measures these stacks. The
// program starts itself again for each of them.
func Main(makers ...Maker) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, makers, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "ratios:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, makers []Maker, args []string, out io.Writer) error {
	var all []string
	for _, m := range makers {
		all = append(all, m.Name)
	}
	flags := flag.NewFlagSet("ratios", flag.ContinueOnError)
	names := flags.String("stacks", strings.Join(all, ","), "what to measure")
	requests := flags.Int("requests", 16_000, "of each kind in a round; over loopback, each client refreshes its grant requests/clients times")
	rounds := flags.Int("rounds", 5, "how often")
	clients := flags.Int("clients", 8, "connections at once")
	process := flags.Bool("process", false, "inside the handler, one request at a time, with httptest and without a network")
	role := flags.String("role", "", "for the processes that this one starts: serve or process, for the first of the stacks")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *requests < 1 || *rounds < 1 || *clients < 1 {
		return fmt.Errorf("requests, rounds, and clients must be at least 1")
	}
	order := strings.Split(*names, ",")
	for _, name := range order {
		if !slices.Contains(all, name) {
			return fmt.Errorf("there is no stack %q: there are %s", name, strings.Join(all, ", "))
		}
	}
	if *role != "" {
		stack, err := makers[slices.Index(all, order[0])].Make()
		if err != nil {
			return err
		}
		if *role == "serve" {
			return serve(ctx, stack, out)
		}
		costs, err := inProcess(stack, *requests)
		if err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(costs)
	}

	results := map[string]*result{}
	for range *rounds {
		for _, name := range order {
			var costs map[string]float64
			var err error
			if *process {
				costs, err = processRound(ctx, name, *requests)
			} else {
				costs, err = loopbackRound(ctx, name, *requests, *clients)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if results[name] == nil {
				results[name] = &result{rounds: map[string][]float64{}}
			}
			results[name].add(costs)
		}
	}
	title := "CPU µs of the server per request, × the limit"
	if *process {
		title = "CPU µs in the handler and httptest per request, × the limit"
	}
	return table(out, title, order, results)
}

// self returns a command that runs this program again, as the process of one
// stack.
func self(ctx context.Context, role, name string, more ...string) (*exec.Cmd, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, program, append([]string{"-role", role, "-stacks", name}, more...)...)
	c.Stderr = os.Stderr
	return c, nil
}

// kinds are the columns of the table. A flow is the first three.
var kinds = []string{"authorize", "token", "userinfo", "flow", "token PKCE", "refresh", "Require", "introspect"}

// A result is the CPU time per request in microseconds, of each round.
type result struct{ rounds map[string][]float64 }

func (r *result) add(costs map[string]float64) {
	for kind, micros := range costs {
		r.rounds[kind] = append(r.rounds[kind], micros)
	}
	r.rounds["flow"] = append(r.rounds["flow"], costs["authorize"]+costs["token"]+costs["userinfo"])
}

// median returns 0 for a kind that the stack doesn't have.
func (r *result) median(kind string) float64 {
	all := slices.Sorted(slices.Values(r.rounds[kind]))
	if len(all) == 0 {
		return 0
	}
	return all[len(all)/2]
}

// table prints the medians, each as a multiple of the limit's.
func table(out io.Writer, title string, order []string, results map[string]*result) error {
	fmt.Fprintf(out, "| %s | %s |\n|---|%s\n", title, strings.Join(kinds, " | "), strings.Repeat("---|", len(kinds)))
	limit := results[Limit.Name]
	for _, name := range order {
		fmt.Fprintf(out, "| %s |", name)
		for _, k := range kinds {
			cost := results[name].median(k)
			switch {
			case cost == 0:
				fmt.Fprint(out, " |")
			case limit == nil:
				fmt.Fprintf(out, " %.1f |", cost)
			default:
				fmt.Fprintf(out, " %.1f = %.2f × |", cost, cost/limit.median(k))
			}
		}
		fmt.Fprintln(out)
	}
	_, err := fmt.Fprintln(out)
	return err
}
