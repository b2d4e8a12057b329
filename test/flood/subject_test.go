package flood_test

import (
	"context"
	"encoding/base64"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"iqgateway/auth"
	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
	"iqgateway/test/flood"
	"iqgateway/test/rig"
	"iqgateway/test/slow"
)

var long = flag.Bool("long", false, "the long form: 20 s, and how good callers fare")

var program = rig.Program{Root: filepath.Join("..", "..")}

func TestMain(m *testing.M) {
	if ours, err := flood.Main(context.Background(), os.Stdin, os.Stdout); ours {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(program.Run(m.Run))
}

// kept is a path whose answer is in the cache.
const kept = "/crm/v1/Companies(1)/Customers"

const configuration = `version: 1
server:
  tls: {mode: files, certificates: [{cert_file: DIR/tls.crt, key_file: DIR/tls.key}]}
  lame_duck: 0s
  drain_timeout: 1s
admin: {}
environments:
  sim: {url: "http://ORIGIN/{service}"}
credentials:
  retail: {environment: sim, client_id: sim-client, client_secret: "${env:RIG_SECRET}", username: sim@example.com, password: "${env:RIG_PASSWORD}"}
cache: {memory: 16MiB}
services:
  crm: {cache: {rules: [{path: /**, ttl: 1h}]}}
callers:
  till: {keys: [{id: till-1, sha256: DIGEST}], access: [{credential: retail, services: {"*": read}}]}
redis:
  addresses: [ADDRESS]
  timeout: 1s
  encryption_keys: ["${env:RIG_SEAL}"]
  name_key: "${env:RIG_NAMES}"
telemetry: {logs: {level: error}}
`

// subject is the gateway under test, with all that it needs.
type subject struct {
	sim     *iqsim.Sim
	redis   *redistest.Server
	gateway *rig.Gateway
	pair    rig.Pair
	ca      *rig.Authority
	key     string
}

func newSubject(t *testing.T) *subject {
	t.Helper()
	ca, err := rig.NewAuthority()
	rig.Must(t, err)
	s := &subject{redis: redistest.Single(t), ca: ca}
	dir := t.TempDir()
	s.pair, err = ca.ECDSA("127.0.0.1")
	rig.Must(t, err)
	rig.Must(t, s.pair.Write(filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")))
	s.sim, err = iqsim.New(iqsim.Options{})
	rig.Must(t, err)
	origin := httptest.NewServer(s.sim)
	t.Cleanup(origin.Close)
	var digest string
	s.key, digest = auth.NewKey()
	file := filepath.Join(dir, "gateway.yaml")
	rig.Must(t, os.WriteFile(file, []byte(strings.NewReplacer("DIR", dir, "ORIGIN", origin.Listener.Addr().String(),
		"DIGEST", digest, "ADDRESS", s.redis.Address()).Replace(configuration)), 0o600))
	binary, err := program.Path()
	rig.Must(t, err)
	s.gateway, err = rig.NewGateway(binary, file, t.TempDir(), "RIG_SECRET=sim-secret", "RIG_PASSWORD=sim-password", "RIG_SEAL="+rig.NewKey(), "RIG_NAMES="+rig.NewKey())
	rig.Must(t, err)
	rig.Must(t, s.gateway.Start(t.Context()))
	t.Cleanup(func() {
		if err := s.gateway.Stop(); err != nil {
			t.Errorf("%v\n%s", err, s.gateway.Log)
		}
	})
	return s
}

// strangers are those without a right to what they ask the gateway for.
func (s *subject) strangers(d time.Duration) flood.Flood {
	return s.strangersOf(s.gateway.Server, d)
}

func (s *subject) strangersOf(address string, d time.Duration) flood.Flood {
	stranger, _ := auth.NewKey()
	request := func(fields string) string {
		return "GET " + kept + " HTTP/1.1\r\nHost: " + address + "\r\n" + fields + "\r\n"
	}
	return flood.Flood{
		Address: address, CA: string(s.ca.PEM), ServerName: "127.0.0.1",
		Connections: 50, Rate: 10_000, Seconds: d.Seconds(), Humble: *long,
		Requests: []string{
			request(""),
			request("X-Api-Key: " + stranger + "\r\n"),
			request("Authorization: Bearer " + stranger + "\r\n"),
			request("Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte("till:"+stranger)) + "\r\n"),
			request("Authorization: Bearer a.b.c\r\n"),
		},
	}
}

// good are callers who do nothing wrong.
func (s *subject) good(t *testing.T, d time.Duration) *slow.Experience {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	met := slow.Good{
		URL: "https://" + s.gateway.Server + kept, Roots: s.ca.Roots(), Source: "127.0.0.3", Key: s.key,
		Count: 20, Pause: 50 * time.Millisecond,
	}.Run(ctx)
	rig.Must(t, met.Err())
	return met
}

// commands is how many commands Redis has run.
func (s *subject) commands(t *testing.T) (sum int) {
	t.Helper()
	for line := range strings.Lines(s.redis.CLI(t, "INFO", "commandstats")) {
		_, rest, ok := strings.Cut(line, ":calls=")
		if !ok {
			continue
		}
		calls, _, _ := strings.Cut(rest, ",")
		n, err := strconv.Atoi(calls)
		rig.Must(t, err)
		sum += n
	}
	return sum
}
