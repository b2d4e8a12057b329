package main

import (
	"cmp"
	"maps"
	"slices"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
)

// quotaRoute finds the bucket that counts a request.
type quotaRoute struct {
	environment, service, policy, credential string
}

// quotaBuckets are the buckets of a configuration, and which of them counts
// whose requests.
func quotaBuckets(cfg *config.Config) ([]limiter.Bucket, map[quotaRoute]limiter.Key) {
	var buckets []limiter.Bucket
	routes := map[quotaRoute]limiter.Key{}
	for _, b := range cfg.Buckets() {
		key := bucketKey(b)
		for _, credential := range b.Credentials {
			routes[quotaRoute{key.Environment, key.Service, key.Policy, credential}] = key
		}
		buckets = append(buckets, limiter.Bucket{
			Key: key, Of: b.Of, Settings: quotaSettings(b), Callers: slices.Sorted(maps.Keys(b.Shares)),
		})
	}
	return buckets, routes
}

func bucketKey(b config.Bucket) limiter.Key {
	return limiter.Key{Environment: b.Service.Environment, Service: b.Service.Name, Policy: b.Policy, Counted: b.Counted}
}

// bucketOf returns the func by which the quota stage finds buckets.
func bucketOf(routes map[quotaRoute]limiter.Key) func(*exchange.Exchange) (limiter.Key, bool) {
	return func(ex *exchange.Exchange) (limiter.Key, bool) {
		t := ex.Target
		if t == nil {
			return limiter.Key{}, false
		}
		credential := ex.Credential
		if credential == passthrough && ex.Caller != nil {
			credential = config.PassthroughOf(ex.Caller.Name)
		}
		key, counted := routes[quotaRoute{t.Environment, t.Service, t.Policy, credential}]
		return key, counted
	}
}

func quotaSettings(b config.Bucket) limiter.Settings {
	q := b.Service.Quota
	s := limiter.Settings{
		Assume: int64(q.Assume.Tokens), AssumeWindow: q.Assume.Per,
		Max: int64(q.Max), Polite: q.OutsideUse == "polite",
		Shares: quotaShares(b.Shares), Enforce: q.Enforce,
		MaxWaitUnsafe: q.MaxWait.Unsafe,
	}
	if q.Kind == "concurrency" {
		s.Kind = limiter.Concurrency
	}
	s.MaxWait[limiter.Interactive] = q.MaxWait.Interactive
	s.MaxWait[limiter.Batch] = q.MaxWait.Batch
	s.MaxWait[limiter.Background] = q.MaxWait.Background
	switch q.OnStoreError {
	case "deny":
		s.OnStoreError = limiter.Deny
	case "allow":
		s.OnStoreError = limiter.Allow
	}
	return s
}

// quotaShares leaves out those that say nothing: weight 1 and nothing else is
// what every caller has.
func quotaShares(of map[string]config.Share) []limiter.Share {
	var shares []limiter.Share
	for _, caller := range slices.Sorted(maps.Keys(of)) {
		s := of[caller]
		share := limiter.Share{
			Caller: caller, Guarantee: quotaAmount(s.Guarantee), Cap: quotaAmount(s.Cap), Weight: int64(cmp.Or(s.Weight, 1)),
		}
		if !share.Guarantee.None() || !share.Cap.None() || share.Weight != 1 {
			shares = append(shares, share)
		}
	}
	return shares
}

func quotaAmount(a config.Amount) limiter.Amount {
	return limiter.Amount{Percent: a.Percent, Tokens: int64(a.Tokens)}
}
