// Package auth knows the callers: who sends a request (stage 3, [Authenticate])
// and what that caller may do (stage 5, [Authorize]).
//
// A caller's credentials end here. They are removed from the request before
// the next stage sees it, and are compared only as SHA-256 digests, which are
// all that the configuration holds.
package auth
