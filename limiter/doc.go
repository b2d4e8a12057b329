// Package limiter keeps a fleet of gateways inside the quota of every upstream
// bucket, uses all of it, and divides it among callers.
//
// It has two sides, both pure (time is an argument, nothing is started):
//
//   - [Shared] is what the fleet holds in common of a bucket. Its one decision,
//     [Shared.Acquire], takes what a replica tells and wants and answers with
//     tokens. limiter/redisstore makes the same decision in Redis.
//   - [Local] is one replica's side: the tokens it holds (a lease), the requests
//     that wait, those under way, and what it does while the store is away.
//
// A [Store] carries an [Ask] from the one to the other. [Limiter] makes buckets
// run: it locks, makes the trips, and is the outbound stage that takes one token
// per attempt and learns from every answer, by way of [Read].
//
// What the provider documents and what its services were seen to send differ,
// so the rules of reading come from both:
//
//   - The documented Reset is ISO-8601; every captured one is
//     MM/DD/YYYY HH:MM:SS in UTC. It is the window's name, not a time of ours.
//   - Some services behind an API management layer send a limit and nothing
//     else, once a limit of 0 with an answer of 200.
//   - Remaining counts the request that it answers: 999 after the first of 1000.
//   - ResetSeconds is computed when the request arrives, so it is too long on
//     slow answers; how it is rounded is unknown.
//
// A field that is absent says nothing. It never means that there is no limit,
// and it is no error.
//
// Why there is no 429 while nobody else uses the quota: a request that the
// upstream counts in a window was granted in it, or was under way when it began;
// both are booked, and no more is granted than the limit. The window never
// begins before the upstream's: an answer has named it, or the latest instant at
// which the old one can end has passed.
package limiter
