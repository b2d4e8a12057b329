package dashboards

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// Source is one dashboard, as it is written.
type Source struct {
	// UID is its address in Grafana: /d/UID.
	UID         string
	Title       string
	Description string
	// Variables are those of the known ones that it can be narrowed by.
	Variables []string
	Panels    []Panel
}

// Panel answers the question that is its title.
type Panel struct {
	Title       string
	Description string
	// Kind is timeseries, stat, bargauge, table or statetimeline.
	Kind string
	// Unit is Grafana's identifier of one.
	Unit string
	// Width in columns of 24; 0 means 12.
	Width int
	// Runbook is the section of docs/runbook.md that it leads to; "" = the top.
	Runbook string
	// Stacked adds its series up.
	Stacked bool
	// Exemplars shows single requests, which lead to their traces.
	Exemplars bool
	// Instant asks for the newest value alone.
	Instant bool
	// RedAbove and RedBelow are where values become a matter of concern.
	RedAbove *float64 `yaml:"red_above"`
	RedBelow *float64 `yaml:"red_below"`
	// States are the names of values.
	States  map[int]string
	Queries []Query
}

// Query is one expression with the name of its series.
type Query struct {
	Expr   string
	Legend string
}

// LoadSources reads all sources of a folder, in the order of their names.
func LoadSources(dir string) ([]Source, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, fmt.Errorf("sources of dashboards: %w", err)
	}
	var all []Source
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("source of a dashboard: %w", err)
		}
		var s Source
		d := yaml.NewDecoder(bytes.NewReader(text))
		d.KnownFields(true)
		if err := d.Decode(&s); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, s)
	}
	return all, nil
}
