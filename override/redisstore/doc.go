// Package redisstore shares overrides between replicas, in Redis: one sealed
// value for all of them, in a place whose name shows nothing. It ends by itself
// after the longest that an override could have held.
package redisstore
