package observability

import (
	"net/http"
	"strings"
	"time"
	"unsafe"

	"iqgateway/internal/exchange"
)

const (
	// maxRecordedDetail and maxRecordedNames bound texts of a record, in bytes.
	maxRecordedDetail = 512
	maxRecordedNames  = 256
	// slowExchange is from when an exchange is worth keeping for that alone.
	slowExchange = 5 * time.Second
	trySize      = int(unsafe.Sizeof(exchange.Try{}))
	waitSize     = int(unsafe.Sizeof(exchange.Wait{}))
	bodyEndSize  = int(unsafe.Sizeof(exchange.BodyEnd{}))
	// idTexts are those of the trace's ids, which lie beside the request id.
	idTexts = 2 * (len(exchange.TraceID{}) + len(exchange.SpanID{}))
)

// Record is an exchange that has ended, as it can be explained afterwards. It
// has no path, no query, no header field and nothing of a body: the route
// pattern stands for where the request went.
type Record struct {
	ID              string
	CallerRequestID string
	Trace           exchange.Trace
	Kept            bool // the trace is exported
	Work            bool // it is no exchange but background work, named by Method
	Link            exchange.Link
	Caller          *exchange.Caller // nil = it was not known; shared, not to be changed
	Form            exchange.Form
	Start           time.Time
	Duration        time.Duration
	Method          string // as in the access log
	Status          int    // that the caller got, as in the access log
	Outcome         string // the error of the access log, "" = none
	BytesIn         int64
	BytesOut        int64

	Environment, Service, Route string // "" = it was not routed
	Credential, Class           string // "" = it was not authorized
	Account                     bool   // the last attempt carried a token

	Cache exchange.CacheView

	Upstream    string // host of the last attempt
	Attempts    int
	Waits       []exchange.Wait // bounded by exchange, as are Tries; not to be changed
	Tries       []exchange.Try
	TokenWait   time.Duration
	Replays     int
	Retries     int
	RetryResult string
	Breaker     string
	Dropped     string // names of request fields that did not go upstream, parted by ", "
	Config      string // hash of the configuration that served it
	Overrides   string // keys of operators' overrides that it has met, parted by spaces

	QuotaBucket, QuotaResult, QuotaSource string
	QuotaWait                             time.Duration
	QuotaLimit, QuotaRemaining            int64 // when the exchange ended; 0 and 0 = not known
	QuotaOpens                            time.Duration

	Problem    exchange.ProblemType // "" = the gateway refused nothing
	Detail     string
	Unsure     exchange.Outcome // what became of a write
	RetryAfter time.Duration
}

// record makes the record of an exchange that ended.
func (s *observation) record(r *http.Request, e ending) Record {
	rec := recordOf(s.ex)
	rec.Method, rec.Status, rec.Outcome, rec.Duration, rec.Kept = knownMethod(r.Method), e.status, e.outcome, e.duration, e.kept
	rec.BytesOut, rec.Config = s.out.bytes, s.options.Config
	if s.in != nil {
		rec.BytesIn = s.in.bytes
	}
	return rec
}

// recordOf notes what stages have left in ex.
func recordOf(ex *exchange.Exchange) Record {
	rec := Record{
		ID: ex.ID, CallerRequestID: ex.CallerRequestID, Trace: ex.Trace, Link: ex.Link, Caller: ex.Caller, Form: ex.Form, Start: ex.Start,
		Credential: ex.Credential, Class: ex.Class, Account: ex.Account != "",
		Cache: ex.Cache, Attempts: ex.Attempts, Waits: ex.Waits, Tries: ex.Tries, TokenWait: ex.TokenWait,
		Replays: ex.Replays, Retries: ex.Retries, RetryResult: ex.RetryResult, Breaker: ex.Breaker,
		QuotaBucket: ex.QuotaBucket, QuotaResult: ex.QuotaResult, QuotaSource: ex.QuotaSource, QuotaWait: ex.QuotaWait,
		Dropped: joinBounded(ex.Dropped, maxRecordedNames), Overrides: ex.Overrides,
	}
	if t := ex.Target; t != nil {
		rec.Environment, rec.Service, rec.Route = t.Environment, t.Service, t.Route
	}
	if ex.Attempts > 0 && ex.Upstream != nil {
		rec.Upstream = ex.Upstream.Host
	}
	if ex.QuotaResult != "" && ex.QuotaView != nil {
		rec.seeQuota(ex.QuotaView())
	}
	if p := ex.Problem; p != nil {
		rec.Problem, rec.Unsure, rec.RetryAfter = p.Type, p.Outcome, p.RetryAfter
		rec.Detail = recordedDetail(p)
	}
	return rec
}

// recordedDetail is empty for problems whose detail quotes the request's target.
func recordedDetail(p *exchange.Problem) string {
	switch p.Type {
	case exchange.UnknownService, exchange.EnvironmentAmbiguous, exchange.UnknownHost, exchange.MalformedRequest:
		return ""
	default:
	}
	if len(p.Detail) > maxRecordedDetail {
		return strings.ToValidUTF8(p.Detail[:maxRecordedDetail], "") + "…"
	}
	return p.Detail
}

func (r *Record) seeQuota(v exchange.QuotaView) {
	if v.Known {
		r.QuotaLimit, r.QuotaRemaining, r.QuotaOpens = v.Limit, v.Remaining, v.Opens
	}
}

// noteworthy reports whether somebody may ask about the exchange when many
// others have followed it.
func (r *Record) noteworthy() bool {
	return r.Status >= http.StatusBadRequest || r.Outcome != "" || r.Retries > 0 || r.Replays > 0 || r.Duration >= slowExchange
}

// textSize is how many bytes the record holds beside itself that are its own;
// names that the configuration has are not.
func (r *Record) textSize() int {
	bodies := 0
	for i := range r.Tries {
		if r.Tries[i].Body != nil {
			bodies++
		}
	}
	return bodies*bodyEndSize + idTexts + len(r.ID) + len(r.CallerRequestID) + len(r.Cache.Status) + len(r.QuotaBucket) + len(r.Upstream) +
		len(r.Dropped) + len(r.Detail) + cap(r.Tries)*trySize + cap(r.Waits)*waitSize
}

// joinBounded joins what fits.
func joinBounded(names []string, most int) string {
	if len(names) == 0 {
		return ""
	}
	var b strings.Builder
	for _, name := range names {
		if b.Len()+len(name)+len(", ") > most {
			break
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(name)
	}
	return b.String()
}
