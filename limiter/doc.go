// Package limiter keeps a fleet of gateways inside the quota of every upstream
// bucket. It will hold the pure decision core, the waiting queue, a store in
// memory and the outbound stage.
//
// What it holds now is their input: [Read] turns the header of one answer into
// an [Observation], and [Interval] narrows down when the upstream's window
// ends. Both are pure: no clock is read, nothing is kept.
//
// The rules come from what the provider documents and from what its services
// were seen to send, which differ:
//
//   - The documented Reset is ISO-8601; every captured one is
//     MM/DD/YYYY HH:MM:SS in UTC.
//   - Some services behind an API management layer send a limit and nothing
//     else, once a limit of 0 with an answer of 200.
//   - Remaining counts the request that it answers: 999 after the first of 1000.
//   - ResetSeconds is computed when the request arrives, so it is too long on
//     slow answers; how it is rounded is unknown.
//
// A field that is absent says nothing. It never means that there is no limit,
// and it is no error.
package limiter
