package dashboards_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// fleet is two gateways that share a Redis, an upstream behind them, and callers
// in front.
type fleet struct {
	*iqsim.Sim
	gateways []*rig.Gateway
	// redis is the second gateway's way to Redis.
	redis     *rig.Link
	client    *http.Client
	authority *rig.Authority
	keys      map[string]string
}

// A busy machine may take longer for Redis than the usual 50 ms. Nobody collects
// the traces.
const configuration = `version: 1
server: {tls: {mode: files, certificates: [{cert_file: DIR/tls.crt, key_file: DIR/tls.key}]}, lame_duck: 0s, limits: {max_memory: 1GiB}}
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}", refresh_ahead: 10s}
  refused: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: nobody@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 64MiB}
defaults:
  headers: {forward: [X-Sim-Fault]}
  breaker: {min_requests: 5, window: 2s, open_for: 200ms, open_for_max: 400ms}
  retry: {budget: 100%}
services:
  crm: {quota: {max_wait: {interactive: 300ms}}}
  catalogs:
    cache: {rules: [{path: "/v1/Companies({company})/Catalog/**", ttl: 1s, stale_while_revalidate: 5s, invalidates: ["/v1/Companies({company})/Catalog/**"]}]}
  entitymanager: {limits: {max_in_flight: 1}}
callers:
  storefront:
    keys: [{id: storefront-1, sha256: STOREFRONT, expires: "2099-12-31"}]
    access:
      - {credential: retail, default: true, services: {"*": write}}
      - {credential: passthrough, environment: sim, until: "2099-12-31", services: {pricing: read}}
    share: {guarantee: 20%}
  nightly:
    keys: [{id: nightly-1, sha256: NIGHTLY}]
    access: [{credential: retail, services: {crm: read, catalogs: read}}, {credential: refused, services: {pricing: read}}]
    class: batch
    rate_limit: {rate: 5/s, burst: 5, concurrency: 3}
redis:
  addresses: [REDIS]
  timeout: 500ms
  encryption_keys: ["${env:RIG_SEAL}"]
  name_key: "${env:RIG_NAMES}"
telemetry:
  logs: {level: error}
  traces: {exporter: otlp, endpoint: "http://COLLECTOR", sample: 100%}
`

func newFleet(t *testing.T) *fleet {
	t.Helper()
	f := &fleet{keys: map[string]string{}}
	var err error
	f.Sim, err = iqsim.New(iqsim.Options{
		Limits:   map[string]int{"crm": 40},
		Switches: iqsim.Switches{FaultHeader: true, LockAfter: -1, Window: iqsim.Duration(2 * time.Second), TokenLifetime: iqsim.Duration(40 * time.Second)},
	})
	rig.Must(t, err)
	upstream := httptest.NewServer(f.Sim)
	t.Cleanup(func() {
		upstream.CloseClientConnections()
		upstream.Close()
	})
	redis := redistest.Single(t).Address()
	f.redis, err = rig.NewLink("redis", redis)
	rig.Must(t, err)
	t.Cleanup(f.redis.Close)
	dir := t.TempDir()
	f.certify(t, dir)
	nobody, err := rig.FreeAddress()
	rig.Must(t, err)
	digests := map[string]string{}
	for _, caller := range []string{"storefront", "nightly"} {
		f.keys[caller], digests[caller] = auth.NewKey()
	}
	seal, names := rig.NewKey(), rig.NewKey()
	for _, address := range []string{redis, f.redis.Address()} {
		file := filepath.Join(t.TempDir(), "gateway.yaml")
		text := strings.NewReplacer(
			"DIR", dir, "ORIGIN", upstream.Listener.Addr().String(), "COLLECTOR", nobody, "ADDRESS", address, "REDIS", address,
			"STOREFRONT", digests["storefront"], "NIGHTLY", digests["nightly"],
		).Replace(configuration)
		rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
		f.start(t, file, "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password", "RIG_SEAL="+seal, "RIG_NAMES="+names)
	}
	return f
}

func (f *fleet) start(t *testing.T, file string, environ ...string) {
	t.Helper()
	binary, err := program.Path()
	rig.Must(t, err)
	g, err := rig.NewGateway(binary, file, t.TempDir(), environ...)
	rig.Must(t, err)
	if err := g.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, g.Log)
	}
	t.Cleanup(func() {
		if err := g.Stop(); err != nil {
			t.Errorf("%v\n%s", err, g.Log)
		}
	})
	f.gateways = append(f.gateways, g)
}

// certify makes the gateways' certificate, and callers that believe it.
func (f *fleet) certify(t *testing.T, dir string) {
	t.Helper()
	var err error
	f.authority, err = rig.NewAuthority()
	rig.Must(t, err)
	pair, err := f.authority.ECDSA("127.0.0.1")
	rig.Must(t, err)
	rig.Must(t, os.WriteFile(filepath.Join(dir, "tls.crt"), pair.Cert, 0o600))
	rig.Must(t, os.WriteFile(filepath.Join(dir, "tls.key"), pair.Key, 0o600))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: f.authority.Roots(), MinVersion: tls.VersionTLS13}, MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	f.client = &http.Client{Timeout: 10 * time.Second, Transport: transport}
}

// stranger begins a handshake and does not believe the certificate.
func (f *fleet) stranger(ctx context.Context) {
	dialer := tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS13}}
	if c, err := dialer.DialContext(ctx, "tcp", f.gateways[0].Server); err == nil {
		_ = c.Close()
	}
}
