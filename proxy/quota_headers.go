package proxy

import (
	"hash/fnv"
	"net/http"
	"strconv"
	"time"

	"iqgateway/internal/exchange"
)

// shareName names the caller's own part of a bucket in the fields and in
// violated-policies.
const shareName = "share"

// setQuota puts the gateway's view of the bucket in place of what the upstream
// said: its own numbers are of the whole bucket, and those of a stored answer
// are of another time. Services that nobody counts keep their fields.
func (m HeaderMode) setQuota(h http.Header, ex *exchange.Exchange, status int) {
	var buffer [fieldsSize]byte
	m.quotaFields(newFields(buffer[:0]), h, ex, status).set(h)
}

// quotaFields is setQuota, but adds the fields to all.
func (m HeaderMode) quotaFields(all fields, h http.Header, ex *exchange.Exchange, status int) fields {
	if by := refusedBy(ex.Problem, status); by != "" {
		h["X-Quota-Source"] = []string{by}
	}
	if ex.QuotaView == nil || ex.Target == nil {
		return all
	}
	view := tightened(ex.QuotaView(), h)
	if status == http.StatusTooManyRequests && ex.Problem == nil {
		setRetryAfter(h, view, ex.ID, time.Now())
	}
	for _, name := range [...]string{
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Resetseconds",
		"Ratelimit", "Ratelimit-Policy", "X-Quota-Wait-Ms",
	} {
		delete(h, name)
	}
	if m == HeadersMinimal {
		return all
	}
	all = all.number(fieldQuotaWait, ex.QuotaWait.Milliseconds())
	if view.Known {
		all = all.view(ex.Target.QuotaPolicy(), view)
	}
	return all
}

// refusedBy says whose refusal an answer is, "" if it is none for quota.
func refusedBy(p *exchange.Problem, status int) string {
	switch {
	case p == nil && status == http.StatusTooManyRequests:
		return exchange.QuotaUpstream
	case p != nil && (p.Type == exchange.QuotaExceeded || p.Type == exchange.QuotaUnavailable):
		return exchange.QuotaGateway
	default:
		return ""
	}
}

// tightened lowers the view to what the answer at hand says of the same window,
// or of one whose name is not known: whoever stands between may only be more
// restrictive.
func tightened(v exchange.QuotaView, h http.Header) exchange.QuotaView {
	if !v.Known || v.Concurrency || v.Reset != "" && h.Get("X-Ratelimit-Reset") != v.Reset {
		return v
	}
	if n, ok := count(h, "X-Ratelimit-Remaining"); ok {
		v.Remaining, v.ShareRemaining = min(v.Remaining, n), min(v.ShareRemaining, n)
	}
	return v
}

// count reads a field of the upstream's.
func count(h http.Header, name string) (int64, bool) {
	n, err := strconv.ParseInt(h.Get(name), 10, 64)
	return n, err == nil && n >= 0
}

// fieldsSize is what the fields of one answer usually take, in bytes.
const fieldsSize = 384

// ownField is one of the fields that the gateway puts on answers.
type ownField int8

const (
	fieldCacheStatus ownField = iota
	fieldServerTiming
	fieldVia
	fieldQuotaWait
	fieldLimit
	fieldRemaining
	fieldReset
	fieldResetSeconds
	fieldRateLimit
	fieldRateLimitPolicy
	ownFields // how many there are
)

func (f ownField) String() string {
	return [ownFields]string{
		"Cache-Status", "Server-Timing", "Via",
		"X-Quota-Wait-Ms", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Ratelimit-Resetseconds",
		"Ratelimit", "Ratelimit-Policy",
	}[f]
}

// fields collects values, each field at most once, and makes one string of all
// of them. It is passed by value, and has no other pointers, so that its text
// can lie in an array of the one who begins it.
type fields struct {
	text []byte
	ends [ownFields]struct {
		field ownField
		end   int // in text
	}
	n int
}

func newFields(buffer []byte) fields { return fields{text: buffer} }

// end ends the value that stands at the end of text, which is all that was
// collected.
func (f fields) end(text []byte, field ownField) fields {
	f.text = text
	f.ends[f.n].field, f.ends[f.n].end = field, len(text)
	f.n++
	return f
}

func (f fields) number(field ownField, n int64) fields {
	return f.end(strconv.AppendInt(f.text, n, 10), field)
}

// set writes the fields.
func (f fields) set(h http.Header) {
	all, begin := string(f.text), 0
	values := make([]string, f.n)
	for i, v := range f.ends[:f.n] {
		values[i] = all[begin:v.end]
		h[v.field.String()] = values[i : i+1 : i+1]
		begin = v.end
	}
}

func (f fields) view(policy string, v exchange.QuotaView) fields {
	if !v.Concurrency { // its callers would read a window into them
		f = f.upstreamForm(v)
	}
	f = f.end(appendPolicies(f.text, policy, v), fieldRateLimitPolicy)
	return f.end(appendRemaining(f.text, policy, v), fieldRateLimit)
}

// upstreamForm writes the names and formats of the upstream itself, so that
// clients made for it need no change.
func (f fields) upstreamForm(v exchange.QuotaView) fields {
	f = f.number(fieldLimit, v.Limit)
	f = f.number(fieldRemaining, max(0, v.Remaining))
	if v.Reset != "" {
		f = f.end(append(f.text, v.Reset...), fieldReset)
	}
	if v.Opens > 0 {
		f = f.number(fieldResetSeconds, wholeSeconds(v.Opens))
	}
	return f
}

// appendPolicies writes RateLimit-Policy: what limits there are
// (draft-ietf-httpapi-ratelimit-headers, section 3).
func appendPolicies(b []byte, policy string, v exchange.QuotaView) []byte {
	b = appendPolicy(b, policy, v.Limit, v)
	if hasShare(v) {
		b = appendPolicy(append(b, ", "...), shareName, v.Share, v)
	}
	return b
}

// hasShare is false for a caller that may have all: its share is the bucket.
func hasShare(v exchange.QuotaView) bool { return v.Share > 0 && v.Share < v.Limit }

func appendPolicy(b []byte, name string, quota int64, v exchange.QuotaView) []byte {
	b = appendParameter(appendString(b, name), "q", quota)
	if v.Concurrency {
		return append(b, `;qu="concurrent-requests"`...)
	}
	if v.Window > 0 {
		b = appendParameter(b, "w", wholeSeconds(v.Window))
	}
	return b
}

// appendRemaining writes RateLimit: what is left of them (the same, section 4).
func appendRemaining(b []byte, policy string, v exchange.QuotaView) []byte {
	b = appendLeft(b, policy, v.Remaining, v)
	if hasShare(v) {
		b = appendLeft(append(b, ", "...), shareName, v.ShareRemaining, v)
	}
	return b
}

func appendLeft(b []byte, name string, left int64, v exchange.QuotaView) []byte {
	b = appendParameter(appendString(b, name), "r", left)
	if v.Opens > 0 && !v.Concurrency {
		b = appendParameter(b, "t", wholeSeconds(v.Opens))
	}
	return b
}

// maxInteger is the largest that a structured field may hold (RFC 9651, section
// 3.3.1).
const maxInteger = 999_999_999_999_999

// appendParameter writes ;name=n.
func appendParameter(b []byte, name string, n int64) []byte {
	b = append(append(append(b, ';'), name...), '=')
	return strconv.AppendInt(b, min(max(0, n), maxInteger), 10)
}

// appendString writes a structured field string (RFC 9651, section 4.1.6).
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r > '~':
			b = append(b, '?')
		default:
			b = append(b, byte(r))
		}
	}
	return append(b, '"')
}

// longestRetry bounds a Retry-After of ours: an upstream's stray number must not
// send callers away for a year.
const longestRetry = time.Hour

// setRetryAfter tells the caller of an upstream's 429, which comes without it,
// when to come again. One that is there stays unless it is too early.
func setRetryAfter(h http.Header, v exchange.QuotaView, id string, now time.Time) {
	wait := time.Second // a limit that nobody advertises: what it wants is unknown
	if left, ok := count(h, "X-Ratelimit-Remaining"); ok && left == 0 {
		if n, ok := count(h, "X-Ratelimit-Resetseconds"); ok {
			wait = max(wait, time.Duration(min(n, int64(longestRetry/time.Second)))*time.Second)
		}
	}
	if v.Known && !v.Concurrency && v.Remaining == 0 {
		wait = max(wait, v.Opens)
	}
	if given, ok := exchange.ParseRetryAfter(h.Get("Retry-After")); ok && given.WaitBy(h.Get("Date"), now) >= wait {
		return
	}
	h["Retry-After"] = []string{strconv.FormatInt(wholeSeconds(wait+jitter(wait, id)), 10)}
}

// jitter spreads the callers of one window over a tenth of the wait, 2 s at
// most. It hangs on the request's id, which is random.
func jitter(wait time.Duration, id string) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(id)) // never fails
	return time.Duration(float64(min(wait/10, 2*time.Second)) * float64(hash.Sum32()) / (1 << 32))
}

// wholeSeconds rounds up: a window of 0.3 s left is not over.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }
