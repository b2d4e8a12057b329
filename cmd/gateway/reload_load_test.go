package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"runtime/pprof"
	"strconv"
	"strings"
	"testing"
)

// gatewayLabel marks the goroutines of one test's gateway, and all that they start.
const gatewayLabel = "gateway of"

// labelled has a starter start gateways whose goroutines can be told from those of
// tests that run beside this one.
func labelled(start starter) starter {
	return func(t testing.TB, stdout io.Writer, environ []string, args ...string) (a addresses) {
		t.Helper()
		pprof.Do(t.Context(), pprof.Labels(gatewayLabel, t.Name()), func(context.Context) {
			a = start(t, stdout, environ, args...)
		})
		return a
	}
}

// goroutinesOf counts the goroutines of the gateway that a test has started so.
func goroutinesOf(t testing.TB) int {
	t.Helper()
	var profile strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		t.Fatal(err)
	}
	label := fmt.Sprintf("# labels: {%q:%q}\n", gatewayLabel, t.Name())
	all, alike := 0, 0
	for line := range strings.Lines(profile.String()) {
		if number, _, found := strings.Cut(line, " @ "); found {
			alike, _ = strconv.Atoi(number) // the first line of each is one
		} else if line == label {
			all += alike
		}
	}
	return all
}

// An operator's order to a breaker outlives a reload.
func TestReloadKeepsBreakers(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{flags: adminTokenFlags()})
	r.operate(t, "sim/crm is forced open", "breaker", "open", "sim/crm", "--for", "10m", "--reason", "x")
	r.rewrite(t, "lame_duck: 0s\n", "lame_duck: 0s\n  response_headers: minimal\n")
	r.reload(t)
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusServiceUnavailable)
}
