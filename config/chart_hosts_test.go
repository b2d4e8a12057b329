package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const chartHostsHead = `# Generated from the built-in catalogue; do not edit. After a change of
# config/catalogue.yaml: go test ./config -run TestChartHostsDocument -update
#
# Where credentials of an environment are sent to, and requests for it.
`

// The chart's policies by host name allow what the catalogue knows.
func TestChartHostsDocument(t *testing.T) {
	path := filepath.Join("..", "deploy", "helm", "iqgateway", "files", "hosts.yaml")
	want := chartHosts(t)
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("%s is not what the catalogue says; run go test ./config -run %s -update\n%s", path, t.Name(), diff)
	}
}

func chartHosts(t *testing.T) string {
	t.Helper()
	c := builtinConfig(t)
	var b strings.Builder
	b.WriteString(chartHostsHead)
	for _, name := range []string{"production", "rc", "sandbox"} {
		e, _ := c.Environment(name)
		var hosts []string
		for _, s := range e.Services() {
			if s.Upstream != nil {
				hosts = append(hosts, s.Upstream.Hostname())
			}
		}
		slices.Sort(hosts)
		fmt.Fprintf(&b, "%s:\n", name)
		for _, host := range slices.Compact(hosts) {
			fmt.Fprintf(&b, "  - %s\n", host)
		}
	}
	return b.String()
}
