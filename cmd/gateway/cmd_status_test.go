package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/observability"
	"iqgateway/proxy"
)

// statusRig is an admin server of a replica whose Redis is down.
type statusRig struct {
	membersErr error
	pong       func(serviceKey) (proxy.Pong, error)
	deeds
}

func (s *statusRig) start(t *testing.T) []string {
	t.Helper()
	status := statusAdmin{
		replica: "q7x", version: "v1.2.3", started: quotaNow().Add(-2 * time.Hour),
		checks: []observability.Check{
			{Name: "serving", Required: true, Err: func() error { return nil }},
			{Name: "redis", Err: func() error { return storeError("connection refused") }},
		},
		members: func(context.Context) ([]fleet.Member, error) {
			return []fleet.Member{{Replica: "a2b", Version: "v1.2.2", Started: quotaNow().Add(-3 * time.Hour)}, {Replica: "q7x", Version: "v1.2.3", Started: quotaNow()}}, s.membersErr
		},
		stores:   func() []storeDocument { return []storeDocument{{"cache_redis", true}, {"redis", false}} },
		breakers: func(context.Context) []breakerDocument { return breakerDocuments() },
	}
	services := serviceAdmin{replica: "q7x", list: someServices, ping: func(_ context.Context, at serviceKey) (proxy.Pong, error) {
		s.note("ping %s/%s", at.environment, at.service)
		return s.pong(at)
	}}
	return adminServer(t, append(status.endpoints(), services.endpoints()...)...)
}

func someServices() []serviceDocument {
	return []serviceDocument{
		{Environment: "production", Service: "crm", Upstream: "crm.example.com", Ping: "/ping", Breaker: "closed"},
		{Environment: "production", Service: "dataconnect", Upstream: "dc.example.com", Breaker: "closed"},
		{Environment: "sandbox", Service: "crm", Upstream: "crmdemo.example.com", Ping: "/v1/ping", Breaker: "open"},
	}
}

func TestStatusTable(t *testing.T) {
	s := statusDocument{Replica: "q7x", Version: "v1.2.3", Started: quotaNow().Add(-2 * time.Hour), State: "ok", Breakers: 167}
	tests := map[string]struct {
		edit func(*statusDocument)
		want string
	}{
		"alone": {func(s *statusDocument) {
			s.Replicas = []replicaDocument{{"q7x", "v1.2.3", s.Started}}
		}, `replica   q7x, version v1.2.3, up for 2h0m
state     ok
fleet     this replica is alone
stores    in memory alone
breakers  all 167 are closed
`},
		"in trouble": {func(s *statusDocument) {
			s.State, s.Stores = "degraded", []storeDocument{{"cache_redis", true}, {"redis", false}}
			s.Checks = []observability.CheckResult{{Name: "serving", State: "ok"}, {Name: "redis", State: "degraded", Detail: "refused\x1b[2J"}}
			s.Replicas = []replicaDocument{{"a2b", "v1.2.2", s.Started}, {"q7x", "v1.2.3", s.Started}}
			s.Disturbed = breakerDocuments()[2:3]
		}, `replica   q7x, version v1.2.3, up for 2h0m
state     degraded; redis degraded: refused�[2J
fleet     2 replicas: a2b (version v1.2.2, up for 2h0m), q7x (version v1.2.3, up for 2h0m)
stores    cache_redis up, redis down
breakers  1 of 167 are not closed, or forced

BREAKER                                 STATE   REASON      FAILED   NEXT   NOTE
production/crm/throttle/authenticated   open    throttled   -        now    last failure: 429
`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, out := s, strings.Builder{}
			tt.edit(&d)
			if err := writeStatus(&out, d, quotaNow()); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestPingTable(t *testing.T) {
	services := someServices()
	services[0].Pinged = &pingDocument{Status: 200, Version: "2.0.0.1155", Milliseconds: 37}
	services[2].Pinged = &pingDocument{Milliseconds: 2000, Problem: "upstream-timeout: no connection"}
	const want = `
SERVICE          UPSTREAM              STATUS   VERSION      TOOK     BREAKER   PROBLEM
production/crm   crm.example.com       200      2.0.0.1155   37ms     closed    -
sandbox/crm      crmdemo.example.com   -        -            2000ms   open      upstream-timeout: no connection

no ping is known of production/dataconnect

2 asked, each for one token of its quota
`
	var out strings.Builder
	if err := writePings(&out, services); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestStatusCommand(t *testing.T) {
	tests := map[string]struct {
		args []string
		err  error
		code int
		want []string
		done []string
	}{
		"short":         {want: []string{"degraded; redis degraded: connection refused", "2 replicas: a2b", "4 of 8 are not closed, or forced", "last failure: timeout"}},
		"fleet unknown": {err: storeError("redis is away"), want: []string{"unknown: Redis does not answer"}},
		"as JSON":       {args: []string{"-o", "json"}, want: []string{`"state": "degraded"`, `"version": "v1.2.2"`, `"breakers": 8`}},
		"ping one": {
			args: []string{"--ping", "--environment", "production"}, want: []string{"crm.example.com", "2.0", "no ping is known of production/dataconnect", "1 asked"},
			done: []string{"ping production/crm"},
		},
		"ping as JSON": {
			args: []string{"--ping", "--service", "crm", "--environment", "sandbox", "-o", "json"}, want: []string{`"problem": "breaker-open: x"`, `"ms": 5`},
			done: []string{"ping sandbox/crm"},
		},
		"ping as YAML":        {args: []string{"--ping", "--service", "dataconnect", "-o", "yaml"}, want: []string{"service: dataconnect", "state: degraded"}},
		"ping an unknown":     {args: []string{"--ping", "--service", "crn"}, code: exitFailure, want: []string{`no service that a caller may use "crn"; there is production/crm`}},
		"ping half a name":    {args: []string{"--ping", "--service", "data"}, code: exitFailure, want: []string{"did you mean production/dataconnect?"}},
		"a service, no ping":  {args: []string{"--service", "crm"}, code: exitUsage, want: []string{"add --ping"}},
		"an argument":         {args: []string{"crm"}, code: exitUsage, want: []string{"no argument"}},
		"a parameter too few": {args: []string{"--ping", "--service"}, code: exitUsage},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			rig := &statusRig{membersErr: tt.err, pong: func(at serviceKey) (proxy.Pong, error) {
				if at.environment == "sandbox" {
					return proxy.Pong{Took: 5 * time.Millisecond}, exchange.Refuse(exchange.BreakerOpen, "x").Because(errors.New("hidden"))
				}
				return proxy.Pong{Status: 200, Version: "2.0", Took: 37 * time.Millisecond}, nil
			}}
			out := wantCommand(t, rig.start(t), tt.code, tt.want, append([]string{"status"}, tt.args...)...)
			if diff := cmp.Diff(tt.done, rig.done); diff != "" {
				t.Errorf("done (-want +got):\n%s", diff)
			}
			if strings.Contains(out, "hidden") {
				t.Error("the cause of a problem is shown")
			}
		})
	}
}

func TestServiceAPIRefuses(t *testing.T) {
	rig := &statusRig{}
	environ := rig.start(t)
	wantRefused(t, environ, "GET", pathServices+"?x=1", "", 400, "takes no parameter")
	wantRefused(t, environ, "POST", pathServicePing, "", 400, "empty")
	wantRefused(t, environ, "POST", pathServicePing, `{"services":"crm"}`, 400, "not what is wanted")
	wantRefused(t, environ, "POST", pathServicePing, `{"environment":"moon"}`, 404, "no service")
	wantRefused(t, environ, "GET", pathServicePing, "", 405, "POST")
	wantRefused(t, environ, "POST", pathStatus, "{}", 405, "GET")
	wantCommand(t, environ[:1], exitFailure, []string{"wants its admin token"}, "status", "--ping")
	if len(rig.done) != 0 {
		t.Errorf("asked all the same: %v", rig.done)
	}
}
