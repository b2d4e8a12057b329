// Package cache keeps answers of upstreams and decides when one may be used
// again. It is a shared cache in front of injected credentials, so the rule of
// the house is: what is not part of the key is not sent upstream, and what
// cannot be proven right is fetched again.
//
// Policy is pure: parsing, freshness, selection, conditions, ranges and
// invalidation read no clock and hold no state (RFC 9110, 9111, 5861, 8246,
// 9211, 9213). Around it stand two stages: [Cache.Lookup] answers fresh hits
// before the reverse proxy is entered, [Cache.Store] fetches for all callers at
// once, revalidates, stores, serves stale answers and watches writes. State is
// a bounded store in memory and, where there is Redis, a second tier and a log
// of invalidations that all replicas read.
package cache
