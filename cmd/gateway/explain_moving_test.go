package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What an operator is told of callers that keep their own tokens or their own
// token call.
func TestExplainMoving(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	if err := os.WriteFile(file, []byte(explainConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	enabled := []string{"--set", "auth.token_endpoint.enabled=true", "--set", "auth.token_endpoint.signing_key=MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
	const token = "https://accounts.iqmetrix.net/v1/oauth2/token"
	for name, tt := range map[string]struct {
		request string
		flags   []string
		refused bool
		want    []string
	}{
		"its own token":       {"GET /sim/pricing/v1/x", nil, false, []string{"the token that the caller brings", "sim/pricing/authenticated/passthrough:moving", "by the own token of moving", "the caller brings a token of its own"}},
		"the gateway's":       {"GET /sim/crm/v1/x", nil, false, []string{`"retail"`, "client of retail"}},
		"ended":               {"GET /production/pricing/v1/x", nil, true, []string{"it ended at 202", "Its access with passthrough ended at 202"}},
		"its own token call":  {"POST " + token, enabled, false, []string{"own token endpoint would answer it"}},
		"by path":             {"POST /sim/accounts/Token", enabled, false, []string{"own token endpoint would answer it"}},
		"while it is off":     {"POST " + token, nil, true, []string{"auth.token_endpoint.enabled"}},
		"with another method": {"GET " + token, enabled, true, []string{"closed to every caller"}},
	} {
		t.Run(name, func(t *testing.T) {
			args := slices.Concat([]string{"explain", "-c", file, "--as", "moving", "-o", "json", tt.request}, tt.flags)
			code, out, stderr := command(t, nil, args...)
			var e explanation
			if err := json.Unmarshal([]byte(out), &e); err != nil || code != exitOK {
				t.Fatalf("exit %d, %v\n%s", code, err, stderr)
			}
			if e.Allowed == tt.refused {
				t.Errorf("allowed: %t: %s", e.Allowed, e.Verdict)
			}
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in %s", want, out)
				}
			}
		})
	}
}
