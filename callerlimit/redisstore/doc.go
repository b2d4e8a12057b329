// Package redisstore keeps what the fleet holds of its callers' limits in
// Redis. It implements callerlimit.Store.
//
// One key of each caller holds all of it, so that one trip is one script:
//
//	state  "1 at level lost", then " replica seen have slots need" for each replica
//
// Names of callers and replicas do not stand in Redis: HMACs do. Times are those
// of Redis, in microseconds. The key ends once its bucket would be full again.
package redisstore
