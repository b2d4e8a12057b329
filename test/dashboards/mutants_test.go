package dashboards_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"iqgateway/test/rig"
)

// mutant is an alert with one fault.
type mutant struct {
	alert rule
	fault string // "" = none
}

// threshold is a comparison with a number, or with a time from now on.
var threshold = regexp.MustCompile(`([<>+]|==) ([0-9][0-9.]*(?: \* [0-9.]+)*)`)

// mutants fire too early: without waiting, or a fifth of a threshold too soon,
// which whoever forgets the threshold does as well.
func mutants(a rule) []mutant {
	all := []mutant{{a, ""}}
	if a.For != "0m" {
		early := a
		early.For = "0m"
		all = append(all, mutant{early, "for: 0m"})
	}
	for _, at := range threshold.FindAllStringSubmatchIndex(a.Expr, -1) {
		wrong := a
		fault := earlier(a.Expr[at[2]:at[3]], a.Expr[at[4]:at[5]])
		wrong.Expr = a.Expr[:at[0]] + fault + a.Expr[at[1]:]
		all = append(all, mutant{wrong, a.Expr[at[0]:at[1]] + " as " + fault})
	}
	return all
}

func earlier(sign, number string) string {
	switch {
	case sign == "==":
		return ">= 0"
	case sign == ">" && number == "0":
		return ">= 0"
	case sign == ">":
		return "> 0.8 * " + number
	default:
		return sign + " 1.2 * " + number
	}
}

// Each alert has a test in which it fires, one in which nothing does, and tests
// that notice when it fires too early.
func TestAlertsFireAndAreSilent(t *testing.T) {
	dir := t.TempDir()
	files := map[string]mutant{}
	for _, a := range alerts(t) {
		checkAlertTests(t, a)
		for i, m := range mutants(a) {
			files[filepath.Join(dir, a.Alert+strconv.Itoa(i))] = m
		}
	}
	arguments := []string{"test", "rules"}
	for at, m := range files {
		arguments = append(arguments, m.write(t, at)...)
	}
	out, _ := exec.CommandContext(t.Context(), "promtool", arguments...).CombinedOutput() // most are meant to fail
	failed := map[string]string{}
	for part := range strings.SplitSeq(string(out), "Unit Testing:  ") {
		file, result, _ := strings.Cut(part, "\n")
		at := filepath.Dir(file)
		failed[at] += strings.TrimPrefix(strings.TrimSpace(result), "SUCCESS")
	}
	for at, m := range files {
		switch why, ran := failed[at]; {
		case !ran:
			t.Errorf("%s: its tests did not run:\n%s", m.alert.Alert, out)
		case m.fault == "" && why != "":
			t.Errorf("%s: %s", m.alert.Alert, why)
		case m.fault != "" && why == "":
			t.Errorf("%s: no test notices %s", m.alert.Alert, m.fault)
		}
	}
}

// checkAlertTests wants a moment in which the alert fires, and one in which
// nothing does.
func checkAlertTests(t *testing.T, a rule) {
	t.Helper()
	fires, silent := false, false
	for _, name := range ruleTestFiles() {
		for _, test := range ruleTests(t, name) {
			for _, at := range test.AlertTests {
				fires = fires || at.Alertname == a.Alert && len(at.ExpAlerts) > 0
				silent = silent || at.Alertname == a.Alert && len(at.ExpAlerts) == 0
			}
		}
	}
	if !fires || !silent {
		t.Errorf("%s: fires in a test %v, is silent in one %v", a.Alert, fires, silent)
	}
}

// write puts the rule, what it and its tests need, and these tests into a folder,
// and returns the tests' files.
func (m mutant) write(t *testing.T, dir string) (tests []string) {
	t.Helper()
	put := func(name string, content any) string {
		text, err := yaml.Marshal(content)
		rig.Must(t, err)
		file := filepath.Join(dir, name)
		rig.Must(t, os.WriteFile(file, text, 0o600))
		return file
	}
	rig.Must(t, os.Mkdir(dir, 0o700))
	asked := ""
	for _, name := range ruleTestFiles() {
		file := readYAML(t, name)
		all := file["tests"].([]any)
		file["tests"] = slices.DeleteFunc(all, func(test any) bool { return test.(map[string]any)["name"] != m.alert.Alert })
		if own := file["tests"].([]any); len(own) > 0 {
			tests = append(tests, put(name, file))
			asked += fmt.Sprint(own)
		}
	}
	put("rules.yaml", m.rules(t, asked))
	return tests
}

// rules are the rules' file with the mutant, the alerts that tests ask for, and
// the series that these need, each of which is recorded before it is used.
func (m mutant) rules(t *testing.T, tests string) map[string]any {
	t.Helper()
	file := readYAML(t, "rules.yaml")
	asked := ""
	groups := file["groups"].([]any)
	for _, group := range slices.Backward(groups) {
		g := group.(map[string]any)
		var needed []any
		for _, r := range slices.Backward(g["rules"].([]any)) {
			r := r.(map[string]any)
			alert, _ := r["alert"].(string)
			record, _ := r["record"].(string)
			switch {
			case alert == m.alert.Alert:
				r["expr"], r["for"] = m.alert.Expr, m.alert.For
			case alert != "" && !strings.Contains(tests, "alertname:"+alert+" "), record != "" && !strings.Contains(asked, record):
				continue
			}
			asked += r["expr"].(string)
			needed = append(needed, r)
		}
		slices.Reverse(needed)
		g["rules"] = needed
	}
	return file
}

func readYAML(t *testing.T, name string) (file map[string]any) {
	t.Helper()
	text, err := os.ReadFile(prometheusFile(name))
	rig.Must(t, err)
	rig.Must(t, yaml.Unmarshal(text, &file))
	return file
}
