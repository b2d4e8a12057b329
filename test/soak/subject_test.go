package soak_test

import (
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

// subject is the gateway under test, with all that it needs.
type subject struct {
	gateway  *rig.Gateway
	upstream *httptest.Server
	client   *http.Client
	key      string

	count atomic.Int64
	wrong atomic.Int64
	mu    sync.Mutex
	some  []string         // of the requests that ended wrongly
	sent  map[string]int64 // by kind
}

const configuration = `version: 1
server: {tls: {mode: none}, lame_duck: 0s}
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 1MiB}
defaults:
  headers: {forward: [X-Sim-Fault]}
services:
  productlibrary: {cache: {rules: [{path: /**, ttl: 1h}]}}
  order: {breaker: {min_requests: 1000000}, retry: {budget: 100%}}
callers:
  till: {keys: [{id: till-1, sha256: DIGEST}], access: [{credential: retail, services: {"*": write}}]}
telemetry: {logs: {level: error}}
`

// shared continues it where the gateway is one of a fleet. A busy machine may
// take longer than the usual 50 ms.
const shared = `redis:
  addresses: [ADDRESS]
  timeout: 1s
  encryption_keys: ["${env:RIG_SEAL}"]
  name_key: "${env:RIG_NAMES}"
`

// newSubject starts a gateway, with a Redis if an address is given.
func newSubject(t *testing.T, binary, redis string) *subject {
	t.Helper()
	limits := map[string]int{}
	for _, service := range []string{"crm", "order", "productlibrary"} {
		limits[service] = 1_000_000_000
	}
	sim, err := iqsim.New(iqsim.Options{Limits: limits, LedgerSize: -1, Switches: iqsim.Switches{FaultHeader: true}})
	rig.Must(t, err)
	s := &subject{upstream: httptest.NewServer(sim), sent: map[string]int64{}}
	t.Cleanup(func() {
		s.upstream.CloseClientConnections()
		s.upstream.Close()
	})
	dir := t.TempDir()
	var digest string
	s.key, digest = auth.NewKey()
	file := filepath.Join(dir, "gateway.yaml")
	text := configuration
	if redis != "" {
		text += shared
	}
	text = strings.NewReplacer("ORIGIN", s.upstream.Listener.Addr().String(), "DIGEST", digest, "ADDRESS", redis).Replace(text)
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password", "RIG_SEAL="+rig.NewKey(), "RIG_NAMES="+rig.NewKey())
	rig.Must(t, err)
	rig.Must(t, s.gateway.Start(t.Context()))
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	s.client = &http.Client{
		Timeout: 30 * time.Second, Transport: &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: workers},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return s
}

// load sends some mixed requests.
func (s *subject) load(t *testing.T, requests int, all []kind) {
	t.Helper()
	last := s.count.Load() + int64(requests)
	var crowd sync.WaitGroup
	for range workers {
		crowd.Go(func() {
			for {
				number := s.count.Add(1)
				if number > last {
					s.count.Add(-1)
					return
				}
				random := rand.New(rand.NewPCG(34, uint64(number)))
				k := pick(random, all)
				s.tally(k)
				if err := s.send(t.Context(), k, number); err != nil {
					s.note(err)
				}
			}
		})
	}
	crowd.Wait()
}

func (s *subject) tally(k *kind) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sent[k.name]++
}

func (s *subject) note(err error) {
	if s.wrong.Add(1) > 10 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.some = append(s.some, err.Error())
}
