package main

import (
	"cmp"
	"flag"
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// before is the program that an upgrade begins with.
var before = flag.String("before", "", "the gateway that TestREL42RollingRestarts begins with; without it, the one that is tested")

// Three gateways behind HAProxy are restarted one after the other under load,
// and clients without a balancer follow them: nothing fails, nothing is lost,
// every write is executed once, each gateway ends in time, and together they
// keep a quota that clients want more of. With an older program before, every
// three restarts are an upgrade, or one that is taken back.
func TestREL42RollingRestarts(t *testing.T) {
	newer := buildGateway(t)
	older := cmp.Or(*before, newer)
	g := newRollingFrom(t, 3, older)
	restarts := len(g.members)
	if *long {
		restarts = 30
	}
	balancer := g.haproxy(t)
	l := g.load(t, balancer)
	thirsty := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(thirsty.CloseIdleConnections)
	l.start("metered reads", 24, l.reads(thirsty, balancer+rollingProducts))
	pass(t, rollingWindow)
	for i := range restarts {
		g.binary = newer
		if i/len(g.members)%2 == 1 {
			g.binary = older
		}
		g.restart(t, g.members[i%len(g.members)])
	}
	pass(t, rollingWindow)
	l.end(t)
	g.wantQuotaKept(t)
}

// wantQuotaKept wants no window of productlibrary to have been asked for more
// than its limit, and the windows that clients filled to be used.
func (g *rolling) wantQuotaKept(t *testing.T) {
	t.Helper()
	used, refused := map[time.Time]int{}, 0
	for _, e := range g.Ledger(iqsim.LedgerQuery{Service: "productlibrary"}) {
		used[e.Time.Truncate(rollingWindow)]++
		refused += oneWhen(e.Status == http.StatusTooManyRequests)
	}
	most, sum := 0, 0
	for _, n := range used {
		most, sum = max(most, n), sum+n
	}
	t.Logf("%d windows of %d: %.1f in the mean, %d at most, %d refused", len(used), g.limit, float64(sum)/float64(len(used)), most, refused)
	if refused > 0 || most > g.limit || sum < len(used)*g.limit/2 {
		t.Error("the quota was overrun, or hardly used")
	}
}
