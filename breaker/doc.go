// Package breaker stops requests to an upstream that fails, before they cost
// quota, slots and the caller's time.
//
//	caller -> gate -> quota -> permit -> attempt
//	           |                 |
//	           |                 +- takes a permit, books how the attempt ended
//	           +- refuses at once while the breaker is open
//
// Each upstream has one breaker for failures (5xx, timeouts, connections), and
// one per quota bucket for 429s that tell no reset. A breaker is closed, open
// for a time, or half-open: then a few requests, bounded for the whole fleet,
// find out whether the upstream is well again.
//
// Replicas count for themselves. Through a [Store] they tell each other until
// when a breaker is open, as a hint that [Breakers.Run] fetches; nothing in a
// request's path waits for it but the claim of a probe, and that for 50 ms at
// most.
//
// All times are monotonic. The clock is [time.Now]: counting is done by
// gobreaker, which takes no other.
package breaker
