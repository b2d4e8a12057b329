package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"iqgateway/config"
	"iqgateway/internal/steady"
)

// findingStatus is what a finding means for a roll-out.
type findingStatus string

const (
	findingOK      findingStatus = "ok"
	findingWarning findingStatus = "warning"
	findingFailure findingStatus = "failure"
	findingSkipped findingStatus = "skipped"
)

// finding is one thing that was looked at.
type finding struct {
	Check   string        `json:"check"`
	Subject string        `json:"subject,omitempty"`
	Status  findingStatus `json:"status"`
	Value   string        `json:"value"`            // what was found
	Why     string        `json:"why,omitempty"`    // it matters
	Remedy  string        `json:"remedy,omitempty"` // the way out
}

// doctorCheck looks at one thing. It reports as it goes, and ends with ctx.
type doctorCheck struct {
	name    string
	network bool // left out by --offline
	look    func(d *doctor, ctx context.Context)
}

// doctorChecks are all there are. Those of one row run at once; a row begins
// when the one above has ended, because it uses what that has found.
func doctorChecks() [][]doctorCheck {
	return [][]doctorCheck{
		{
			{name: "data_dir", look: (*doctor).lookAtDataDir},
			{name: "ports", look: (*doctor).lookAtPorts},
			{name: "files", look: (*doctor).lookAtOpenFiles},
			{name: "memory", look: (*doctor).lookAtMemory},
			{name: "certificate", look: (*doctor).lookAtCertificates},
			{name: "acme", network: true, look: (*doctor).lookAtACME},
			{name: "redis", network: true, look: (*doctor).lookAtRedis},
			{name: "upstream", network: true, look: (*doctor).lookAtUpstreams},
		},
		{{name: "token", network: true, look: (*doctor).lookAtTokens}}, // with the fleet's one, once Redis is found
		{{name: "ping", network: true, look: (*doctor).lookAtPings}},   // with those tokens
	}
}

// doctorAtOnce bounds what one check asks at once.
const doctorAtOnce = 8

// maxSkew is by how much clocks may differ without a word: shared times are
// Redis' own, but tokens, JWTs and certificates end by the clock of this machine.
const maxSkew = 2 * time.Second

// doctor looks at everything that a gateway of one configuration will need. It
// is built as a gateway is, but neither listens nor joins the fleet.
type doctor struct {
	gateway     *gateway
	generation  *generation
	environment string // the only one that is looked at; "" = all
	offline     bool

	mu       sync.Mutex
	findings []finding
	told     func(finding)
}

// newDoctor builds what serves. The error is about the configuration.
func newDoctor(ctx context.Context, cfg *config.Config, told func(finding)) (*doctor, error) {
	log, replica := slog.New(slog.DiscardHandler), newReplica()
	st, err := newStores(cfg, log, replica) //nolint:contextcheck // its log lines are of no request
	if err != nil {
		return nil, err
	}
	d := &doctor{gateway: &gateway{cfg: cfg, log: log, replica: replica, stores: st}, told: told}
	if d.generation, err = newGeneration(cfg, st, pipelineOptions{replica: replica, now: time.Now}); err != nil {
		d.gateway.close(ctx)
		return nil, err
	}
	d.gateway.current.Store(d.generation)
	return d, nil
}

// run looks at everything until ctx ends, and returns what was found.
func (d *doctor) run(ctx context.Context) []finding {
	defer d.gateway.close(ctx)
	for _, row := range doctorChecks() {
		var all errgroup.Group
		for _, check := range row {
			all.Go(func() error {
				steady.Try(func() { d.look(ctx, check) }, func(value any, _ []byte) {
					d.report(finding{Check: check.name, Status: findingFailure, Value: fmt.Sprintf("the check itself failed: %v", value)})
				})
				return nil
			})
		}
		_ = all.Wait() // failures are findings
	}
	return d.findings
}

func (d *doctor) look(ctx context.Context, c doctorCheck) {
	switch {
	case c.network && d.offline:
		d.report(finding{Check: c.name, Status: findingSkipped, Value: "--offline"})
	case ctx.Err() != nil:
		d.report(finding{Check: c.name, Status: findingSkipped, Value: "not begun: " + whyEnded(ctx)})
	default:
		c.look(d, ctx)
	}
}

func whyEnded(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return "the time (--timeout) is over"
	}
	return "interrupted"
}

// lookAtEach looks at all subjects, some at once.
func lookAtEach[T any](subjects []T, look func(T)) {
	var all errgroup.Group
	all.SetLimit(doctorAtOnce)
	for _, s := range subjects {
		all.Go(func() error {
			steady.Try(func() { look(s) }, nil)
			return nil
		})
	}
	_ = all.Wait() // failures are findings
}

func (d *doctor) report(f finding) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.findings = append(d.findings, f)
	d.told(f)
}

// meant reports whether an environment is looked at.
func (d *doctor) meant(environment string) bool {
	return d.environment == "" || d.environment == environment
}

// sortFindings puts them in the order of the checks, and of their subjects.
func sortFindings(all []finding) {
	order := map[string]int{"configuration": -1}
	for _, row := range doctorChecks() {
		for _, c := range row {
			order[c.name] = len(order)
		}
	}
	slices.SortStableFunc(all, func(a, b finding) int {
		if a.Check != b.Check {
			return order[a.Check] - order[b.Check]
		}
		return strings.Compare(a.Subject, b.Subject)
	})
}
