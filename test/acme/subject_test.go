package acme_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/test/acme"
	"iqgateway/test/rig"
)

var program = rig.Program{Root: filepath.Join("..", "..")}

func TestMain(m *testing.M) {
	for name, value := range acme.Environment() {
		if err := os.Setenv(name, value); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(program.Run(m.Run))
}

// domain is what the certificates are for.
const domain = "gateway.acme.test"

// patience is how long anything here may take on a busy machine.
const patience = 90 * time.Second

const configuration = `version: 1
server:
  tls: {mode: acme, acme: {domains: [gateway.acme.test], email: ops@example.com, ca: "CA", ca_root_file: DIR/ca.crt, http_address: "HTTP"}}
  lame_duck: 0s
  drain_timeout: 1s
admin: {}
environments:
  sim: {url: "http://127.0.0.1:9/{service}"}
credentials:
  retail: {environment: sim, client_id: c, client_secret: "${env:RIG_SECRET}", username: u@example.com, password: "${env:RIG_SECRET}"}
callers:
  till: {keys: [{id: till-1, sha256: DIGEST}], access: [{credential: retail, services: {"*": read}}]}
telemetry: {logs: {level: info}}
`

// shared continues it where replicas share a Redis. A busy machine may take
// longer than the usual 50 ms.
const shared = `redis:
  addresses: [ADDRESS]
  timeout: 1s
  encryption_keys: ["${env:RIG_SEAL}"]
  name_key: "${env:RIG_NAMES}"
`

// site is a CA, and what it takes to find a gateway.
type site struct {
	ca        *acme.CA
	log       rig.Log // of the CA
	http, tls *acme.Door
	seal      []string // environment of the gateways
	redis     string   // host:port; "" = none
}

func newSite(t *testing.T, validity time.Duration, redis string) *site {
	t.Helper()
	s := &site{redis: redis, seal: []string{"RIG_SEAL=" + rig.NewKey(), "RIG_NAMES=" + rig.NewKey(), "RIG_SECRET=secret"}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	dns, err := acme.NewDNS(ctx)
	rig.Must(t, err)
	var err1, err2 error
	s.http, err1 = acme.NewDoor(ctx)
	s.tls, err2 = acme.NewDoor(ctx)
	rig.Must(t, err1)
	rig.Must(t, err2)
	address, err := rig.FreeAddress()
	rig.Must(t, err)
	s.ca, err = acme.New(ctx, acme.Options{Address: address, HTTPPort: s.http.Port, TLSPort: s.tls.Port, Resolver: dns.Address, Validity: validity, Log: &s.log})
	rig.Must(t, err)
	t.Cleanup(func() {
		cancel() // those who are in the doors leave
		for _, end := range []func() error{s.ca.Down, s.http.Close, s.tls.Close, dns.Close} {
			if err := end(); err != nil {
				t.Error(err)
			}
		}
		if t.Failed() {
			t.Logf("the CA:\n%s", s.log.String())
		}
	})
	return s
}

// replica is one gateway with its port for challenges.
type replica struct {
	*rig.Gateway

	http string // host:port; "" = none
	root string // the file of what the CA is verified with
	data string // data_dir
}

// replica returns a gateway that is not started.
func (s *site) replica(t *testing.T, withHTTP bool) *replica {
	t.Helper()
	dir := t.TempDir()
	r := &replica{root: filepath.Join(dir, "ca.crt"), data: t.TempDir()}
	var err error
	if withHTTP {
		r.http, err = rig.FreeAddress()
		rig.Must(t, err)
	}
	rig.Must(t, os.WriteFile(r.root, s.ca.Endpoint, 0o600))
	text := configuration
	if s.redis != "" {
		text += shared
	}
	_, digest := auth.NewKey()
	text = strings.NewReplacer("CA", s.ca.URL(), "DIR", dir, "HTTP", r.http, "DIGEST", digest, "ADDRESS", s.redis).Replace(text)
	file := filepath.Join(dir, "gateway.yaml")
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	r.Gateway, err = rig.NewGateway(binary, file, r.data, s.seal...)
	rig.Must(t, err)
	return r
}

// lead has the CA find these replicas.
func (s *site) lead(replicas ...*replica) {
	var http, tls []string
	for _, r := range replicas {
		tls = append(tls, r.Server)
		if r.http != "" {
			http = append(http, r.http)
		}
	}
	s.http.Lead(http...)
	s.tls.Lead(tls...)
}

// start starts a replica, which ends with the test.
func (s *site) start(t *testing.T, r *replica) {
	t.Helper()
	rig.Must(t, r.Start(t.Context()))
	t.Cleanup(func() {
		if err := r.Stop(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("a gateway:\n%s", r.Log)
		}
	})
}

// serial is of the certificate that a replica serves; "" = none.
func (s *site) serial(t *testing.T, r *replica) string {
	t.Helper()
	cert, err := s.ca.Served(t.Context(), r.Server, domain)
	if err != nil {
		return ""
	}
	return cert.SerialNumber.String()
}

// certified waits until a replica serves a certificate of the CA, other than
// some, and returns its serial number.
func (s *site) certified(t *testing.T, r *replica, others ...string) (serial string) {
	t.Helper()
	rig.Must(t, rig.Await(t.Context(), patience, "a certificate is served", func() bool {
		serial = s.serial(t, r)
		return serial != "" && !slices.Contains(others, serial)
	}))
	return serial
}

// wantOrders fails the test unless the CA has made so many certificates, each by
// an order of its own.
func (s *site) wantOrders(t *testing.T, want int) {
	t.Helper()
	if orders, certificates := s.ca.Orders(), s.ca.Certificates(); orders != want || certificates != want {
		t.Errorf("%d orders, %d certificates, not %d", orders, certificates, want)
	}
}
