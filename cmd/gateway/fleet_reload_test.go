package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"

	"iqgateway/internal/redistest"
)

// A reload reaches every replica, and tells what has become of it on each; those
// whose file is bad serve on as they did.
func TestReloadReachesTheFleet(t *testing.T) {
	t.Parallel()
	redistest.On(t, "single", func(t *testing.T, topology redistest.Topology) {
		f := newFleet(t, topology, fleetOptions{replicas: 2, extra: patientRedis})
		text, err := os.ReadFile(f.file)
		if err != nil {
			t.Fatal(err)
		}
		f.write(t, "gateway.yaml", strings.Replace(string(text), "lame_duck: 0s\n", "lame_duck: 0s\n  response_headers: minimal\n", 1))
		status, answer := f.api(t, f.all[0], http.MethodPost, pathConfigReload, "{}")
		var done reloadAnswer
		if err := json.Unmarshal([]byte(answer), &done); err != nil || status != http.StatusOK {
			t.Fatalf("%v in %d %s", err, status, answer)
		}
		if done.Fleet.Followed != 2 || len(done.Replicas) != 2 {
			t.Fatalf("%+v", done)
		}
		for _, r := range done.Replicas {
			if r.Hash == "" || r.Problem != "" {
				t.Errorf("%+v", r)
			}
		}
		for _, r := range f.all {
			if status, shown := f.api(t, r, http.MethodGet, pathConfig, ""); status != http.StatusOK || !strings.Contains(shown, "response_headers: minimal") {
				t.Errorf("%d %s", status, shown)
			}
		}
		f.write(t, "gateway.yaml", "version: 2\n")
		status, answer = f.api(t, f.all[0], http.MethodPost, pathConfigReload, "{}")
		if status != http.StatusUnprocessableEntity || !strings.Contains(answer, "gateway.yaml:1") || !strings.Contains(answer, "of 2 replicas 0 have followed") {
			t.Errorf("%d %s", status, answer)
		}
		for _, r := range f.all {
			f.wantOK(t, r)
		}
	})
}
