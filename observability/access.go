package observability

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"iqgateway/internal/exchange"
)

// usualFields is how many fields the access line of an answered request has at
// most; those that tell of failures come on top.
const usualFields = 25

// accessMessage is what an access line says.
const accessMessage = "request"

// accessLog writes the access lines.
type accessLog struct {
	handler slog.Handler
	lines   *lineHandler // the handler, if it is our own
	// kept are the slices of lines that were written. A handler may keep what it
	// is given; only of our own is it known that it does not.
	kept *sync.Pool // of *[]slog.Attr; nil = none is used again
}

func newAccessLog(log *slog.Logger) *accessLog {
	l := &accessLog{handler: unbounded(log.Handler())} // an access line is no event that repeats
	if ours, ok := l.handler.(*lineHandler); ok {
		l.lines, l.kept = ours, new(sync.Pool)
	}
	return l
}

// write leaves the access line of an exchange that ended. The line has
// no place in the code, which a Logger would look for, and is one group without
// a name, which the record need not copy.
func (l *accessLog) write(s *observation, r *http.Request, e ending) {
	ctx := r.Context()
	if !l.handler.Enabled(ctx, slog.LevelInfo) {
		return
	}
	attrs := l.begin()
	*attrs = s.accessLine((*attrs)[:0], r, e)
	if l.lines == nil || !l.lines.write(e.at, slog.LevelInfo, accessMessage, *attrs) {
		record := slog.NewRecord(e.at, slog.LevelInfo, accessMessage, 0)
		record.AddAttrs(slog.Attr{Value: slog.GroupValue(*attrs...)})
		_ = l.handler.Handle(ctx, record) // there is no other place to say that the log fails
	}
	if l.kept != nil {
		clear(*attrs)
		l.kept.Put(attrs)
	}
}

func (l *accessLog) begin() *[]slog.Attr {
	if l.kept != nil {
		if attrs, ok := l.kept.Get().(*[]slog.Attr); ok {
			return attrs
		}
	}
	attrs := make([]slog.Attr, 0, usualFields)
	return &attrs
}

// accessLine appends the fields of the one access line of an exchange. The
// path is not among them: the route pattern stands for it.
func (s *observation) accessLine(attrs []slog.Attr, r *http.Request, e ending) []slog.Attr {
	ex := s.ex
	attrs = append(attrs, slog.String("request_id", ex.ID),
		slog.String("trace_id", s.names.trace), slog.String("span_id", s.names.span))
	attrs = appendText(attrs, "caller_request_id", ex.CallerRequestID)
	if ex.Caller != nil {
		attrs = append(attrs, slog.String("caller", ex.Caller.Name))
		attrs = appendText(attrs, "key_id", ex.Caller.KeyID)
	}
	if t := ex.Target; t != nil {
		attrs = append(attrs,
			slog.String("environment", t.Environment),
			slog.String("service", t.Service),
			slog.String("route", t.Route),
			slog.String("form", ex.Form.String()))
	}
	attrs = appendText(attrs, "credential", ex.Credential)
	attrs = append(attrs,
		slog.String("method", knownMethod(r.Method)),
		slog.Int("status", e.status),
		slog.Float64("duration_ms", float64(e.duration.Microseconds())/1000),
		slog.Int("attempts", ex.Attempts))
	if ex.UpstreamStatus != 0 {
		attrs = append(attrs, slog.Int("upstream_status", ex.UpstreamStatus),
			slog.Float64("upstream_ms", float64(ex.UpstreamTime.Microseconds())/1000))
	}
	if c := ex.Cache; c.Result != exchange.CacheNone {
		attrs = append(attrs, slog.String("cache", string(c.Result)))
		attrs = appendText(attrs, "cache_reason", c.Reason)
		attrs = append(attrs, slog.Float64("cache_ms", float64(c.Time.Microseconds())/1000))
	}
	if ex.QuotaResult != "" {
		attrs = append(attrs, slog.String("quota", ex.QuotaResult),
			slog.Float64("quota_wait_ms", float64(ex.QuotaWait.Microseconds())/1000))
	}
	attrs = appendResilience(attrs, ex)
	if s.in != nil {
		attrs = append(attrs, slog.Int64("bytes_in", s.in.bytes))
	}
	attrs = appendText(attrs, "config", s.options.Config)
	attrs = appendText(attrs, "override", ex.Overrides)
	attrs = append(attrs, slog.Int64("bytes_out", s.out.bytes), slog.String("peer", ex.Peer))
	attrs = appendText(attrs, "query", s.query.keep(r.URL))
	return append(attrs, s.errorFields(e)...)
}

// appendResilience tells of breakers and retries where they had something to do.
func appendResilience(attrs []slog.Attr, ex *exchange.Exchange) []slog.Attr {
	if ex.Breaker != exchange.BreakerClosed {
		attrs = appendText(attrs, "breaker", ex.Breaker)
	}
	if ex.Retries > 0 {
		attrs = append(attrs, slog.Int("retries", ex.Retries))
	}
	return appendText(attrs, "retry", ex.RetryResult)
}

func (s *observation) errorFields(e ending) []slog.Attr {
	var attrs []slog.Attr
	attrs = appendText(attrs, "error", e.outcome)
	if p := s.ex.Problem; p != nil {
		attrs = appendText(attrs, "detail", p.Detail)
		attrs = appendText(attrs, "outcome", string(p.Outcome))
		if p.Err != nil {
			attrs = append(attrs, slog.String("cause", p.Err.Error()))
		}
	}
	if s.ex.Aborted != nil {
		attrs = append(attrs, slog.String("aborted", s.ex.Aborted.Error()))
	}
	return attrs
}

func appendText(attrs []slog.Attr, key, value string) []slog.Attr {
	if value == "" {
		return attrs
	}
	return append(attrs, slog.String(key, value))
}

// otherMethod stands for all methods that are not known.
const otherMethod = "_OTHER"

// knownMethod keeps a caller from choosing a label: RFC 9110's methods and
// PATCH stand for themselves, all others are "_OTHER" as in OpenTelemetry's
// conventions.
func knownMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return otherMethod
}

// queryFilter keeps the parameters that may be logged.
type queryFilter map[string]bool

func newQueryFilter(names []string) queryFilter {
	f := queryFilter{}
	for _, n := range names {
		f[n] = true
	}
	return f
}

// keep returns the allowed parameters of a URL's query as they were written.
func (f queryFilter) keep(u *url.URL) string {
	if len(f) == 0 || u.RawQuery == "" {
		return ""
	}
	var kept []string
	// A ';' separates too for some servers: what follows it must be allowed itself.
	for part := range strings.FieldsFuncSeq(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' }) {
		raw, _, _ := strings.Cut(part, "=")
		if name, err := url.QueryUnescape(raw); err == nil && f[name] {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "&")
}
