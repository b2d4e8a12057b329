package main

import (
	"time"

	"iqgateway/breaker"
	"iqgateway/limiter"
)

// breakerDocument is a breaker as the admin API shows it: the state is the
// fleet's, what was counted is this replica's.
type breakerDocument struct {
	Breaker     string `json:"breaker"`
	Environment string `json:"environment"`
	Service     string `json:"service"`
	// Bucket is the quota bucket of a throttle breaker, "" for failures.
	Bucket string     `json:"bucket,omitempty"`
	State  string     `json:"state"`
	Reason string     `json:"reason,omitempty"` // of the last change
	By     string     `json:"by,omitempty"`     // replica or operator
	Since  *time.Time `json:"since,omitempty"`
	// NextProbe is when a request may find out whether the upstream is well.
	NextProbe *time.Time `json:"next_probe,omitempty"`
	NextPing  *time.Time `json:"next_ping,omitempty"`
	Probes    int        `json:"probes"`
	Successes int        `json:"successes"`
	Failures  int        `json:"failures"`

	Forced *breakerForced   `json:"forced,omitempty"`
	Last   []breakerFailure `json:"last_failures,omitempty"` // newest first
	// Quota is the gate of the service's quota while nothing passes it.
	Quota []breakerQuota `json:"quota,omitempty"`
}

type breakerForced struct {
	State  string    `json:"state"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	Since  time.Time `json:"since"`
	Until  time.Time `json:"until"`
}

type breakerFailure struct {
	At    time.Time `json:"at"`
	Cause string    `json:"cause"`
}

// breakerQuota is a bucket that grants nothing for now.
type breakerQuota struct {
	Bucket string    `json:"bucket"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason,omitempty"` // an operator's
}

func describeBreaker(s breaker.Status, gates map[serviceKey][]breakerQuota, now time.Time) breakerDocument {
	d := breakerDocument{
		Breaker: s.Key.String(), Environment: s.Key.Environment, Service: s.Key.Service, Bucket: s.Key.Bucket,
		State: string(s.State), Reason: string(s.Reason), By: s.By, Since: instantOrNil(s.Since),
		NextPing: instantOrNil(s.NextPing), Probes: s.Probes, Successes: s.Successes, Failures: s.Failures,
	}
	if s.State != breaker.Closed && s.OpenFor > 0 {
		d.NextProbe = instantOrNil(now.Add(s.OpenFor))
	}
	if f := s.Forced; f != nil {
		d.Forced = &breakerForced{string(f.State), f.By, f.Why, f.Since.UTC(), f.Until.UTC()}
	}
	for _, l := range s.Last {
		d.Last = append(d.Last, breakerFailure{l.At.UTC(), l.Cause})
	}
	if s.Key.Bucket == "" {
		d.Quota = gates[serviceKey{s.Key.Environment, s.Key.Service}]
	}
	return d
}

// instantOrNil is a time as documents show it, in whole seconds.
func instantOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

type serviceKey struct{ environment, service string }

// quotaGates are the buckets that grant nothing for now, by service.
func quotaGates(buckets []limiter.Status, now time.Time) map[serviceKey][]breakerQuota {
	gates := map[serviceKey][]breakerQuota{}
	for _, b := range buckets {
		d := describeQuota(b, now, false)
		if !d.Enforced {
			continue
		}
		gate := breakerQuota{Bucket: d.Bucket}
		switch {
		case d.Blocked != nil:
			gate.Until, gate.Reason = d.Blocked.Until, d.Blocked.Reason
		case d.Limit > 0 && d.Remaining <= 0 && d.Opens != nil:
			gate.Until = *d.Opens
		default:
			continue
		}
		at := serviceKey{d.Environment, d.Service}
		gates[at] = append(gates[at], gate)
	}
	return gates
}
