package chaos_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/internal/redistest"
	"iqgateway/test/chaos"
	"iqgateway/test/rig"
)

// canaries are secrets that must show nowhere.
var canaries = struct{ client, secret, user, password, admin string }{
	"canary-client-5f0c", "canary-secret-9a1e77", "canary-user-31b2@example.com", "canary-password-c4d8e6", "canary-admin-7d20",
}

// fleet is three gateways with a link on every way: from callers, to the
// upstream, to the token endpoint, to Redis. Each speaks something else to the
// upstream; callers come over TLS, half of them with HTTP/2.
type fleet struct {
	*iqsim.Sim
	tokens   *simtest.Tap
	redis    redistest.Topology
	trio     *redistest.Trio // nil with a single server
	journal  *chaos.Journal
	key      string // of the caller
	gateways []*rig.Gateway
	callers  []*rig.Link
	origins  []*rig.Link
	stores   []*rig.Link
	token    *rig.Link
	ways     *ways
}

const replicas = 3

// services are what the load writes to; the calls of metered are counted.
const metered = "crm"

func services() []string { return []string{metered, "order", "productlibrary"} }

// The metered service's quota: more than the load needs, less than its bursts.
const (
	quotaLimit  = 700
	quotaWindow = 2 * time.Second
)

const configuration = `version: 1
server: {tls: {mode: files, certificates: [{cert_file: DIR/tls.crt, key_file: DIR/tls.key}]}, lame_duck: 0s}
admin: {token: "${env:RIG_ADMIN}"}
environments:
  sim: {url: "SCHEME://ORIGIN/{service}", upstream_tls: {ca_file: DIR/tls.crt}}
credentials:
  retail:
    environment: sim
    token_url: http://TOKEN/accounts/v1/oauth2/token
    refresh_ahead: 10s
    client_id: ${env:RIG_CLIENT}
    client_secret: ${env:RIG_SECRET}
    username: ${env:RIG_USER}
    password: ${env:RIG_PASSWORD}
defaults:
  timeouts: {connect: 1s, response_header: 5s, body_idle: 5s, total: 15s}
  breaker: {window: 5s, open_for: 200ms, open_for_max: 2s}
  throttle_breaker: {open_for: 1s}
  headers: {forward: [Idempotency-Key]}
  quota: {max_wait: {interactive: 5s}}
services:
  crm: {quota: {assume: LIMIT}}
callers:
  till:
    keys: [{id: till-1, sha256: DIGEST}]
    access:
      - {credential: retail, services: {"*": write}}
redis:
  addresses: [ADDRESSES]
  master_name: "MASTER"
  encryption_keys: ["${file:DIR/key-seal}"]
  name_key: ${file:DIR/key-names}
telemetry: {logs: {level: debug}}
`

// newFleet starts everything and stops it with the test.
func newFleet(t *testing.T, redis redistest.Topology, seed uint64) *fleet {
	t.Helper()
	f := &fleet{redis: redis, journal: &chaos.Journal{}}
	f.trio, _ = redis.(*redistest.Trio)
	f.startSim(t, seed)
	dir := t.TempDir()
	f.ways = newWays(t, f.tokens, dir)
	for _, name := range []string{"key-seal", "key-names"} {
		write(t, filepath.Join(dir, name), rig.NewKey())
	}
	var digest string
	f.key, digest = auth.NewKey()
	f.token = link(t, "token", f.ways.origin(plain))
	var addresses []string
	for _, address := range redis.Addresses() {
		l := link(t, "redis", address)
		f.stores = append(f.stores, l)
		addresses = append(addresses, l.Address())
	}
	binary, err := rig.Build(t.Context(), filepath.Join("..", ".."), t.TempDir())
	rig.Must(t, err)
	for i := range replicas {
		f.origins = append(f.origins, link(t, fmt.Sprintf("origin %d", i), f.ways.origin(wayOf(i))))
		file := filepath.Join(dir, fmt.Sprintf("gateway-%d.yaml", i))
		write(t, file, strings.NewReplacer(
			"SCHEME", wayOf(i).scheme(), "ORIGIN", f.origins[i].Address(), "TOKEN", f.token.Address(), "DIGEST", digest, "DIR", dir,
			"ADDRESSES", strings.Join(addresses, ", "), "MASTER", redis.MasterName(), "LIMIT", fmt.Sprintf("%d/%s", quotaLimit, quotaWindow),
		).Replace(configuration))
		g, err := rig.NewGateway(
			binary, file, t.TempDir(),
			"RIG_CLIENT="+canaries.client, "RIG_SECRET="+canaries.secret, "RIG_USER="+canaries.user,
			"RIG_PASSWORD="+canaries.password, "RIG_ADMIN="+canaries.admin,
		)
		rig.Must(t, err)
		rig.Must(t, g.Start(t.Context()))
		t.Cleanup(func() {
			if err := g.Stop(); err != nil {
				t.Error(err)
			}
		})
		f.gateways = append(f.gateways, g)
		f.callers = append(f.callers, link(t, fmt.Sprintf("caller %d", i), g.Server))
	}
	return f
}

// startSim makes the upstream, which listens nowhere yet.
func (f *fleet) startSim(t *testing.T, seed uint64) {
	t.Helper()
	limits := map[string]int{metered: quotaLimit}
	for _, service := range services()[1:] {
		limits[service] = 1_000_000
	}
	sim, err := iqsim.New(iqsim.Options{
		Accounts: []iqsim.Account{{
			ClientID: canaries.client, ClientSecret: canaries.secret, Username: canaries.user, Password: canaries.password,
		}},
		Limits: limits, Seed: seed, LedgerSize: 60_000,
		Switches: iqsim.Switches{Window: iqsim.Duration(quotaWindow), TokenLifetime: iqsim.Duration(45 * time.Second), ExpiresIn: 45},
	})
	rig.Must(t, err)
	f.Sim = sim
	f.tokens = simtest.NewTap(sim)
}

// hosts are those that gateways may ask for.
func (f *fleet) hosts() []string {
	list := []string{f.token.Address()}
	for _, l := range f.origins {
		list = append(list, l.Address())
	}
	return list
}

func link(t *testing.T, name, target string) *rig.Link {
	t.Helper()
	l, err := rig.NewLink(name, target)
	rig.Must(t, err)
	t.Cleanup(l.Close)
	return l
}

func write(t *testing.T, file, text string) {
	t.Helper()
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
}

// quiet waits until no request after since is under way upstream.
func (f *fleet) quiet(ctx context.Context, since int64) error {
	return rig.Await(ctx, 20*time.Second, "the upstream is quiet", func() bool {
		for _, e := range f.Ledger(iqsim.LedgerQuery{Since: since}) {
			if !e.Done {
				return false
			}
			since = e.Seq // the next look begins here
		}
		return true
	})
}
