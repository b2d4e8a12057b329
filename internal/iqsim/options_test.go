package iqsim

import (
	"strings"
	"sync"
	"testing"
	"time"
)

func TestOptionErrors(t *testing.T) {
	for want, o := range map[string]Options{
		"used twice":              {Environments: []Environment{{"a", ""}, {"a", "x"}}},
		`"nope" does not exist`:   {DefaultEnvironment: "nope"},
		`"moon" does not exist`:   {Accounts: []Account{{Environment: "moon"}}},
		"multiple of 1s":          {Switches: Switches{Window: Duration(time.Millisecond)}},
		"tokenLifetime":           {Switches: Switches{TokenLifetime: -1}},
		"windowAnchor":            {Switches: Switches{WindowAnchor: "sea"}},
		"rounding":                {Profiles: map[string]Profile{"crm": {Rounding: "up"}}},
		"encodings":               {Profiles: map[string]Profile{"crm": {Encodings: []string{"br"}}}},
		"must begin with /":       {Profiles: map[string]Profile{"crm": {Anonymous: []string{"GET x"}}}},
		"profile of crm: pattern": {Profiles: map[string]Profile{"crm": {Rules: []FieldRule{{Match: "x"}}}}},
		"kind":                    {Faults: []Fault{{}}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v should mention %q", err, want)
		}
	}
}

func TestOwnEnvironments(t *testing.T) {
	h := startSim(t, Options{Environments: []Environment{{"blue", "blue"}, {"green", ""}}})
	if r := h.get(customers); r.status != 200 || h.last().Environment != "blue" {
		t.Errorf("the first is not the default: %d, %+v", r.status, h.last())
	}
	if r := h.get("/v1/Companies(14146)/Customers", "Host", "crmblue.iqmetrix.net"); r.status != 200 {
		t.Errorf("by host: %d", r.status)
	}
	if r := h.get(customers, "Host", "crmdemo.iqmetrix.net"); r.status != 404 {
		t.Errorf("a host that is not there: %d", r.status)
	}
}

func TestEnvironmentsShareNothing(t *testing.T) {
	h := startSim(t, Options{})
	h.do("POST", customers, `{"PrimaryName":"Only Sandbox"}`, "Content-Type", "application/json")
	token, err := h.Token("production")
	if err != nil {
		t.Fatal(err)
	}
	filter := "?%24filter=PrimaryName%20eq%20'Only%20Sandbox'"
	if r := h.get(customers + filter); !strings.Contains(r.body, "Only Sandbox") {
		t.Errorf("the customer is not where it was made: %.200s", r.body)
	}
	if r := h.get("/~production"+customers+filter, "Authorization", "Bearer "+token); strings.Contains(r.body, "Only Sandbox") {
		t.Errorf("the customer crossed over: %.200s", r.body)
	}
}

// A profile that a caller changed shares nothing with the one in force.
func TestProfileIsACopy(t *testing.T) {
	s, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Profile("", "crm")
	if err != nil {
		t.Fatal(err)
	}
	p.Fields[0].Value = "changed"
	p.Rules[0].Omit[0] = "changed"
	again, err := s.Profile("", "crm")
	if err != nil {
		t.Fatal(err)
	}
	if again.Fields[0].Value == "changed" || again.Rules[0].Omit[0] == "changed" {
		t.Error("the profile in force was changed")
	}
}

// Requests, control and methods at the same time; the race detector judges.
func TestEverythingAtOnce(t *testing.T) {
	h := startSim(t, Options{LedgerSize: 16})
	var wg sync.WaitGroup
	for _, work := range []func(){
		func() { h.get(customers) },
		func() { h.get("/_sim/") },
		func() { h.get("/_sim/ledger") },
		func() { h.do("PUT", "/_sim/services/crm", `{"fields":[{"name":"A","value":"b"}]}`) },
		func() { h.do("PUT", "/_sim/switches", `{"lockAfter":9}`) },
		func() { h.do("POST", "/_sim/faults", `{"kind":"latency","delay":"1ms","count":1}`) },
		func() { h.login("sandbox") },
		func() { h.ResetQuotas(); h.ClearLedger() },
		func() { _, _ = h.RevokeTokens(TokenQuery{Serial: 999}) },
		func() { _ = h.Quotas() },
	} {
		wg.Go(func() {
			for range 10 {
				work()
			}
		})
	}
	wg.Wait()
	if r := h.get(customers); r.status != 200 || r.header.Get("A") != "b" {
		t.Errorf("afterwards: %d %v", r.status, r.header)
	}
}

func TestDuration(t *testing.T) {
	var d Duration
	if err := d.UnmarshalText([]byte("1h30m")); err != nil || time.Duration(d) != 90*time.Minute {
		t.Errorf("%v, %v", d, err)
	}
	if err := d.UnmarshalText([]byte("30")); err == nil || !strings.Contains(err.Error(), "250ms") {
		t.Errorf("a bare number: %v", err)
	}
	if text, _ := d.MarshalText(); string(text) != "1h30m0s" {
		t.Errorf("text %s", text)
	}
}
