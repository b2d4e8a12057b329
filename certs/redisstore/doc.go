// Package redisstore lets a fleet share certificates, the account at the CA and
// the keys of session tickets through Redis. It implements certmagic.Storage and
// certs.TicketStore.
//
// Everything lies in one cluster slot:
//
//	file:…   one value with its path and time, sealed and bound to its key name
//	index    hash from file names to sealed paths, for List
//	lock:…   random owner, for seconds, extended while a lock is held
//	tickets  hash of a plain version and the sealed keys, bound to the version
//
// Domain names stand nowhere in the clear. A certificate is kept for 30 days
// beyond its end, its key and what is known of it as long; an account 400 days.
//
// An error means fs.ErrNotExist only when Redis has answered that there is
// nothing, or that what is there was never written by a Store. A value sealed
// with a key that this replica does not have counts as an error at first, since
// the key may be on its way; only after five minutes is it taken for lost.
package redisstore
