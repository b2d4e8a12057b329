package main

import "fmt"

// callerLimit is what the caller may do before any cache or quota.
func (f facts) callerLimit() []fact {
	l, at := f.cfg.Callers[f.query.caller].RateLimit, "callers."+f.query.caller+".rate_limit."
	var list []fact
	if !l.Rate.IsZero() {
		list = append(list, fact{"rate_limit.rate", l.Rate.String() + ", over all replicas", f.cfg.Source(at + "rate")})
		burst := fmt.Sprint(callerLimit(l).WithDefaults().Burst)
		if l.Burst == 0 {
			burst += " (one second's worth)"
		}
		list = append(list, fact{"rate_limit.burst", burst, f.cfg.Source(at + "burst")})
	}
	if l.Concurrency > 0 {
		list = append(list, fact{"rate_limit.concurrency", fmt.Sprint(l.Concurrency) + " at once, over all replicas", f.cfg.Source(at + "concurrency")})
	}
	return list
}
