// Package redisstore keeps what the fleet knows of its breakers in Redis. It
// implements breaker.Store.
//
// Two keys of one cluster slot hold all of it, so that a replica follows every
// breaker with one trip:
//
//	records  hash of "1 version state ends since step detail" by hidden name
//	claims   hash of "probe=ends;…" by hidden name
//
// Names of upstreams and probes do not stand in Redis: HMACs do. An operator's
// name and reason stand there in clear. Records are not sealed, so whoever may
// write to Redis can open or close a breaker: replicas bound how long by their
// own settings.
//
// Times are those of Redis, in milliseconds. Records end some minutes after
// what they tell, both keys a day after the last change.
package redisstore
