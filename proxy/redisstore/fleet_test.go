package redisstore_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/redistest"
	"iqgateway/proxy"
)

type bearer string

func (b bearer) Authorize(h http.Header) { h.Set("Authorization", "Bearer "+string(b)) }

// sender makes attempts as one replica does.
type sender struct {
	stage  http.RoundTripper
	target exchange.Target
}

func newSender(t *testing.T, upstream string, store proxy.SessionStore) *sender {
	t.Helper()
	u, err := url.Parse(upstream)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := proxy.NewTransports().Open(proxy.PoolKey{Environment: "sandbox", Origin: upstream}, proxy.TransportSettings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	service, err := proxy.NewService(proxy.ServiceOptions{Pool: pool, Session: proxy.ServiceSession{Cookies: true}})
	if err != nil {
		t.Fatal(err)
	}
	sessions := proxy.NewSessions(proxy.SessionsOptions{Store: store})
	t.Cleanup(sessions.Close)
	return &sender{
		stage: proxy.NewAttempt(proxy.AttemptOptions{
			Services: proxy.Services{{Environment: "sandbox", Service: "dataconnect"}: service}, Sessions: sessions,
		}),
		target: exchange.Target{Environment: "sandbox", Service: "dataconnect", Upstream: u, Path: "/lists/stores"},
	}
}

func (s *sender) send(t *testing.T) {
	t.Helper()
	ctx := exchange.With(t.Context(), &exchange.Exchange{Target: &s.target, Credential: "retail"})
	req, err := http.NewRequestWithContext(exchange.WithAuthorizer(ctx, bearer("t")), http.MethodGet, s.target.Upstream.String()+"/lists/stores", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := s.stage.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK || res.Header["Set-Cookie"] != nil {
		t.Errorf("%s %v", res.Status, res.Header)
	}
}

// A replica that starts later goes on with the session of the first, and both
// go on when Redis has gone.
func TestReplicasShareOneSession(t *testing.T) {
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		cookies := make(chan string, 100)
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			cookies <- r.Header.Get("Cookie")
			if r.Header.Get("Cookie") == "" {
				http.SetCookie(w, &http.Cookie{Name: "s", Value: "1", Path: "/"})
			}
		}))
		t.Cleanup(up.Close)
		a := newReplica(t, topology, "")
		first := newSender(t, up.URL, a)
		first.send(t)
		awaitKeys(t, topology, 2)
		second := newSender(t, up.URL, newReplica(t, topology, ""))
		second.send(t)
		for _, s := range topology.Servers() {
			s.Kill()
		}
		first.send(t)
		second.send(t)
		newSender(t, up.URL, a).send(t) // one that starts now opens its own
		for i, want := range []string{"", "s=1", "s=1", "s=1", ""} {
			if got := <-cookies; got != want {
				t.Errorf("request %d carried %q, want %q", i, got, want)
			}
		}
	})
}

// awaitKeys waits for what replicas write in the background.
func awaitKeys(t *testing.T, topology redistest.Topology, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(topology.Dump(t)) < n {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("no %d keys: %v", n, topology.Dump(t))
		}
	}
}
