package dashboards_test

import (
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"iqgateway/test/dashboards"
	"iqgateway/test/rig"
)

var update = flag.Bool("update", false, "write the dashboards from their sources")

func root(parts ...string) string {
	return filepath.Join(append([]string{"..", ".."}, parts...)...)
}

func grafana(parts ...string) string {
	return root(append([]string{"deploy", "observability", "grafana"}, parts...)...)
}

func sources(t *testing.T) []dashboards.Source {
	t.Helper()
	all, err := dashboards.LoadSources(grafana("source"))
	rig.Must(t, err)
	if len(all) < 6 {
		t.Fatalf("%d dashboards", len(all))
	}
	return all
}

// The dashboards are what their sources say, and nothing lies beside them.
func TestDashboardsAreUpToDate(t *testing.T) {
	var want []string
	for _, s := range sources(t) {
		file := grafana("dashboards", s.UID+".json")
		want = append(want, file)
		text, err := s.JSON()
		rig.Must(t, err)
		if *update {
			rig.Must(t, os.WriteFile(file, text, 0o644))
		}
		if got, err := os.ReadFile(file); err != nil || string(got) != string(text) {
			t.Errorf("%s is not what its source says; run make docs (%v)", file, err)
		}
	}
	got, err := filepath.Glob(grafana("dashboards", "*"))
	rig.Must(t, err)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("dashboards %v, want %v", got, want)
	}
}

// dashboard is what a test wants to know of Grafana's JSON.
type dashboard struct {
	UID, Title    string
	SchemaVersion int
	Time          struct{ From, To string }
	Refresh       string
	Links         []struct{ URL, Type string }
	Annotations   struct{ List []target }
	Templating    struct {
		List []struct {
			Name, Type string
			Query      any
		}
	}
	Panels []panel
}

type datasource struct{ Type, UID string }

type target struct {
	Datasource   datasource
	Expr         string
	LegendFormat string
	Exemplar     bool
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Targets                  []target
	Links                    []struct{ URL string }
	FieldConfig              struct{ Defaults struct{ Unit string } }
}

func load(t *testing.T) []dashboard {
	t.Helper()
	files, err := filepath.Glob(grafana("dashboards", "*.json"))
	rig.Must(t, err)
	var all []dashboard
	for _, file := range files {
		text, err := os.ReadFile(file)
		rig.Must(t, err)
		var d dashboard
		rig.Must(t, json.Unmarshal(text, &d))
		if d.UID+".json" != filepath.Base(file) || d.SchemaVersion < 39 || d.Refresh == "" || d.Time.From == "" {
			t.Errorf("%s: uid %q, schema version %d, refresh %q, from %q", file, d.UID, d.SchemaVersion, d.Refresh, d.Time.From)
		}
		all = append(all, d)
	}
	return all
}

// Whoever looks at a panel is told what it answers, in which unit, and where to
// read on; none depends on the name of a data source, or on a plugin.
func TestEveryPanelExplainsItself(t *testing.T) {
	sections, known := runbookSections(t), knownMetrics(t)
	for _, d := range load(t) {
		titles := map[string]bool{}
		for _, p := range d.Panels {
			of := d.UID + ": " + p.Title
			if !strings.HasSuffix(p.Title, "?") || titles[p.Title] {
				t.Errorf("%s: the title asks nothing, or the same as another", of)
			}
			titles[p.Title] = true
			if len(p.Description) < 20 || !strings.HasSuffix(p.Description, ".") || p.FieldConfig.Defaults.Unit == "" {
				t.Errorf("%s: description %q, unit %q", of, p.Description, p.FieldConfig.Defaults.Unit)
			}
			if !slices.Contains([]string{"timeseries", "stat", "bargauge", "table", "state-timeline"}, p.Type) {
				t.Errorf("%s: type %q", of, p.Type)
			}
			for _, l := range p.Links {
				base, section, _ := strings.Cut(l.URL, "#")
				if base != "${runbook}" || section != "" && !sections[section] {
					t.Errorf("%s leads to %s, which is no section of the runbook", of, l.URL)
				}
			}
			checkTargets(t, known, of, append(p.Targets, target{Datasource: p.Datasource, Expr: "up", LegendFormat: "none"}))
		}
		checkTargets(t, known, d.UID+": marks", d.Annotations.List)
	}
}

func checkTargets(t *testing.T, known metrics, of string, targets []target) {
	t.Helper()
	for _, q := range targets {
		if q.Datasource != (datasource{"prometheus", "${datasource}"}) {
			t.Errorf("%s: data source %+v", of, q.Datasource)
		}
		known.check(t, of, q.Expr)
	}
}

// Grafana draws panels that overlap above each other.
func TestPanelsDoNotOverlap(t *testing.T) {
	for _, d := range load(t) {
		taken := map[[2]int]string{}
		for _, p := range d.Panels {
			for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
				for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
					if other := taken[[2]int{x, y}]; other != "" || x >= 24 {
						t.Fatalf("%s: %q overlaps %q at %d, %d", d.UID, p.Title, other, x, y)
					}
					taken[[2]int{x, y}] = p.Title
				}
			}
		}
	}
}

func TestMetricsOfExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		`up`: "up",
		`sum by (a, b) (rate(x_total{a=~"y|z", by="}"}[5m])) / on (a) group_left sum(y)`: "x_total y",
		`(x - x offset 15m) >= 0 or x`:                                                         "x",
		`a:b:rate5m > 14.4 * 0.005 unless c < time() + 6`:                                      "a:b:rate5m c",
		`histogram_quantile(0.95, sum by (le) (rate(d_bucket[1h]))) and on (x) max by (x) (e)`: "d_bucket e",
		`label_replace(f, "a", "$1", "b", "(.)")`:                                              "f",
	} {
		if got := strings.Join(dashboards.Metrics(expr), " "); got != want {
			t.Errorf("%s: %s, want %s", expr, got, want)
		}
	}
}

// A state has its colour by value as well: a value that none names is not green.
func TestStatesAreColoured(t *testing.T) {
	for _, s := range sources(t) {
		text, err := s.JSON()
		rig.Must(t, err)
		var d struct {
			Panels []struct {
				Title       string
				FieldConfig struct{ Defaults look }
			}
		}
		rig.Must(t, json.Unmarshal(text, &d))
		for i, p := range d.Panels {
			at := 0
			for _, value := range slices.Sorted(maps.Keys(s.Panels[i].States)) {
				defaults := p.FieldConfig.Defaults
				name, step := defaults.Mappings[0].Options[strconv.Itoa(value)], defaults.Thresholds.Steps[at]
				if step.Color != name.Color || at > 0 && (step.Value == nil || *step.Value != float64(value)) {
					t.Errorf("%s: %d is %s, from there on %+v", p.Title, value, name.Color, step)
				}
				at++
			}
		}
	}
}

// look is how Grafana shows values.
type look struct {
	Mappings []struct {
		Options map[string]struct{ Color string }
	}
	Thresholds struct {
		Steps []struct {
			Color string
			Value *float64
		}
	}
}

// Replicas may see a breaker differently for a moment: the worst counts.
func TestBreakersAreDrawnAsTheWorst(t *testing.T) {
	var expr string
	for _, s := range sources(t) {
		for _, p := range s.Panels {
			if p.Title == "Which breakers are not closed?" {
				expr = dashboards.Substitute(p.Queries[0].Expr, "1m")
			}
		}
	}
	type item = map[string]any
	state := func(instance, state, values string) item {
		return item{"series": `iqgw_breaker_state{instance="` + instance + `", environment="prod", service="crm", state="` + state + `"}`, "values": values}
	}
	want := func(value int) []item {
		return []item{{"labels": `{environment="prod", service="crm"}`, "value": value}}
	}
	text, err := yaml.Marshal(item{"tests": []item{{
		"interval": "1m",
		"input_series": []item{
			state("a", "open", "0 1 0 0"), state("a", "half-open", "0 0 1 0"), state("b", "open", "0 0 0 0"), state("b", "half-open", "0 1 0 0"),
		},
		"promql_expr_test": []item{
			{"expr": expr, "eval_time": "0m", "exp_samples": want(0)},
			{"expr": expr, "eval_time": "1m", "exp_samples": want(2)},
			{"expr": expr, "eval_time": "2m", "exp_samples": want(1)},
		},
	}}})
	rig.Must(t, err)
	file := filepath.Join(t.TempDir(), "panel.yaml")
	rig.Must(t, os.WriteFile(file, text, 0o600))
	promtool(t, "test", "rules", file)
}
