package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// REL-39: whatever is wrong with a new configuration, a gateway that runs refuses the
// whole of it, says where and why, and serves on by the one that it has.
func TestREL39RefusesEveryBadConfiguration(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob("../../config/testdata/bad/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, rigOptions{
		flags:   adminTokenFlags(),
		environ: []string{"S=c4n4ry", "EMPTY=", "LINES=c4n4ry\nsecond", "SHORT_KEY=c2hvcnQ=", "NO_KEY=c4n4ry, no base64"},
	})
	good, err := os.ReadFile(r.file)
	if err != nil {
		t.Fatal(err)
	}
	serves := r.reload(t).Hash
	apart := 4 // of those that are tried
	if *long {
		apart = 1
	}
	refused := 0
	for i, name := range names {
		document, want := badConfiguration(t, name)
		if len(want) == 0 || i%apart != 0 {
			continue
		}
		refused++
		if err := os.WriteFile(r.file, []byte(document), 0o600); err != nil {
			t.Fatal(err)
		}
		r.wantRefused(t, filepath.Base(name), want)
		if refused == 1 {
			r.wantMetrics(t, "iqgw_config_last_reload_successful 0", `iqgw_config_info{hash="`+serves+`"} 1`)
			r.wantLog(t, strings.ReplaceAll(want[0], `"`, `\"`))
		}
	}
	if refused < 150/apart {
		t.Errorf("only %d configurations were tried", refused)
	}
	r.wantMetrics(t, "iqgw_config_last_reload_successful 0", `iqgw_config_info{hash="`+serves+`"} 1`)
	for _, line := range r.accessLines(catalogItems) {
		if line["config"] != serves {
			t.Errorf("%v was served by %v, not %s", line["request_id"], line["config"], serves)
		}
	}
	if err := os.WriteFile(r.file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if done := r.reload(t); done.Hash != serves {
		t.Errorf("%+v", done)
	}
	r.wantMetrics(t, "iqgw_config_last_reload_successful 1")
}

// badConfiguration reads one with what is said of it. Nothing is wanted of those
// that are good here: a flag gives admin.token, and the files of the package's own
// test are not there.
func badConfiguration(t *testing.T, name string) (document string, want []string) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	document, said, _ := strings.Cut(string(text), "\n# want: ")
	if strings.Contains(said, "admin.token") || strings.Contains(document, "/here/") {
		return document, nil
	}
	return document, strings.Split(strings.TrimSpace(said), "\n# want: ")
}

// wantRefused wants a reload to be refused with these lines, and the gateway to serve on.
func (r *rig) wantRefused(t *testing.T, name string, want []string) {
	t.Helper()
	var problem struct{ Detail string }
	a := r.order(t, pathConfigReload, "{}")
	if err := json.Unmarshal([]byte(a.text), &problem); err != nil || a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("%s: %v in %d %s", name, err, a.StatusCode, a.text)
		return
	}
	said := strings.ReplaceAll(problem.Detail, r.file, filepath.Base(r.file))
	for _, line := range want {
		if !strings.Contains(said, line) {
			t.Errorf("%s: no %s\nin %s", name, line, said)
		}
	}
	if strings.Contains(a.text, "c4n4ry") {
		t.Errorf("%s: the answer holds a secret: %s", name, a.text)
	}
	r.do(t, http.MethodGet, catalogItems, "").want(t, http.StatusOK)
}
