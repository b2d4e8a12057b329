package observability_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"iqgateway/observability"
)

const referenceHead = `# Metrics

<!-- made by make docs from what the code declares -->

The admin listener and the ` + "`status`" + ` listener serve ` + "`/metrics`" + ` in Prometheus' text format, and in OpenMetrics, which has exemplars, to a scraper that asks for it. HTTP is measured by OpenTelemetry's stable conventions; what they have no word for begins with ` + "`iqgw_`" + `. Units are seconds and bytes. Counters begin with the process: use ` + "`rate`" + ` and ` + "`increase`" + `.

` + "`go_*` and `process_*`" + ` are the Go runtime's and the process's own, as every program with Prometheus' client library has them.

`

const referenceLabels = `## Labels

Label values come from the configuration, the catalogue and closed sets of words, never from a request: callers cannot make series. A label without a value is absent.

| label | values |
|---|---|
`

const referenceBound = `
## How many series

What callers send makes no difference: ten thousand paths, hosts, methods, keys or trace ids add nothing. The configuration does, and what of it is used: what has not happened has no series.

Each metric takes at most 2000 combinations of label values, a histogram 1000, and all together at most %d series, with any configuration. What is counted keeps its series for as long as the process runs; a gauge gives those back that it no longer shows, so that reloads use nothing up. All other combinations are counted together in one series with the only label ` + "`otel_metric_overflow=\"true\"`" + `, so that sums stay right. To see whether any metric has got there:

` + "```promql\ncount by (__name__) ({otel_metric_overflow=\"true\"})\n```\n"

// reference is docs/metrics.md.
func reference(instruments []observability.Instrument) string {
	var b strings.Builder
	b.WriteString(referenceHead)
	stage := ""
	for n, i := range instruments {
		if i.Stage != stage {
			stage = i.Stage
			fmt.Fprintf(&b, "## %s\n\n%s\n\n| metric | kind | labels | what it tells |\n|---|---|---|---|\n", stage, stageWords()[stage].asks)
		}
		labels := strings.Join(i.Labels, " ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", i.Name, i.Kind, labels, i.Help)
		if n+1 == len(instruments) || instruments[n+1].Stage != stage {
			writeExamples(&b, stageWords()[stage].examples)
		}
	}
	b.WriteString(referenceLabels)
	words := labelWords()
	for _, name := range slices.Sorted(maps.Keys(words)) {
		fmt.Fprintf(&b, "| `%s` | %s |\n", name, words[name])
	}
	fmt.Fprintf(&b, referenceBound, ceiling(instruments))
	return b.String()
}

func writeExamples(b *strings.Builder, examples []example) {
	b.WriteString("\n```promql\n")
	for _, e := range examples {
		fmt.Fprintf(b, "# %s\n%s\n", e.asks, e.query)
	}
	b.WriteString("```\n\n")
}

// ceiling is how many series all instruments together can have.
func ceiling(instruments []observability.Instrument) int {
	series, rest := 0, 0
	for _, i := range instruments {
		series += i.Sets * i.Lines
		rest += i.Lines
	}
	return min(series, observability.MaxSeries) + rest
}
