package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/observability"
)

// stagesOf says what each stage that the exchange has met decided.
func stagesOf(r observability.Record) []stageDocument {
	var list []stageDocument
	say := func(stage, words string) {
		if words != "" {
			list = append(list, stageDocument{stage, words})
		}
	}
	switch {
	case !r.Work:
		say("authenticate", callerWords(r))
		say("route", routeWords(r))
		say("authorize", rightWords(r))
	case !r.Link.IsZero():
		say("cause", "a request in trace "+r.Link.Trace.String())
	}
	say("cache", cacheWords(r))
	say("token", tokenWords(r))
	say("breaker", breakerWords(r.Breaker))
	say("quota", quotaWords(r))
	say("slot", slotWords(r))
	say("attempts", attemptWords(r))
	say("retry", retryWords(r))
	say("answer", answerWords(r))
	return list
}

func callerWords(r observability.Record) string {
	switch c := r.Caller; {
	case c == nil:
		return "no caller is known: its credentials were not looked at or not accepted"
	case c.KeyID == "":
		return fmt.Sprintf("%s, by %s", c.Name, c.Proof)
	default:
		return fmt.Sprintf("%s, by %s %s", c.Name, c.Proof, c.KeyID)
	}
}

func routeWords(r observability.Record) string {
	switch {
	case r.Service == "" && r.Route != "":
		return r.Route + ", which the gateway answers itself"
	case r.Service == "":
		return "no service was found for it"
	}
	return fmt.Sprintf("%s in %s, as %s (called by its %s form)", r.Service, r.Environment, r.Route, r.Form)
}

func rightWords(r observability.Record) string {
	if r.Credential == "" {
		return ""
	}
	return fmt.Sprintf("allowed with credential %s, class %s", r.Credential, r.Class)
}

func cacheWords(r observability.Record) string {
	why := fallback(cacheReasons(), r.Cache.Reason)
	switch r.Cache.Result {
	case exchange.CacheNone:
		return ""
	case exchange.CacheHit:
		return "answered from the store, fresh: the upstream was not asked"
	case exchange.CacheStale:
		return "answered from the store, past its time: " + why
	case exchange.CacheCoalesced:
		if !r.Work && !r.Link.IsZero() {
			return "answered with what another request of the same kind was fetching, in trace " + r.Link.Trace.String()
		}
		return "answered with what another request of the same kind was fetching"
	case exchange.CacheRevalidated:
		return "the stored answer was confirmed by the upstream"
	case exchange.CacheBypass:
		return "not used: " + why
	default:
		return "no stored answer could be used: " + why
	}
}

// cacheReasons explain those that are not clear by themselves.
func cacheReasons() map[string]string {
	return map[string]string{
		"method":    "only reads are stored",
		"write":     "the request may change something",
		"mode":      "nothing of the service is stored",
		"rule":      "no rule stores it",
		"suggest":   "a rule would store it, but only counts",
		"caller":    "the caller is never answered from the cache",
		"account":   "whose answers it gets is not known",
		"fields":    "its selecting fields are too large",
		"body":      "its body has no canonical form, or is too large",
		"condition": "only the upstream can judge its condition",
		"uri-miss":  "nothing is stored for it",
		"vary-miss": "what is stored is for other request fields",
		"stale":     "what is stored is past its time",
		"request":   "the request wants a fresh answer",
		"quota":     "the quota is spent",
	}
}

func tokenWords(r observability.Record) string {
	switch {
	case r.Problem == exchange.TokenUnavailable:
		return "there was no valid token"
	case r.Attempts == 0 || !r.Account:
		return ""
	case r.Replays > 0:
		return fmt.Sprintf("the upstream refused the token; with a new one it was sent again (%d×)%s", r.Replays, generationWords(r))
	case r.TokenWait >= time.Millisecond:
		return fmt.Sprintf("a token was waited for, %s%s", shortTime(r.TokenWait), generationWords(r))
	default:
		return "a valid token was there" + generationWords(r)
	}
}

// generationWords names the token that was used last: each new one of a credential
// has the next number.
func generationWords(r observability.Record) string {
	for _, w := range slices.Backward(r.Waits) {
		if w.Kind == exchange.WaitToken && w.Generation > 0 {
			return fmt.Sprintf(", generation %d", w.Generation)
		}
	}
	return ""
}

// slotWords tell of places among what is under way, where one was waited for.
func slotWords(r observability.Record) string {
	var texts []string
	for _, w := range r.Waits {
		switch {
		case w.Kind != exchange.WaitSlot:
		case w.Failed:
			texts = append(texts, fmt.Sprintf("none was free, given up after %s", shortTime(w.Took)))
		default:
			texts = append(texts, fmt.Sprintf("one was waited for, %s", shortTime(w.Took)))
		}
	}
	return strings.Join(texts, "; ")
}

func breakerWords(state string) string {
	switch state {
	case exchange.BreakerClosed:
		return "closed: requests pass"
	case exchange.BreakerOpened:
		return "open: requests are refused at once until the upstream is well again"
	case exchange.BreakerHalfOpen:
		return "half-open: a few requests pass, to find out whether the upstream is well"
	default:
		return ""
	}
}

func quotaWords(r observability.Record) string {
	var b strings.Builder
	switch r.QuotaResult {
	case "":
		return ""
	case exchange.QuotaGranted:
		fmt.Fprintf(&b, "%s gave a token at once", r.QuotaBucket)
	case exchange.QuotaWaited:
		fmt.Fprintf(&b, "%s gave a token after %s", r.QuotaBucket, shortTime(r.QuotaWait))
	case exchange.QuotaHeld:
		fmt.Fprintf(&b, "%s would have held it, but is not enforced", r.QuotaBucket)
	default:
		fmt.Fprintf(&b, "%s gave no token: %s", r.QuotaBucket, fallback(quotaReasons(), r.QuotaResult))
	}
	if r.QuotaSource == exchange.QuotaUpstream {
		b.WriteString("; the upstream itself answered 429")
	}
	if r.QuotaLimit > 0 {
		fmt.Fprintf(&b, "; %d of %d were left for the caller", r.QuotaRemaining, r.QuotaLimit)
	}
	if r.QuotaOpens > 0 {
		fmt.Fprintf(&b, ", it opens %s later", shortTime(r.QuotaOpens))
	}
	return b.String()
}

func quotaReasons() map[string]string {
	return map[string]string{
		"eta":      "its turn would have come too late",
		"full":     "too many wait already",
		"deadline": "it has waited as long as it may",
		"no_wait":  "it would have had to wait and must not",
		"store":    "the fleet's store is away, and the bucket is set to deny then",
		"cancel":   "its caller left",
	}
}

func attemptWords(r observability.Record) string {
	if r.Attempts == 0 {
		return "nothing was sent upstream"
	}
	texts := make([]string, len(r.Tries))
	for i, t := range r.Tries {
		texts[i] = fmt.Sprintf("%d after %s", t.Status, shortTime(t.Took))
		if t.Failure != "" {
			texts[i] = fmt.Sprintf("%s after %s", t.Failure, shortTime(t.Took))
		}
		if took, failure, ended := t.Body.Get(); ended && failure != "" {
			texts[i] += fmt.Sprintf(" and its body broke after %s: %s", shortTime(took), failure)
		}
	}
	words := fmt.Sprintf("%d to %s: %s", r.Attempts, r.Upstream, strings.Join(texts, ", then "))
	return strings.TrimSuffix(words, ": ")
}

func retryWords(r observability.Record) string {
	if r.RetryResult == "" {
		return ""
	}
	return fmt.Sprintf("repeated %d×; %s", r.Retries, fallback(map[string]string{
		"answered":    "a repetition brought the answer",
		"failed":      "a repetition failed as none is repeated",
		"attempts":    "no more attempts are allowed",
		"budget":      "the budget of repetitions is spent",
		"deadline":    "another one could not end in time",
		"unsafe":      "a write that may have been executed is not repeated",
		"body":        "too much of its body is gone to send it again",
		"retry_after": "the upstream wants a longer wait than is made here",
		"left":        "the caller left",
	}, r.RetryResult))
}

func answerWords(r observability.Record) string {
	took := fmt.Sprintf("after %s, %d bytes", shortTime(r.Duration), r.BytesOut)
	switch {
	case r.Work:
		return fmt.Sprintf("%s after %s", cmp.Or(r.Outcome, "done"), shortTime(r.Duration))
	case r.Problem != "":
		return fmt.Sprintf("%d %s %s", r.Status, r.Problem, took)
	case r.Outcome != "":
		return fmt.Sprintf("%d %s; %s", r.Status, took, r.Outcome)
	default:
		return fmt.Sprintf("%d %s", r.Status, took)
	}
}

func shortTime(d time.Duration) string {
	if d >= time.Second {
		return d.Round(10 * time.Millisecond).String()
	}
	return d.Round(100 * time.Microsecond).String()
}
