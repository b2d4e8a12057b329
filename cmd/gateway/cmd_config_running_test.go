package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"iqgateway/config"
)

// A file is compared with what serves: values, what a restart needs, no secret.
func TestConfigDiffAndReload(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	diff := func() configDifferences {
		t.Helper()
		var out lockedBuffer
		p := program{stdout: &out, stderr: &out, environ: adminEnviron(r.Admin, adminToken)}
		code := p.run(t.Context(), []string{"config", "diff", "-c", r.file, "--set", "admin.token=" + adminToken, "-o", "json"})
		var d configDifferences
		if err := json.Unmarshal([]byte(out.String()), &d); err != nil || code != exitOK || strings.Contains(out.String(), adminToken) {
			t.Fatalf("%d, %v in %s", code, err, &out)
		}
		return d
	}
	if d := diff(); len(d.Differences) != 0 {
		t.Errorf("the same file differs: %+v", d)
	}
	r.rewrite(t, "lame_duck: 0s", "lame_duck: 1s\n  response_headers: minimal\n  hosts: [gateway.example.com]")
	d := diff()
	want := []configDifference{
		{config.Difference{Path: "server.hosts", New: "[gateway.example.com]"}, true}, // the certificate is self-signed
		{config.Difference{Path: "server.lame_duck", Old: "0s", New: "1s"}, true},
		{config.Difference{Path: "server.response_headers", Old: "standard", New: "minimal"}, false},
	}
	if !slices.Equal(d.Differences, want) {
		t.Errorf("%+v", d.Differences)
	}
	r.operate(t, "server.lame_duck", "config", "diff", "-c", r.file, "--set", "admin.token="+adminToken)
	r.operate(t, "needs a restart: server.hosts server.lame_duck", "config", "reload")
	r.operate(t, "no difference", "config", "diff", "-c", r.file, "--set", "admin.token="+adminToken)
	var shown configDocument
	a := r.get(t, "http://"+r.Admin+pathConfig, func(q *http.Request) { q.Header.Set("Authorization", "Bearer "+adminToken) }).want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(a.text), &shown); err != nil || !strings.Contains(shown.YAML, "response_headers: minimal") || shown.Hash == d.Hash {
		t.Errorf("%v, %+v", err, shown)
	}
	if strings.Contains(shown.YAML, adminToken) {
		t.Error("the token is shown")
	}
}
