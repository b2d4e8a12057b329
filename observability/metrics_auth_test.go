package observability_test

import (
	"testing"
	"time"

	"iqgateway/observability"
)

func TestKeySetMetrics(t *testing.T) {
	m := newMetrics(t)
	states := []observability.KeySetState{
		{Issuer: "https://a.example", Keys: 2, Fetched: time.Unix(1780000000, 0), Fetches: 3, Failed: 1},
		{Issuer: "https://b.example", Failed: 7},
	}
	if err := m.ObserveKeySets(func() []observability.KeySetState { return states }); err != nil {
		t.Fatal(err)
	}
	wantMetrics(t, m,
		`iqgw_auth_key_set_fetches_total{issuer="https://a.example",outcome="ok"} 3`,
		`iqgw_auth_key_set_fetches_total{issuer="https://a.example",outcome="failed"} 1`,
		`iqgw_auth_key_set_fetches_total{issuer="https://b.example",outcome="failed"} 7`,
		`iqgw_auth_key_set_keys{issuer="https://a.example"} 2`,
		`iqgw_auth_key_set_keys{issuer="https://b.example"} 0`,
		`iqgw_auth_key_set_fetched_timestamp_seconds{issuer="https://a.example"} 1.78e+09`,
	)
}
