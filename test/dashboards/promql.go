package dashboards

import (
	"regexp"
	"slices"
	"strings"
)

// Substitute replaces Grafana's variables as it does when nothing is chosen, and
// the interval of rates with rate.
func Substitute(expr, rate string) string {
	return strings.NewReplacer(
		"$__rate_interval", rate, "$environment", ".*", "$service", ".*", "$caller", ".*", "$credential", ".*",
	).Replace(expr)
}

// Metrics returns the names of the metrics that an expression asks for, sorted.
// It knows as much of PromQL as rules and dashboards use.
func Metrics(expr string) []string {
	for _, not := range []string{
		`"(\\.|[^"\\])*"`,   // texts
		`\{[^}]*\}`,         // label matchers
		`\[[^\]]*\]`,        // ranges
		`offset\s+\w+`,      // durations
		`\b[0-9][0-9a-z.]*`, // numbers
		`\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)`,
		`\b(and|or|unless|bool|group_left|group_right)\b`,
		`[a-z_0-9]+\s*\(`, // functions
	} {
		expr = regexp.MustCompile(not).ReplaceAllString(expr, " ")
	}
	names := regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`).FindAllString(expr, -1)
	slices.Sort(names)
	return slices.Compact(names)
}

// Labels returns the labels that an expression chooses and groups by, sorted.
func Labels(expr string) []string {
	var names []string
	bare := regexp.MustCompile(`"(\\.|[^"\\])*"`).ReplaceAllString(expr, `""`)
	for _, matcher := range regexp.MustCompile(`(\w+)\s*(=~|!~|!=|=)""`).FindAllStringSubmatch(bare, -1) {
		names = append(names, matcher[1])
	}
	for _, list := range regexp.MustCompile(`\b(?:by|on|group_left)\s*\(([^)]*)\)`).FindAllStringSubmatch(bare, -1) {
		names = append(names, strings.FieldsFunc(list[1], func(r rune) bool { return r == ',' || r == ' ' })...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
