package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
)

const (
	// killsLone is the account of one caller alone: where it asks decides which
	// gateway fetches its token. The caller crowd has few slots.
	killsLone = `  lone: {environment: sim, client_id: lone, client_secret: "${file:DIR/password}", username: lone, password: "${file:DIR/password}"}
callers:
  lone: {keys: [{id: lone-1, sha256: LONE}], access: [{credential: lone, services: {"*": write}}]}
  crowd: {keys: [{id: crowd-1, sha256: CROWD}], rate_limit: {concurrency: 12}, access: [{credential: retail, services: {"*": read}}]}
`
	// killsSlots is what one gateway may have of them, the others at rest.
	killsSlots    = 8
	killsServices = `  crm: {cache: {mode: none}, quota: {max_wait: {background: 1s}}}
  availability: {cache: {mode: none}, quota: {kind: none}}
  entitymanager: {cache: {mode: none}, breaker: {window: 10s, min_requests: 5, open_for: 500ms}}
  catalogs: {cache: {rules: [{path: "/v1/Companies({company})/Catalog/Items/ByVendorSku", ttl: 1h}]}}
`
	killsLimit = 50 // of productlibrary
	// killsReaders are those of productlibrary at each gateway.
	killsReaders = 6
	// killsForget is for how long the fleet reckons that requests of a silent
	// replica may still be on their way upstream.
	killsForget = 10 * time.Second
	// killsLife is the longest life of what one replica holds alone: tokencache's,
	// cache's and breaker's claims. Slots of callers live as long.
	killsLife = 3 * time.Second
)

// kills is gateways under load that are killed (SIGKILL) and started again.
type kills struct {
	*rolling
	lone   string // key of the caller with an account of its own
	crowd  string // key of the caller with few slots
	client *http.Transport
	load   *rollingLoad
	asking sync.WaitGroup // requests of which only the upstream sees what becomes

	killed  []time.Time
	ready   []time.Duration // after each kill
	over    map[string][]time.Duration
	windows map[int64]quotaWindow // of productlibrary, by the second when they began
}

func newKills(t *testing.T, n int) *kills {
	t.Helper()
	lone, ofLone := auth.NewKey()
	crowd, ofCrowd := auth.NewKey()
	callers := strings.NewReplacer("LONE", ofLone, "CROWD", ofCrowd).Replace(killsLone)
	g := newRollingOf(t, n, buildGateway(t), killsLimit, killsServices, fleetOptions{
		config: strings.Replace(fleetConfig, "callers:\n", callers, 1), extra: patientRedis,
		sim: iqsim.Options{LedgerSize: 300_000, Accounts: []iqsim.Account{
			{ClientID: rigSecrets.client, ClientSecret: rigSecrets.secret, Username: rigSecrets.user, Password: rigSecrets.password},
			{ClientID: "lone", ClientSecret: rigSecrets.password, Username: "lone", Password: rigSecrets.password},
		}},
	})
	k := &kills{rolling: g, lone: lone, crowd: crowd, client: g.direct(t, false), over: map[string][]time.Duration{}, windows: map[int64]quotaWindow{}}
	k.client.DialContext, k.client.MaxIdleConnsPerHost = nil, 100 // each member by its address
	t.Cleanup(k.asking.Wait)
	return k
}

// begin starts clients that stay with their gateway: writes that may be cut short
// before and after they are executed, and reads that want more than their quota.
func (k *kills) begin(t *testing.T) {
	t.Helper()
	for at, delay := range map[string]time.Duration{iqsim.AtBefore: 10 * time.Millisecond, iqsim.AtAfter: 90 * time.Millisecond} {
		if _, err := k.AddFault(iqsim.Fault{Service: "crm", Kind: iqsim.FaultLatency, At: at, Delay: iqsim.Duration(delay)}); err != nil {
			t.Fatal(err)
		}
	}
	l := &rollingLoad{g: k.rolling, stop: make(chan struct{}), counts: map[string]*atomic.Int64{}}
	for _, m := range k.members {
		base := "https://" + m.server
		l.start(m.server+" writes", 1, excused(l.numbered(func(ctx context.Context, number string) (int, string, error) {
			return k.unlessGone(m, func() (int, string, error) { return k.write(ctx, k.client, base+rollingWrite, number) })
		})))
		l.start(m.server+" metered reads", killsReaders, excused(func(ctx context.Context) error {
			return want(http.StatusOK)(k.unlessGone(m, func() (int, string, error) {
				return k.send(ctx, k.client, http.MethodGet, base+rollingProducts, nil)
			}))
		}))
	}
	k.load = l
	for _, m := range k.members { // so that no token is fetched but those that a phase wants
		for _, key := range []string{k.key, k.lone} {
			await(t, "it serves", func() bool {
				status, _, err := k.ask(t, m, key, customers)
				return err == nil && status == http.StatusOK
			})
		}
	}
}

// errGone is what becomes of a request to a gateway that is killed meanwhile: no
// answer. Any answer counts, and so does an error of a gateway that lives.
var errGone = errors.New("the gateway was killed meanwhile")

func (k *kills) unlessGone(m *member, ask func() (int, string, error)) (int, string, error) {
	before := m.absences()
	if !m.announced() {
		return 0, "", errGone
	}
	status, text, err := ask()
	if err != nil && m.absences() != before {
		err = errGone
	}
	return status, text, err
}

func excused(do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		err := do(ctx)
		if errors.Is(err, errGone) {
			return nil
		}
		return err
	}
}

// ask makes a request of a caller at one gateway, within the time of await.
func (k *kills) ask(t *testing.T, m *member, key, target string) (int, string, error) {
	return k.askFor(t.Context(), m, key, target)
}

func (k *kills) askFor(ctx context.Context, m *member, key, target string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+m.server+target, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Api-Key", key)
	resp, err := k.client.RoundTrip(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(text), err
}

// takenOver wants another gateway to answer a request which the one that was
// killed was the one to do something for, and notes how long that took.
func (k *kills) takenOver(t *testing.T, p *killPoint, key, target string) string {
	t.Helper()
	begun := time.Now()
	status, text, err := k.ask(t, p.other, key, target)
	if err != nil || status != http.StatusOK {
		t.Errorf("%s: nobody took over: %d %s %v", p, status, text, err)
	}
	k.over[p.phase.name] = append(k.over[p.phase.name], time.Since(begun))
	return text
}

// stall has the next request of a service end in silence, and returns a function
// that waits for it.
func (k *kills) stall(t *testing.T, service, at string) (struck func()) {
	t.Helper()
	_, err := k.AddFault(iqsim.Fault{Service: service, Kind: iqsim.FaultStall, At: at, Count: 1})
	if err != nil {
		t.Fatal(err)
	}
	before := k.stalled(service)
	return func() {
		t.Helper()
		await(t, service+" is asked", func() bool { return k.stalled(service) > before })
	}
}

func (k *kills) stalled(service string) (n int) {
	for _, e := range k.Ledger(iqsim.LedgerQuery{Service: service}) {
		for _, f := range e.Faults {
			n += oneWhen(f == iqsim.FaultStall)
		}
	}
	return n
}

var ttlOf = regexp.MustCompile(`(?m)^ttl: (-?\d+)$`)

// claims returns what is held by one replica alone, and for how long yet.
func (k *kills) claims(t *testing.T) map[string]time.Duration {
	t.Helper()
	held := map[string]time.Duration{}
	for name, text := range k.topology.Dump(t) {
		if strings.HasSuffix(name, ":lock") || strings.HasSuffix(name, ":claim") || strings.Contains(name, ":lock:") {
			ms, err := strconv.Atoi(ttlOf.FindStringSubmatch(text)[1])
			if err != nil {
				t.Fatal(err)
			}
			held[name] = time.Duration(ms) * time.Millisecond
		}
	}
	return held
}

// wantClaimsToEnd wants no claim to outlive its replica by more than its life.
func (k *kills) wantClaimsToEnd(t *testing.T) {
	t.Helper()
	k.topology.NoEternalKeys(t)
	for name, left := range k.claims(t) {
		if left < 0 || left > killsLife {
			t.Errorf("%s is held for %s more, want at most %s", name, left, killsLife)
		}
	}
}

// look notes the windows of productlibrary that are over, as the fleet counted
// them.
func (k *kills) look(t *testing.T, m *member) {
	t.Helper()
	var one quotaOne
	status, text := k.api(t, m.process, http.MethodGet, "/api/v1/quotas?bucket=sim/productlibrary/authenticated/retail", "")
	if err := json.Unmarshal([]byte(text), &one); err != nil || status != http.StatusOK {
		t.Fatal(status, text)
	}
	for _, w := range one.Quota.Windows {
		k.windows[w.Ended.Round(rollingWindow).Add(-rollingWindow).Unix()] = w
	}
}

// wantCountedOnce compares what the fleet has counted with what the upstream has
// seen: nothing escaped, nobody else was suspected, and what was counted in vain
// is no more than the dead may have had under way. In the short form, which runs
// beside other tests, that holds for all windows together: a gateway that the
// machine leaves no time spends by itself for a moment, and tells later.
func (k *kills) wantCountedOnce(t *testing.T) {
	t.Helper()
	seen := map[int64]int64{}
	for _, e := range k.Ledger(iqsim.LedgerQuery{Service: "productlibrary"}) {
		seen[e.Time.Truncate(rollingWindow).Unix()]++
	}
	var all counted
	for _, began := range slices.Sorted(maps.Keys(k.windows)) {
		start := time.Unix(began, 0)
		c := counted{own: k.windows[began].Own, external: k.windows[began].External, seen: seen[began]}
		for _, at := range k.killed {
			c.lost += killsReaders * int64(oneWhen(start.Before(at.Add(killsForget)) && at.Before(start.Add(rollingWindow))))
		}
		if *long && (c.external > 0 || c.seen > c.own || !c.right()) {
			t.Errorf("the window of %s: %+v", start.Format("04:05"), c)
		}
		all = counted{all.own + c.own, all.external + c.external, all.seen + c.seen, all.lost + c.lost}
	}
	if !all.right() || all.own == 0 {
		t.Error("what was seen is not what was counted")
	}
	t.Logf("%d windows: %+v; %d requests were under way at gateways that died", len(k.windows), all, len(k.killed)*killsReaders)
}

// counted is a window of a quota, or several: tokens that the fleet has spent, and
// believes that others have; requests that the upstream has seen; and how many may
// not have reached it.
type counted struct{ own, external, seen, lost int64 }

func (c counted) right() bool { return c.seen <= c.own+c.external && c.own-c.seen <= c.lost }
