// Package redisconn is the one way to Redis. Every store shares its
// connections, its short timeouts, its local breaker, its way of sealing
// values and its key names.
package redisconn

import _ "github.com/redis/go-redis/v9" // replaced by the client that is being built
