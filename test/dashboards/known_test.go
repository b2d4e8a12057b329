package dashboards_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"iqgateway/internal/exchange"
	"iqgateway/limiter"
	"iqgateway/observability"
	"iqgateway/test/dashboards"
	"iqgateway/test/rig"
	"iqgateway/tokencache"
)

// metrics are the series that there are, with their labels.
type metrics map[string][]string

// knownMetrics are what a gateway declares, what the rules record, and what
// Prometheus has of any Go program.
func knownMetrics(t *testing.T) metrics {
	t.Helper()
	declared, err := observability.NewMetrics(observability.BuildInfo{})
	rig.Must(t, err)
	known := metrics{"ALERTS": {"alertname", "alertstate"}}
	for _, name := range []string{
		"up", "go_goroutines", "process_cpu_seconds_total", "process_open_fds", "process_resident_memory_bytes", "process_start_time_seconds",
	} {
		known[name] = nil
	}
	for _, i := range declared.Instruments() {
		known[i.Name] = i.Labels
		if i.Kind == "histogram" {
			known[i.Name+"_sum"], known[i.Name+"_count"] = i.Labels, i.Labels
			known[i.Name+"_bucket"] = append(slices.Clone(i.Labels), "le")
		}
	}
	for _, r := range rules(t) {
		if r.Record != "" {
			known[r.Record] = dashboards.Labels(r.Expr)
		}
	}
	// label_replace makes these.
	known["iqgw:requests:rate5m"] = append(known["iqgw:requests:rate5m"], "environment", "service", "code")
	return known
}

// check wants that all metrics and labels of an expression exist.
func (m metrics) check(t *testing.T, of, expr string) {
	t.Helper()
	labels := []string{"job", "instance"}
	for _, name := range dashboards.Metrics(expr) {
		if _, ok := m[name]; !ok {
			t.Errorf("%s asks for %s, which nobody has", of, name)
		}
		labels = append(labels, m[name]...)
	}
	if strings.Contains(expr, "label_replace") {
		labels = append(labels, "environment", "service", "code")
	}
	for _, name := range dashboards.Labels(expr) {
		if !slices.Contains(labels, name) {
			t.Errorf("%s asks for the label %s, which nothing in it has", of, name)
		}
	}
	for _, wrong := range impossible(expr) {
		t.Errorf("%s asks for %s, a value that there is not", of, wrong)
	}
}

// impossible returns what an expression asks of closed labels and they never are.
func impossible(expr string) (wrong []string) {
	closed := closedLabels()
	for _, selector := range regexp.MustCompile(`(\w+)\{([^}]*)\}`).FindAllStringSubmatch(expr, -1) {
		for _, matcher := range regexp.MustCompile(`(\w+)(?:=~|!~|!=|=)"([\w|-]+)"`).FindAllStringSubmatch(selector[2], -1) {
			values, known := closed[selector[1]+" "+matcher[1]]
			for value := range strings.SplitSeq(matcher[2], "|") {
				if known && !slices.Contains(values, value) {
					wrong = append(wrong, selector[1]+" with "+matcher[1]+" "+value)
				}
			}
		}
	}
	return wrong
}

// closedLabels are the values of labels that have few, by metric and label.
func closedLabels() map[string][]string {
	outcomes := []string{"ok", "upstream_error", "aborted", "client_gone"}
	for _, problem := range exchange.Specs() {
		outcomes = append(outcomes, string(problem.Type))
	}
	return map[string][]string{
		"iqgw_exchanges_total outcome": outcomes,
		"iqgw_breaker_state state":     {exchange.BreakerClosed, exchange.BreakerOpened, exchange.BreakerHalfOpen},
		"iqgw_token_state state": {
			string(tokencache.StateNone), string(tokencache.StateValid), string(tokencache.StateFailing), string(tokencache.StateRefused), string(tokencache.StateStopped),
		},
		"iqgw_quota_upstream_429_total kind": {
			string(limiter.RefusedExpected), string(limiter.RefusedUnexpected), string(limiter.RefusedHidden), string(limiter.RefusedLate),
		},
		"iqgw_quota_event_total event":           {"state_regression", "phase_conflict", "returned", "repeated"},
		"iqgw_store_up store":                    {"redis", "cache_redis"},
		"iqgw_store_rejected_values_total store": {"redis", "cache_redis"},
		"iqgw_telemetry_dropped_total signal":    {observability.SignalTraces, observability.SignalLogs},
		"iqgw_telemetry_dropped_total reason":    {"queue", "export", "write", "shutdown", "always"},
	}
}

func TestClosedLabels(t *testing.T) {
	for expr, want := range map[string]int{
		`sum(iqgw_telemetry_dropped_total{signal="access_log", reason="queue"})`:                           1,
		`iqgw_token_state{state=~"failing|ill"} and iqgw_breaker_state{state!="half_open", service=~".*"}`: 2,
		`iqgw_exchanges_total{outcome!~"ok|quota-exceeded", outcome!=""}`:                                  0,
	} {
		if got := impossible(expr); len(got) != want {
			t.Errorf("%s: %v", expr, got)
		}
	}
}

// A rule's test speaks of series that there can be.
func TestRuleTestsAreOfRealSeries(t *testing.T) {
	known := knownMetrics(t)
	for _, name := range ruleTestFiles() {
		for _, test := range ruleTests(t, name) {
			for _, in := range test.InputSeries {
				known.check(t, name, in.Series)
			}
		}
	}
}

// What a text says of an alert or a series, the expression has kept.
func TestTextsNameLabelsThatAreKept(t *testing.T) {
	inText := regexp.MustCompile(`\$labels\.(\w+)|\{\{(\w+)\}\}`)
	check := func(of, expr, text string) {
		if !strings.Contains(expr, " by (") {
			return // keeps all
		}
		for _, found := range inText.FindAllStringSubmatch(text, -1) {
			if name := found[1] + found[2]; !slices.Contains(dashboards.Labels(expr), name) {
				t.Errorf("%s speaks of %s, which %s does not have", of, name, expr)
			}
		}
	}
	for _, a := range alerts(t) {
		text, err := yaml.Marshal(a.Annotations)
		rig.Must(t, err)
		check(a.Alert, a.Expr, string(text))
	}
	for _, d := range load(t) {
		for _, p := range d.Panels {
			for _, q := range p.Targets {
				check(d.UID+": "+p.Title, q.Expr, q.LegendFormat)
			}
		}
	}
}
