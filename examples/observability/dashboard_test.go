package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// dashboard are the parts of grafana-dashboard.json that the tests read.
type dashboard struct {
	SchemaVersion int
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []struct {
		ID                       int
		Type, Title, Description string
		GridPos                  struct{ X, Y, W, H int }
		Datasource               datasource
		Targets                  []struct {
			Expr, LegendFormat, RefID string
			Datasource                datasource
		}
	}
}

type datasource struct{ Type, UID string }

func readDashboard(t *testing.T) dashboard {
	text, err := os.ReadFile("grafana-dashboard.json")
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// expressions are the dashboard's queries by their place.
func (d dashboard) expressions() map[string]string {
	all := map[string]string{}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all[fmt.Sprintf("panel %d %q, query %s", p.ID, p.Title, target.RefID)] = target.Expr
		}
	}
	return all
}

type alert struct {
	Alert, Expr string
	Annotations map[string]string
}

func readAlerts(t *testing.T) []alert {
	text, err := os.ReadFile("alerts.yml")
	require.NoError(t, err)
	var file struct{ Groups []struct{ Rules []alert } }
	require.NoError(t, yaml.Unmarshal(text, &file))
	require.Len(t, file.Groups, 1)
	return file.Groups[0].Rules
}

func TestDashboardIsSound(t *testing.T) {
	d := readDashboard(t)
	require.GreaterOrEqual(t, d.SchemaVersion, 39)
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		require.NotEmpty(t, p.Title)
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, taken[at], "%q lies on another panel", p.Title)
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, datasource{"prometheus", "${DS_PROMETHEUS}"}, p.Datasource, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, p.Datasource, target.Datasource, p.Title)
		}
	}
	require.Equal(t, "DS_PROMETHEUS", d.Templating.List[0].Name)
	require.Equal(t, "datasource", d.Templating.List[0].Type)
}

// The running program exports every metric, label, and label value that the
// dashboard and the alerts use.
func TestQueriesNameWhatIsExported(t *testing.T) {
	w := newWorld(t)
	w.everything()
	exported := newExported(scrape(t, w.metrics))

	d := readDashboard(t)
	for where, expr := range d.expressions() {
		require.NoError(t, exported.check(expr), where)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			require.NoError(t, exported.checkText(target.Expr, target.LegendFormat), p.Title)
		}
	}
	for _, v := range d.Templating.List[1:] {
		require.NoError(t, exported.check(v.Definition), v.Name)
	}
	for _, a := range readAlerts(t) {
		require.NoError(t, exported.check(a.Expr), a.Alert)
		for _, text := range a.Annotations {
			require.NoError(t, exported.checkText(a.Expr, text), a.Alert)
		}
	}

	// The check finds mistakes.
	for expr, fault := range map[string]string{
		`rate(latchkey_request_total[5m])`:                           "latchkey_request_total",
		`rate(lachkey_requests_total[5m])`:                           "lachkey_requests_total",
		`rate(latchkey_requests_total{path="/"}[5m])`:                "path",
		`rate(latchkey_requests_total{outcome="invalid"}[5m])`:       `"invalid"`,
		`rate(latchkey_requests_total{outcome=~"ok|fine"}[5m])`:      `"fine"`,
		`sum by (action) (rate(latchkey_requests_total[5m]))`:        "action",
		`sum by (endpoint) (rate(latchkey_tokens_total[5m]))`:        "endpoint",
		`histogram_quantile(0.5, latchkey_request_duration_seconds)`: "latchkey_request_duration_seconds",
		`vector(1)`: "no metric",
	} {
		require.ErrorContains(t, exported.check(expr), fault, expr)
	}
	require.ErrorContains(t, exported.checkText(`sum by (job) (x)`, `{{endpoint}}`), "endpoint")
}

// exported are the labels of each metric with their values, from a scrape.
type exported map[string]map[string]map[string]bool

var (
	selector   = regexp.MustCompile(`(\w+)(?:\{([^}]*)\})?`)
	matcher    = regexp.MustCompile(`(\w+)(=~|!~|!=|=)"([^"]*)"`)
	grouping   = regexp.MustCompile(`by \(([^)]*)\)`)
	identifier = regexp.MustCompile(`[a-z_]\w*`)
	ignored    = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|by \([^)]*\)`)
	ofLabel    = regexp.MustCompile(`\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}`)
)

func newExported(series map[string]float64) exported {
	e := exported{}
	for name := range series {
		parts := selector.FindStringSubmatch(name)
		if e[parts[1]] == nil {
			// Prometheus adds these labels.
			e[parts[1]] = map[string]map[string]bool{"job": {"$job": true}, "instance": {}}
		}
		for _, m := range matcher.FindAllStringSubmatch(parts[2], -1) {
			if e[parts[1]][m[1]] == nil {
				e[parts[1]][m[1]] = map[string]bool{}
			}
			e[parts[1]][m[1]][m[3]] = true
		}
	}
	// The tests can't cause a server error in the library.
	e["latchkey_requests_total"]["outcome"]["server_error"] = true
	// The example has no devices, but a host that copies the dashboard may.
	e["latchkey_requests_total"]["outcome"]["authorization_pending"] = true
	e["latchkey_requests_total"]["outcome"]["slow_down"] = true
	return e
}

// check finds names in a query that are not exported.
func (e exported) check(expr string) error {
	var metrics []string
	for _, word := range identifier.FindAllString(ignored.ReplaceAllString(expr, " "), -1) {
		switch word {
		case "sum", "rate", "increase", "histogram_quantile", "vector", "or", "and", "label_values", "job":
			continue
		}
		if e[word] == nil {
			return fmt.Errorf("the metric %s is not exported", word)
		}
		metrics = append(metrics, word)
	}
	if len(metrics) == 0 {
		return fmt.Errorf("no metric is named in %s", expr)
	}
	for _, s := range selector.FindAllStringSubmatch(expr, -1) {
		for _, m := range matcher.FindAllStringSubmatch(s[2], -1) {
			values, ok := e[s[1]][m[1]]
			if !ok {
				return fmt.Errorf("the metric %s has no label %s", s[1], m[1])
			}
			for _, value := range strings.Split(m[3], "|") {
				if !values[value] {
					return fmt.Errorf("the label %s of %s never has the value %q", m[1], s[1], value)
				}
			}
		}
	}
	for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
		for _, label := range strings.Split(by[1], ", ") {
			for _, metric := range metrics {
				if e[metric][label] == nil {
					return fmt.Errorf("the metric %s has no label %s to sum by", metric, label)
				}
			}
		}
	}
	return nil
}

// checkText finds labels in a text that the query's result doesn't have.
func (e exported) checkText(expr, text string) error {
	for _, used := range ofLabel.FindAllStringSubmatch(text, -1) {
		for _, by := range grouping.FindAllStringSubmatch(expr, -1) {
			if !strings.Contains(", "+by[1]+", ", ", "+used[1]+", ") {
				return fmt.Errorf("%q has the label %s, and %s does not", text, used[1], expr)
			}
		}
	}
	return nil
}

// program finds one of Prometheus's programs, or skips the test.
func program(t *testing.T, name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("%s is missing: install Prometheus", name)
		}
		t.Skipf("%s is not here; it comes with Prometheus", name)
	}
	return path
}

// forPrometheus replaces Grafana's variables.
func forPrometheus(expr, rate, whole string) string {
	return strings.NewReplacer("$__rate_interval", rate, "$__range", whole, "$job", ".+").Replace(expr)
}

// Prometheus's tool accepts the files, and the alerts fire when they should.
func TestPromtool(t *testing.T) {
	promtool := program(t, "promtool")
	check := func(stdin string, args ...string) {
		t.Helper()
		cmd := exec.Command(promtool, args...)
		cmd.Stdin = strings.NewReader(stdin)
		output, err := cmd.CombinedOutput()
		require.NoError(t, err, "promtool %s: %s", strings.Join(args, " "), output)
	}
	check("", "check", "config", "prometheus.yml")
	check("", "test", "rules", "alerts_test.yml")

	w := newWorld(t)
	w.everything()
	check(get(t, w.metrics), "check", "metrics")

	// promtool can't check dashboards, so the queries become rules.
	type rule struct{ Record, Expr string }
	var rules []rule
	for _, expr := range readDashboard(t).expressions() {
		rules = append(rules, rule{fmt.Sprintf("dashboard:query:%d", len(rules)), forPrometheus(expr, "5m", "1h")})
	}
	require.Greater(t, len(rules), 10)
	text, err := yaml.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	check("", "check", "rules", file)
}

// A real Prometheus scrapes the running program, and every query of the dashboard
// returns data.
func TestPrometheusAnswersTheDashboard(t *testing.T) {
	server := program(t, "prometheus")
	p := startWith(t, "-load", "8")

	dir := t.TempDir()
	alerts, err := filepath.Abs("alerts.yml")
	require.NoError(t, err)
	text, err := os.ReadFile("prometheus.yml")
	require.NoError(t, err)
	target, err := url.Parse(p.metrics)
	require.NoError(t, err)
	config := filepath.Join(dir, "prometheus.yml")
	text = []byte(strings.NewReplacer("127.0.0.1:9464", target.Host, "alerts.yml", alerts, "5s", "1s").Replace(string(text)))
	require.NoError(t, os.WriteFile(config, text, 0o600))

	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	free.Close()
	var output bytes.Buffer
	cmd := exec.CommandContext(t.Context(), server, "--config.file", config, "--storage.tsdb.path", filepath.Join(dir, "data"), "--web.listen-address", address)
	cmd.Stdout, cmd.Stderr = &output, &output
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		if t.Failed() {
			t.Log(output.String())
		}
	})

	api := func(path string, into any) bool {
		answer, err := http.Get("http://" + address + path)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == 200 && json.NewDecoder(answer.Body).Decode(into) == nil
	}
	for where, expr := range readDashboard(t).expressions() {
		expr = forPrometheus(expr, "10s", "1m")
		require.Eventually(t, func() bool {
			var answer struct {
				Data struct{ Result []struct{ Value [2]any } }
			}
			if !api("/api/v1/query?query="+url.QueryEscape(expr), &answer) || len(answer.Data.Result) == 0 {
				return false
			}
			for _, r := range answer.Data.Result {
				if r.Value[1] == "NaN" {
					return false
				}
			}
			return true
		}, time.Minute, 250*time.Millisecond, "%s has no answer: %s", where, expr)
	}
	require.Eventually(t, func() bool {
		var answer struct {
			Data struct {
				Groups []struct {
					Rules []struct{ Name, State, Health string }
				}
			}
		}
		if !api("/api/v1/rules", &answer) || len(answer.Data.Groups) != 1 {
			return false
		}
		firing := false
		for _, r := range answer.Data.Groups[0].Rules {
			if r.Health != "ok" {
				return false
			}
			firing = firing || r.Name == "LatchkeyReuseDetected" && r.State == "firing"
		}
		return firing
	}, time.Minute, 250*time.Millisecond, "the replays of the load do not raise the alert")
}
