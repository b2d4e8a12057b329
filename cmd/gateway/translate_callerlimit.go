package main

import (
	"iqgateway/callerlimit"
	"iqgateway/config"
)

// callerLimits are the callers that have a limit of their own.
func callerLimits(cfg *config.Config) map[string]callerlimit.Limit {
	limits := map[string]callerlimit.Limit{}
	for name, c := range cfg.Callers {
		if l := c.RateLimit; !l.Rate.IsZero() || l.Concurrency > 0 {
			limits[name] = callerLimit(l)
		}
	}
	return limits
}

func callerLimit(l config.CallerLimit) callerlimit.Limit {
	return callerlimit.Limit{Tokens: l.Rate.Tokens, Per: l.Rate.Per, Burst: l.Burst, Concurrency: l.Concurrency}
}
