// Package override keeps the settings that operators lay over the configuration
// for a time: what they are, until when, and that every replica goes by the same.
//
// It knows nothing of what a setting means: whoever uses it checks one before it
// is set, and builds anew what serves when they change. The trade: a replica acts
// at once and tells the others as soon as the [Store] answers, so that an order
// of the worst night does not fail for Redis; two orders about one setting that
// cross each other end as the later one.
//
// A store's clock dates them, and each replica ends them by its own monotonic
// one, also while the store is away.
package override
