// Package retry is the outbound stage that repeats attempts, where that can
// harm nobody: requests of which provably nothing was sent, requests that
// change nothing, and those writes of which a rule says that doing them twice
// is doing them once.
//
// It spends from a budget per upstream (repetitions per request), waits with
// full jitter, obeys Retry-After, and never goes past a request's deadline. A
// write that any of its attempts may have executed never ends as not executed.
package retry
