package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// The command shows what the caller is told, by the running gateway's admin
// server.
func TestExplainRequest(t *testing.T) {
	r := newSickRig(t, "  crm: {FAULTS}\n", rigOptions{access: `{crm: read}`})
	a := r.do(t, http.MethodDelete, "/crm/v1/Companies(1)/Customers(2)", "", setHeader("X-Odd", "1")).want(t, http.StatusForbidden)
	own := r.own(t, a)
	out := r.explained(t, own.RequestID)
	for _, want := range []string{own.RequestID + ": DELETE /sim/crm/", "authenticate", "storefront, by key storefront-1", "403 not-allowed", "Not allowed: storefront may not write"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var same requestDocument
	if err := json.Unmarshal([]byte(r.explained(t, own.RequestID, "-o", "json")), &same); err != nil || same.RequestID != own.RequestID || len(same.Stages) != len(own.Stages) {
		t.Errorf("%+v, %v", same, err)
	}
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{envAdminToken + "=" + adminToken}}
	if code := p.run(t.Context(), []string{"explain", "--admin-address", r.Admin, own.Replica + "-nonsense"}); code != exitFailure || !strings.Contains(stderr.String(), "no replica that answers remembers") {
		t.Errorf("ended with %d: %s", code, stderr.String())
	}
}

func (r *sickRig) explained(t *testing.T, args ...string) string {
	t.Helper()
	var stdout, stderr lockedBuffer
	p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, environ: []string{envAdminToken + "=" + adminToken}}
	if code := p.run(t.Context(), append([]string{"explain", "--admin-address", r.Admin}, args...)); code != exitOK {
		t.Fatalf("ended with %d: %s", code, stderr.String())
	}
	return stdout.String()
}
