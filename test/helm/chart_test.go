package helm_test

import (
	"flag"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"iqgateway/test/helm"
	"iqgateway/test/rig"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")

	program = rig.Program{Root: filepath.Join("..", "..")}
	// variants are the golden files in testdata.
	variants = []string{"default", "acme-cluster", "files-alone", "everything"}
)

func TestMain(m *testing.M) {
	log.SetOutput(io.Discard) // Helm's library tells of each symbolic link
	os.Exit(program.Run(m.Run))
}

// values reads a file of testdata, and sets what else the test wants by YAML.
func values(t *testing.T, variant, more string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", variant+".yaml"))
	rig.Must(t, err)
	v, changes := map[string]any{}, map[string]any{}
	rig.Must(t, yaml.UnmarshalStrict(text, &v))
	rig.Must(t, yaml.UnmarshalStrict([]byte(more), &changes))
	merge(v, changes)
	return v
}

func merge(into, changes map[string]any) {
	for key, value := range changes {
		below, both := into[key].(map[string]any)
		if change, ok := value.(map[string]any); ok && both {
			merge(below, change)
			continue
		}
		into[key] = value
	}
}

func render(t *testing.T, variant, more string) []helm.Document {
	t.Helper()
	documents, err := helm.Render(values(t, variant, more))
	rig.Must(t, err)
	return documents
}

// object returns the only one of its type and name.
func object[T any](t *testing.T, documents []helm.Document, name string) T {
	t.Helper()
	for _, d := range documents {
		o, err := d.Decode()
		rig.Must(t, err)
		if found, ok := o.(T); ok && d.Name == name {
			return found
		}
	}
	var none T
	t.Fatalf("no %T %s", none, name)
	return none
}

// Contents of files in deploy/observability, which have tests of their own.
var files = regexp.MustCompile(`(?ms)(^  iqgw-[a-z]+\.json: \|\n|^  groups:\n).*`)

// What each variant renders is known, and nothing that Kubernetes would refuse or
// drop.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, variant := range variants {
		t.Run(variant, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			for _, d := range render(t, variant, "") {
				if _, err := d.Decode(); err != nil {
					t.Error(err)
				}
				b.WriteString("---\n" + files.ReplaceAllString(d.Text, "$1    # …\n"))
			}
			path := filepath.Join("testdata", variant+".golden")
			if *update {
				rig.Must(t, os.WriteFile(path, []byte(b.String()), 0o600))
			}
			want, err := os.ReadFile(path)
			rig.Must(t, err)
			if b.String() != string(want) {
				t.Errorf("%s is not what the chart renders; look at the difference after: go test ./helm -run %s -update", path, "TestGolden")
			}
		})
	}
}

// The gateway takes every configuration that the chart makes, the doctor's too.
func TestConfigurationIsValid(t *testing.T) {
	t.Parallel()
	gateway, err := program.Path()
	rig.Must(t, err)
	for _, variant := range variants {
		for _, d := range render(t, variant, "") {
			o, err := d.Decode()
			rig.Must(t, err)
			c, ok := o.(*core.ConfigMap)
			if !ok || c.Data["gateway.yaml"] == "" {
				continue
			}
			path := filepath.Join(t.TempDir(), "gateway.yaml")
			rig.Must(t, os.WriteFile(path, []byte(c.Data["gateway.yaml"]), 0o600))
			if out, err := exec.CommandContext(t.Context(), gateway, "validate", "-c", path, "--offline").CombinedOutput(); err != nil {
				t.Errorf("%s, %s: %v\n%s%s", variant, d.Name, err, out, c.Data["gateway.yaml"])
			}
		}
	}
}
