// Package callerlimit keeps each caller within its own rate, burst and
// concurrency, counted over the whole fleet, before any cache or quota.
//
// The fleet has one token bucket per caller and one number of slots. Replicas
// hold parts of both ahead of need, so that a request is decided from what this
// process holds: it never waits for the store. Trips to the store go on in the
// background while a caller needs more than a replica keeps at rest.
//
// What holds while the store answers, with n replicas:
//
//   - Over any time t, the fleet admits no more than burst + rate × t. What
//     replicas hold and what the store holds are together never more than the
//     burst. The bucket does not fill up for what a replica at rest has spent and
//     not told: that is half of what it keeps at most.
//   - Requests under way are never more than the concurrency.
//   - A replica at rest keeps half of its n-th part of burst and concurrency,
//     and at least one of each, to begin with: who calls one replica alone gets
//     the whole rate, and of burst and concurrency all but what the others keep.
//     So both count as n where they are smaller.
//
// While the store is away each replica admits its n-th part; without a store it
// is alone and admits everything. A replica that dies takes what it held along
// for [Silence]. A store that has lost what it knew begins with an empty bucket
// as soon as a replica that it should know asks; until then, at most a second, it
// may lend to one that is new to the caller what others hold.
package callerlimit
