package observability_test

import (
	"strings"
	"testing"
	"time"

	"iqgateway/observability"
)

func newMetrics(t *testing.T) *observability.Metrics {
	t.Helper()
	m, err := observability.NewMetrics(observability.BuildInfo{Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Shutdown(t.Context()) })
	return m
}

func wantMetrics(t *testing.T, m *observability.Metrics, lines ...string) {
	t.Helper()
	text := scrape(t, m)
	for _, want := range lines {
		if !strings.Contains(text, "\n"+want+"\n") {
			t.Errorf("no %s", want)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(text) {
			if strings.HasPrefix(line, "iqgw_") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

func TestTokenMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	m.TokenFetched(ctx, observability.TokenFetch{Environment: "rc", Credential: "retail", Reason: "first", Outcome: "granted", Duration: time.Second})
	m.TokenWaited(ctx, "rc", "retail", 2*time.Second)
	m.TokenAdopted(ctx, "rc", "retail")
	m.TokenRolledBack(ctx, "rc", "retail")
	m.TokenRejected(ctx, "rc", "retail", "crm")
	m.SecretUnread(ctx, "rc", "retail")
	states := []observability.TokenState{
		{Environment: "rc", Credential: "retail", State: "valid", Expires: time.UnixMilli(1_800_000_000_500)},
		{Environment: "rc", Credential: "other", State: "refused", Refusals: 2},
	}
	if err := m.ObserveTokens(func() []observability.TokenState { return states }); err != nil {
		t.Fatal(err)
	}
	who := `credential="retail",environment="rc"`
	wantMetrics(t, m,
		`iqgw_token_fetch_duration_seconds_sum{`+who+`,outcome="granted",reason="first"} 1`,
		`iqgw_token_wait_duration_seconds_sum{`+who+`} 2`,
		`iqgw_token_adopted_total{`+who+`} 1`,
		`iqgw_token_rollbacks_total{`+who+`} 1`,
		`iqgw_token_rejected_total{`+who+`,service="crm"} 1`,
		`iqgw_token_secret_read_failures_total{`+who+`} 1`,
		`iqgw_token_expiry_timestamp_seconds{`+who+`} 1.8000000005e+09`,
		`iqgw_token_state{`+who+`,state="valid"} 1`,
		`iqgw_token_state{credential="other",environment="rc",state="refused"} 1`,
		`iqgw_token_refusals{credential="other",environment="rc"} 2`,
	)
	if text := scrape(t, m); strings.Contains(text, `iqgw_token_expiry_timestamp_seconds{credential="other"`) {
		t.Error("a credential without a token has an expiry")
	}
	states[0].State = "failing"
	if text := scrape(t, m); strings.Contains(text, `state="valid"`) {
		t.Error("a state that is over is still shown")
	}
}

func TestStoreMetrics(t *testing.T) {
	m, ctx := newMetrics(t), t.Context()
	m.StoreCalled(ctx, "redis", "token.load", "ok", 250*time.Microsecond)
	m.StoreRejected(ctx, "redis", "token", "tampered")
	up := true
	if err := m.ObserveStore("redis", func() bool { return up }, func() int { return 3 }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_store_operation_duration_seconds_bucket{operation="token.load",outcome="ok",store="redis",le="0.00025"} 1`,
		`iqgw_store_rejected_values_total{kind="token",reason="tampered",store="redis"} 1`,
		`iqgw_store_up{store="redis"} 1`,
		`iqgw_store_replicas{store="redis"} 3`,
	)
	up = false
	wantMetrics(t, m, `iqgw_store_up{store="redis"} 0`)
}
