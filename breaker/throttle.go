package breaker

import "net/http"

// throttled is the side of an attempt that faces its bucket's throttle breaker.
// The closed breaker takes no permits: it hears of 429s, and of what ends a row
// of them.
type throttled struct {
	b      *breaker // nil = the bucket has none
	life   *life    // of b, closed
	permit permit   // else
}

// throttled lets an attempt pass a bucket's throttle breaker.
func (u *upstream) throttled(req *http.Request, bucket string) (t throttled, r *refusal) {
	t.b = u.throttle(bucket)
	if t.life = t.b.fast.Load(); t.life != nil {
		return t, nil
	}
	t.permit, r = t.b.allow(req.Context())
	return t, r
}

// end books an attempt that brought no answer.
func (t *throttled) end(result Result) { t.permit.end(result, "", false) }

// answered books an answer. A 429 with a reset is the quota's affair.
func (t *throttled) answered(resp *http.Response, tellsReset func(*http.Response) bool) {
	if t.b == nil {
		return
	}
	switch {
	case resp.StatusCode != http.StatusTooManyRequests:
		t.permit.end(Success, "", true)
		if t.life != nil && t.b.struck.Swap(false) {
			t.life.book(nil) // a row of failures has ended
		}
	case tellsReset(resp):
		t.permit.end(Excluded, "", true)
	case t.permit.b != nil:
		t.permit.end(Failure, "429", true)
	default:
		t.b.strike(t.life, "429")
	}
}

// strike counts a failure without a permit, if the breaker is closed and has
// been since; since nil = whenever.
func (b *breaker) strike(since *life, cause string) {
	b.mu.Lock()
	l := b.life
	counts := b.state == Closed && b.forced == nil && (since == nil || l == since)
	b.unlock()
	if !counts {
		return
	}
	p := permit{b: b, life: l}
	b.struck.Store(true)
	p.end(Failure, cause, true)
}
