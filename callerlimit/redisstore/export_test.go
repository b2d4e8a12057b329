package redisstore

import (
	"context"

	"iqgateway/callerlimit"
)

// AskAt is Ask at an instant of the store's clock, of a Store made by WithClock.
func (s *Store) AskAt(ctx context.Context, now int64, caller string, a callerlimit.Ask) (callerlimit.Answer, error) {
	return s.ask(ctx, caller, a, now)
}

// WithClock returns a Store whose clock is the last argument of AskAt.
func (s *Store) WithClock() *Store {
	return &Store{conn: s.conn, hooks: s.hooks, script: newScript("local function clock() return tonumber(ARGV[#ARGV]) end\n")}
}
