package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

// quotaFleet is a fleet with many callers on one upstream quota.
type quotaFleet struct {
	*replicas
	keys map[string]string // by caller
	apps []string          // the callers app-01, app-02, …: equal, of class batch
	o    quotaOptions
	turn atomic.Int64
	used atomic.Pointer[[]*replica] // by demands; nil = all
}

// quotaOptions vary a quotaFleet.
type quotaOptions struct {
	limit    int           // of crm, per window
	window   time.Duration // a multiple of 1 s
	apps     int           // callers of class batch; 0 = 20
	quota    string        // YAML in services.crm.quota
	services string        // more YAML in services
	fleetOptions
}

const quotaLatency = 20 * time.Millisecond // of the upstream

// till is a caller of class interactive.
const till = "till"

// newQuotaFleet starts three gateways in front of a simulation whose crm has
// the limit.
func newQuotaFleet(t *testing.T, topology redistest.Topology, o quotaOptions) *quotaFleet {
	t.Helper()
	o.apps = cmp.Or(o.apps, 20)
	q := &quotaFleet{o: o, keys: map[string]string{}}
	var text strings.Builder
	text.WriteString(fleetHead)
	fmt.Fprintf(&text, "services:\n  crm: {quota: {assume: %d/%s, %s}}\n%s", o.limit, o.window, o.quota, o.services)
	text.WriteString(fleetConfig[len(fleetHead):strings.Index(fleetConfig, "callers:")] + "callers:\n")
	for i := range o.apps {
		q.apps = append(q.apps, fmt.Sprintf("app-%02d", i+1))
	}
	for _, name := range append([]string{till}, q.apps...) {
		key, digest := auth.NewKey()
		q.keys[name] = key
		class := "batch"
		if name == till {
			class = "interactive"
		}
		fmt.Fprintf(&text, "  %s:\n    class: %s\n    keys: [{id: %s-1, sha256: %s}]\n    access: [{credential: retail, services: {\"*\": write}}]\n",
			name, class, name, digest)
	}
	o.config = text.String()
	o.sim.Limits = map[string]int{"crm": o.limit}
	o.sim.Switches.Window = iqsim.Duration(o.window)
	o.sim.LedgerSize = 50_000
	q.replicas = newFleet(t, topology, o.fleetOptions)
	q.key = q.keys[q.apps[0]]
	if _, err := q.AddFault(iqsim.Fault{Kind: iqsim.FaultLatency, Delay: iqsim.Duration(quotaLatency)}); err != nil {
		t.Fatal(err)
	}
	return q
}

// demand is the calls that one caller offers. They begin on time whether or
// not earlier ones have ended, and whatever those were answered.
type demand struct {
	caller string
	rate   float64 // calls a second
	random bool    // they come by chance (Poisson), else evenly
	target string  // "" = customers
	noWait bool
}

// quotaCall is one call of a demand.
type quotaCall struct {
	caller  string
	begun   time.Time
	took    time.Duration
	waited  time.Duration // as the gateway says
	status  int           // 0 = no answer
	source  string        // X-Quota-Source
	retry   time.Duration // Retry-After
	text    string        // of an answer that was not 200, or the error
	stopped bool          // the test ended before an answer
}

// quotaLoad is demands at work.
type quotaLoad struct {
	cancel context.CancelFunc
	all    sync.WaitGroup
	mu     sync.Mutex
	calls  []quotaCall
}

// offer begins the demands.
func (q *quotaFleet) offer(t *testing.T, demands ...demand) *quotaLoad {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &quotaLoad{cancel: cancel}
	t.Cleanup(cancel)
	for i, d := range demands {
		l.all.Go(func() { q.keepOffering(ctx, l, d, float64(i)/float64(len(demands))) })
	}
	return l
}

// keepOffering makes the calls of one demand, the first after a part of its
// interval.
func (q *quotaFleet) keepOffering(ctx context.Context, l *quotaLoad, d demand, part float64) {
	interval := float64(time.Second) / d.rate
	next := time.Now().Add(time.Duration(part * interval))
	for {
		due := time.NewTimer(time.Until(next))
		select {
		case <-ctx.Done():
			due.Stop()
			return
		case <-due.C:
		}
		step := interval
		if d.random {
			step *= rand.ExpFloat64()
		}
		next = next.Add(time.Duration(step))
		l.all.Go(func() {
			c := q.ask(ctx, q.next(), d)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.calls = append(l.calls, c)
		})
	}
}

// next returns the replica whose turn it is.
func (q *quotaFleet) next() *replica {
	all := q.all
	if used := q.used.Load(); used != nil {
		all = *used
	}
	return all[q.turn.Add(1)%int64(len(all))]
}

// use has demands go to these replicas alone from now on.
func (q *quotaFleet) use(all ...*replica) { q.used.Store(&all) }

// stop ends the demands, gives up what has no answer yet and returns all calls
// in the order of their beginnings.
func (l *quotaLoad) stop() []quotaCall {
	l.cancel()
	l.all.Wait()
	slices.SortFunc(l.calls, func(a, b quotaCall) int { return a.begun.Compare(b.begun) })
	return l.calls
}

// ask makes one call on a replica.
func (q *quotaFleet) ask(ctx context.Context, r *replica, d demand) quotaCall {
	c := quotaCall{caller: d.caller, begun: time.Now()}
	c.exchange(ctx, q, r, d)
	c.took = time.Since(c.begun)
	c.stopped = c.status == 0 && ctx.Err() != nil
	return c
}

func (c *quotaCall) exchange(ctx context.Context, q *quotaFleet, r *replica, d demand) {
	target := cmp.Or(d.target, customers)
	mark := "?"
	if strings.Contains(target, "?") {
		mark = "&"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server+target+mark+"sim-nonce="+d.caller, http.NoBody)
	if err != nil {
		c.text = err.Error()
		return
	}
	req.Header.Set("X-Api-Key", q.keys[d.caller])
	if d.noWait {
		req.Header.Set("X-Gateway-Wait", "0")
	}
	resp, err := q.client.Do(req)
	if err != nil {
		c.text = err.Error()
		return
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.text = err.Error()
		return
	}
	if c.status = resp.StatusCode; c.status != http.StatusOK {
		c.text = string(text)
	}
	ms, _ := strconv.ParseInt(resp.Header.Get("X-Quota-Wait-Ms"), 10, 64) // absent = 0
	seconds, _ := strconv.ParseInt(resp.Header.Get("Retry-After"), 10, 64)
	c.waited, c.retry = time.Duration(ms)*time.Millisecond, time.Duration(seconds)*time.Second
	c.source = resp.Header.Get("X-Quota-Source")
}

// upstreamWindow is one window of crm as the upstream counted it.
type upstreamWindow struct {
	start         time.Time
	used, refused int
	by            map[string]int // calls that were not refused, by caller
}

// windows returns what the upstream saw in the n windows from start on.
func (q *quotaFleet) windows(service string, start time.Time, n int) []upstreamWindow {
	list := make([]upstreamWindow, n)
	for i := range list {
		list[i] = upstreamWindow{start: start.Add(time.Duration(i) * q.o.window), by: map[string]int{}}
	}
	for _, e := range q.Ledger(iqsim.LedgerQuery{Service: service}) {
		i := int(e.Time.Truncate(q.o.window).Sub(start) / q.o.window)
		if e.Time.Before(start) || i >= n {
			continue
		}
		if e.Status == http.StatusTooManyRequests {
			list[i].refused++
			continue
		}
		list[i].used++
		list[i].by[e.Nonce]++
	}
	return list
}

// fullWindows waits for the next window to begin, and n windows more. It
// returns when the first of them began.
func (q *quotaFleet) fullWindows(t *testing.T, n int) time.Time {
	t.Helper()
	start := time.Now().Truncate(q.o.window).Add(q.o.window)
	pass(t, time.Until(start.Add(time.Duration(n)*q.o.window)))
	return start
}

// wantWithin wants no window to be asked for more than its limit, so that the
// upstream refused nothing, and tells the part of all windows that was used.
// What is asked for beyond may be as much as over allows for a window.
func (q *quotaFleet) wantWithin(t *testing.T, list []upstreamWindow, over func(upstreamWindow) int) float64 {
	t.Helper()
	total := 0
	for _, w := range list {
		if most := over(w); w.used+w.refused > q.o.limit+most || w.refused > most {
			t.Errorf("the window from %s: %d used, %d refused by the upstream; want at most %d and %d", w.start.Format("05"), w.used, w.refused, q.o.limit, most)
		}
		total += w.used
	}
	return float64(total) / float64(q.o.limit*len(list))
}

// never allows nothing beyond the limit.
func never(upstreamWindow) int { return 0 }

// uses are the tokens of each window, with what was refused, for logs.
func uses(list []upstreamWindow) string {
	var text strings.Builder
	for _, w := range list {
		fmt.Fprintf(&text, " %d", w.used)
		if w.refused > 0 {
			fmt.Fprintf(&text, "(+%d refused)", w.refused)
		}
	}
	return strings.TrimSpace(text.String())
}

// by selects the calls of one caller from a time on that the test did not cut
// short.
func by(calls []quotaCall, caller string, from time.Time) []quotaCall {
	var list []quotaCall
	for _, c := range calls {
		if c.caller == caller && !c.stopped && !c.begun.Before(from) {
			list = append(list, c)
		}
	}
	return list
}
