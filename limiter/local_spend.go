package limiter

import "time"

// Spend books n tokens that were spent beyond those of tickets: requests that
// net/http has sent again by itself, on another connection. No answer will tell
// of them. What the lease cannot cover is told to the fleet all the same.
func (l *Local) Spend(now time.Time, n int64) { panic("not yet") }
