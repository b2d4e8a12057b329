// Package tokencache holds the upstream access tokens of this process: one per
// environment and credential, fetched once however many callers need it,
// renewed before it expires, replaced when an upstream refuses it.
//
// A [Cache] is a store: it outlives configurations. Each configuration takes a
// [Set] of credentials from it with [Cache.Use]; a credential whose settings
// did not change keeps its token. [Set.Stage] is the outbound stage that makes
// sure of a token before anything else is spent on a request.
//
// The text of a token leaves this package in one way only: as the
// Authorization field that an [iqgateway/internal/exchange.Authorizer] writes.
package tokencache
