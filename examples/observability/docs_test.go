package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
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

var update = flag.Bool("update", false, "write the tables of docs/howto/monitor.md anew")

const docs = "../../docs/howto/monitor.md"

// TestDocs checks that the tables of docs/howto/monitor.md are what the code
// says and does. Write them anew with
//
//	go test ./examples/observability -run TestDocs -update
func TestDocs(t *testing.T) {
	w := newWorld(t)
	w.everything()
	text, err := os.ReadFile(docs)
	require.NoError(t, err)
	page := string(text)
	for name, table := range map[string]string{"events": w.eventTable(), "metrics": w.metricTable()} {
		begin := "<!-- " + name + " -->\n"
		before, rest, found := strings.Cut(page, begin)
		require.True(t, found, "the page has no place for the table of %s", name)
		written, after, found := strings.Cut(rest, "<!-- end -->\n")
		require.True(t, found, "the table of %s has no end", name)
		if *update {
			page = before + begin + table + "<!-- end -->\n" + after
			require.NoError(t, os.WriteFile(docs, []byte(page), 0o644))
			continue
		}
		require.Equal(t, table, written, "the table of %s is out of date: go test ./examples/observability -run TestDocs -update", name)
	}

	for _, line := range w.logLines() {
		for key := range line {
			require.Contains(t, page, "`"+key+"`", "a log line has %s, and the page does not say what it is", key)
		}
		require.Contains(t, page, fmt.Sprintf("`%s`", line["msg"]))
	}
	for _, a := range readAlerts(t) {
		require.Contains(t, page, "`"+a.Alert+"`")
	}
}

// eventTable has the kinds as package provider declares them, and the fields
// that they came with.
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

// docLink is a link of Go's documentation, which Markdown would print as it is.
var docLink = regexp.MustCompile(`\[([A-Za-z][\w.]*)\]`)

type declaredKind struct {
	value provider.EventKind
	doc   string
}

// declaredKinds reads the constants of type EventKind with their comments.
func declaredKinds(t *testing.T) []declaredKind {
	files, err := filepath.Glob("../../provider/*.go")
	require.NoError(t, err)
	var kinds []declaredKind
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
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

// metricTable has each metric by both of its names, which go together by their
// description.
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

// Whoever adds a kind of event has to decide whether it is counted.
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
