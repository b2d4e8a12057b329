package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// killPhase is something that a gateway is in the middle of when it is killed.
type killPhase struct {
	name string
	// begin brings the gateway there.
	begin func(*kills, *testing.T, *killPoint)
	// within is how long after that it is killed at the latest.
	within time.Duration
	// then wants in order what it left behind; nil = what is wanted after every kill.
	then func(*kills, *testing.T, *killPoint)
}

// killPoint is one kill.
type killPoint struct {
	number        int
	phase         killPhase
	delay         time.Duration // from the phase's beginning
	first         bool          // one of the two variants that a phase may have
	victim, other *member
	calls         int // of the service in question, before
}

func (p *killPoint) String() string {
	return fmt.Sprintf("%d %s + %s", p.number, p.phase.name, p.delay.Round(time.Millisecond))
}

// again is the same point once more.
func (p *killPoint) again() *killPoint {
	more := *p
	more.number += killPoints(5)
	return &more
}

// variant chooses by the point's draw.
func (p *killPoint) variant(one, other string) string {
	if p.first {
		return one
	}
	return other
}

// item is a cached read that no other point makes.
func (p *killPoint) item() string {
	return fmt.Sprintf("/catalogs/v1/Companies(14146)/Catalog/Items/ByVendorSku?vendorSku=p%d", p.number)
}

const (
	killsNode  = "/entitymanager/v1/Companies(14146)"
	killsStock = "/availability/v1/Companies(14146)/Entities(14146)"
)

// killPhases are in two lists: in the second the gateway holds something alone,
// and another has to wait for the end of that.
func killPhases() [2][]killPhase {
	return [2][]killPhase{{
		{name: "start", within: 400 * time.Millisecond, begin: (*kills).beginStart},
		{name: "quota leases", within: rollingWindow, begin: func(*kills, *testing.T, *killPoint) {}},
		{name: "reload", within: 250 * time.Millisecond, begin: (*kills).beginReload, then: (*kills).thenReload},
		{name: "shutdown", within: rollingTimes.lameDuck + 200*time.Millisecond, begin: (*kills).beginShutdown},
		{name: "start of all", within: 200 * time.Millisecond, begin: (*kills).beginAll, then: (*kills).thenAll},
	}, {
		{name: "token fetch", within: 500 * time.Millisecond, begin: (*kills).beginToken, then: (*kills).thenToken},
		{name: "cache fetch", within: 500 * time.Millisecond, begin: (*kills).beginCache, then: (*kills).thenCache},
		{name: "breaker probe", within: 500 * time.Millisecond, begin: (*kills).beginProbe, then: (*kills).thenProbe},
		{name: "caller's slots", within: 500 * time.Millisecond, begin: (*kills).beginSlots, then: (*kills).thenSlots},
	}}
}

func (k *kills) beginStart(t *testing.T, p *killPoint) {
	p.victim.announce(false)
	p.victim.process.kill(t)
	k.killed = append(k.killed, time.Now())
	k.execute(t, p.victim)
}

// beginAll kills all others, too, as a power cut does, and starts them again
// while the victim lives on for a moment.
func (k *kills) beginAll(t *testing.T, p *killPoint) {
	for _, m := range k.members {
		if m != p.victim {
			k.beginStart(t, &killPoint{victim: m})
		}
	}
}

func (k *kills) thenAll(t *testing.T, _ *killPoint) {
	for _, m := range k.members {
		await(t, "all are ready", func() bool { return m.ready(t) == http.StatusOK })
		m.announce(true)
	}
}

func (k *kills) beginShutdown(t *testing.T, p *killPoint) {
	p.victim.announce(false)
	p.victim.process.signal(t, syscall.SIGTERM)
}

// beginToken has the victim alone fetch a token that never comes: asked for, or
// issued and not told.
func (k *kills) beginToken(t *testing.T, p *killPoint) {
	if status, text := k.api(t, p.other.process, http.MethodPost, "/api/v1/tokens/invalidate", `{"credential":"lone"}`); status != http.StatusOK {
		t.Fatal(status, text)
	}
	p.calls = k.upstreamCalls("accounts")
	struck := k.stall(t, "accounts", p.variant(iqsim.AtBefore, iqsim.AtAfter))
	k.askOnce(t, p.victim, k.lone, customers)
	struck()
}

// askOnce makes a request that ends with its gateway.
func (k *kills) askOnce(t *testing.T, m *member, key, target string) {
	k.asking.Go(func() { _, _, _ = k.ask(t, m, key, target) })
}

func (k *kills) thenToken(t *testing.T, p *killPoint) {
	k.takenOver(t, p, k.lone, customers)
	if n := k.upstreamCalls("accounts") - p.calls; n != 2 {
		t.Errorf("%s: %d token calls, want the one that was cut short and one more", p, n)
	}
}

// beginCache has the victim fetch for the cache what has not begun to come, or
// has come by half.
func (k *kills) beginCache(t *testing.T, p *killPoint) {
	p.calls = k.upstreamCalls("catalogs")
	struck := k.stall(t, "catalogs", p.variant(iqsim.AtBefore, iqsim.AtBody))
	k.askOnce(t, p.victim, k.key, p.item())
	struck()
}

func (k *kills) thenCache(t *testing.T, p *killPoint) {
	text := k.takenOver(t, p, k.key, p.item())
	if !json.Valid([]byte(text)) {
		t.Errorf("%s: a part of an answer: %q", p, text)
	}
	status, again, err := k.ask(t, p.victim, k.key, p.item())
	if err != nil || status != http.StatusOK || again != text {
		t.Errorf("%s: %d %q %v, want %q", p, status, again, err, text)
	}
	if n := k.upstreamCalls("catalogs") - p.calls; n != 2 {
		t.Errorf("%s: %d calls, want the one that was cut short and one more", p, n)
	}
}

// beginProbe opens the breaker and has the victim find out whether the upstream is
// well again.
func (k *kills) beginProbe(t *testing.T, p *killPoint) {
	sick, err := k.AddFault(iqsim.Fault{Service: "entitymanager", Kind: iqsim.FaultStatus, Status: http.StatusInternalServerError})
	if err != nil {
		t.Fatal(err)
	}
	await(t, "the breaker opens", func() bool {
		_, text, _ := k.ask(t, p.victim, k.key, killsNode)
		return strings.Contains(text, "breaker-open")
	})
	k.RemoveFaults(sick)
	struck := k.stall(t, "entitymanager", iqsim.AtBefore)
	k.asking.Go(func() {
		for _, _, err := k.ask(t, p.victim, k.key, killsNode); err == nil; _, _, err = k.ask(t, p.victim, k.key, killsNode) {
			pass(t, 20*time.Millisecond)
		}
	})
	struck()
}

func (k *kills) thenProbe(t *testing.T, p *killPoint) {
	begun := time.Now()
	await(t, "another gateway probes", func() bool {
		status, _, err := k.ask(t, p.other, k.key, killsNode)
		return err == nil && status == http.StatusOK
	})
	k.over[p.phase.name] = append(k.over[p.phase.name], time.Since(begun))
}

// beginSlots has the victim hold all slots of a caller that one gateway may have.
func (k *kills) beginSlots(t *testing.T, p *killPoint) { k.fill(t, p.victim) }

// fill makes requests without an answer until a gateway has all the slots that it
// may have, and returns what gives them up.
func (k *kills) fill(t *testing.T, m *member) context.CancelFunc {
	ctx, cancel := context.WithCancel(t.Context())
	stall, err := k.AddFault(iqsim.Fault{Service: "availability", Kind: iqsim.FaultStall, At: iqsim.AtArrival})
	if err != nil {
		t.Fatal(err)
	}
	defer k.RemoveFaults(stall)
	before := k.stalled("availability")
	await(t, "a gateway has its slots", func() bool {
		k.asking.Go(func() { _, _, _ = k.askFor(ctx, m, k.crowd, killsStock) })
		pass(t, 20*time.Millisecond)
		return k.stalled("availability")-before >= killsSlots
	})
	return cancel
}

func (k *kills) thenSlots(t *testing.T, p *killPoint) {
	begun := time.Now()
	k.fill(t, p.other)()
	k.over[p.phase.name] = append(k.over[p.phase.name], time.Since(begun))
}

// beginReload gives all gateways another configuration, and asks the victim to
// read it at once.
func (k *kills) beginReload(t *testing.T, p *killPoint) {
	text := patience.ReplaceAllString(k.read(t, "gateway.yaml"), p.patience())
	k.replicas.write(t, "gateway.yaml", text)
	p.victim.process.signal(t, syscall.SIGHUP)
}

// patience is the setting that differs between configurations.
var patience = regexp.MustCompile(`background: \d+s`)

func (p *killPoint) patience() string { return fmt.Sprintf("background: %ds", p.number+2) }

func (k *kills) thenReload(t *testing.T, p *killPoint) {
	for _, m := range k.members {
		await(t, "all serve the new configuration", func() bool {
			_, text := k.api(t, m.process, http.MethodGet, "/api/v1/config", "")
			return strings.Contains(text, p.patience()+`\n`)
		})
	}
}
