package dashboard_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/test/rig"
)

var (
	update  = flag.Bool("update", false, "write the screenshots of docs/images")
	program = rig.Program{Root: root()}
)

func TestMain(m *testing.M) { os.Exit(program.Run(m.Run)) }

func root(parts ...string) string { return filepath.Join(append([]string{"..", ".."}, parts...)...) }

const (
	token     = "full-token-0123456789abcdef"
	readToken = "read-token-0123456789abcdef"
)

const configuration = `version: 1
server: {tls: {mode: none}, lame_duck: 0s, limits: {max_memory: 1GiB}}
admin: {token: ` + token + `, read_token: ` + readToken + `}
environments:
  production: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: production, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 64MiB}
defaults: {headers: {forward: [X-Sim-Fault]}}
services:
  crm: {quota: {max_wait: {interactive: 2s}}}
  catalogs: {cache: {rules: [{path: "/v1/Companies({company})/Catalog/**", ttl: 5m}]}}
callers:
  storefront: {keys: [{id: storefront-1, sha256: STOREFRONT}], access: [{credential: retail, default: true, services: {"*": write}}]}
  reporting: {keys: [{id: reporting-1, sha256: REPORTING}], access: [{credential: retail, services: {crm: read}}]}
telemetry: {logs: {level: error}}
`

// subject is one gateway with an upstream behind it and two callers in front.
type subject struct {
	*iqsim.Sim
	gateway *rig.Gateway
	keys    map[string]string
}

func newSubject(t *testing.T) *subject {
	t.Helper()
	s := &subject{keys: map[string]string{}}
	var err error
	s.Sim, err = iqsim.New(iqsim.Options{
		Limits: map[string]int{"crm": 4000}, Switches: iqsim.Switches{FaultHeader: true, LockAfter: -1, Window: iqsim.Duration(5 * time.Minute)},
	})
	rig.Must(t, err)
	upstream := httptest.NewServer(s.Sim)
	t.Cleanup(func() {
		upstream.CloseClientConnections()
		upstream.Close()
	})
	digests := map[string]string{}
	for _, caller := range []string{"storefront", "reporting"} {
		s.keys[caller], digests[caller] = auth.NewKey()
	}
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := strings.NewReplacer("ORIGIN", upstream.Listener.Addr().String(), "STOREFRONT", digests["storefront"], "REPORTING", digests["reporting"]).Replace(configuration)
	rig.Must(t, os.WriteFile(file, []byte(text), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password")
	rig.Must(t, err)
	if err := s.gateway.Start(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, s.gateway.Log)
	}
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	return s
}

const (
	customers = "/crm/v1/Companies(14146)/Customers?$top=1"
	items     = "/catalogs/v1/Companies(14146)/Catalog/Items"
)

// ask sends a caller's request, which does not wait for quota, and returns the
// answer's status and its Cache-Status.
func (s *subject) ask(ctx context.Context, caller, path string) (int, string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.gateway.Server+path, http.NoBody)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("X-Api-Key", s.keys[caller])
	req.Header.Set("X-Gateway-Wait", "0")
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return 0, "", err
	}
	return resp.StatusCode, resp.Header.Get("Cache-Status"), resp.Body.Close()
}

// override lays a setting over the configuration, as a colleague of who looks at
// the page would.
func (s *subject) override(ctx context.Context, key, value, reason string) error {
	body, err := json.Marshal(map[string]string{"key": key, "value": value, "for": "5m", "reason": reason})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.gateway.Admin+"/api/v1/overrides", bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Timeout: 10 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New(resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// load sends traffic until the test ends, or stop is called.
func (s *subject) load(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var crowd sync.WaitGroup
	for caller, path := range map[string]string{"storefront": customers, "reporting": customers + "&$skip=1", "stranger": customers} {
		crowd.Go(func() {
			for rig.Pass(ctx, 50*time.Millisecond) {
				_, _, _ = s.ask(ctx, caller, path)
			}
		})
	}
	crowd.Go(func() {
		for rig.Pass(ctx, 100*time.Millisecond) {
			_, _, _ = s.ask(ctx, "storefront", items)
		}
	})
	t.Cleanup(func() {
		stop()
		crowd.Wait()
	})
}

// becomes waits until a caller's request is answered so.
func (s *subject) becomes(ctx context.Context, path string, want func(status int, cache string) bool) error {
	var last string
	err := rig.Await(ctx, 10*time.Second, "the gateway answers as it should", func() bool {
		status, cache, err := s.ask(ctx, "storefront", path)
		last = fmt.Sprint(status, " ", cache, " ", err)
		return err == nil && want(status, cache)
	})
	if err != nil {
		return errors.Join(err, errors.New("last answer: "+last))
	}
	return nil
}
