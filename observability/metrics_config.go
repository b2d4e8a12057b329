package observability

import (
	"context"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// configInstruments tell what this process is and goes by.
type configInstruments struct {
	build, ready, checks    observed
	successful, since, info observed
	overrides, ends         observed
	panics                  counter
}

func (c *configInstruments) declare(d *declarer) {
	c.build = d.gauge("iqgw.build_info", "",
		"Constant 1, labelled with what runs. Several versions at once, other than in a rollout, are a rollout that got stuck.",
		"version", "revision", "goversion")
	c.ready = d.gauge("iqgw.ready", "",
		"What /readyz says: 1 while this replica takes requests, 0 before that and while it ends.")
	c.checks = d.gauge("iqgw.check.failed", "",
		"1 while a check of /readyz?verbose fails, 0 otherwise. Most leave the replica degraded, not unready; /readyz?verbose on the admin server tells why.",
		"check")
	c.info = d.gauge("iqgw.config.info", "",
		"1, with the hash of the configuration that serves, secrets left out. Replicas that differ for longer than a rollout do not decide alike.",
		"hash")
	c.successful = d.gauge("iqgw.config.last_reload_successful", "",
		"1 when the last reload of the configuration was taken over, 0 when it was refused and the one before serves on.")
	c.since = d.gauge("iqgw.config.last_reload_success_timestamp", "s",
		"When the configuration that serves was taken over, in seconds since 1970.")
	c.overrides = d.gauge("iqgw.override.active", "",
		"How many overrides of operators hold on this replica, by the setting, with * for names. Absent while none does.",
		"key")
	c.ends = d.gauge("iqgw.override.expires_timestamp", "s",
		"When the last override of such a setting ends, in seconds since 1970.",
		"key")
	c.panics = d.counter("iqgw.panics", "{panic}",
		"Panics that were recovered: each cost one request, or one piece of work in the background. Always a defect: the log has the stack.")
	c.panics.add(context.Background(), 0)
}

// ConfigState is the configuration that serves, and how the last reload went.
type ConfigState struct {
	Hash   string
	Loaded time.Time // since when it serves
	Failed bool      // the last reload was refused
}

// ObserveConfig has the gauges of the configuration read from state, which is
// called at each scrape and must not block.
func (m *Metrics) ObserveConfig(state func() ConfigState) error {
	return m.register("the configuration", func(o metric.Observer) {
		s := state()
		m.config.successful.is(o, oneIf(!s.Failed))
		m.config.since.at(o, s.Loaded)
		m.config.info.is(o, 1, s.Hash)
	})
}

// OverrideState is one override of an operator that holds.
type OverrideState struct {
	Key   string // the setting, with * for names
	Until time.Time
}

// ObserveOverrides has the gauges of overrides read from state, which is called at
// each scrape and must not block.
func (m *Metrics) ObserveOverrides(state func() []OverrideState) error {
	return m.register("overrides", func(o metric.Observer) {
		held, ends := map[string]float64{}, map[string]time.Time{}
		for _, s := range state() {
			held[s.Key]++
			if s.Until.After(ends[s.Key]) {
				ends[s.Key] = s.Until
			}
		}
		for key, n := range held {
			m.config.overrides.is(o, n, key)
			m.config.ends.at(o, ends[key], key)
		}
	})
}

// ObserveChecks has readiness read from the checks, which are made at each scrape
// and must not block.
func (m *Metrics) ObserveChecks(checks []Check) error {
	return m.register("checks", func(o metric.Observer) {
		replica, results := Evaluate(checks)
		m.config.ready.is(o, oneIf(replica != StateNotReady))
		for _, r := range results {
			m.config.checks.is(o, oneIf(r.State != StateOK), r.Name)
		}
	})
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
