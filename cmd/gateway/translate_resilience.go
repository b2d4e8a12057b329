package main

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"iqgateway/breaker"
	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
	"iqgateway/proxy"
	"iqgateway/retry"
)

// openResilience takes the breakers and the retry budgets of this
// configuration's upstreams.
func (g *generation) openResilience(st *stores) error {
	var breakers []breaker.Upstream
	var budgets []retry.Upstream
	for s := range g.cfg.Proxied() {
		u := breaker.Upstream{Key: breaker.Key{Environment: s.Environment, Service: s.Name}, Origin: s.Origin(), Settings: breakerSettings(s)}
		if s.Breaker.ActiveProbe {
			u.Ping = g.pings.probe(serviceKey{s.Environment, s.Name})
		}
		breakers = append(breakers, u)
		budgets = append(budgets, retry.Upstream{
			Key: retry.Key{Environment: s.Environment, Service: s.Name}, Origin: s.Origin(), Settings: retrySettings(s),
		})
	}
	var err error
	if g.breakers, err = st.breakers.Use(breakers); err != nil {
		return err
	}
	g.budgets, err = st.budgets.Use(budgets)
	return err
}

func breakerSettings(s *config.EffectiveService) breaker.Settings {
	b := s.Breaker
	settings := breaker.Settings{
		Window: b.Window, MinRequests: b.MinRequests, FailureRatio: float64(b.FailureRatio),
		OpenFor: b.OpenFor, OpenForMax: b.OpenForMax, HalfOpenProbes: b.HalfOpenProbes,
		Failures: breaker.Failures{
			Status:  slices.Contains(b.Failures, "5xx"),
			Timeout: slices.Contains(b.Failures, "timeout"),
			Connect: slices.Contains(b.Failures, "connect"),
		},
		Throttle: breaker.Throttle{Consecutive: s.ThrottleBreaker.Consecutive, OpenFor: s.ThrottleBreaker.OpenFor},
	}
	for _, m := range s.ClientMistakes {
		settings.Mistakes = append(settings.Mistakes, breaker.Mistake{Path: m.Path, Status: m.Status, Body: m.Body})
	}
	return settings
}

func retrySettings(s *config.EffectiveService) retry.Settings {
	settings := retry.Settings{
		MaxAttempts: s.Retry.MaxAttempts, Budget: float64(s.Retry.Budget), Statuses: s.Retry.Statuses, Mistake: mistaken(s.ClientMistakes),
	}
	for _, w := range s.Replayable {
		settings.Replayable = append(settings.Replayable, retry.ReplayableWrite{Path: w.Path, Method: w.Method})
	}
	return settings
}

// mistaken returns the func that reports whether an answer is likely to be about
// the request itself: by path and status only, as the body has not come yet.
func mistaken(known []config.ClientMistake) func(*exchange.Target, int) bool {
	if len(known) == 0 {
		return nil
	}
	return func(t *exchange.Target, status int) bool {
		return slices.ContainsFunc(known, func(m config.ClientMistake) bool {
			return m.Status == status && m.Path.Match(t.Path)
		})
	}
}

// breakerStage tells the breakers whose fault an error is, and which quota
// counts a request.
func (g *generation) breakerStage() breaker.StageOptions {
	bucket := bucketOf(g.quotaRoutes)
	return breaker.StageOptions{
		Judge: func(err error) breaker.Kind { return breakerKind(proxy.KindOf(err)) },
		Bucket: func(ex *exchange.Exchange) string {
			key, counted := bucket(ex)
			if !counted {
				return ""
			}
			return g.throttled[key]
		},
		TellsReset: func(resp *http.Response) bool {
			return limiter.Read(resp.StatusCode, resp.Header, 0).TellsReset(time.Now())
		},
	}
}

// throttleNames name the buckets that have windows, within their service. The
// others need no throttle breaker: a 429 about requests at once is the quota's.
func throttleNames(buckets []limiter.Bucket) map[limiter.Key]string {
	names := map[limiter.Key]string{}
	for _, b := range buckets {
		if b.Settings.Kind != limiter.Concurrency {
			names[b.Key] = strings.TrimSuffix(b.Key.Policy+"/"+b.Of, "/")
		}
	}
	return names
}

func breakerKind(k proxy.FailureKind) breaker.Kind {
	switch k {
	case proxy.FailedDNS, proxy.FailedRefused, proxy.FailedConnect, proxy.FailedConnectTime, proxy.FailedTLS:
		return breaker.Unreachable
	case proxy.FailedHeaderTime, proxy.FailedBodyIdle, proxy.FailedUploadIdle:
		return breaker.TimedOut
	case proxy.FailedReset, proxy.FailedProtocol, proxy.FailedBody:
		return breaker.Broken
	default: // the caller's deeds, deadlines, our own faults
		return breaker.NotCounted
	}
}

func retryKind(err error) retry.Kind {
	switch proxy.KindOf(err) {
	case proxy.FailedDNS, proxy.FailedRefused, proxy.FailedConnect, proxy.FailedConnectTime, proxy.FailedTLS:
		return retry.KindConnect
	case proxy.FailedHeaderTime, proxy.FailedReset:
		return retry.KindLost
	default: // what was no HTTP once will be none again
		return retry.KindOther
	}
}
