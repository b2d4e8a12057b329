package main

import (
	"bytes"
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
)

// seen notes what a gateway is asked, by the key that asks.
type seen struct {
	mu    sync.Mutex
	calls map[string]int
	grew  chan struct{}
}

func (s *seen) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.calls[r.Header.Get("X-Api-Key")+" "+r.Method]++
	s.mu.Unlock()
	select {
	case s.grew <- struct{}{}:
	default:
	}
	if r.Header.Get("X-Api-Key") == "nobody" {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"title": "Who?", "trace_id": "4bf9"}`))
	}
}

func (s *seen) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.calls))
}

func keyFolder(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	for _, caller := range []string{"storefront", "nightly-sync", "kiosk"} {
		if err := os.WriteFile(filepath.Join(folder, caller+".key"), []byte("key of "+caller+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// Every actor asks with its own key, troubles reach the simulation, and what is
// refused is shown.
func TestTraffic(t *testing.T) {
	sim, err := iqsim.New(iqsim.Options{})
	if err != nil {
		t.Fatal(err)
	}
	control := httptest.NewServer(sim)
	defer control.Close()
	gateway := &seen{calls: map[string]int{}, grew: make(chan struct{}, 1)}
	server := httptest.NewServer(gateway)
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	stdout, stderr := &output{grew: make(chan struct{}, 1)}, &output{grew: make(chan struct{}, 1)}
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{
			"traffic", "--gateway", server.URL + "/", "--control", control.URL, "--keys", keyFolder(t), "--trouble", "50ms", "--report", "1s",
		}, stdout, stderr)
	}()
	want := []string{"key of kiosk GET", "key of nightly-sync GET", "key of storefront GET", "key of storefront POST", "nobody GET"}
	deadline := time.After(time.Minute)
	for !slices.Equal(gateway.all(), want) || !strings.Contains(stdout.String(), "Who?: gateway explain 4bf9") || !strings.Contains(stdout.String(), "trouble: crm is down") {
		select {
		case <-gateway.grew:
		case <-deadline:
			t.Fatalf("asked %v; said:\n%s", gateway.all(), stdout)
		}
	}
	cancel()
	if code := <-ended; code != exitOK || strings.Contains(stdout.String(), "iqsim answers") || stderr.String() != "" {
		t.Errorf("ended with %d\n%s%s", code, stdout, stderr)
	}
}

// Each call goes to each gateway, and has each number of its spread.
func TestTurns(t *testing.T) {
	const rounds = 400
	gateways := []string{"http://a", "http://b"}
	for _, a := range actors() {
		asked := map[string]int{}
		for n := range rounds * len(a.calls) {
			c, target := a.turn(n, gateways)
			gateway := target[:len(gateways[0])]
			asked[gateway+" for "+c.path]++
			asked[c.method+strings.TrimPrefix(target, gateway)]++
		}
		for _, c := range a.calls {
			for _, gateway := range gateways {
				if n := asked[gateway+" for "+c.path]; n != rounds/len(gateways) {
					t.Errorf("%s asks %s for %s %d times", a.name(), gateway, c.path, n)
				}
			}
			for number := range min(c.spread, rounds) {
				if asked[c.method+c.target(number)] == 0 {
					t.Errorf("%s never asks for %s", a.name(), c.target(number))
				}
			}
		}
	}
}

func TestTrafficUsage(t *testing.T) {
	keys := keyFolder(t)
	for args, want := range map[string]string{
		"":                                  "--gateway URL and --keys FOLDER are needed",
		"--gateway http://127.0.0.1:1":      "--keys",
		"--gateway nonsense --keys " + keys: "write a URL",
		"--gateway http://a --keys " + os.DevNull:             "the key of storefront",
		"--gateway http://a --keys " + keys + " --trouble 0s": "above 0",
		"--gateway http://a --keys " + keys + " more":         "unexpected argument",
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), append([]string{"traffic"}, strings.Fields(args)...), &stdout, &stderr); code != exitUsage || !strings.Contains(stderr.String(), want) {
			t.Errorf("%q: ended with %d, %s", args, code, stderr.String())
		}
	}
	var help bytes.Buffer
	if code := run(t.Context(), []string{"traffic", "--help"}, &help, &help); code != exitOK || !strings.Contains(help.String(), "--control URL") {
		t.Errorf("ended with %d, %s", code, help.String())
	}
}
