package helm

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
)

// Chart is the folder of the chart, from a test's own.
const Chart = "../../deploy/helm/iqgateway"

// Document is one object as the chart writes it.
type Document struct {
	Kind string
	Name string
	Text string
}

// Render does what `helm template gw CHART --namespace gateways` does, schema
// included. Documents come in the order of their files.
func Render(values map[string]any) ([]Document, error) {
	files, err := renderFiles(values)
	if err != nil {
		return nil, err
	}
	var all []Document
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		documents, err := split(files[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, documents...)
	}
	return all, nil
}

// Notes are what an installation tells.
func Notes(values map[string]any) (string, error) {
	files, err := renderFiles(values)
	return files["iqgateway/templates/NOTES.txt"], err
}

func renderFiles(values map[string]any) (map[string]string, error) {
	chart, err := loader.Load(Chart)
	if err != nil {
		return nil, fmt.Errorf("loading the chart: %w", err)
	}
	if err := chartutil.ProcessDependenciesWithMerge(chart, values); err != nil {
		return nil, fmt.Errorf("its dependencies: %w", err)
	}
	options := chartutil.ReleaseOptions{Name: "gw", Namespace: "gateways", Revision: 1, IsInstall: true}
	all, err := chartutil.ToRenderValues(chart, values, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, fmt.Errorf("its values: %w", err)
	}
	files, err := engine.Render(chart, all)
	if err != nil {
		return nil, fmt.Errorf("rendering: %w", err)
	}
	return files, nil
}

// split reads the documents of one file; empty ones are none.
func split(text string) ([]Document, error) {
	var found []Document
	for part := range strings.SplitSeq(text, "\n---\n") {
		part = strings.TrimSuffix(strings.TrimSpace(part), "\n---")
		var head struct {
			Kind     string
			Metadata struct{ Name string }
		}
		if err := yaml.NewDecoder(strings.NewReader(part)).Decode(&head); errors.Is(err, io.EOF) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("%w in\n%s", err, part)
		}
		if head.Kind != "" {
			found = append(found, Document{Kind: head.Kind, Name: head.Metadata.Name, Text: part + "\n"})
		}
	}
	return found, nil
}
