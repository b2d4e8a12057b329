package main

import (
	"context"
	"net/http"
	"time"

	"iqgateway/internal/fleet"
	"iqgateway/observability"
)

const pathStatus = "/api/v1/status"

// statusAdmin is what the admin API needs to show how a replica is.
type statusAdmin struct {
	replica, version string
	started          time.Time
	checks           []observability.Check
	members          func(context.Context) ([]fleet.Member, error)
	// ask has every replica that is alive say how it is, this one first.
	ask       func(context.Context) ([]fleet.Answer, error)
	stores    func() []storeDocument
	breakers  func(context.Context) []breakerDocument
	overrides func() []overrideDocument
}

// statusDocument answers GET /api/v1/status.
type statusDocument struct {
	Replica string    `json:"replica"`
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	State   string    `json:"state"` // ok, degraded or not ready

	Checks []observability.CheckResult `json:"checks"`
	// Trouble is what is not well with the fleet, in words; none = it is well.
	Trouble []string `json:"trouble,omitempty"`
	// Replicas are those that share one Redis; without an answer of it, none.
	Replicas []replicaDocument `json:"replicas,omitempty"`
	Stores   []storeDocument   `json:"stores,omitempty"` // none = everything is in memory
	// Breakers are how many there are, Disturbed those that are not closed, or
	// forced.
	Breakers  int               `json:"breakers"`
	Disturbed []breakerDocument `json:"disturbed,omitempty"`
	// Overrides are those of operators that hold now.
	Overrides []overrideDocument `json:"overrides,omitempty"`
}

type storeDocument struct {
	Store string `json:"store"`
	Up    bool   `json:"up"`
}

func (s statusAdmin) endpoints() []observability.Endpoint {
	return []observability.Endpoint{reads(pathStatus, observability.Operation{
		Serve: s.show, Summary: "Show how this replica and its fleet are", Answer: statusDocument{},
	})}
}

func (s statusAdmin) show(w http.ResponseWriter, r *http.Request) {
	observability.WriteJSON(w, http.StatusOK, s.describe(r.Context(), s.breakers(r.Context())))
}

func (s statusAdmin) describe(ctx context.Context, all []breakerDocument) statusDocument {
	d := statusDocument{Replica: s.replica, Version: s.version, Started: s.started.UTC(), Stores: s.stores()}
	d.State, d.Checks = observability.Evaluate(s.checks)
	if members, err := s.members(ctx); err == nil {
		answers, err := s.ask(ctx)
		d.Replicas = describeReplicas(members, answers, err)
	}
	d.Trouble = fleetTrouble(d)
	d.Breakers = len(all)
	for _, b := range all {
		if b.State != "closed" || b.Forced != nil {
			d.Disturbed = append(d.Disturbed, b)
		}
	}
	d.Overrides = s.overrides()
	return d
}
