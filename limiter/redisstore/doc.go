// Package redisstore keeps the fleet's side of every bucket in Redis. It
// implements limiter.Store.
//
// A bucket lies in two keys of one cluster slot:
//
//	state    the limiter.Shared of the bucket, packed by the script
//	history  list of the records of its last windows, as JSON, newest first
//
// The decisions are those of limiter.Shared, repeated in Lua so that reading,
// deciding and writing are one step for all replicas and one round trip: the
// files in lua are named after the Go files that they repeat, function by
// function, and a test has both answer the same asks. Whoever changes one
// changes the other.
//
// Callers' names and the client that the upstream counts by do not stand in
// Redis: HMACs do. Counts, limits, times and an operator's reason for a block
// stand there in clear. Numbers are not sealed, so whoever may write to Redis
// can lift a limit; the upstream's own answers then bound the harm.
//
// Times are those of Redis.
package redisstore
