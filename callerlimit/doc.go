// Package callerlimit keeps each caller within its own rate, burst and
// concurrency, counted over the whole fleet, before any cache or quota.
//
// The fleet has one token bucket per caller and one number of slots. Replicas
// hold parts of both ahead of need, so that a request is decided from what this
// process holds: it never waits for the store. Trips to the store go on in the
// background while a caller is active, and end when it rests.
//
// What holds while the store answers, with n replicas:
//
//   - Over any time t, the fleet admits no more than burst + rate × t. What
//     replicas hold and what the store holds are together never more than the
//     burst.
//   - Requests under way are never more than the concurrency.
//   - A replica at rest keeps half of its n-th part of burst and concurrency,
//     and at least one of each, to begin with: who calls one replica alone gets
//     the whole rate, and of burst and concurrency all but what the others keep.
//     So both count as n where they are smaller.
//
// While the store is away each replica admits its n-th part; without a store it
// is alone and admits everything. A replica that dies takes what it held along
// for [silence].
package callerlimit
