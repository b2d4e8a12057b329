package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runCA runs the command and returns its code and both outputs.
func runCA(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = program{stdout: &out, stderr: &errs, environ: rigEnviron()}.run(t.Context(), append([]string{"ca", "export"}, args...))
	return code, out.String(), errs.String()
}

func TestCAExport(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{})
	code, text, stderr := runCA(t, "-c", r.file)
	pool := x509.NewCertPool()
	if code != exitOK || !pool.AppendCertsFromPEM([]byte(text)) || !pool.Equal(r.roots) || strings.Contains(text, "PRIVATE") {
		t.Errorf("%d %s %s", code, text, stderr)
	}
	out := filepath.Join(t.TempDir(), "ca.crt")
	code, shown, stderr := runCA(t, "-c", r.file, "--out", out)
	written, err := os.ReadFile(out)
	if code != exitOK || err != nil || shown != "" || string(written) != text {
		t.Errorf("%d %v %q %s", code, err, shown, stderr)
	}
}

func TestCAExportSaysWhatToDo(t *testing.T) {
	t.Parallel()
	const tail = "\nenvironments: {sim: {url: \"http://127.0.0.1:1/{service}\"}}\n"
	tests := map[string]struct{ text, want string }{
		"another mode":  {"version: 1\nserver: {tls: {mode: none}}\ndata_dir: DIR", "server.tls.mode is none"},
		"no data_dir":   {"version: 1", "set data_dir"},
		"never started": {"version: 1\ndata_dir: DIR", "start the gateway once"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "gateway.yaml")
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(tt.text, "DIR", dir)+tail), 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out, stderr := runCA(t, "-c", file); code != exitFailure || out != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("%d %q %q, want %q", code, out, stderr, tt.want)
			}
		})
	}
}
