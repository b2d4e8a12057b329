package compose

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// File is a compose file, as far as the demonstration uses the format.
type File struct {
	Name     string              `yaml:"name"`
	Gateway  yaml.Node           `yaml:"x-gateway"` // what both gateways have
	Services map[string]*Service `yaml:"services"`
	Volumes  map[string]any      `yaml:"volumes"`
}

// Service is one of its containers.
type Service struct {
	Image       string            `yaml:"image"`
	Build       *Build            `yaml:"build"`
	Entrypoint  []string          `yaml:"entrypoint"`
	Command     []string          `yaml:"command"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Ports       []string          `yaml:"ports"`
	NetworkMode string            `yaml:"network_mode"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck *struct {
		Test     []string `yaml:"test"`
		Interval string   `yaml:"interval"`
		Timeout  string   `yaml:"timeout"`
		Retries  int      `yaml:"retries"`
	} `yaml:"healthcheck"`
	StopGracePeriod string `yaml:"stop_grace_period"`
	Restart         string `yaml:"restart"`
}

// Build is how an image is made.
type Build struct {
	Context string `yaml:"context"`
	Target  string `yaml:"target"`
}

// Decode reads YAML; a member that into does not have is an error.
func Decode(text []byte, into any) error {
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	return d.Decode(into)
}

// Check returns what does not fit together within the file.
func (f *File) Check() []string {
	var wrong []string
	built := map[string]bool{}
	for _, s := range f.Services {
		if s.Build != nil {
			built[s.Image] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(f.Services)) {
		for _, problem := range f.Services[name].check(f, built[f.Services[name].Image]) {
			wrong = append(wrong, name+": "+problem)
		}
	}
	return wrong
}

func (s *Service) check(f *File, built bool) []string {
	var wrong []string
	if _, tag, ok := strings.Cut(s.Image, ":"); !built && (!ok || !strings.ContainsAny(tag, "0123456789")) {
		wrong = append(wrong, fmt.Sprintf("image %q has no version", s.Image))
	}
	for _, port := range s.Ports {
		if !strings.HasPrefix(port, "127.0.0.1:") {
			wrong = append(wrong, fmt.Sprintf("port %s is published beyond loopback", port))
		}
	}
	for _, v := range s.Volumes {
		source, _, _ := strings.Cut(v, ":")
		if _, declared := f.Volumes[source]; !declared && !strings.HasPrefix(source, ".") {
			wrong = append(wrong, fmt.Sprintf("volume %s is not declared", source))
		}
	}
	for on, d := range s.DependsOn {
		switch other := f.Services[on]; {
		case other == nil:
			wrong = append(wrong, "depends on "+on+", which is no service")
		case d.Condition == "service_healthy" && other.Healthcheck == nil:
			wrong = append(wrong, on+" never becomes healthy: it has no healthcheck")
		}
	}
	return wrong
}
