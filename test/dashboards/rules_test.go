package dashboards_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"iqgateway/test/rig"
)

type rule struct {
	Record, Alert, Expr, For string
	Labels, Annotations      map[string]string
}

func prometheusFile(name string) string {
	return root("deploy", "observability", "prometheus", name)
}

func ruleTestFiles() []string { return []string{"rules_test.yaml", "rules_days_test.yaml"} }

func rules(t *testing.T) []rule {
	t.Helper()
	text, err := os.ReadFile(prometheusFile("rules.yaml"))
	rig.Must(t, err)
	var file struct{ Groups []struct{ Rules []rule } }
	rig.Must(t, yaml.Unmarshal(text, &file))
	var all []rule
	for _, g := range file.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

func alerts(t *testing.T) []rule {
	t.Helper()
	return slices.DeleteFunc(rules(t), func(r rule) bool { return r.Alert == "" })
}

func promtool(t *testing.T, arguments ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "promtool", arguments...).CombinedOutput()
	if err != nil {
		t.Fatalf("promtool %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}

func TestRulesAreValid(t *testing.T) {
	promtool(t, "check", "rules", prometheusFile("rules.yaml"))
}

type ruleTest struct {
	InputSeries []struct{ Series string } `yaml:"input_series"`
	AlertTests  []struct {
		Alertname string
		ExpAlerts []any `yaml:"exp_alerts"`
	} `yaml:"alert_rule_test"`
}

func ruleTests(t *testing.T, name string) []ruleTest {
	t.Helper()
	text, err := os.ReadFile(prometheusFile(name))
	rig.Must(t, err)
	var file struct{ Tests []ruleTest }
	rig.Must(t, yaml.Unmarshal(text, &file))
	return file.Tests
}

// An alert says how bad it is, for whom, how much, what to do and where to look.
func TestAlertsAreComplete(t *testing.T) {
	names := regexp.MustCompile(`^IQGW[A-Z][A-Za-z0-9]+$`)
	uids := map[string]bool{}
	for _, d := range load(t) {
		uids[d.UID] = true
	}
	if len(alerts(t)) < 20 {
		t.Fatalf("%d alerts", len(alerts(t)))
	}
	for _, a := range alerts(t) {
		if !names.MatchString(a.Alert) || a.For == "" || !slices.Contains([]string{"critical", "warning", "info"}, a.Labels["severity"]) {
			t.Errorf("%s: for %q, severity %q", a.Alert, a.For, a.Labels["severity"])
		}
		if a.Annotations["summary"] == "" || !strings.HasSuffix(a.Annotations["description"], ".") {
			t.Errorf("%s: summary %q, description %q", a.Alert, a.Annotations["summary"], a.Annotations["description"])
		}
		if want := "/docs/runbook.md#" + strings.ToLower(a.Alert); a.Annotations["runbook_url"] != want {
			t.Errorf("%s: runbook_url %q, want %q", a.Alert, a.Annotations["runbook_url"], want)
		}
		uid, _, _ := strings.Cut(strings.TrimPrefix(a.Annotations["dashboard_url"], "/d/"), "?")
		if !uids[uid] {
			t.Errorf("%s: dashboard_url %q", a.Alert, a.Annotations["dashboard_url"])
		}
	}
}

func TestRulesAskForMetricsThatExist(t *testing.T) {
	known := knownMetrics(t)
	for _, r := range rules(t) {
		known.check(t, r.Record+r.Alert, r.Expr)
	}
}
