// Package fleet knows which replicas run, and makes a command of an operator
// happen on every one of them: a token dropped, a cache purged, a breaker
// opened.
//
// The replicas never talk to each other. Each tells a [Store] every second that
// it is alive, in the same trip gets the commands that were sent since, and
// tells how far it has come. The trade: a command reaches the others within
// about a second, and whoever sent it learns which of them have followed,
// within [Patience]. Without a store, or while it does not answer, a replica
// acts alone and says so; no request ever waits for this package.
package fleet
