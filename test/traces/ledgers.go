package traces

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Tally counts by what was counted.
type Tally map[string]int

// Diff tells how two tallies differ, "" = they do not.
func (t Tally) Diff(other Tally) string {
	keys := maps.Clone(t)
	maps.Copy(keys, other)
	var text strings.Builder
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if t[k] != other[k] {
			fmt.Fprintf(&text, "%s: %d and %d\n", k, t[k], other[k])
		}
	}
	return text.String()
}

// Sample is one line of a text in Prometheus' format.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Samples returns those of a metric.
func Samples(metrics, name string) ([]Sample, error) {
	label := regexp.MustCompile(`([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"`)
	var list []Sample
	for line := range strings.Lines(metrics) {
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		rest, _, _ = strings.Cut(rest, " # ") // an exemplar
		at := strings.LastIndexByte(rest, '}') + 1
		value, err := strconv.ParseFloat(strings.Fields(rest[at:])[0], 64)
		if err != nil {
			return nil, fmt.Errorf("metric %q: %w", line, err)
		}
		s := Sample{Labels: map[string]string{}, Value: value}
		for _, pair := range label.FindAllStringSubmatch(rest[:at], -1) {
			s.Labels[pair[1]] = pair[2]
		}
		list = append(list, s)
	}
	return list, nil
}

// AccessLine is what the log tells of a request.
type AccessLine struct {
	RequestID string `json:"request_id"`
	TraceID   string `json:"trace_id"`
	SpanID    string `json:"span_id"`
	Service   string
	Caller    string
	Error     string
	Status    int
	Cache     string
	Attempts  int
}

// AccessLines returns those of a log.
func AccessLines(log string) (list []AccessLine, err error) {
	for line := range strings.Lines(log) {
		if !strings.Contains(line, `"msg":"request"`) { // in the others the same names may stand for something else
			continue
		}
		var one AccessLine
		if err := json.Unmarshal([]byte(line), &one); err != nil {
			return nil, fmt.Errorf("log line %.200q: %w", line, err)
		}
		list = append(list, one)
	}
	return list, nil
}
