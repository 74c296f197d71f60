package main

import (
	"flag"
	"fmt"
	"go/ast"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/latchkey-go/latchkey/provider"
)

var update = flag.Bool("update", false, "write the tables of docs/reference/events.md again")

// TestDocs checks that the tables of docs/reference/events.md match what the
// code says and does. To write them again, run
//
//	go test ./examples/observability -run TestDocs -update
func TestDocs(t *testing.T) {
	w := newWorld(t)
	w.everything()
	const name, mark = "../../docs/reference/events.md", "-update -->\n"
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	intro, written, found := strings.Cut(string(text), mark)
	require.True(t, found, "the page has no mark before its tables")
	tables := "\n## Events\n\n" + w.eventTable() +
		"\n## Fields of an event\n\n" + fieldTable(t) +
		"\n## Metrics\n\n" + w.metricTable() +
		"\n## Log lines\n\n" + messageTable(t) +
		"\n## Log attributes\n\n" + w.attributeTable()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(intro+mark+tables), 0o600))
		return
	}
	require.Equal(t, tables, written, "the tables are out of date: go test ./examples/observability -run TestDocs -update")
}

// Each alert has a row that says what to do.
func TestAlertsAreExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/howto/monitor.md")
	require.NoError(t, err)
	for _, a := range readAlerts(t) {
		require.Contains(t, string(page), "| `"+a.Alert+"` |")
	}
}

// eventTable lists the kinds that package provider declares, with the fields
// that were set in this run.
func (w *world) eventTable() string {
	fields := map[provider.EventKind]map[string]int{}
	times := map[provider.EventKind]int{}
	for _, e := range w.events {
		times[e.Kind]++
		if fields[e.Kind] == nil {
			fields[e.Kind] = map[string]int{}
		}
		value := reflect.ValueOf(e)
		for i := range value.NumField() {
			if !value.Field(i).IsZero() {
				fields[e.Kind][value.Type().Field(i).Name]++
			}
		}
	}
	table := "| kind | when | always set | sometimes set |\n| --- | --- | --- | --- |\n"
	for _, kind := range declaredKinds(w.t) {
		require.Positive(w.t, times[kind.value], "the tests bring about no event %s: add it to everything()", kind.value)
		var always, sometimes []string
		for _, f := range reflect.VisibleFields(reflect.TypeFor[provider.Event]()) {
			switch n := fields[kind.value][f.Name]; {
			case f.Name == "Kind" || f.Name == "At" || n == 0:
			case n == times[kind.value]:
				always = append(always, "`"+f.Name+"`")
			default:
				sometimes = append(sometimes, "`"+f.Name+"`")
			}
		}
		table += fmt.Sprintf("| `%s` | %s | %s | %s |\n", kind.value, kind.doc, strings.Join(always, ", "), strings.Join(sometimes, ", "))
	}
	return table
}

// docLink matches a link in a Go comment. Markdown would print its brackets.
var docLink = regexp.MustCompile(`\[([A-Za-z][\w.]*)\]`)

type declaredKind struct {
	value provider.EventKind
	doc   string
}

// declaredKinds reads the constants of type EventKind with their comments.
func declaredKinds(t *testing.T) []declaredKind {
	var kinds []declaredKind
	for _, file := range sources(t) {
		for node := range ast.Preorder(file) {
			spec, ok := node.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				continue
			}
			if of, ok := spec.Type.(*ast.Ident); !ok || of.Name != "EventKind" {
				continue
			}
			literal, ok := spec.Values[0].(*ast.BasicLit)
			require.True(t, ok, spec.Names[0].Name)
			doc := strings.Join(strings.Fields(spec.Doc.Text()), " ")
			doc, ok = strings.CutPrefix(doc, spec.Names[0].Name+" means that ")
			require.True(t, ok, "the comment of %s has to begin with its name and \"means that\"", spec.Names[0].Name)
			doc = docLink.ReplaceAllString(doc, "`$1`")
			kinds = append(kinds, declaredKind{provider.EventKind(strings.Trim(literal.Value, `"`)), strings.ToUpper(doc[:1]) + doc[1:]})
		}
	}
	require.NotEmpty(t, kinds)
	return kinds
}

// metricTable lists each metric under both names. Equal descriptions pair them.
func (w *world) metricTable() string {
	type row struct{ prometheus, labels, otel, attributes string }
	rows := map[string]*row{} // by description
	var order []string
	types := map[string]string{}
	for _, line := range strings.Split(get(w.t, w.metrics), "\n") {
		parts := strings.SplitN(line, " ", 4)
		switch {
		case len(parts) == 4 && parts[1] == "HELP":
			rows[parts[3]] = &row{prometheus: parts[2]}
			order = append(order, parts[3])
		case len(parts) == 4 && parts[1] == "TYPE":
			types[parts[2]] = parts[3]
		}
	}
	exported := newExported(scrape(w.t, w.metrics))
	for _, r := range rows {
		all := exported[r.prometheus]
		if types[r.prometheus] == "histogram" {
			all = exported[r.prometheus+"_count"]
		}
		var names []string
		for _, label := range slices.Sorted(maps.Keys(all)) {
			if label != "job" && label != "instance" {
				names = append(names, "`"+label+"`")
			}
		}
		r.labels = strings.Join(names, ", ")
	}
	metrics := w.read()
	require.Len(w.t, metrics, len(rows))
	for _, m := range metrics {
		r := rows[m.Description]
		require.NotNil(w.t, r, "%s has another description than any metric of Prometheus's", m.Name)
		r.otel = fmt.Sprintf("`%s` (%s)", m.Name, m.Unit)
		names := map[string]bool{}
		add := func(set attribute.Set) {
			for _, a := range set.ToSlice() {
				names["`"+string(a.Key)+"`"] = true
			}
		}
		switch data := m.Data.(type) {
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				add(p.Attributes)
			}
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				add(p.Attributes)
			}
		}
		r.attributes = strings.Join(slices.Sorted(maps.Keys(names)), ", ")
	}
	table := "| Prometheus | labels | OpenTelemetry | attributes | what |\n| --- | --- | --- | --- | --- |\n"
	for _, description := range order {
		r := rows[description]
		table += fmt.Sprintf("| `%s` | %s | %s | %s | %s |\n", r.prometheus, r.labels, r.otel, r.attributes, description)
	}
	return table
}

// Both hooks count every kind of event.
func TestEveryKindIsCounted(t *testing.T) {
	w := newWorld(t)
	for _, kind := range declaredKinds(t) {
		before, beforeOTel := scrape(t, w.metrics), w.collect()
		e := provider.Event{Kind: kind.value, Endpoint: "token", Outcome: "ok"}
		w.hooks.call(t.Context(), e)
		require.NotEqual(t, before, scrape(t, w.metrics), "%s is not counted by newPrometheus", kind.value)
		require.NotEqual(t, beforeOTel, w.collect(), "%s is not counted by newOTel", kind.value)
	}
}
