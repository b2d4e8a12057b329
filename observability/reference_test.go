package observability_test

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iqgateway/internal/goldentest"
	"iqgateway/observability"
)

// TestInstrumentsGolden keeps names, kinds, units, labels and help texts: people
// build dashboards and alerts on them.
func TestInstrumentsGolden(t *testing.T) {
	var golden strings.Builder
	for _, i := range newMetrics(t).Instruments() {
		fmt.Fprintf(&golden, "%s %s %s {%s}\n    %s\n", i.Name, i.Kind, cmp.Or(i.Unit, "-"), strings.Join(i.Labels, ","), i.Help)
	}
	goldentest.Compare(t, filepath.Join("testdata", "metrics.golden"), golden.String())
}

// TestDocsMetrics keeps docs/metrics.md what the code says.
func TestDocsMetrics(t *testing.T) {
	goldentest.Compare(t, filepath.Join("..", "docs", "metrics.md"), reference(newMetrics(t).Instruments()))
}

// What every help text has to be: one line that says what is measured.
func TestInstrumentsAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for _, i := range newMetrics(t).Instruments() {
		if seen[i.Name] {
			t.Errorf("%s is declared twice", i.Name)
		}
		seen[i.Name] = true
		if len(i.Help) < 15 || !strings.HasSuffix(i.Help, ".") || strings.ContainsAny(i.Help, "\n|") {
			t.Errorf("%s: %q", i.Name, i.Help)
		}
		for _, l := range i.Labels {
			if _, ok := labelWords()[l]; !ok {
				t.Errorf("%s: nobody says where the label %s comes from", i.Name, l)
			}
		}
	}
	for stage := range stageWords() {
		if !slices.ContainsFunc(newMetrics(t).Instruments(), func(i observability.Instrument) bool { return i.Stage == stage }) {
			t.Errorf("nothing is measured of %q", stage)
		}
	}
}

// Every example asks for metrics that exist.
func TestReferenceExamples(t *testing.T) {
	known := map[string]bool{}
	for _, i := range newMetrics(t).Instruments() {
		known[i.Name] = true
	}
	for stage, words := range stageWords() {
		for _, e := range words.examples {
			found := 0
			for _, name := range strings.FieldsFunc(e.query, func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }) {
				if !strings.HasPrefix(name, "iqgw_") && !strings.HasPrefix(name, "http_server_") && !strings.HasPrefix(name, "http_client_") || strings.HasPrefix(name, "http_re") {
					continue
				}
				found++
				base := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(name, "_bucket"), "_sum"), "_count")
				if !known[name] && !known[base] {
					t.Errorf("%s: there is no %s", stage, name)
				}
			}
			if found == 0 {
				t.Errorf("%s: %s asks for nothing of ours", stage, e.query)
			}
		}
	}
}
