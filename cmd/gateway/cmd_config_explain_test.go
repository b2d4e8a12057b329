package main

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestConfigExplain(t *testing.T) {
	t.Parallel()
	run := func(args ...string) (string, string, int) {
		var out, problems lockedBuffer
		p := program{stdout: &out, stderr: &problems}
		code := p.run(t.Context(), append([]string{"config", "explain"}, args...))
		return out.String(), problems.String(), code
	}
	full := filepath.Join("..", "..", "examples", "full.yaml")
	out, _, code := run("services.crm.quota.enforce", "-c", full)
	for _, want := range []string{"true or false", "reload", "services.*.quota.enforce", "in production", "full.yaml:"} {
		if code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%d, no %q in\n%s", code, want, out)
		}
	}
	out, _, code = run("server.address", "-o", "json")
	var d settingDocument
	if err := json.Unmarshal([]byte(out), &d); err != nil || code != exitOK || d.Change != "restart" || d.Override != "" || d.Default == "" || d.Values != nil {
		t.Errorf("%d, %v in %s", code, err, out)
	}
	for args, want := range map[string]string{"server.hosts": "reload; restart where server.tls.mode is self_signed", "server.hosts -c " + full: "change   reload\n"} {
		if out, problems, code := run(strings.Fields(args)...); code != exitOK || !strings.Contains(out, want) {
			t.Errorf("%s: %d, %s%s", args, code, out, problems)
		}
	}
	if out, problems, code := run("services.crm.quotas", "-c", full); code != exitUsage || !strings.Contains(problems, `did you mean "quota"?`) {
		t.Errorf("%d, %s%s", code, out, problems)
	}
}

// A running gateway tells which overrides of a setting hold, and of no other.
func TestConfigExplainShowsOverrides(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	for _, order := range []string{"services.crm.quota.enforce=false", "callers.storefront.class=batch"} {
		r.operate(t, order[:strings.Index(order, "=")], "override", "set", order, "--for", "10m", "--reason", "INC-7")
	}
	for key, want := range map[string]string{
		"services.crm.quota.enforce": "services.crm.quota.enforce=false",
		"services.crm.quota":         "services.crm.quota.enforce=false",
		"services.customers.quota":   "services.crm.quota.enforce=false", // by an alias of the catalogue
		"callers.storefront":         "callers.storefront.class=batch",
		"services.crm.quota.max":     "",
		"callers.storefront.cache":   "",
	} {
		code, out, problems := command(t, adminEnviron(r.Admin, adminToken), "config", "explain", key, "--running")
		if code != exitOK || strings.Count(out, "overridden") != min(len(want), 1) || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, %s%s", key, code, out, problems)
		}
	}
}
