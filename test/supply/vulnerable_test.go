package supply_test

import (
	"strings"
	"testing"
)

// SEC-63: the product reaches nothing that is known to be vulnerable, by the
// database in the tree; the script proves itself by a planted module.
func TestSEC63KnownVulnerabilities(t *testing.T) {
	out := mustRun(t, nil, "scripts/vulncheck.sh")
	for _, want := range []string{"No vulnerabilities found.", "the planted GO-2025-3540 was found"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// SEC-63: where there is no database the check fails, and does not say that all
// is well.
func TestSEC63WithoutDatabase(t *testing.T) {
	out, err := run(t, []string{"VULNDB=file:///nowhere"}, "scripts/vulncheck.sh")
	if err == nil {
		t.Errorf("it passes:\n%s", out)
	}
}
