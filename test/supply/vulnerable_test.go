package supply_test

import (
	"strings"
	"testing"
)

// SEC-63: the product reaches nothing that is known to be vulnerable, by the
// database in the tree; the script proves itself by a planted module, and says
// how old its knowledge is.
func TestSEC63KnownVulnerabilities(t *testing.T) {
	t.Parallel()
	out := mustRun(t, nil, "scripts/vulncheck.sh")
	for _, want := range []string{"days old", "No vulnerabilities found.", "the planted GO-2025-3540 was found"} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
}

// SEC-63: where there is no database the check fails, and does not say that all
// is well.
func TestSEC63WithoutDatabase(t *testing.T) {
	t.Parallel()
	wantNoCheck(t, "VULNDB=file:///nowhere", "stat /nowhere: no such file or directory")
}

// SEC-63: nor does an old database, which says what to do.
func TestSEC63OldDatabase(t *testing.T) {
	t.Parallel()
	wantNoCheck(t, "VULN_TODAY=2999-01-01", "it is too old", "VULNDB=https://vuln.go.dev", "go-vulndb.date")
}

// wantNoCheck fails the test unless the check fails and says why.
func wantNoCheck(t *testing.T, variable string, want ...string) {
	t.Helper()
	out, err := run(t, []string{variable}, "scripts/vulncheck.sh")
	if err == nil {
		t.Errorf("it passes:\n%s", out)
	}
	for _, words := range want {
		if !strings.Contains(out, words) {
			t.Errorf("it does not say %q:\n%s", words, out)
		}
	}
	if strings.Contains(out, "No vulnerabilities found.") {
		t.Errorf("it says that all is well:\n%s", out)
	}
}
