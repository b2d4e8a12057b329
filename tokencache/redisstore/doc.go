// Package redisstore lets a fleet share upstream tokens through Redis. It
// implements tokencache.Store.
//
// The state of one credential lies in four keys of one cluster slot:
//
//	state    hash of plain numbers: fence, saved, accepted, hsaved, released,
//	         forgiven
//	token    sealed, bound to its key name and to the generation in saved
//	history  sealed, bound to its key name and to the version in hsaved
//	lock     owner:fence, for three seconds, extended while a claim is held
//
// The fence is the number of the newest claim. It never falls: a claim takes
// the next number or Redis' clock in microseconds, whichever is higher, so that
// it grows even across a FLUSHALL. A token's generation is the fence of the
// claim that fetched it, and a claim writes only while no higher fence is known
// to Redis.
//
// Numbers are plain, so that every replica agrees on claims and generations
// while encryption keys rotate. Values are bound to those numbers, so that an
// older value put back alone, a value of another name or a changed one fails to
// open: it counts as absent and redisconn reports it. Whoever may write to Redis
// can put all four keys back together; the cache notices the fallen generation.
//
// Times are those of Redis. Each call measures how the local clock differs from
// it, so that no two replicas' clocks are ever compared. Servers that may take
// over from each other need clocks that agree.
package redisstore
