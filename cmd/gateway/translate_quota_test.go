package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/config"
	"iqgateway/internal/exchange"
	"iqgateway/limiter"
)

const quotaConfig = `version: 1
environments: {sim: {url: "http://127.0.0.1:1/{service}"}}
credentials:
  retail: {environment: sim, client_id: one-secret-id, client_secret: "${env:S}", username: u, password: "${env:S}"}
  wholesale: {environment: sim, client_id: two-secret-id, client_secret: "${env:S}", username: v, password: "${env:S}"}
services:
  crm:
    anonymous: [/v1/public**]
    quota:
      assume: 500/30s
      max: 400
      outside_use: polite
      enforce: false
      on_store_error: allow
      max_wait: {interactive: 1s, batch: 2s, background: 3s, unsafe: 500ms}
      shares: {export: {cap: 50%, weight: 3}}
  pricing: {quota: {kind: concurrency, max: 8, on_store_error: deny}}
  order: {quota: {kind: none}}
callers:
  storefront:
    keys: [{id: s-1, sha256: 1f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: retail, services: {crm: read, pricing: read, order: read}}]
    share: {guarantee: 2}
  export:
    keys: [{id: e-1, sha256: 2f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08}]
    access: [{credential: wholesale, services: {crm: read}}]
`

func loadQuotas(t *testing.T) *config.Config {
	t.Helper()
	cfg, _, err := config.Load(config.LoadOptions{Path: "gateway.yaml", Data: []byte(quotaConfig), Now: time.Now(), Environ: []string{"S=x"}})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestQuotaBuckets(t *testing.T) {
	buckets, routes := quotaBuckets(loadQuotas(t))
	byName := map[string]limiter.Bucket{}
	for _, b := range buckets {
		name := limiter.Name{Environment: b.Key.Environment, Service: b.Key.Service, Policy: b.Key.Policy, Of: b.Of}.String()
		if strings.Contains(name, "secret") {
			t.Errorf("%s shows a client id", name)
		}
		byName[name] = b
	}
	crm := byName["sim/crm/authenticated/retail"]
	want := limiter.Settings{
		Kind: limiter.Window, Assume: 500, AssumeWindow: 30 * time.Second, Max: 400, Polite: true, OnStoreError: limiter.Allow,
		MaxWait: [limiter.Classes]time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, MaxWaitUnsafe: 500 * time.Millisecond,
		Shares: []limiter.Share{
			{Caller: "export", Cap: limiter.Amount{Percent: 50}, Weight: 3},
			{Caller: "storefront", Guarantee: limiter.Amount{Tokens: 2}, Weight: 1},
		},
	}
	if diff := cmp.Diff(want, crm.Settings); diff != "" {
		t.Errorf("crm (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"export", "storefront"}, crm.Callers); diff != "" {
		t.Errorf("callers (-want +got):\n%s", diff)
	}
	if p := byName["sim/pricing/authenticated"].Settings; p.Kind != limiter.Concurrency || p.Max != 8 || !p.Enforce || p.OnStoreError != limiter.Deny {
		t.Errorf("pricing: %+v", p)
	}
	if len(buckets) != 4 { // crm of two clients, crm anonymous, pricing
		t.Errorf("%d buckets, want 4: %v", len(buckets), byName)
	}
	bucket := bucketOf(routes)
	for want, ex := range map[string]*exchange.Exchange{
		"client  one-secret-id": {Credential: "retail", Target: &exchange.Target{Environment: "sim", Service: "crm", Policy: "authenticated"}},
		"client  two-secret-id": {Credential: "wholesale", Target: &exchange.Target{Environment: "sim", Service: "crm", Policy: "authenticated"}},
		"egress":                {Credential: "wholesale", Target: &exchange.Target{Environment: "sim", Service: "crm", Policy: "anonymous"}},
		"":                      {Credential: "retail", Target: &exchange.Target{Environment: "sim", Service: "order", Policy: "authenticated"}},
	} {
		if key, counted := bucket(ex); key.Counted != want || counted != (want != "") {
			t.Errorf("%s of %s: %q, %t", ex.Target.Service, ex.Credential, key.Counted, counted)
		}
	}
	if _, counted := bucket(&exchange.Exchange{}); counted {
		t.Error("a request without a target is counted")
	}
}
