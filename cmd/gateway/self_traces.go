package main

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
	"iqgateway/observability"
)

const (
	// questionFindTrace is what replicas ask each other: which requests of a trace
	// were theirs.
	questionFindTrace = "trace.find"
	// maxOfTrace is how many requests of one trace a replica tells of, so that they
	// fit into an answer, and maxTraced how many a document has.
	maxOfTrace = 8
	maxTraced  = 64
)

// traceDocument has the requests of one trace.
type traceDocument struct {
	TraceID  string            `json:"trace_id"`
	TraceURL string            `json:"trace_url,omitempty"`
	Replica  string            `json:"replica"`  // that was asked
	Requests []requestDocument `json:"requests"` // oldest first
	// Omitted is how many older ones there are beside them.
	Omitted int `json:"omitted,omitempty"`
	// Silent are the replicas that may know of more.
	Silent []silentReplica `json:"silent,omitempty"`
}

type silentReplica struct {
	Replica string `json:"replica,omitempty"` // "" = all others
	Reason  string `json:"reason"`

	never bool // it will not answer the next time either
}

// traceOf reads a trace id; false = it is none.
func traceOf(text string) (id exchange.TraceID, ok bool) {
	if len(text) != hex.EncodedLen(len(id)) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(text))
	return id, err == nil && id != exchange.TraceID{}
}

// findTrace asks all replicas, this one too: a trace id names none.
func (f requestFinder) findTrace(ctx context.Context, q requestQuestion, id exchange.TraceID) ([]byte, error) {
	q.ID = id.String()
	payload, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	d := traceDocument{TraceID: q.ID, Replica: f.replica}
	answers, err := f.askAll(ctx, q.Caller, questionFindTrace, payload)
	if err != nil {
		d.silent("", err)
	}
	for _, a := range answers {
		d.add(a)
	}
	d.trim()
	if len(d.Requests) > 0 {
		return encoded(d), nil
	}
	return nil, d.unknown()
}

// ofTrace has what this replica remembers.
func (f requestFinder) ofTrace(q requestQuestion, id exchange.TraceID) traceDocument {
	d := traceDocument{TraceID: id.String(), Replica: f.replica}
	records, omitted := f.recent.FindTrace(id, q.maySee, maxOfTrace)
	d.Omitted = omitted
	for _, rec := range records {
		d.Requests = append(d.Requests, f.describe(q, rec))
	}
	return d
}

// answerTrace answers another replica, or this one.
func (f requestFinder) answerTrace(_ context.Context, payload []byte) ([]byte, error) {
	var q requestQuestion
	if err := json.Unmarshal(payload, &q); err != nil {
		return nil, err
	}
	id, ok := traceOf(q.ID)
	if !ok {
		return nil, fmt.Errorf("%q is no trace id", q.ID)
	}
	for d := f.ofTrace(q, id); ; d.drop() {
		text, err := json.Marshal(d)
		if err != nil || len(text) <= fleet.MaxAnswer || len(d.Requests) == 0 {
			return text, err
		}
	}
}

// drop leaves the oldest request out.
func (d *traceDocument) drop() {
	d.Requests = d.Requests[1:]
	d.Omitted++
}

// add takes over what a replica has answered.
func (d *traceDocument) add(a fleet.Answer) {
	if a.Err != nil {
		d.silent(a.Replica, a.Err)
		return
	}
	var other traceDocument
	if err := json.Unmarshal(a.Text, &other); err != nil {
		d.silent(a.Replica, errors.New("it answers what cannot be read"))
		return
	}
	d.Requests = append(d.Requests, other.Requests...)
	d.Omitted += other.Omitted
}

// silent notes why a replica has not answered. One that has left meanwhile knows
// nothing any more.
func (d *traceDocument) silent(replica string, err error) {
	s := silentReplica{Replica: replica, Reason: "it cannot be asked now"}
	switch {
	case errors.Is(err, fleet.ErrNobody):
		return
	case errors.Is(err, redisconn.ErrNoKeys):
		s.Reason, s.never = "replicas ask each other only where Redis has encryption_keys", true
	case errors.Is(err, fleet.ErrNotAsked):
		s.Reason, s.never = fleet.ErrNotAsked.Error(), true
	case errors.Is(err, fleet.ErrNoAnswer):
		s.Reason = fleet.ErrNoAnswer.Error()
	case errors.Is(err, fleet.ErrAsking):
		s.Reason = fleet.ErrAsking.Error()
	case errors.Is(err, fleet.ErrStore):
		s.Reason = "Redis does not answer"
	}
	d.Silent = append(d.Silent, s)
}

// trim puts the requests in their order, and drops the oldest of too many. The
// trace can be seen where that of one of them was exported.
func (d *traceDocument) trim() {
	slices.SortStableFunc(d.Requests, func(a, b requestDocument) int { return a.Started.Compare(b.Started) })
	for len(d.Requests) > maxTraced {
		d.drop()
	}
	for _, r := range d.Requests {
		d.TraceURL = cmp.Or(d.TraceURL, r.TraceURL)
	}
}

// unknown is the error of a trace without a request: nil where nobody has one.
func (d *traceDocument) unknown() error {
	var names []string
	for _, s := range d.Silent {
		if !s.never {
			names = append(names, strings.TrimPrefix(s.Replica+": "+s.Reason, ": "))
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("no replica that answers knows the trace (%s)", strings.Join(names, "; "))
}

// describe makes the document of an exchange that this replica has served. What
// was done in another caller's trace is named to operators alone.
func (f requestFinder) describe(q requestQuestion, rec observability.Record) requestDocument {
	if !q.Operator && !rec.Link.Own {
		rec.Link = exchange.Link{}
	}
	d := describeRequest(rec, f.replica)
	if f.traceURL != nil && rec.Kept {
		d.TraceURL = f.traceURL(rec.Trace.ID)
	}
	return d
}
