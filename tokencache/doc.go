// Package tokencache holds the upstream access tokens of a fleet of gateways:
// one per environment and credential, fetched once however many callers of
// however many replicas need it, renewed before it expires, replaced when an
// upstream refuses it.
//
// A token is looked for in memory, then in the [Store] that replicas share,
// and then asked of the token endpoint, by whichever replica holds the claim.
// The Store is a help and never a condition: without it each replica goes on
// alone, and shares what it has got when the Store is back.
//
// The account behind a credential is one, and is locked after repeated failed
// logins. What all replicas have been refused is therefore counted together,
// over restarts too: three attempts an hour, six in all, and then none until
// the secrets change or an operator says [Cache.Retry].
//
// A [Cache] is a store of its own: it outlives configurations. Each
// configuration takes a [Set] of credentials from it with [Cache.Use]; a
// credential whose settings did not change keeps its token. [Set.Stage] is the
// outbound stage that makes sure of a token before anything else is spent on a
// request. [Cache.Run] follows secrets that rotate.
//
// The text of a token leaves this package in two ways only: as the
// Authorization field that an [iqgateway/internal/exchange.Authorizer] writes,
// and as a [SharedToken] to the Store.
package tokencache
