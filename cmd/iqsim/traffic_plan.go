package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// actor is an application, or a part of one, at a steady pace.
type actor struct {
	caller string // whose key it has; "" = none that is good
	every  time.Duration
	hasty  bool // would rather be refused than wait for quota
	calls  []call
}

func (a actor) name() string {
	if a.caller == "" {
		return "stranger"
	}
	return a.caller
}

// call is one request; path may have a %d, a number below spread.
type call struct {
	method, path string
	spread       int
	body         string
}

func (c call) target(n int) string {
	if c.spread == 0 {
		return c.path
	}
	return fmt.Sprintf(c.path, n%c.spread)
}

// turn is the nth request: a call, and the URL it goes to. Gateways and numbers take
// turns by rounds of all calls, so that each call meets all of them.
func (a actor) turn(n int, gateways []string) (c call, target string) {
	c = a.calls[n%len(a.calls)]
	round := n / len(a.calls)
	return c, gateways[round%len(gateways)] + c.target(round)
}

// actors are storefront, whose reads are mostly cached; nightly-sync, which reads
// everything once and waits for quota; kiosk, which asks too much; and a stranger.
func actors() []actor {
	const company = "Companies(14146)"
	read := func(path string, spread int) call {
		return call{method: http.MethodGet, path: path, spread: spread}
	}
	order := call{
		method: http.MethodPost, path: "/order/v1/" + company + "/OrderFull",
		body: `{"Name":"Demo order","EntityId":14146,"OrderTypeId":1,"Items":[{"ItemTypeId":1,"Description":"Phone case","Quantity":2}]}`,
	}
	return []actor{
		{caller: "storefront", every: 100 * time.Millisecond, calls: []call{
			read("/catalogs/v1/"+company+"/Catalog/Items", 0),
			read("/catalogs/v1/"+company+"/Catalog/Items?$top=%d", 7),
			read("/crm/v1/"+company+"/Customers?$top=%d", 9),
			read("/reference/v1/Countries", 0),
			order,
			read("/crm/v1/"+company+"/Nothing(%d)", 5),
			read("/-/me", 0),
		}},
		{caller: "nightly-sync", every: 150 * time.Millisecond, calls: []call{
			read("/catalogs/v1/"+company+"/Catalog/Items?$skip=%d", 100_000),
			read("/pricing/v1/"+company+"/PricingTiers?$skip=%d", 100_000),
		}},
		{caller: "kiosk", every: 75 * time.Millisecond, hasty: true, calls: []call{read("/crm/v1/"+company+"/Customers?$skip=%d", 100_000)}},
		{every: 3 * time.Second, calls: []call{read("/crm/v1/"+company+"/Customers", 0)}},
	}
}

// trouble is an order to the simulation.
type trouble struct {
	what, path string
	order      map[string]any
}

// troubles come one after the other, and pass.
func troubles() []trouble {
	fault := func(what string, order map[string]any) trouble { return trouble{what, "/_sim/faults", order} }
	return []trouble{
		fault("some calls of crm fail", map[string]any{"service": "crm", "kind": "status", "status": 503, "probability": 0.5, "count": 15}),
		fault("catalogs is slow", map[string]any{"service": "catalogs", "kind": "latency", "delay": "2500ms", "count": 3}),
		fault("an order is placed but not answered", map[string]any{"service": "order", "kind": "reset", "at": "after", "count": 1}),
		{"tokens are revoked", "/_sim/tokens/revoke", map[string]any{}},
		fault("answers of crm break off", map[string]any{"service": "crm", "kind": "truncate", "count": 2}),
		{"somebody else spends quota of pricing", "/_sim/consume", map[string]any{"service": "pricing", "clientId": "sim-client", "calls": 40}},
		fault("crm is down", map[string]any{"service": "crm", "kind": "status", "status": 500, "count": 40}),
	}
}

func (t *traffic) makeTrouble(ctx context.Context, client *http.Client, stdout io.Writer) {
	tick := time.NewTicker(t.trouble)
	defer tick.Stop()
	list := troubles()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		one := list[n%len(list)]
		if err := t.order(ctx, client, one); err != nil {
			_, _ = fmt.Fprintf(stdout, "trouble: %s: %v\n", one.what, err)
			continue
		}
		_, _ = fmt.Fprintf(stdout, "trouble: %s\n", one.what)
	}
}

func (t *traffic) order(ctx context.Context, client *http.Client, one trouble) error {
	text, err := json.Marshal(one.order)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.control+one.path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	resp, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("iqsim answers %s", resp.Status)
	}
	return nil
}

// answers counts what came back. It is safe for concurrent use.
type answers struct {
	mu      sync.Mutex
	counts  map[string]int
	refusal string // the last one
}

func (a *answers) add(what, refusal string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.counts[what]++
	if refusal != "" {
		a.refusal = refusal
	}
}

// take says what came since the last time.
func (a *answers) take() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var texts []string
	for _, what := range slices.Sorted(maps.Keys(a.counts)) {
		texts = append(texts, fmt.Sprintf("%s ×%d", what, a.counts[what]))
	}
	text := "answered: " + strings.Join(texts, ", ")
	if a.refusal != "" {
		text += "; last refused: " + a.refusal
	}
	clear(a.counts)
	a.refusal = ""
	return text
}
