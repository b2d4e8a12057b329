package dashboards_test

import (
	"cmp"
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

// call is one of a caller's requests.
type call struct {
	caller, method, path, fault string
	wait                        bool // for quota, as long as it takes
	at                          int  // which gateway it goes to
}

// load sends traffic that every panel has something to say about, until the test
// ends.
func (f *fleet) load(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var crowd sync.WaitGroup
	t.Cleanup(func() {
		stop()
		crowd.Wait()
	})
	again := func(pause time.Duration, do func(n int)) {
		crowd.Go(func() {
			for n := 0; rig.Pass(ctx, pause); n++ {
				do(n)
			}
		})
	}
	calls := func(pause time.Duration, c call) {
		again(pause, func(n int) {
			c.at = n % len(f.gateways)
			f.send(ctx, c)
		})
	}
	const customers = "/crm/v1/Companies(14146)/Customers?$top=1"
	for range 4 { // of which a window holds half
		calls(50*time.Millisecond, call{caller: "storefront", path: customers, wait: true})
	}
	calls(50*time.Millisecond, call{caller: "nightly", path: customers})
	for range 3 {
		calls(40*time.Millisecond, call{caller: "storefront", path: "/catalogs/v1/Companies(14146)/Catalog/Items"})
	}
	for n := range 4 { // for one slot
		calls(20*time.Millisecond, call{caller: "storefront", path: "/entitymanager/v1/Companies(14146)/Tree/Nodes(1)", fault: "kind=latency&delay=100ms", wait: n > 0})
	}
	calls(time.Second, call{caller: "storefront", method: http.MethodPost, path: "/catalogs/v1/Companies(14146)/Catalog/Items", fault: "kind=status&status=204"})
	calls(200*time.Millisecond, call{caller: "storefront", path: "/reference/v1/Languages", fault: "kind=status&status=429"})
	calls(100*time.Millisecond, call{caller: "storefront", path: "/order/v1/Companies(14146)/Orders", fault: "kind=status&status=500"})
	calls(100*time.Millisecond, call{caller: "storefront", path: "/invoice/v1/Companies(14146)/Invoices", fault: "kind=reset"})
	calls(200*time.Millisecond, call{caller: "storefront", path: "/availability/v1/Companies(14146)/CatalogItems(1)/Availability"})
	calls(time.Second, call{caller: "nightly", path: "/pricing/v1/Companies(14146)/Prices"})
	calls(time.Second, call{caller: "stranger", path: customers})
	again(time.Second, func(int) { f.stranger(ctx) })
	again(time.Second, func(int) { _, _ = f.Consume("", "crm", "sim-client", 10) })
	again(4*time.Second, func(int) { _, _ = f.RevokeTokens(iqsim.TokenQuery{}) })
	again(3*time.Second, f.cutOrMend)
}

// cutOrMend has the second gateway lose and find Redis in turn.
func (f *fleet) cutOrMend(n int) {
	if n%2 == 0 {
		f.redis.Cut()
		return
	}
	_ = f.redis.Mend() // else the next turn does it
}

// send does not mind how the request ends: that is for the metrics to tell.
func (f *fleet) send(ctx context.Context, c call) {
	var body io.Reader = http.NoBody
	if c.method == http.MethodPost {
		body = strings.NewReader("{}")
	}
	req, err := http.NewRequestWithContext(ctx, c.method, "https://"+f.gateways[c.at].Server+c.path, body)
	if err != nil {
		return
	}
	req.Header.Set("X-Api-Key", cmp.Or(f.keys[c.caller], "nobody's"))
	req.Header.Set("Content-Type", "application/json")
	if c.fault != "" {
		req.Header.Set("X-Sim-Fault", c.fault)
	}
	if !c.wait {
		req.Header.Set("X-Gateway-Wait", "0")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
}
