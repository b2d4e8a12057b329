package redisstore

import "iqgateway/internal/redisconn"

// NewShortLog is NewLog for a log that keeps fewer events.
func NewShortLog(conn *redisconn.Conn, o LogOptions, keep int) *Log { return newLog(conn, o, keep) }
