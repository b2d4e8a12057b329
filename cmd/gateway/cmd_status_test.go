package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/internal/redistest"
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
		ask:       func(context.Context) ([]fleet.Answer, error) { return nil, s.membersErr },
		stores:    func() []storeDocument { return []storeDocument{{"cache_redis", true}, {"redis", false}} },
		breakers:  func(context.Context) []breakerDocument { return breakerDocuments() },
		overrides: func() []overrideDocument { return nil },
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
			s.Replicas = []replicaDocument{{Replica: "q7x", Version: "v1.2.3", Started: s.Started, State: "ok"}}
		}, `replica   q7x, version v1.2.3, up for 2h0m
state     ok
fleet     this replica is alone
stores    in memory alone
breakers  all 167 are closed
`},
		"with overrides": {func(s *statusDocument) {
			s.Replicas = []replicaDocument{{Replica: "q7x", Version: "v1.2.3", Started: s.Started, State: "ok"}}
			for i, key := range []string{"callers.pos.blocked", "callers.till.blocked", "callers.web.blocked\x1b[2J", "telemetry.logs.level"} {
				s.Overrides = append(s.Overrides, overrideDocument{Key: key, Value: "true", Until: quotaNow().Add(time.Duration(90-20*i) * time.Minute)})
			}
			s.Overrides[1].Unfit = "there is no such caller"
		}, `replica    q7x, version v1.2.3, up for 2h0m
state      ok
fleet      this replica is alone
stores     in memory alone
breakers   all 167 are closed
overrides  telemetry.logs.level=true for 30m0s; callers.web.blocked�[2J=true for 50m0s; callers.till.blocked=true for 1h10m (does nothing on this replica); 1 more: see gateway override list
`},
		"in trouble": {func(s *statusDocument) {
			s.State, s.Stores = "degraded", []storeDocument{{"cache_redis", true}, {"redis", false}}
			s.Checks = []observability.CheckResult{{Name: "serving", State: "ok"}, {Name: "redis", State: "degraded", Detail: "refused\x1b[2J"}}
			ends := quotaNow().Add(72 * time.Hour)
			s.Replicas = []replicaDocument{
				{Replica: "a2b", Version: "v1.2.2", Started: s.Started, State: "ok", Hash: "77aa", SkewMS: -1500, CertificateEnds: &ends},
				{Replica: "c3d", Version: "v1.2.3", Started: s.Started, Problem: "no answer"},
				{Replica: "q7x", Version: "v1.2.3", Started: s.Started, State: "degraded", Hash: "1f0c", SkewMS: 3, Checks: s.Checks[1:]},
			}
			s.Disturbed = breakerDocuments()[2:3]
			s.Trouble = fleetTrouble(*s)
		}, `replica   q7x, version v1.2.3, up for 2h0m
state     degraded; redis degraded: refused�[2J
fleet     3 replicas
stores    cache_redis up, redis down
breakers  1 of 167 are not closed, or forced

REPLICA   STATE      VERSION   CONFIGURATION   UP     CLOCK      CERTIFICATE ENDS                 NOTE
a2b       ok         v1.2.2*   77aa*           2h0m   -1500ms*   2026-01-08T12:59:37Z (in 3d0h)   -
c3d       unknown    v1.2.3    -               2h0m   -          -                                no answer
q7x       degraded   v1.2.3    1f0c            2h0m   +3ms       -                                redis degraded: refused�[2J

not well: q7x is degraded
not well: the clock of a2b is -1.5s off from Redis
not well: c3d does not say how it is: no answer
not well: 2 versions run
not well: 2 configurations are served

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
		"short":         {code: exitFailure, want: []string{"degraded; redis degraded: connection refused", "2 replicas", "v1.2.2*", "2 versions run", "not well", "4 of 8 are not closed, or forced", "last failure: timeout"}},
		"fleet unknown": {err: storeError("redis is away"), code: exitFailure, want: []string{"unknown: Redis does not answer"}},
		"as JSON":       {args: []string{"-o", "json"}, code: exitFailure, want: []string{`"state": "degraded"`, `"version": "v1.2.2"`, `"breakers": 8`}},
		"ping one": {
			args: []string{"--ping", "--environment", "production"}, code: exitFailure, want: []string{"crm.example.com", "2.0", "no ping is known of production/dataconnect", "1 asked"},
			done: []string{"ping production/crm"},
		},
		"ping as JSON": {
			args: []string{"--ping", "--service", "crm", "--environment", "sandbox", "-o", "json"}, code: exitFailure, want: []string{`"problem": "breaker-open: x"`, `"ms": 5`},
			done: []string{"ping sandbox/crm"},
		},
		"ping as YAML":        {args: []string{"--ping", "--service", "dataconnect", "-o", "yaml"}, code: exitFailure, want: []string{"service: dataconnect", "state: degraded"}},
		"ping an unknown":     {args: []string{"--ping", "--service", "crn"}, code: exitFailure, want: []string{`no service that a caller may use "crn"; there is production/crm`}},
		"ping half a name":    {args: []string{"--ping", "--service", "data"}, code: exitFailure, want: []string{"did you mean production/dataconnect?"}},
		"watch and ping":      {args: []string{"--ping", "--watch"}, code: exitUsage, want: []string{"leave out --watch"}},
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

// A picture covers the last one line by line: nothing is erased before it is
// drawn over, and nothing of the last stays.
func TestPicturesCoverEachOther(t *testing.T) {
	if got, want := string(covering([]byte("a\nb\n"))), "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A watched status shows what has changed, and ends with its context.
func TestStatusIsWatched(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out, drawn := strings.Builder{}, 0
	err := program{stdout: &out}.watch(ctx, time.Millisecond, func(w io.Writer) error {
		if drawn++; drawn == 3 {
			cancel()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		_, err := fmt.Fprintln(w, "look", drawn)
		return err
	})
	if err != nil || out.String() != "look 1\nlook 2\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// A gateway that starts again while it is watched is waited for, and told of once
// for each reason; one that was never there, or lets nobody in, is not.
func TestWatchingOutlastsARestart(t *testing.T) {
	away, denied := errors.New("connection refused"), deniedError{errors.New("no")}
	tests := map[string]struct {
		looks    []error
		out, err string
		ends     error
	}{
		"it comes back":       {[]error{nil, away, away, errors.New("503"), nil, away, nil}, "look 1\nlook 5\nlook 7\n", "connection refused|503|connection refused|", nil},
		"it never came":       {[]error{away}, "", "", away},
		"nobody may look":     {[]error{denied}, "", "", denied},
		"nobody may any more": {[]error{nil, denied}, "look 1\n", "", denied},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out, told, drawn := strings.Builder{}, strings.Builder{}, 0
			err := program{stdout: &out, stderr: &told}.watch(ctx, time.Millisecond, func(w io.Writer) error {
				look := tt.looks[drawn]
				if drawn++; drawn == len(tt.looks) && tt.ends == nil {
					cancel()
				}
				_, _ = fmt.Fprintln(w, "look", drawn)
				return look
			})
			why := regexp.MustCompile(`no answer since [0-9:]{8}: (.*)\n`).ReplaceAllString(told.String(), "$1|")
			if !errors.Is(err, tt.ends) || out.String() != tt.out || why != tt.err {
				t.Errorf("%q, %q, %v", out.String(), why, err)
			}
		})
	}
}

// Whoever is not let in is told so at once, whoever refuses: asking again does not
// change it. Everything else may pass.
func TestWatchingEndsForWhoeverIsNotLetIn(t *testing.T) {
	problem := http.Header{"Content-Type": {"application/problem+json"}}
	tests := map[string]struct {
		status int
		header http.Header
		denied bool
	}{
		"no token":                 {http.StatusUnauthorized, problem, true},
		"forbidden by the gateway": {http.StatusForbidden, problem, true},
		"forbidden by a proxy":     {http.StatusForbidden, nil, true},
		"not ready yet":            {http.StatusServiceUnavailable, problem, false},
		"a proxy without gateway":  {http.StatusBadGateway, nil, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			client := adminClient{base: &url.URL{Scheme: "http", Host: "127.0.0.1:9090"}}
			err := client.refused(&http.Response{StatusCode: tt.status, Header: tt.header}, []byte(`{"detail": "no"}`), pathStatus)
			if _, denied := errors.AsType[deniedError](err); denied != tt.denied {
				t.Errorf("denied: %v, want %v: %v", denied, tt.denied, err)
			}
		})
	}
}

// Every replica of a fleet says how it is, which configuration it serves, and by
// how much its clock is off.
func TestStatusOfAFleet(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	f := newFleet(t, redis, fleetOptions{replicas: 2, extra: patientRedis})
	var d statusDocument
	await(t, "both say how they are", func() bool {
		status, text := f.api(t, f.all[0], http.MethodGet, pathStatus, "")
		d = statusDocument{}
		if err := json.Unmarshal([]byte(text), &d); err != nil || status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		return len(d.Replicas) == 2 && d.Replicas[0].Hash != "" && d.Replicas[1].Hash != ""
	})
	for _, r := range d.Replicas {
		if skew := time.Duration(r.SkewMS) * time.Millisecond; r.State == "" || skew.Abs() > time.Second || r.Problem != "" {
			t.Errorf("%+v", r)
		}
	}
	t.Logf("clocks: %+d ms, %+d ms; trouble: %q", d.Replicas[0].SkewMS, d.Replicas[1].SkewMS, d.Trouble)
}
