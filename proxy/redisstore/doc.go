// Package redisstore shares the sessions of package proxy between replicas, in
// Redis. What it keeps of a session is one sealed value, in a place whose name
// shows nothing, for 20 minutes after its last update.
package redisstore
