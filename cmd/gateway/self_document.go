package main

import (
	"cmp"
	"strings"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// requestDocument is an exchange explained; docs/calling.md describes each
// member. It has no path, no query and no field of the request: the route
// pattern stands for them.
type requestDocument struct {
	RequestID       string    `json:"request_id"`
	CallerRequestID string    `json:"caller_request_id,omitempty"`
	Replica         string    `json:"replica"`
	Started         time.Time `json:"started"`
	Milliseconds    float64   `json:"duration_ms"`
	Method          string    `json:"method"`
	Route           string    `json:"route,omitempty"`
	Form            string    `json:"form"`
	Status          int       `json:"status"`
	Error           string    `json:"error,omitempty"` // as in the access log
	BytesIn         int64     `json:"bytes_in"`
	BytesOut        int64     `json:"bytes_out"`

	Caller      string `json:"caller,omitempty"`
	Proof       string `json:"proof,omitempty"`
	KeyID       string `json:"key_id,omitempty"`
	Environment string `json:"environment,omitempty"`
	Service     string `json:"service,omitempty"`
	Credential  string `json:"credential,omitempty"`
	Class       string `json:"class,omitempty"`

	// Stages say in words what each of them decided, in their order.
	Stages []stageDocument `json:"stages"`

	Cache    *cacheDecision    `json:"cache,omitempty"`
	Quota    *quotaDecision    `json:"quota,omitempty"`
	Attempts []attemptDocument `json:"attempts"`
	Problem  *problemDocument  `json:"problem,omitempty"`
	Dropped  []string          `json:"dropped_fields,omitempty"` // that did not go upstream
}

type stageDocument struct {
	Stage    string `json:"stage"`
	Decision string `json:"decision"`
}

type cacheDecision struct {
	Result       string  `json:"result"`
	Reason       string  `json:"reason,omitempty"`
	Milliseconds float64 `json:"ms"`
}

// quotaDecision tells of the bucket when the exchange ended.
type quotaDecision struct {
	Bucket     string  `json:"bucket"`
	Result     string  `json:"result"`
	RefusedBy  string  `json:"refused_by,omitempty"` // gateway or upstream
	WaitedMS   float64 `json:"waited_ms"`
	Limit      int64   `json:"limit,omitempty"`
	Remaining  int64   `json:"remaining"`
	OpensInSec float64 `json:"opens_in_seconds,omitempty"`
}

// attemptDocument is one request sent upstream.
type attemptDocument struct {
	AtMS    float64 `json:"at_ms"` // after the beginning
	TookMS  float64 `json:"took_ms"`
	Status  int     `json:"status,omitempty"`
	Failure string  `json:"failure,omitempty"`
}

type problemDocument struct {
	Type       string  `json:"type"`
	Title      string  `json:"title"`
	Status     int     `json:"status"`
	Detail     string  `json:"detail,omitempty"`
	Outcome    string  `json:"outcome,omitempty"`
	RetryAfter float64 `json:"retry_after_seconds,omitempty"`
}

// describeRequest makes the document of an exchange that replica has served.
func describeRequest(r observability.Record, replica string) requestDocument {
	d := requestDocument{
		RequestID: r.ID, CallerRequestID: r.CallerRequestID, Replica: replica, Started: r.Start.UTC(),
		Milliseconds: inMilliseconds(r.Duration), Method: r.Method, Route: r.Route, Form: r.Form.String(),
		Status: r.Status, Error: r.Outcome, BytesIn: r.BytesIn, BytesOut: r.BytesOut,
		Environment: r.Environment, Service: r.Service, Credential: r.Credential, Class: r.Class,
		Stages: stagesOf(r), Attempts: []attemptDocument{},
	}
	if c := r.Caller; c != nil {
		d.Caller, d.Proof, d.KeyID = c.Name, c.Proof, c.KeyID
	}
	if r.Cache.Result != exchange.CacheNone {
		d.Cache = &cacheDecision{string(r.Cache.Result), r.Cache.Reason, inMilliseconds(r.Cache.Time)}
	}
	if r.QuotaResult != "" {
		d.Quota = &quotaDecision{
			Bucket: r.QuotaBucket, Result: r.QuotaResult, RefusedBy: r.QuotaSource, WaitedMS: inMilliseconds(r.QuotaWait),
			Limit: r.QuotaLimit, Remaining: r.QuotaRemaining, OpensInSec: seconds(r.QuotaOpens),
		}
	}
	for _, t := range r.Tries {
		d.Attempts = append(d.Attempts, attemptDocument{inMilliseconds(t.At), inMilliseconds(t.Took), t.Status, t.Failure})
	}
	if r.Problem != "" {
		spec := r.Problem.Spec()
		d.Problem = &problemDocument{
			Type: string(r.Problem), Title: spec.Title, Status: spec.Status, Detail: r.Detail,
			Outcome: string(r.Unsure), RetryAfter: seconds(r.RetryAfter),
		}
	}
	if r.Dropped != "" {
		d.Dropped = strings.Split(r.Dropped, ", ")
	}
	return d
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func fallback(words map[string]string, word string) string { return cmp.Or(words[word], word) }
