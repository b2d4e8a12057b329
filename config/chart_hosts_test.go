package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iqgateway/internal/goldentest"
)

const chartHostsHead = `# Generated from the built-in catalogue; do not edit. After a change of
# config/catalogue.yaml: go test ./config -run TestChartHostsDocument -update
#
# Where credentials of an environment are sent to, and requests for it.
`

// The chart's policies by host name allow what the catalogue knows.
func TestChartHostsDocument(t *testing.T) {
	goldentest.Compare(t, filepath.Join("..", "deploy", "helm", "iqgateway", "files", "hosts.yaml"), chartHosts(t))
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
