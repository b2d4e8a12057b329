package observability

import (
	"time"

	"go.opentelemetry.io/otel/metric"
)

// authInstruments measure how callers are known.
type authInstruments struct {
	refused                          observed // from the tallies of exchanges
	fetches, keySetKeys, keySetSince observed
	keyExpiry, passthroughEnd        observed
}

func (a *authInstruments) declare(d *declarer) {
	a.refused = d.tally("iqgw.auth.refused", "{request}",
		"Requests whose caller is not known, by reason. A steady expired means that a caller has to change its key; a burst of unknown that somebody guesses.",
		"reason")
	a.keyExpiry = d.gauge("iqgw.caller.key.expiry_timestamp", "s",
		"When a caller's key ends, in seconds since 1970; keys without an end are missing. Give the caller its next key weeks before.",
		"caller", "key_id")
	a.passthroughEnd = d.gauge("iqgw.caller.passthrough.end_timestamp", "s",
		"When a caller may no longer bring tokens of its own, in seconds since 1970. It gets 403 from then on, unless it was given a credential.",
		"caller", "environment")
	a.fetches = d.tally("iqgw.auth.key_set.fetches", "{fetch}",
		"Fetches of JWT issuers' keys, by what came of them: ok or failed. Failures matter once the keys are 24 hours old.",
		"issuer", "outcome")
	a.keySetKeys = d.gauge("iqgw.auth.key_set.keys", "{key}",
		"Keys of the JWT issuer that tokens are verified with; with 0 all its callers get 401.",
		"issuer")
	a.keySetSince = d.gauge("iqgw.auth.key_set.fetched.timestamp", "s",
		"When the JWT issuer's keys were fetched, in seconds since 1970; absent = never. After 24 hours they count no more.",
		"issuer")
}

// KeySetState is what is known of a JWT issuer's keys at a moment. The issuer
// comes from the configuration.
type KeySetState struct {
	Issuer  string
	Keys    int
	Fetched time.Time // zero = never
	Fetches int64     // that gave keys
	Failed  int64     // that did not
}

// ObserveKeySets has the metrics of JWT issuers read from states, which is called
// at each scrape.
func (m *Metrics) ObserveKeySets(states func() []KeySetState) error {
	return m.register("key sets", func(o metric.Observer) {
		a := &m.auth
		for _, s := range states() {
			a.fetches.is(o, float64(s.Fetches), s.Issuer, "ok")
			a.fetches.is(o, float64(s.Failed), s.Issuer, "failed")
			a.keySetKeys.is(o, float64(s.Keys), s.Issuer)
			a.keySetSince.at(o, s.Fetched, s.Issuer)
		}
	})
}

// KeyExpiry is the end of a caller's key.
type KeyExpiry struct {
	Caller, KeyID string
	Expires       time.Time
}

// ObserveKeys has the gauge of keys that expire read from keys, which is called
// at each scrape and must not block.
func (m *Metrics) ObserveKeys(keys func() []KeyExpiry) error {
	return m.register("keys", func(o metric.Observer) {
		for _, k := range keys() {
			m.auth.keyExpiry.at(o, k.Expires, k.Caller, k.KeyID)
		}
	})
}

// PassthroughEnd is the end of an access with a caller's own tokens.
type PassthroughEnd struct {
	Caller, Environment string
	Ends                time.Time
}

// ObservePassthroughs has the gauge of accesses that end read from ends, which is
// called at each scrape and must not block.
func (m *Metrics) ObservePassthroughs(ends func() []PassthroughEnd) error {
	return m.register("passthroughs", func(o metric.Observer) {
		for _, p := range ends() {
			m.auth.passthroughEnd.at(o, p.Ends, p.Caller, p.Environment)
		}
	})
}
