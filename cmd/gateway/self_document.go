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
	Work            string    `json:"work,omitempty"` // the name of background work, which is no request
	CallerRequestID string    `json:"caller_request_id,omitempty"`
	TraceID         string    `json:"trace_id,omitempty"`
	SpanID          string    `json:"span_id,omitempty"`
	TraceURL        string    `json:"trace_url,omitempty"` // where its trace was exported, and can be seen
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
	Waits    []waitDocument    `json:"waits,omitempty"`
	Attempts []attemptDocument `json:"attempts"`
	// Link is whose fetch brought the answer, or who had background work done; explain
	// its trace_id.
	Link    *linkDocument    `json:"link,omitempty"`
	Problem *problemDocument `json:"problem,omitempty"`
	Dropped []string         `json:"dropped_fields,omitempty"` // that did not go upstream
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
	AtMS    float64 `json:"at_ms"`   // after the beginning
	TookMS  float64 `json:"took_ms"` // until the answer's header
	SpanID  string  `json:"span_id,omitempty"`
	Host    string  `json:"host,omitempty"`
	Breaker string  `json:"breaker,omitempty"` // as the attempt met it
	Status  int     `json:"status,omitempty"`
	Failure string  `json:"failure,omitempty"` // why no answer came
	// Body says how the answer's body ended: whole, or why not; "" = it goes on,
	// or there is none.
	Body   string  `json:"body,omitempty"`
	BodyMS float64 `json:"body_ms,omitempty"` // when, after the attempt had begun
}

// waitDocument is something that an attempt needed.
type waitDocument struct {
	For        string        `json:"for"` // as its span is named: quota.acquire, token.get, slot.acquire
	AtMS       float64       `json:"at_ms"`
	TookMS     float64       `json:"took_ms"`
	Result     string        `json:"result"`
	Failed     bool          `json:"failed,omitempty"`
	Bucket     string        `json:"bucket,omitempty"`
	Limit      int64         `json:"limit,omitempty"`
	Remaining  *int64        `json:"remaining,omitempty"`
	Generation uint64        `json:"generation,omitempty"`
	Link       *linkDocument `json:"link,omitempty"` // the fetch that was waited for
}

// linkDocument names work of another trace.
type linkDocument struct {
	TraceID string `json:"trace_id"`
	SpanID  string `json:"span_id"`
}

type problemDocument struct {
	Type          string  `json:"type"`
	Title         string  `json:"title"`
	Documentation string  `json:"documentation"` // what it means and what to do
	Status        int     `json:"status"`
	Detail        string  `json:"detail,omitempty"`
	Outcome       string  `json:"outcome,omitempty"`
	RetryAfter    float64 `json:"retry_after_seconds,omitempty"`
}

// errorsDocument explains every problem of the gateway, under its name.
const errorsDocument = "docs/errors.md"

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
	d.trace(r)
	if r.Work {
		d.Work, d.Method = d.Method, ""
	}
	if r.Problem != "" {
		spec := r.Problem.Spec()
		d.Problem = &problemDocument{
			Type: string(r.Problem), Title: spec.Title, Status: spec.Status, Detail: r.Detail,
			Documentation: errorsDocument + "#" + string(r.Problem),
			Outcome:       string(r.Unsure), RetryAfter: seconds(r.RetryAfter),
		}
	}
	if r.Dropped != "" {
		d.Dropped = strings.Split(r.Dropped, ", ")
	}
	return d
}

// trace says where the exchange stands among traces, and what its spans tell.
func (d *requestDocument) trace(r observability.Record) {
	if r.Trace.ID != (exchange.TraceID{}) {
		d.TraceID, d.SpanID = r.Trace.ID.String(), r.Trace.Span.String()
	}
	d.Link = linkOf(r.Link)
	for _, w := range r.Waits {
		wait := waitDocument{
			For: string(w.Kind), AtMS: inMilliseconds(w.At), TookMS: inMilliseconds(w.Took), Result: w.Result, Failed: w.Failed,
			Bucket: w.Bucket, Limit: w.Limit, Generation: w.Generation, Link: linkOf(w.Link),
		}
		if w.Limit > 0 {
			wait.Remaining = &w.Remaining
		}
		d.Waits = append(d.Waits, wait)
	}
	for _, t := range r.Tries {
		attempt := attemptDocument{
			AtMS: inMilliseconds(t.At), TookMS: inMilliseconds(t.Took), Host: t.Host, Breaker: t.Breaker, Status: t.Status, Failure: t.Failure,
		}
		if t.Span != (exchange.SpanID{}) {
			attempt.SpanID = t.Span.String()
		}
		if took, failure, ended := t.Body.Get(); ended {
			attempt.Body, attempt.BodyMS = cmp.Or(failure, bodyWhole), inMilliseconds(took)
		}
		d.Attempts = append(d.Attempts, attempt)
	}
}

// bodyWhole is said of a body that has come to its end.
const bodyWhole = "whole"

func linkOf(l exchange.Link) *linkDocument {
	if l.IsZero() {
		return nil
	}
	return &linkDocument{l.Trace.String(), l.Span.String()}
}

func inMilliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func fallback(words map[string]string, word string) string { return cmp.Or(words[word], word) }
