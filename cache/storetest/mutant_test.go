package storetest_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/cache/storetest"
)

// mutantTier is a tier with a fault.
type mutantTier struct {
	*storetest.Tier
	name    func(name string) string
	get     func(e *cache.Entry)
	claim   func(token *string, ok *bool)
	lasting func(d time.Duration) time.Duration
	ttl     func(d time.Duration) time.Duration
	put     func(value []byte) []byte
	token   func(token string) string
	alone   func(d time.Duration) time.Duration
	ctx     func(ctx context.Context) context.Context
	after   func(m *mutantTier, name string) // every Put
}

func newMutantTier() *mutantTier {
	same := func(d time.Duration) time.Duration { return d }
	return &mutantTier{
		Tier: storetest.NewTier(), name: func(n string) string { return n }, get: func(*cache.Entry) {},
		claim: func(*string, *bool) {}, lasting: same, ttl: same, put: func(v []byte) []byte { return v },
		token: func(t string) string { return t }, alone: same, ctx: func(ctx context.Context) context.Context { return ctx },
		after: func(*mutantTier, string) {},
	}
}

// Get implements cache.Tier.
func (m *mutantTier) Get(ctx context.Context, name string) (cache.Entry, error) {
	e, err := m.Tier.Get(m.ctx(ctx), m.name(name))
	m.get(&e)
	return e, err
}

// Claim implements cache.Tier.
func (m *mutantTier) Claim(ctx context.Context, name string, lasting time.Duration) (string, bool, error) {
	token, ok, err := m.Tier.Claim(m.ctx(ctx), m.name(name), m.lasting(lasting))
	m.claim(&token, &ok)
	return token, ok, err
}

// Renew implements cache.Tier.
func (m *mutantTier) Renew(ctx context.Context, name, token string, lasting time.Duration) (bool, error) {
	return m.Tier.Renew(m.ctx(ctx), m.name(name), token, lasting)
}

// Put implements cache.Tier.
func (m *mutantTier) Put(ctx context.Context, name string, value []byte, ttl time.Duration, token string) error {
	err := m.Tier.Put(m.ctx(ctx), m.name(name), m.put(value), m.ttl(ttl), m.token(token))
	m.after(m, m.name(name))
	return err
}

// Release implements cache.Tier.
func (m *mutantTier) Release(ctx context.Context, name, token string, alone time.Duration) error {
	return m.Tier.Release(m.ctx(ctx), m.name(name), m.token(token), m.alone(alone))
}

// mutantLog is a log with a fault.
type mutantLog struct {
	*storetest.Log
	events func(events []cache.Event) []cache.Event
	at     func(p *cache.Position)
	from   func(p *cache.Position)
	news   func(n *cache.News)
	ctx    func(ctx context.Context) context.Context
}

func newMutantLog() *mutantLog {
	return &mutantLog{
		Log: storetest.NewLog(), events: func(e []cache.Event) []cache.Event { return e },
		at: func(*cache.Position) {}, from: func(*cache.Position) {}, news: func(*cache.News) {},
		ctx: func(ctx context.Context) context.Context { return ctx },
	}
}

// Append implements cache.Log.
func (m *mutantLog) Append(ctx context.Context, events []cache.Event) (cache.Position, error) {
	p, err := m.Log.Append(m.ctx(ctx), m.events(events))
	m.at(&p)
	return p, err
}

// Since implements cache.Log.
func (m *mutantLog) Since(ctx context.Context, p cache.Position) (cache.News, error) {
	m.from(&p)
	n, err := m.Log.Since(m.ctx(ctx), p)
	m.news(&n)
	return n, err
}

// fault is one that the suite must find, and by which of its tests.
type fault struct {
	found string
	tier  func(m *mutantTier)
	log   func(m *mutantLog)
}

func tierFaults() map[string]fault {
	never := func(context.Context) context.Context { return context.Background() }
	return map[string]fault{
		"keeps no values":      {found: "a_value_comes_back_as_it_was_put", tier: func(m *mutantTier) { m.get = func(e *cache.Entry) { e.Value = nil } }},
		"cuts values":          {found: "a_value_comes_back_as_it_was_put", tier: func(m *mutantTier) { m.put = func(v []byte) []byte { return v[:min(len(v), 65535)] } }},
		"is always there":      {found: "there_is_nothing_at_first", tier: func(m *mutantTier) { m.get = func(e *cache.Entry) { e.Value = append(e.Value, 'x') } }},
		"keeps for ever":       {found: "a_value_ends_with_its_ttl", tier: func(m *mutantTier) { m.ttl = func(time.Duration) time.Duration { return time.Hour } }},
		"counts in seconds":    {found: "a_value_ends_with_its_ttl", tier: func(m *mutantTier) { m.ttl = func(d time.Duration) time.Duration { return d.Truncate(time.Second) } }},
		"knows no age":         {found: "a_value_has_an_age", tier: func(m *mutantTier) { m.get = func(e *cache.Entry) { e.Age = 0 } }},
		"folds names":          {found: "names_are_apart", tier: func(m *mutantTier) { m.name = strings.ToLower }},
		"cuts names":           {found: "names_are_apart", tier: func(m *mutantTier) { m.name = func(n string) string { return n[:min(len(n), 16<<10)] } }},
		"gives claims away":    {found: "one_claims", tier: func(m *mutantTier) { m.claim = func(token *string, ok *bool) { *token, *ok = "1", true } }},
		"gives no claims":      {found: "a_claim_ends_with_its_value", tier: func(m *mutantTier) { m.claim = func(_ *string, ok *bool) { *ok = false } }},
		"hides claims":         {found: "a_value_stays_while_it_is_claimed", tier: func(m *mutantTier) { m.get = func(e *cache.Entry) { e.Claimed = false } }},
		"claims for ever":      {found: "a_claim_ends_with_its_time", tier: func(m *mutantTier) { m.lasting = func(time.Duration) time.Duration { return time.Hour } }},
		"keeps a done claim":   {found: "a_claim_ends_with_its_value", tier: func(m *mutantTier) { m.token = func(string) string { return "" } }},
		"takes any token":      {found: "a_foreign_token_ends_no_claim", tier: func(m *mutantTier) { m.token = func(string) string { return "1" } }},
		"gives the same token": {found: "an_overtaken_claim", tier: func(m *mutantTier) { m.token = func(string) string { return "2" } }},
		"forgets to say alone": {found: "answers_that_cannot_be_shared", tier: func(m *mutantTier) { m.alone = func(time.Duration) time.Duration { return 0 } }},
		"is alone for ever":    {found: "answers_that_cannot_be_shared", tier: func(m *mutantTier) { m.alone = func(time.Duration) time.Duration { return time.Hour } }},
		"overlooks contexts":   {found: "calls_obey_their_context", tier: func(m *mutantTier) { m.ctx = never }},
		"loses what is put": {found: "a_value_is_replaced", tier: func(m *mutantTier) {
			m.after = func(m *mutantTier, name string) { _ = m.Delete(context.Background(), name) }
		}},
	}
}

func logFaults() map[string]fault {
	var calls atomic.Int64
	never := func(context.Context) context.Context { return context.Background() }
	return map[string]fault{
		"has no name":       {found: "an_empty_log_has_a_name", log: func(m *mutantLog) { m.news = func(n *cache.News) { n.Position.Log = "" } }},
		"forgets queries":   {found: "an_event_comes_back", log: func(m *mutantLog) { m.events = func(e []cache.Event) []cache.Event { return withoutQuery(e) } }},
		"cuts odd bytes":    {found: "an_event_comes_back", log: func(m *mutantLog) { m.events = validPaths }},
		"counts batches":    {found: "sequences_count_events", log: func(m *mutantLog) { m.at = func(p *cache.Position) { p.Seq = uint64(calls.Add(1)) } }},
		"begins anew":       {found: "all_handles_see_one_log", log: func(m *mutantLog) { m.at = func(*cache.Position) { m.Lose() } }},
		"repeats":           {found: "an_event_is_told_once", log: func(m *mutantLog) { m.from = func(p *cache.Position) { p.Seq -= min(p.Seq, 1) } }},
		"skips":             {found: "an_event_is_told_once", log: func(m *mutantLog) { m.news = func(n *cache.News) { n.Events = n.Events[min(len(n.Events), 1):] } }},
		"never loses":       {found: "a_position_of_another_log_is_lost", log: func(m *mutantLog) { m.news = func(n *cache.News) { n.Lost = false } }},
		"trusts the reader": {found: "a_position_ahead_of_the_log", log: func(m *mutantLog) { m.news = func(n *cache.News) { n.Lost = false } }},
		"keeps a hundred":   {found: "the_newest_thousand_are_kept", log: func(m *mutantLog) { m.at = func(*cache.Position) { m.Trim(100) } }},
		"forgets in silence": {found: "far_behind_is_all_or_lost", log: func(m *mutantLog) {
			m.at = func(*cache.Position) { m.Trim(1000) }
			m.news = func(n *cache.News) { n.Lost = false }
		}},
		"tells a part":        {found: "far_behind_is_all_or_lost", log: func(m *mutantLog) { m.news = func(n *cache.News) { n.Events = n.Events[:min(len(n.Events), 500)] } }},
		"turns batches round": {found: "a_herd_keeps_the_order", log: func(m *mutantLog) { m.events = turned }},
		"overlooks contexts":  {found: "calls_obey_their_context", log: func(m *mutantLog) { m.ctx = never }},
	}
}

func withoutQuery(events []cache.Event) []cache.Event {
	out := append([]cache.Event(nil), events...)
	for i := range out {
		out[i].Query = ""
	}
	return out
}

func validPaths(events []cache.Event) []cache.Event {
	out := append([]cache.Event(nil), events...)
	for i := range out {
		out[i].Path = strings.ToValidUTF8(out[i].Path, "?")
	}
	return out
}

func turned(events []cache.Event) []cache.Event {
	out := make([]cache.Event, 0, len(events))
	for i := range events {
		out = append(out, events[len(events)-1-i])
	}
	return out
}

// The faults of this process.
const (
	plantedTier = "STORETEST_TIER_FAULT"
	plantedLog  = "STORETEST_LOG_FAULT"
)

// TestTierMutant is the suite on a tier with a fault, in a process of its own.
func TestTierMutant(t *testing.T) {
	fault, ok := tierFaults()[os.Getenv(plantedTier)]
	if !ok {
		t.Skip("no fault is planted; TestFaultsAreFound does")
	}
	storetest.RunTier(t, func(*testing.T) [3]cache.Tier {
		m := newMutantTier()
		fault.tier(m)
		return [3]cache.Tier{m, m, m}
	})
}

// TestLogMutant is the suite on a log with a fault, in a process of its own.
func TestLogMutant(t *testing.T) {
	fault, ok := logFaults()[os.Getenv(plantedLog)]
	if !ok {
		t.Skip("no fault is planted; TestFaultsAreFound does")
	}
	storetest.RunLog(t, func(*testing.T) [3]cache.Log {
		m := newMutantLog()
		fault.log(m)
		return [3]cache.Log{m, m, m}
	})
}

// A suite that finds no fault is none.
func TestFaultsAreFound(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, of := range []struct {
		test, variable string
		faults         map[string]fault
	}{{"TestTierMutant", plantedTier, tierFaults()}, {"TestLogMutant", plantedLog, logFaults()}} {
		for name, fault := range of.faults {
			t.Run(of.test+" "+name, func(t *testing.T) {
				t.Parallel()
				cmd := exec.CommandContext(t.Context(), binary, "-test.run=^"+of.test+"$/^"+fault.found)
				cmd.Env = append(os.Environ(), of.variable+"="+name)
				out, err := cmd.CombinedOutput()
				if err == nil || !strings.Contains(string(out), "--- FAIL: "+of.test+"/"+fault.found) {
					t.Errorf("%q does not find it (%v):\n%s", fault.found, err, out)
				}
			})
		}
	}
}
