package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const explainConfig = `version: 1
server: {hosts: [gw.test]}
environments:
  sim: {url: "http://127.0.0.1:1/{service}"}
credentials:
  retail: {environment: sim, client_id: a, client_secret: "${env:S}", username: c, password: "${env:P}"}
  live: {environment: production, client_id: a, client_secret: "${env:S}", username: c, password: "${env:P}"}
services:
  crm:
    denied: [/v1/secret/**]
callers:
  reader:
    keys: [{id: r-1, sha256: 1f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: {"*": read}}]
  both:
    keys: [{id: b-1, sha256: 2f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access:
      - {credential: retail, services: {crm: write}}
      - {credential: live, services: {crm: write}}
  moving:
    keys: [{id: m-1, sha256: 3f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access:
      - {credential: retail, services: {crm: read}}
      - {credential: passthrough, environment: sim, until: "2999-12-31", services: {pricing: read}}
      - {credential: passthrough, environment: production, until: "2020-12-31", services: {pricing: read}}
`

func TestExplain(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, []byte(explainConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		caller, request string
		flags           []string
		refusal         int
		want            []string
	}{
		{"reader", "GET /crm/v1/Companies(1)/Customers?$top=1", nil, 0, []string{
			`"http://127.0.0.1:1/crm/v1/Companies(1)/Customers?$top=1"`, "gateway.yaml:4", "the caller's only one", `"retail"`, "gateway.yaml:6",
			"callers.reader.access[0]", "/v1/Companies({company})/Customers**", "client of retail", `"2s"`,
		}},
		{"reader", "GET /crm/v1/x", []string{"--set", "services.crm.quota.max=9", "--set", "callers.reader.share.cap=5"}, 0, []string{
			"sim/crm/authenticated (window, at most 9, by client of retail)", "guarantee none, cap 5, weight 1", `"quota.max_wait.interactive"`, `"2s"`,
		}},
		{"both", "POST /sim/crm/v1/x", []string{"--set", "services.crm.quota.enforce=false"}, 0, []string{`"quota.enforce"`, "counted, never held"}},
		{"both", "POST /sim/crm/v1/x", []string{"--set", "services.crm.quota.max_wait.unsafe=1s"}, 0, []string{`"quota.max_wait.unsafe"`, `"1s"`}},
		{"reader", "GET /crm/v1/x", []string{"--set", "services.crm.quota.kind=none"}, 0, []string{"none: nothing counts the request"}},
		{"reader", "POST /crm/v1/Companies(1)/Customers", nil, 403, []string{"the method writes", "it only reads"}},
		{"reader", "POST /dataconnect/lists/stores", nil, 403, []string{"the method writes"}},
		{"reader", "POST /dataconnect/lists/stores", []string{"--body=false"}, 0, []string{"reads[0], catalogue"}},
		{"reader", "GET /dataconnect/lists/stores?Response=Csv.Email", nil, 403, []string{"side_effects[0], catalogue"}},
		{"reader", "GET /dataconnect/session?Response=Csv", nil, 0, []string{"session call of its own", `1/dataconnect/session"`}},
		{"reader", "GET /dataconnect/version", nil, 0, []string{"anonymous[0], catalogue", "egress address"}},
		{"reader", "GET /dataconnect/lists/stores", []string{"--set", "services.dataconnect.session.cookies=false"}, 0, []string{`"session.preferred_endpoint"`, "the host that the upstream prefers"}},
		{"reader", "GET /dataconnect/lists/stores", nil, 0, []string{`"session.cookies"`, "shared by its callers"}},
		{"reader", "GET /crm/V1/SECRET%2fx", nil, 403, []string{"denied /v1/secret/** (", "gateway.yaml:10"}},
		{"reader", "GET /customers/v1/x", nil, 0, []string{"by an alias"}},
		{"reader", "CONNECT /x", nil, 405, nil},
		{"reader", "TRACE /crm/v1/x", nil, 405, nil},
		{"reader", "GET /crm/a%zz", nil, 400, nil},
		{"reader", "GET http://other.test/crm/v1/x", nil, 421, nil},
		{"both", "GET /crm/v1/x", nil, 404, nil},
		{"both", "GET https://crm.iqmetrix.net/v1/x", nil, 0, []string{"native", "the host names it", `"live"`}},
		{"both", "GET http://crm.iqmetrix.net/v1/x", nil, 0, []string{"absolute", `"https://crm.iqmetrix.net/v1/x"`}},
		{"both", "GET /production/crm/v1/x", []string{"--credential", "retail"}, 403, []string{"X-Gateway-Credential asks for another"}},
		{"both", "GET /production/crm/v1/x", []string{"--set", "services.crm.prefix=/pp"}, 0, []string{"flag services.crm.prefix", "net/pp/v1/x"}},
	}
	for _, tt := range tests {
		code, stdout, stderr := command(t, nil, append([]string{"explain", "-c", file, "--as", tt.caller, "-o", "json", tt.request}, tt.flags...)...)
		var e explanation
		if err := json.Unmarshal([]byte(stdout), &e); err != nil || code != exitOK {
			t.Errorf("%s: exit %d, %v\n%s", tt.request, code, err, stderr)
			continue
		}
		got := 0
		if e.Refusal != nil {
			got = e.Refusal.Status
		}
		if got != tt.refusal || e.Allowed != (tt.refusal == 0) {
			t.Errorf("%s as %s: refused with %d, want %d: %s", tt.request, tt.caller, got, tt.refusal, e.Verdict)
		}
		for _, want := range tt.want {
			if !strings.Contains(stdout, want) {
				t.Errorf("%s as %s: no %s in\n%s", tt.request, tt.caller, want, stdout)
			}
		}
	}
}

// What explain says is what run does.
func TestExplainAgreesWithRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{access: `{"*": read, order: write}`})
	file := r.file
	for _, request := range []string{
		"GET /crm/v1/Companies(14146)/Customers", "DELETE /crm/v1/Companies(14146)/Customers(1)",
		"GET /crm/v1/../x", "GET /nope/x", "GET /rc/crm/v1/x", "GET /accounts/logout", "GET /crm/LOGOUT",
		"GET /dataconnect/Import/TrafficCount", "GET /dataconnect/lists/stores?response=xml.email", "GET /usermanager/v1/Users(1)",
		"GET /crm//v1/x", "GET /crm/v1/x?Auth=abc", "PURGE /crm/v1/x", "GET /sim/crm/v1/Companies(14146)/Customers",
	} {
		_, stdout, _ := command(t, rigEnviron(), "explain", "-c", file, "--as", "storefront", "-o", "json", request)
		var e explanation
		if err := json.Unmarshal([]byte(stdout), &e); err != nil {
			t.Fatalf("%s: %v in %s", request, err, stdout)
		}
		method, target, _ := strings.Cut(request, " ")
		resp := r.sendRaw(t, method+" "+target+" HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Api-Key: "+r.key+"\r\n\r\n")
		ours := strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json")
		switch {
		case e.Allowed && ours:
			t.Errorf("%s: explained as allowed, answered %s", request, resp.Status)
		case !e.Allowed && resp.StatusCode != e.Refusal.Status:
			t.Errorf("%s: explained as %d, answered %s", request, e.Refusal.Status, resp.Status)
		}
		if ids := resp.Header.Values("X-Request-Id"); len(ids) != 1 || resp.StatusCode == http.StatusInternalServerError {
			t.Errorf("%s: %s with request ids %q", request, resp.Status, ids)
		}
	}
}
