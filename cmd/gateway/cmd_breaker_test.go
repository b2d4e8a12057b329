package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/breaker"
	"iqgateway/internal/fleet"
	"iqgateway/limiter"
)

// breakerRig is an admin server with the breaker endpoints over breakers that
// do what the test says.
type breakerRig struct {
	err   error
	after fleet.Result // of an order that the store has taken
	deeds
}

// start returns the environment of a command that asks the server.
func (b *breakerRig) start(t *testing.T) []string {
	t.Helper()
	admin := breakerAdmin{
		replica: "q7x", now: quotaNow, list: someBreakers,
		quotas: func(context.Context) []limiter.Status { return spentQuotas() },
		force: func(_ context.Context, k breaker.Key, f breaker.Forced) error {
			b.note("%s %s for %s by %s: %s", f.State, k, f.For, f.By, f.Why)
			return b.err
		},
		reset: func(_ context.Context, k breaker.Key, by string) error {
			b.note("reset %s by %s", k, by)
			return b.err
		},
		follow: func(context.Context) fleet.Result { return b.after },
		size:   func() int { return 3 },
		audit:  func(_ context.Context, message string, attrs ...slog.Attr) { b.note("audit: %s %v", message, attrs[0]) },
	}
	return adminServer(t, admin.endpoints()...)
}

func TestBreakerCommands(t *testing.T) {
	const crm, throttle = "production/crm", "production/crm/throttle/authenticated"
	const forced, wasReset = "audit: an operator has forced a breaker breaker=", "audit: an operator has reset a breaker breaker="
	alone := fmt.Errorf("%w: redis is away", breaker.ErrHereOnly)
	tests := map[string]struct {
		args  []string
		err   error
		after fleet.Result // zero = all have followed
		code  int
		want  []string // in what is printed
		done  []string // on the server
	}{
		"list":         {args: []string{"list"}, want: []string{crm + "   ", "last failure: timeout", "2 more closed"}},
		"list all":     {args: []string{"list", "--all"}, want: []string{"production/users"}},
		"list as JSON": {args: []string{"list", "-o", "json"}, want: []string{`"replica": "q7x"`, `"state": "half-open"`, `"breaker": "production/users"`}},
		"list as YAML": {args: []string{"list", "-o", "yaml"}, want: []string{"state: half-open"}},
		"open": {
			args: []string{"open", crm, "--for", "10m", "--reason", "INC-1"},
			want: []string{crm + " is forced open until 2026-01-05T13:09:37Z", ": INC-1\n3 of 3 replicas have followed\n"},
			done: []string{"open " + crm + " for 10m0s by operator: INC-1", forced + crm},
		},
		"close": {
			args: []string{"close", throttle, "--for", "90s", "--reason", "we know"}, want: []string{"is forced closed until 2026-01-05T13:01:07Z"},
			done: []string{"closed " + throttle + " for 1m30s by operator: we know", forced + throttle},
		},
		"open as JSON": {
			args: []string{"open", crm, "--for", "10m", "--reason", "INC-1", "-o", "json"}, want: []string{`"until": "2026-01-05T13:09:37Z"`, `"state": "open"`, `"reason": "INC-1"`, `"followed": 3`},
			done: []string{"open " + crm + " for 10m0s by operator: INC-1", forced + crm},
		},
		"reset": {args: []string{"reset", crm}, want: []string{crm + " is reset\n3 of 3 replicas have followed\n"}, done: []string{"reset " + crm + " by operator", wasReset + crm}},
		"Redis is away": {
			args: []string{"open", crm, "--for", "1m", "--reason", "x"}, err: alone, code: exitFailure, want: []string{"1 of 3 replicas have followed (it holds on this replica only", "redis is away)", "the others follow by themselves"},
			done: []string{"open " + crm + " for 1m0s by operator: x", forced + crm},
		},
		"Redis is away, as JSON": {
			args: []string{"reset", crm, "-o", "json"}, err: alone, code: exitFailure, want: []string{`"here_only": true`, `"alone": true`, `"followed": 1`},
			done: []string{"reset " + crm + " by operator", wasReset + crm},
		},
		"one is behind": {
			args: []string{"reset", crm}, after: fleet.Result{Replicas: 3, Followed: 2, Behind: []string{"k2m"}}, code: exitFailure,
			want: []string{crm + " is reset\n2 of 3 replicas have followed; behind: k2m", "not every replica has followed yet"},
			done: []string{"reset " + crm + " by operator", wasReset + crm},
		},
		"no fleet": {
			args: []string{"reset", crm}, after: fleet.Result{Replicas: 1, Followed: 1, Alone: true, Reason: "no Redis is configured"},
			want: []string{crm + " is reset\nthis replica has followed (no Redis is configured"}, done: []string{"reset " + crm + " by operator", wasReset + crm},
		},
		"no keys, so no commands": {
			args: []string{"reset", crm}, after: fleet.Result{Replicas: 3, Followed: 1, Alone: true, Reason: "no keys"}, code: exitFailure,
			want: []string{"1 of 3 replicas have followed (no keys)", "nobody knows which of 3 replicas have followed", "the order is in Redis"},
			done: []string{"reset " + crm + " by operator", wasReset + crm},
		},
		"it went with a reload": {
			args: []string{"reset", crm}, err: fmt.Errorf("%s: %w", crm, breaker.ErrUnknown), code: exitFailure, want: []string{"no such breaker"},
			done: []string{"reset " + crm + " by operator", "audit: an operator could not change a breaker breaker=" + crm},
		},
		"without a time":     {args: []string{"open", crm, "--reason", "x"}, code: exitUsage, want: []string{"--for is missing"}},
		"without a reason":   {args: []string{"close", crm, "--for", "1m"}, code: exitUsage, want: []string{"--reason is missing", "whoever wonders about the breaker"}},
		"for too long":       {args: []string{"open", crm, "--for", "25h", "--reason", "x"}, code: exitUsage, want: []string{"--for 25h0m0s", "1s to 24h"}},
		"for nothing much":   {args: []string{"open", crm, "--for", "1ms", "--reason", "x"}, code: exitUsage, want: []string{"1s to 24h"}},
		"with an essay":      {args: []string{"open", crm, "--for", "1m", "--reason", strings.Repeat("x", 201)}, code: exitFailure, want: []string{"at most 200 bytes"}},
		"a part of the name": {args: []string{"open", "crm", "--for", "1m", "--reason", "x"}, code: exitFailure, want: []string{`no breaker "crm"; did you mean ` + crm + ", " + throttle + "?"}},
		"reset an unknown":   {args: []string{"reset", "nope"}, code: exitFailure, want: []string{`no breaker "nope"; there is production/catalogs, ` + crm}},
		"reset nothing":      {args: []string{"reset"}, code: exitUsage, want: []string{"one BREAKER"}},
		"unknown command":    {args: []string{"opne"}, code: exitUsage, want: []string{"open"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rig := &breakerRig{err: tt.err, after: tt.after}
			if tt.after.Replicas == 0 {
				rig.after = fleet.Result{Replicas: 3, Followed: 3}
			}
			wantCommand(t, rig.start(t), tt.code, tt.want, append([]string{"breaker"}, tt.args...)...)
			if diff := cmp.Diff(tt.done, rig.done); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
		})
	}
}

// Without the token nothing is changed, whatever the command line says.
func TestBreakerCommandsNeedTheToken(t *testing.T) {
	rig := &breakerRig{}
	address := rig.start(t)[:1]
	for _, args := range [][]string{
		{"breaker", "open", "production/crm", "--for", "1m", "--reason", "x"}, {"breaker", "reset", "production/crm"},
	} {
		wantCommand(t, address, exitFailure, []string{"changes need the gateway's admin token", envAdminToken}, args...)
		wantCommand(t, append(address, envAdminToken+"=wrong"), exitFailure, []string{"does not accept the token"}, args...)
	}
	if len(rig.done) != 0 {
		t.Errorf("done all the same: %v", rig.done)
	}
}

// Programs ask the admin API itself.
func TestBreakerAPIRefuses(t *testing.T) {
	rig := &breakerRig{}
	environ := rig.start(t)
	for _, tt := range []struct {
		method, path, body, want string
		status                   int
	}{
		{"GET", pathBreakers + "?breaker=x", "", "takes no parameter", 400},
		{"POST", pathBreakerOpen, "", "empty", 400},
		{"POST", pathBreakerOpen, `{"for":"1m","reason":"x"}`, "name a breaker", 400},
		{"POST", pathBreakerOpen, `{"breaker":"production/crm","for":"soon","reason":"x"}`, `for is \"soon\"`, 400},
		{"POST", pathBreakerClose, `{"breaker":"production/crm","for":"48h","reason":"x"}`, "1s to 24h", 400},
		{"POST", pathBreakerOpen, `{"breaker":"production/crm","for":"1m","reason":"  "}`, "give a reason", 400},
		{"POST", pathBreakerOpen, `{"breaker":"production/crm","for":"1m","reason":"x","by":"me"}`, "not what is wanted", 400},
		{"POST", pathBreakerOpen, `{"breaker":"production/crn","for":"1m","reason":"x"}`, `no breaker \"production/crn\"`, 404},
		{"POST", pathBreakerReset, `{}`, "name a breaker", 400},
		{"POST", pathBreakerReset, `{"breaker":5}`, "breaker cannot be a JSON number", 400},
		{"GET", pathBreakerReset, "", "POST", 405},
	} {
		wantRefused(t, environ, tt.method, tt.path, tt.body, tt.status, tt.want)
	}
	if len(rig.done) != 0 {
		t.Errorf("done all the same: %v", rig.done)
	}
}
