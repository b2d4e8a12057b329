package main

import (
	"cmp"
	"slices"
	"time"

	"iqgateway/auth"
	"iqgateway/breaker"
	"iqgateway/config"
	"iqgateway/limiter"
)

// servicesOf are those that the caller's access speaks of, with what is left for
// it. Whether one request is allowed may depend on its method and path.
func (v *selfView) servicesOf(c *auth.Caller, now time.Time) []meService {
	open := map[serviceKey]breaker.Status{}
	for _, s := range v.breakers() {
		if s.Key.Bucket == "" {
			open[serviceKey{s.Key.Environment, s.Key.Service}] = s
		}
	}
	list := []meService{}
	for _, s := range v.services {
		credentials := credentialsFor(c, s, now)
		if len(credentials) == 0 {
			continue
		}
		at := serviceKey{s.Environment, s.Name}
		d := meService{Environment: s.Environment, Service: s.Name, Breaker: string(cmp.Or(open[at].State, breaker.Closed))}
		if open[at].State != breaker.Closed {
			d.RetryAfter = seconds(open[at].OpenFor)
		}
		for _, b := range v.buckets[at] {
			if q, ok := v.quota(c.Name, b, credentials, now); ok {
				d.Quotas = append(d.Quotas, q)
			}
		}
		list = append(list, d)
	}
	return list
}

// credentialsFor are those with which the caller may use the service now, sorted.
func credentialsFor(c *auth.Caller, s *config.EffectiveService, now time.Time) []string {
	var names []string
	for _, a := range c.Access {
		_, named := a.Services[s.Name]
		_, all := a.Services["*"]
		if a.Environment == s.Environment && !hasEnded(a, now) && (named || all && !s.Sensitive) {
			names = append(names, a.Credential)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// quota describes a bucket if it counts requests of the caller.
func (v *selfView) quota(caller string, b selfBucket, credentials []string, now time.Time) (quotaOfMine, bool) {
	own := slices.DeleteFunc(slices.Clone(credentials), func(name string) bool {
		if name == passthrough {
			name = config.PassthroughOf(caller)
		}
		return !slices.Contains(b.Credentials, name)
	})
	seen, there := v.quotas.View(b.key, caller)
	if len(own) == 0 || !there {
		return quotaOfMine{}, false
	}
	settings := quotaSettings(b.Bucket)
	q := quotaOfMine{
		Policy: b.Service.Name + "-" + b.Policy, Credentials: own, Kind: settings.Kind.String(), Known: seen.Known,
		Limit: seen.Limit, Remaining: seen.Remaining, Blocked: seen.Blocked, Enforced: settings.Enforce,
		Share: shareOf(caller, settings.Shares, seen),
	}
	if settings.Kind != limiter.Concurrency {
		q.Window = seconds(seen.Window)
		q.Opens, q.OpensIn = instantAfter(now, seen.Opens), seconds(seen.Opens)
	}
	if !seen.Reset.IsZero() {
		q.Reset = seen.Form.Format(seen.Reset)
	}
	return q, true
}

func shareOf(caller string, shares []limiter.Share, seen limiter.View) mineShare {
	d := mineShare{Weight: 1, Cap: seen.Cap, Tokens: seen.Share, Remaining: seen.ShareRemaining}
	for _, s := range shares {
		if s.Caller != caller {
			continue
		}
		d.Weight = s.Weight
		if !s.Guarantee.None() {
			d.Guarantee = max(1, s.Guarantee.Of(seen.Limit))
		}
	}
	return d
}

// seconds are to the millisecond.
func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond).Milliseconds()) / 1000
}
