package iqsim

import (
	"errors"
	"fmt"
	"slices"

	"iqgateway/internal/pathpattern"
)

// Kinds of faults.
const (
	FaultLatency  = "latency"  // waits Delay; at body: before each piece of the body
	FaultStatus   = "status"   // answers Status with Fields and Body instead
	FaultReset    = "reset"    // resets the connection
	FaultStall    = "stall"    // sends no more, until Delay passes or the client leaves
	FaultTruncate = "truncate" // cuts the body after Bytes and closes the connection
	FaultRevoke   = "revoke"   // revokes the token that the request carries
	FaultFields   = "fields"   // adds Fields to the answer, such as an absolute Location
	FaultInterim  = "interim"  // sends Times interim 103 answers with Fields first
	FaultRaw      = "raw"      // writes Body to the connection as it stands, and closes it
)

// Points of a request where a fault strikes.
const (
	AtArrival = "arrival" // before token and quota are looked at
	AtBefore  = "before"  // counted by the quota, not executed
	AtAfter   = "after"   // executed, nothing answered yet
	AtHeaders = "headers" // the response header is out
	AtBody    = "body"    // within the response body, after Bytes of it
)

// Fault is something that goes wrong with requests: which, how often, what and
// where. The zero value of the selecting fields selects every request.
type Fault struct {
	// ID is given by the simulation.
	ID int `json:"id,omitempty"`

	// Environment, Service (host stem) and Method select requests; "" is any.
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
	Method      string `json:"method,omitempty"`
	// Path selects by the escaped path below the service, as a pattern:
	// /v1/Companies({company})/Customers**. "" is any.
	Path string `json:"path,omitempty"`
	// Skip lets so many selected requests pass first.
	Skip int `json:"skip,omitempty"`
	// Count is how many requests it strikes; 0 is all until it is removed.
	Count int `json:"count,omitempty"`
	// Probability that a selected request is struck, above 0 up to 1; 0 is 1.
	// The draws follow Options.Seed.
	Probability float64 `json:"probability,omitempty"`

	// Kind is what happens.
	Kind string `json:"kind"`
	// At is where it happens; "" is the usual point of the kind: arrival for
	// revoke, before for latency, status, reset, stall, raw and interim, after
	// for fields, body for truncate.
	At string `json:"at,omitempty"`
	// Delay of latency, and of stall (0: until the client leaves).
	Delay Duration `json:"delay,omitempty"`
	// Status of the answer; 0 means 503.
	Status int `json:"status,omitempty"`
	// Fields of the answer.
	Fields []Field `json:"fields,omitempty"`
	// Body of the answer, or the raw bytes.
	Body string `json:"body,omitempty"`
	// Bytes of the body that pass before a fault at body; 0 is half of it when
	// its length is known, else 1024.
	Bytes int64 `json:"bytes,omitempty"`
	// Chunked makes truncate cut a chunked body, which ends without its last
	// chunk; otherwise Content-Length promises more than comes.
	Chunked bool `json:"chunked,omitempty"`
	// Times is the number of interim answers; 0 is 1.
	Times int `json:"times,omitempty"`
}

// points returns where a kind can strike, the usual point first.
func points(kind string) []string {
	switch kind {
	case FaultLatency:
		return []string{AtBefore, AtArrival, AtAfter, AtHeaders, AtBody}
	case FaultReset, FaultStall:
		return []string{AtBefore, AtArrival, AtAfter, AtHeaders, AtBody}
	case FaultStatus, FaultRaw, FaultInterim:
		return []string{AtBefore, AtArrival, AtAfter}
	case FaultTruncate:
		return []string{AtBody}
	case FaultRevoke:
		return []string{AtArrival, AtAfter}
	case FaultFields:
		return []string{AtAfter}
	}
	return nil
}

// armedFault is a Fault ready for use.
type armedFault struct {
	Fault
	path pathpattern.Pattern
}

// arm checks f and completes it.
func (f Fault) arm() (*armedFault, error) {
	allowed := points(f.Kind)
	if allowed == nil {
		return nil, fmt.Errorf("fault: kind %q must be one of latency, status, reset, stall, truncate, revoke, fields, interim, raw", f.Kind)
	}
	if f.At == "" {
		f.At = allowed[0]
	}
	var errs []error
	if !slices.Contains(allowed, f.At) {
		errs = append(errs, fmt.Errorf("at %q must be one of %q for %s", f.At, allowed, f.Kind))
	}
	if f.Probability < 0 || f.Probability > 1 {
		errs = append(errs, fmt.Errorf("probability %v must lie between 0 and 1", f.Probability))
	}
	if f.Delay < 0 || f.Count < 0 || f.Skip < 0 || f.Bytes < 0 || f.Times < 0 {
		errs = append(errs, errors.New("delay, count, skip, bytes and times must not be negative"))
	}
	if f.Status == 0 {
		f.Status = 503
	}
	if f.Status < 200 || f.Status > 999 {
		errs = append(errs, fmt.Errorf("status %d must lie between 200 and 999", f.Status))
	}
	a := &armedFault{Fault: f}
	if f.Path != "" {
		var err error
		a.path, err = pathpattern.Parse(f.Path)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("fault %s: %w", f.Kind, err)
	}
	return a, nil
}

// selects tells whether the fault is meant for a request.
func (f *armedFault) selects(to address, method string) bool {
	return (f.Environment == "" || f.Environment == to.environment) &&
		(f.Service == "" || f.Service == to.service) &&
		(f.Method == "" || f.Method == method) &&
		(f.path.IsZero() || f.path.Match(to.path))
}
