package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestExplainShowsTheCallersLimit(t *testing.T) {
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, []byte(explainConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ flags, want []string }{
		{nil, nil},
		{[]string{"rate=90/m"}, []string{`"90/1m, over all replicas"`, `"2 (one second's worth)"`}},
		{[]string{"rate=100/s", "burst=200", "concurrency=7"}, []string{`"100/1s, over all replicas"`, `"200"`, `"7 at once, over all replicas"`}},
	} {
		args := []string{"explain", "-c", file, "--as", "reader", "-o", "json"}
		for _, f := range tt.flags {
			args = append(args, "--set", "callers.reader.rate_limit."+f)
		}
		_, stdout, stderr := command(t, []string{"S=s", "P=p"}, append(args, "GET /crm/v1/x")...)
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%v: no %s in\n%s%s", tt.flags, want, stdout, stderr)
			}
		}
		if n := strings.Count(stdout, `"rate_limit.`); n != len(tt.want) || !strings.Contains(stdout, `"route"`) {
			t.Errorf("%v: %d facts of a limit in\n%s%s", tt.flags, n, stdout, stderr)
		}
	}
}
