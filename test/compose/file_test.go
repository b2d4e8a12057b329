package compose_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/compose"
	"iqgateway/test/rig"
)

const (
	root   = "../.."
	folder = root + "/deploy/compose"
)

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	rig.Must(t, err)
	return string(text)
}

func open(t *testing.T) compose.File {
	t.Helper()
	var f compose.File
	rig.Must(t, compose.Decode([]byte(read(t, folder+"/docker-compose.yaml")), &f))
	return f
}

func TestFilesFitTogether(t *testing.T) {
	f := open(t)
	for _, wrong := range f.Check() {
		t.Error(wrong)
	}
	for name, s := range f.Services {
		for _, v := range s.Volumes {
			source, _, _ := strings.Cut(v, ":")
			if _, named := f.Volumes[source]; named {
				continue
			}
			if _, err := os.Stat(filepath.Join(folder, source)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		if s.Build == nil {
			continue
		}
		if context := filepath.Join(folder, s.Build.Context); !strings.Contains(read(t, filepath.Join(context, "Dockerfile")), " AS "+s.Build.Target+"\n") {
			t.Errorf("%s: the Dockerfile has no stage %s", name, s.Build.Target)
		}
	}
}

// What does not fit together is found.
func TestCheck(t *testing.T) {
	var f compose.File
	rig.Must(t, compose.Decode([]byte(`
services:
  a: {image: "a:latest", ports: ["8080:8080"], volumes: ["x:/x"], depends_on: {b: {condition: service_healthy}, c: {condition: service_started}}}
  b: {image: "b:1.2"}
`), &f))
	if wrong := f.Check(); len(wrong) != 5 {
		t.Errorf("%q", wrong)
	}
	if err := compose.Decode([]byte("services: {a: {imaje: x}}"), &f); err == nil {
		t.Error("an unknown member is taken")
	}
}

// Prometheus asks the status listener of every gateway, and takes its
// configuration with the rules.
func TestPrometheus(t *testing.T) {
	var c struct {
		Global    map[string]string `yaml:"global"`
		RuleFiles []string          `yaml:"rule_files"`
		Scrape    []struct {
			Job    string `yaml:"job_name"`
			Static []struct {
				Targets []string `yaml:"targets"`
			} `yaml:"static_configs"`
		} `yaml:"scrape_configs"`
	}
	text := read(t, folder+"/prometheus.yaml")
	rig.Must(t, compose.Decode([]byte(text), &c))
	var gateways []string
	for name, s := range open(t).Services {
		if s.Build != nil && s.Build.Target == "gateway" {
			gateways = append(gateways, name+":9091")
		}
	}
	slices.Sort(gateways)
	if !strings.Contains(read(t, folder+"/gateway.yaml"), "0.0.0.0:9091") || len(gateways) != 2 || !slices.Equal(c.Scrape[0].Static[0].Targets, gateways) {
		t.Errorf("Prometheus asks %v, not %v", c.Scrape[0].Static[0].Targets, gateways)
	}
	dir := t.TempDir()
	makeLinks(t, dir)
	rig.Must(t, os.WriteFile(dir+"/prometheus.yaml", []byte(strings.ReplaceAll(text, "/links/", dir+"/")), 0o600))
	if out, err := exec.CommandContext(t.Context(), "promtool", "check", "config", dir+"/prometheus.yaml").CombinedOutput(); err != nil || !strings.Contains(string(out), "rules found") {
		t.Errorf("%v\n%s", err, out)
	}
}

// An image has what `make build` makes, linked statically, and runs as nobody in
// particular.
func TestDockerfile(t *testing.T) {
	docker, makefile := read(t, root+"/Dockerfile"), read(t, root+"/Makefile")
	flags := func(text, pattern string) string {
		match := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if match == nil {
			t.Fatalf("no %s", pattern)
		}
		return match[1]
	}
	made := strings.NewReplacer(
		"$(LDFLAGS)", flags(makefile, `(?m)^LDFLAGS  := (.+)$`), "$(BIN)", "/out", "'", `"`).Replace(flags(makefile, `(?m)^\t\$\(GO\) (build .+)$`))
	made = strings.ReplaceAll(made, "$(VERSION)", "${VERSION}")
	if got := flags(docker, `(?m)^RUN go (build .+)$`); got != made {
		t.Errorf("the image has\n%s\nmake build makes\n%s", got, made)
	}
	version := flags(read(t, root+"/go.mod"), `(?m)^go (\S+)$`)
	for _, want := range []string{"FROM golang:" + version + "-", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "FROM scratch AS gateway", "FROM scratch AS iqsim", `CMD ["gateway", "healthcheck"]`, `org.opencontainers.image.version="${VERSION}"`} {
		if !strings.Contains(docker, want) {
			t.Errorf("no %q", want)
		}
	}
	if n := strings.Count(docker, "USER 65532:65532"); n != 2 {
		t.Errorf("%d of 2 images run without rights", n)
	}
	_, gateway, _ := strings.Cut(docker, "FROM scratch AS gateway")
	if !strings.Contains(gateway, " /etc/ssl/certs/ca-certificates.crt\n") {
		t.Error("the gateway trusts nobody")
	}
	// Folders that it may write to: its data, and temporary files of gateway demo.
	data := flags(read(t, root+"/examples/full.yaml"), `(?m)^data_dir: (\S+)`)
	made = flags(docker, `(?m)^RUN (mkdir .+)$`)
	for _, want := range []string{" /image" + data, " /image/tmp"} {
		if !strings.Contains(made+" ", want+" ") {
			t.Errorf("%q makes no %s", made, want)
		}
	}
	before, _, volume := strings.Cut(gateway, "VOLUME "+data+"\n")
	if !volume || !strings.Contains(before, "\nCOPY --from=build --chown=65532:65532 /image/ /\n") {
		t.Errorf("the gateway cannot write to %s:\n%s", data, gateway)
	}
}

func TestGrafana(t *testing.T) {
	var sources struct {
		API         int `yaml:"apiVersion"`
		Datasources []struct {
			Name, UID, Type, URL string
			IsDefault            bool `yaml:"isDefault"`
			JSONData             struct {
				TimeInterval string `yaml:"timeInterval"`
				Exemplars    []struct {
					Name, URL string
					Label     string `yaml:"urlDisplayLabel"`
				} `yaml:"exemplarTraceIdDestinations"`
			} `yaml:"jsonData"`
		}
	}
	rig.Must(t, compose.Decode([]byte(read(t, folder+"/grafana/datasources.yaml")), &sources))
	services := open(t).Services
	for _, s := range sources.Datasources {
		host, _, _ := strings.Cut(strings.TrimPrefix(s.URL, "http://"), ":")
		if services[host] == nil || s.UID == "" {
			t.Errorf("%+v", s)
		}
		// Viewers may not open traces within Grafana; $$ is its own way to write $.
		for _, to := range s.JSONData.Exemplars {
			if want := "trace_url: " + strings.ReplaceAll(to.URL, "$${__value.raw}", "{trace_id}"); !strings.Contains(read(t, folder+"/gateway.yaml"), want+"\n") {
				t.Errorf("exemplars lead to %q", to.URL)
			}
		}
	}
	var boards struct {
		API       int `yaml:"apiVersion"`
		Providers []struct {
			Name, Folder, Type string
			AllowUIUpdates     bool `yaml:"allowUiUpdates"`
			Options            struct{ Path string }
		}
	}
	rig.Must(t, compose.Decode([]byte(read(t, folder+"/grafana/dashboards.yaml")), &boards))
	if path := boards.Providers[0].Options.Path; path != "/links/dashboards" || !slices.Contains(services["grafana"].Volumes, "links:/links:ro") {
		t.Errorf("no dashboards at %s", path)
	}
}
