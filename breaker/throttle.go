package breaker

import (
	"net/http"
	"strconv"
	"strings"
)

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
func (t *throttled) answered(resp *http.Response) {
	if t.b == nil {
		return
	}
	switch {
	case resp.StatusCode != http.StatusTooManyRequests:
		t.permit.end(Success, "", true)
		if t.life != nil && t.b.struck.Swap(false) {
			t.b.praise(t.life)
		}
	case tellsReset(resp.Header):
		t.permit.end(Excluded, "", true)
	case t.permit.b != nil:
		t.permit.end(Failure, "429", true)
	default:
		t.b.strike(t.life, "429")
	}
}

// tellsReset reports whether a 429 says until when to wait: by Retry-After, or
// by a window that is used up. While the window has some left, the refusal is
// of another limit, of which the window's end tells nothing.
func tellsReset(h http.Header) bool {
	if text := strings.TrimSpace(h.Get("Retry-After")); text != "" {
		seconds, err := strconv.Atoi(text)
		_, errDate := http.ParseTime(text)
		if err == nil && seconds > 0 || errDate == nil {
			return true
		}
	}
	left := strings.TrimSpace(h.Get("X-RateLimit-Remaining"))
	named := h.Get("X-RateLimit-Reset") != "" || h.Get("X-RateLimit-ResetSeconds") != ""
	return left == "0" && named
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
	if done, err := l.cb.Allow(); err == nil {
		p := permit{b: b, life: l, done: done}
		b.struck.Store(true)
		p.end(Failure, cause, true)
	}
}

// praise ends a row of failures.
func (b *breaker) praise(since *life) {
	if done, err := since.cb.Allow(); err == nil {
		done(nil)
	}
}
