package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

// questionStatus is how replicas ask each other how they are.
const questionStatus = "status"

// mostSkew is how far a clock may be from Redis's: windows of quotas are a
// minute, so a second is where they begin to suffer.
const mostSkew = time.Second

// replicaDocument is a replica as it says itself; one that has not answered is
// known by its beats alone, and Problem says why.
type replicaDocument struct {
	Replica string    `json:"replica"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`

	State string `json:"state,omitempty"` // ok, degraded or not ready
	// Hash is of its configuration, without secrets.
	Hash string `json:"config_hash,omitempty"`
	// SkewMS is by how much its clock is before that of Redis.
	SkewMS int64 `json:"clock_skew_ms"`
	// Checks are those that are not ok.
	Checks []observability.CheckResult `json:"checks,omitempty"`
	// CertificateEnds is when the first of its certificates does.
	CertificateEnds *time.Time `json:"certificate_ends,omitempty"`
	Problem         string     `json:"problem,omitempty"`
	// Unasked is why it could not be asked, as in a fleet without encryption keys.
	Unasked string `json:"unasked,omitempty"`
}

// describeReplica is this replica, for others.
func (g *gateway) describeReplica(context.Context, []byte) ([]byte, error) {
	serving := g.reloads.state.Load()
	if serving == nil {
		return nil, errors.New("this replica is starting")
	}
	d := replicaDocument{
		Replica: g.replica, Version: readBuildInfo().Version, Started: g.started.UTC(), Hash: serving.hash,
		SkewMS: g.stores.fleet.ClockSkew().Milliseconds(),
	}
	state, checks := observability.Evaluate(g.checks())
	d.State = state
	for _, c := range checks {
		if c.State != observability.StateOK {
			d.Checks = append(d.Checks, c)
		}
	}
	var first time.Time
	for _, c := range g.certificates.statuses() {
		if !c.NotAfter.IsZero() && (first.IsZero() || c.NotAfter.Before(first)) {
			first = c.NotAfter
		}
	}
	d.CertificateEnds = instantOrNil(first)
	return json.Marshal(d)
}

// describeReplicas joins what the store knows of the members with what they say.
func describeReplicas(members []fleet.Member, answers []fleet.Answer, unasked error) []replicaDocument {
	said := map[string]fleet.Answer{}
	for _, a := range answers {
		said[a.Replica] = a
	}
	var all []replicaDocument
	for _, m := range members {
		d := replicaDocument{Replica: m.Replica, Version: m.Version, Started: m.Started.UTC(), Hash: m.Config}
		a, ok := said[m.Replica]
		switch {
		case !ok && unasked != nil:
			d.Unasked = unasked.Error()
		case !ok: // it has come since
			d.Unasked = "it was not there a moment ago"
		case a.Err != nil:
			d.Problem = a.Err.Error()
		default:
			if err := json.Unmarshal(a.Text, &d); err != nil {
				d.Problem = "its answer cannot be read: its version may be another"
			}
		}
		all = append(all, d)
	}
	return all
}

// fleetTrouble says what is not well with the fleet that a replica sees.
func fleetTrouble(s statusDocument) []string {
	var trouble []string
	add := func(format string, values ...any) { trouble = append(trouble, fmt.Sprintf(format, values...)) }
	if s.State != observability.StateOK {
		add("%s is %s", s.Replica, s.State)
	}
	versions, hashes := map[string]bool{}, map[string]bool{}
	for _, r := range s.Replicas {
		versions[r.Version] = true
		if r.Hash != "" {
			hashes[r.Hash] = true
		}
		skew := time.Duration(r.SkewMS) * time.Millisecond
		switch {
		case r.Problem != "":
			add("%s does not say how it is: %s", r.Replica, r.Problem)
		case r.State != "" && r.State != observability.StateOK && r.Replica != s.Replica:
			add("%s is %s", r.Replica, r.State)
		}
		if skew.Abs() > mostSkew {
			add("the clock of %s is %s off from Redis", r.Replica, skew)
		}
	}
	if len(versions) > 1 {
		add("%d versions run", len(versions))
	}
	if len(hashes) > 1 {
		add("%d configurations are served", len(hashes))
	}
	return trouble
}
