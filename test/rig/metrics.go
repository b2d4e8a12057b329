package rig

import (
	"fmt"
	"strings"
)

// Metrics is a text in Prometheus' format.
type Metrics string

// Sum adds up the samples of a metric whose labels hold all of the given texts.
func (m Metrics) Sum(name string, having ...string) (float64, error) {
	var sum float64
lines:
	for line := range strings.Lines(string(m)) {
		line, _, _ = strings.Cut(line, " # ") // an exemplar
		rest, ok := strings.CutPrefix(line, name)
		if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
			continue
		}
		for _, h := range having {
			if !strings.Contains(rest, h) {
				continue lines
			}
		}
		fields := strings.Fields(rest[strings.LastIndexByte(rest, '}')+1:])
		if len(fields) == 0 {
			return 0, fmt.Errorf("metric without a value: %q", line)
		}
		var value float64
		if _, err := fmt.Sscan(fields[0], &value); err != nil {
			return 0, fmt.Errorf("metric %q: %w", line, err)
		}
		sum += value
	}
	return sum, nil
}
