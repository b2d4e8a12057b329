package cache

import (
	"net/http"
	"strconv"
	"time"

	"iqgateway/internal/exchange"
)

// lookup is the inbound stage.
type lookup struct {
	*Stages
	next http.Handler
}

// ServeHTTP implements [http.Handler].
func (l *lookup) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ex := exchange.From(r.Context())
	if ex.Target == nil || ex.Target.Session {
		l.next.ServeHTTP(w, r)
		return
	}
	defer l.end(ex)
	begin := l.cache.now()
	ex.Cache.At = ex.Since(begin)
	q, why, err := l.ask(ex, r)
	switch {
	case err != nil:
		l.o.Refuse(w, r, err)
	case q == nil:
		bypass(ex, why)
		l.next.ServeHTTP(w, r)
	case q.rule != nil && q.rule.Suggest:
		l.suggest(ex, q, begin)
		bypass(ex, bypassSuggest)
		l.next.ServeHTTP(w, r)
	default:
		l.answer(w, r, ex, q, begin)
	}
}

// bypass notes that the cache has nothing to do with an exchange.
func bypass(ex *exchange.Exchange, why string) {
	ex.CacheDecided(exchange.CacheView{
		Result: exchange.CacheBypass, Reason: why, Status: cacheStatus{fwd: fwdBypass, detail: why}.String(),
	})
}

// suggest counts what a rule would have done.
func (l *lookup) suggest(ex *exchange.Exchange, q *question, now time.Time) {
	caller := ""
	if ex.Caller != nil {
		caller = ex.Caller.Name
	}
	hit := l.cache.ghosts.would(q.key, q.selection.text, q.rule.TTL, now)
	l.cache.stats.suggested(q.route.Service, caller, hit)
	l.cache.o.Hooks.suggested(q.route.Service, hit)
}

// answer answers a question from memory, or has it asked upstream.
func (l *lookup) answer(w http.ResponseWriter, r *http.Request, ex *exchange.Exchange, q *question, begin time.Time) {
	o, other := l.find(q, begin)
	if q.asksOrigin(r.Header) || o == nil && len(r.Header["Range"]) > 0 { // what would come is not what is stored
		if q.want.OnlyIfCached {
			l.unavailable(w, r, ex, begin)
			return
		}
		bypass(ex, bypassCondition)
		l.next.ServeHTTP(w, r)
		return
	}
	v, reason := reuse(o, q.want, begin)
	q.stored, q.reason = o, reason
	if o == nil && other {
		q.reason = fwdVaryMiss
	}
	switch v {
	case verdictFresh:
		l.write(w, r, ex, q, exchange.CacheHit, begin)
	case verdictStale:
		l.write(w, r, ex, q, exchange.CacheStale, begin)
	case verdictStaleWhileRevalidate:
		l.startRefresh(r, ex, q)
		l.write(w, r, ex, q, exchange.CacheStale, begin)
	case verdictUnavailable:
		l.unavailable(w, r, ex, begin)
	default:
		q.missed(ex)
		ex.Cache.Time = l.cache.now().Sub(begin)
		l.next.ServeHTTP(w, r.WithContext(withQuestion(r.Context(), q)))
	}
}

// missed notes that the upstream is to be asked, for as long as there is no answer.
func (q *question) missed(ex *exchange.Exchange) {
	ex.CacheDecided(exchange.CacheView{
		Result: exchange.CacheMiss, Reason: q.reason, Status: cacheStatus{fwd: q.reason}.String(),
	})
}

const reasonOnlyIfCached = "only-if-cached"

// unavailable refuses what was to be answered from the store or not at all (RFC
// 9111, section 5.2.1.7).
func (l *lookup) unavailable(w http.ResponseWriter, r *http.Request, ex *exchange.Exchange, begin time.Time) {
	ex.CacheDecided(exchange.CacheView{
		Result: exchange.CacheMiss, Reason: reasonOnlyIfCached, Time: l.cache.now().Sub(begin),
		Status: cacheStatus{detail: reasonOnlyIfCached}.String(),
	})
	l.o.Refuse(w, r, exchange.Refuse(exchange.NotCached,
		"only-if-cached was asked for, and no stored answer may be used for this request"))
}

// find returns the stored answer to a question; other = there are answers to
// other selections.
func (l *lookup) find(q *question, now time.Time) (o *Object, other bool) {
	switch o = l.cache.memory.get(q.key, q.selection.text); {
	case o == nil:
		return nil, len(l.cache.memory.variants(q.key)) > 0
	case !l.cache.usable(q.service, o, now):
		return nil, false
	}
	return o, false
}

// write answers a request from the stored answer.
func (l *lookup) write(w http.ResponseWriter, r *http.Request, ex *exchange.Exchange, q *question, as exchange.CacheResult, begin time.Time) {
	now, o, h := l.cache.now(), q.stored, w.Header()
	age := currentAge(o, now)
	reply := evaluate(r.Header, o, q.method).fill(h, o)
	line := cacheStatus{hit: true, hasTTL: true, ttl: o.Lifetime - age, detail: q.reason}
	ex.CacheDecided(exchange.CacheView{
		Result: as, Reason: q.reason, Saved: 1, Time: now.Sub(begin), Status: q.stamp(h, reply, line, age),
	})
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // an answer without one gets none made up by net/http
	}
	if l.o.Decorate != nil {
		l.o.Decorate(h, r, reply.status)
	}
	w.WriteHeader(reply.status)
	if r.Method != http.MethodHead {
		_, _ = reply.WriteTo(w) // the caller may be gone by now, and there is no one else to tell
	}
}

// stamp sets the fields that are of the moment, and returns the member of
// Cache-Status. All of them are parts of one text.
func (q *question) stamp(h http.Header, r reply, line cacheStatus, age time.Duration) (status string) {
	var buffer [96]byte
	b := line.append(buffer[:0])
	statusEnd := len(b)
	b = strconv.AppendInt(b, int64(age/time.Second), 10)
	ageEnd := len(b)
	b = strconv.AppendInt(b, r.length, 10)
	text := string(b)
	q.stamps = [...]string{text[statusEnd:ageEnd], text[ageEnd:]}
	h["Age"] = q.stamps[:1:1]
	if r.sized {
		h["Content-Length"] = q.stamps[1:]
	}
	return text[:statusEnd]
}

// setAge sets the field that is never stored.
func setAge(h http.Header, age time.Duration) {
	h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
}
