package supply_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"iqgateway/test/rig"
)

// shapes of secrets: what those who issue them made recognisable.
var shapes = map[string]*regexp.Regexp{
	"a private key":         regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/]{16}`),
	"a key of AWS":          regexp.MustCompile(`\b(AKIA|ASIA)[0-9A-Z]{16}\b`),
	"a token of GitHub":     regexp.MustCompile(`\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50})`),
	"a token of GitLab":     regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20}`),
	"a token of Slack":      regexp.MustCompile(`\bxox[abprs]-[A-Za-z0-9-]{10}`),
	"a key of Google":       regexp.MustCompile(`\bAIza[0-9A-Za-z_-]{35}`),
	"a signed token":        regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{16,}\.eyJ[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}`),
	"a key of a caller":     regexp.MustCompile(`\biqgw_[A-Za-z0-9_-]{43}\b`),
	"a password in a URL":   regexp.MustCompile(`\bhttps?://[a-z0-9.-]+:[^@/\s"'$%{*]{6,}@`),
	"an assigned long text": regexp.MustCompile(`(?i)\b(client_secret|password|api_key)\b["']?\s*[:=]\s*["']?[A-Za-z0-9+/]{32,}`),
}

// harmless are findings that are none, by file and shape, and why: one such text
// in that file, and no other.
var harmless = map[[2]string]string{
	{"config/testdata/bad/url-user.yaml", "a password in a URL"}: "the configuration that is refused because of it",
}

// secrets are what looks like some in a file, each with its line.
func secrets(name string, text []byte) (found []string) {
	for what, shape := range shapes {
		all := shape.FindAllIndex(text, -1)
		if len(all) == 1 && harmless[[2]string{name, what}] != "" {
			continue
		}
		for _, at := range all {
			found = append(found, fmt.Sprintf("%s:%d: %s", name, 1+bytes.Count(text[:at[0]], []byte("\n")), what))
		}
	}
	return found
}

// SEC-64: no file of the tree holds a secret.
func TestSEC64NoSecrets(t *testing.T) {
	t.Parallel()
	files := 0
	rig.Must(t, filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name == ".git" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(path)
		files++
		for _, secret := range secrets(filepath.ToSlash(name), text) {
			t.Error(secret)
		}
		return err
	}))
	if files < 100 {
		t.Errorf("only %d files were looked at", files)
	}
}

// What is looked for is found.
func TestSecretsAreFound(t *testing.T) {
	t.Parallel()
	examples := map[string][]string{ // in two parts, as this file is looked at too
		"a private key":         {"-----BEGIN EC PRIVATE", " KEY-----\nMHcCAQEEIAbcdefghijklmnop"},
		"a key of AWS":          {"AKIA", "IOSFODNN7EXAMPLE"},
		"a token of GitHub":     {"ghp_", strings.Repeat("a1", 18)},
		"a token of GitLab":     {"glpat-", strings.Repeat("a1", 10)},
		"a token of Slack":      {"xoxb-", "1234567890-abc"},
		"a key of Google":       {"AIza", strings.Repeat("b", 35)},
		"a signed token":        {"eyJ" + strings.Repeat("a", 20) + ".", "eyJ" + strings.Repeat("b", 20) + "." + strings.Repeat("c", 43)},
		"a key of a caller":     {"iqgw_", strings.Repeat("k", 43)},
		"a password in a URL":   {"https://user:", "hunter22@host/"},
		"an assigned long text": {"client_secret: ", strings.Repeat("s3", 20)},
	}
	for what := range shapes {
		if got := secrets("file", []byte("\n"+strings.Join(examples[what], ""))); !slices.Equal(got, []string{"file:2: " + what}) {
			t.Errorf("%s: found %q", what, got)
		}
	}
	// Nor does a harmless text hide another beside it.
	for at := range harmless {
		text, err := os.ReadFile(filepath.Join(root, at[0]))
		rig.Must(t, err)
		if got := secrets(at[0], text); len(got) != 0 {
			t.Errorf("found %q", got)
		}
		for what, parts := range examples {
			if got := secrets(at[0], append(slices.Clone(text), "\n"+strings.Join(parts, "")...)); len(got) == 0 {
				t.Errorf("%s: %s is not found", at[0], what)
			}
		}
	}
}
