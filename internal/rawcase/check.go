package rawcase

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// maxShown bounds the bytes in a failure's text.
const maxShown = 2000

func check(t testing.TB, number int, s Step, got result, vars map[string]string) {
	t.Helper()
	for i, want := range s.Answers {
		outcome := "missing"
		if i < len(got.outcomes) {
			outcome = got.outcomes[i]
		}
		if !slices.Contains(want, outcome) {
			t.Errorf("step %d, answer %d: %s, want %s\n%s", number, i+1, outcome, strings.Join(want, " or "), shown(got.raw))
		}
	}
	if s.Close && !got.closed {
		t.Errorf("step %d: the connection stays open, or more came\n%s", number, shown(got.raw))
	}
	checkText(t, "the answer", got.raw, vars, s.Contains, s.Absent)
}

// checkText looks for texts, which may have escapes and variables.
func checkText(t testing.TB, what string, raw []byte, vars map[string]string, contains, absent []string) {
	t.Helper()
	for i, text := range slices.Concat(contains, absent) {
		want, err := expand([]string{text}, vars)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch found := bytes.Contains(raw, want); {
		case i < len(contains) && !found:
			t.Errorf("%s lacks %q\n%s", what, want, shown(raw))
		case i >= len(contains) && found:
			t.Errorf("%s has %q\n%s", what, want, shown(raw))
		}
	}
}

// checkNonce: each answer belongs to its question.
func checkNonce(t testing.TB, number int, nonce string, got result) {
	t.Helper()
	for i, outcome := range got.outcomes {
		if strings.HasPrefix(outcome, "2") && len(got.bodies[i]) > 0 && !bytes.Contains(got.bodies[i], []byte(nonce)) {
			t.Errorf("step %d, answer %d belongs to another question\n%s", number, i+1, shown(got.bodies[i]))
		}
	}
}

func checkUpstream(t testing.TB, c Case, received []Received, vars map[string]string) {
	t.Helper()
	var raw []byte
	var lines []string
	complete := 0
	for _, r := range received {
		raw = append(raw, r.Raw...)
		lines = append(lines, r.Line)
		if r.Complete {
			complete++
		}
	}
	if want := c.UpstreamRequests; want != nil && !want.holds(len(received)) {
		t.Errorf("the upstream saw %d requests, want %v: %q", len(received), want, lines)
	}
	if want := c.UpstreamComplete; want != nil && !want.holds(complete) {
		t.Errorf("the upstream saw %d complete requests, want %v: %q", complete, want, lines)
	}
	if want := c.UpstreamTargets; want != nil && !slices.Equal(want, lines) {
		t.Errorf("the upstream saw\n%q, want\n%q", lines, want)
	}
	checkText(t, "what went upstream", raw, vars, c.UpstreamContains, c.UpstreamAbsent)
}

// checkInvariants: what holds for every request that ever goes upstream.
func checkInvariants(t testing.TB, target Target, received []Received) {
	t.Helper()
	for _, r := range received {
		for _, secret := range target.Secrets {
			if bytes.Contains(r.Raw, []byte(secret)) {
				t.Errorf("%s: a caller's credential went upstream", r.Line)
			}
		}
		if !r.Complete {
			continue
		}
		head, _, _ := strings.Cut(string(r.Raw), "\r\n\r\n")
		if got, want := values(head, "authorization"), list(target.Authorization); !slices.Equal(got, want) {
			t.Errorf("%s: %d Authorization fields, want %d of the gateway's own", r.Line, len(got), len(want))
		}
		if got := values(head, "host"); len(got) != 1 || !slices.Contains(target.UpstreamHosts, got[0]) {
			t.Errorf("%s: Host %q, want one of %q", r.Line, got, target.UpstreamHosts)
		}
	}
}

func list(value string) []string {
	if value == "" {
		return nil
	}
	return []string{value}
}

// values returns those of a field of a raw header; name in lower case.
func values(head, name string) []string {
	var found []string
	for line := range strings.SplitSeq(head, "\r\n") {
		key, value, ok := strings.Cut(line, ":")
		if ok && strings.ToLower(key) == name {
			found = append(found, strings.TrimSpace(value))
		}
	}
	return found
}

func shown(raw []byte) string {
	if len(raw) > maxShown {
		return string(raw[:maxShown]) + "…"
	}
	return string(raw)
}
