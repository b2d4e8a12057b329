// Package redisconn is the one way to Redis. Every store shares its
// connections, its short timeouts, its local breaker, its way of sealing
// values and its key names.
//
// Redis is never a condition for serving: a [Conn] is made without a server, a
// [Conn.Call] costs at most Options.Timeout and, once the server is known to be
// away, a few nanoseconds; [Conn.Run] finds it again. What a store reads from
// an error is a word of this package, never a text of the server.
package redisconn
