package proxy_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"

	"iqgateway/proxy"
)

// hosts starts n upstreams and returns their origins.
func hosts(t *testing.T, n int) []*url.URL {
	t.Helper()
	all := make([]*url.URL, n)
	for i := range all {
		up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Host) }))
		t.Cleanup(up.Close)
		all[i], _ = url.Parse(up.URL)
	}
	return all
}

func askVia(t *testing.T, pool *proxy.Pool, at *url.URL) error {
	t.Helper()
	rt, err := pool.For("retail")
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.String(), nil)
	if err != nil {
		return err
	}
	res, err := rt.RoundTrip(req)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

func TestPoolBesideAnother(t *testing.T) {
	all := hosts(t, 3)
	transports := proxy.NewTransports()
	open := func() *proxy.Pool {
		pool, err := transports.Open(proxy.PoolKey{Environment: "sandbox", Origin: all[0].String()}, proxy.TransportSettings{Connect: patience})
		if err != nil {
			t.Fatal(err)
		}
		return pool
	}
	pool, reloaded := open(), open()
	beside, err := pool.Beside(all[1])
	if err != nil {
		t.Fatal(err)
	}
	if again, err := reloaded.Beside(all[1]); again != beside || err != nil {
		t.Errorf("another generation got other connections: %v", err)
	}
	if err := askVia(t, beside, all[1]); err != nil {
		t.Errorf("its own host: %v", err)
	}
	for _, elsewhere := range []*url.URL{all[0], all[2]} {
		if err := askVia(t, beside, elsewhere); err == nil || !strings.Contains(err.Error(), "prohibited") {
			t.Errorf("it also reaches %s: %v", elsewhere, err)
		}
	}
	pool.Close()
	if _, err := reloaded.Beside(all[2]); err != nil {
		t.Errorf("while another generation lives: %v", err)
	}
	reloaded.Close()
	if _, err := reloaded.Beside(all[1]); err == nil {
		t.Error("a closed pool opens others")
	}
	if n := transports.Len(); n != 0 {
		t.Errorf("%d pools are left", n)
	}
}

// An upstream that names another host each time does not fill the memory.
func TestPoolsBesideAreBounded(t *testing.T) {
	transports := proxy.NewTransports()
	pool, err := transports.Open(proxy.PoolKey{Environment: "sandbox", Origin: "https://a.iqmetrix.net"}, proxy.TransportSettings{})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for n := range 100 {
				if _, err := pool.Beside(&url.URL{Scheme: "https", Host: fmt.Sprintf("h%d.iqmetrix.net", i*50+n)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n := transports.Len(); n > 17 {
		t.Errorf("%d pools are open", n)
	}
	pool.Close()
	if n := transports.Len(); n != 0 {
		t.Errorf("%d pools are left", n)
	}
}
