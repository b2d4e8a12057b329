// Package redisstore keeps the cache's shared side in Redis: the second tier
// ([Tier], which may have a server of its own) and the fleet's log of
// invalidations ([Log], which belongs on the server that evicts nothing).
//
// A name of the tier lies in three keys of one cluster slot:
//
//	value  "<stamp> <sealed>": the stored answer
//	claim  the token of the replica that fetches it now
//	alone  answers to it are not to be shared for a while
//
// Names are HMACs. Values are compressed where that helps and then sealed for
// their name and their stamp, which is the moment of Redis' own clock at which
// they were sent: nobody can make one younger than it is, and one that Redis
// executes late, after it was frozen say, counts from when it was sent.
//
// The log is one hash, so that no part of it can be lost alone. Its name is
// random and changes whenever history was lost: by a flush, by a failover that
// took back what somebody has seen, by foreign writes. Another name makes all
// replicas drop everything that is older. An event that a master took with it
// before any other replica read it is missed by its sender, who renames the log
// with its next call; if the sender dies in the same moment nobody can know.
//
// Every key ends by itself. Whoever may write to Redis can hide, delay or
// replay answers and invalidations, and have everything dropped; what they
// cannot do is to read or forge an answer, to make one younger, or to give one
// to another name.
package redisstore
