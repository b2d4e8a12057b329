package acme_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redistest"
	"iqgateway/test/rig"
)

// A certificate comes by HTTP-01, and is kept in files: who starts again needs no
// CA.
func TestACMEByHTTP(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, "")
	r := s.replica(t, true)
	s.lead(r)
	s.start(t, r)
	s.ca.Release()
	serial := s.certified(t, r)
	s.wantOrders(t, 1)
	if s.http.Led(r.http) == 0 || s.tls.Led(r.Server) > 0 {
		t.Errorf("validated %d times by HTTP, %d times by TLS", s.http.Led(r.http), s.tls.Led(r.Server))
	}
	wantReady(t, r)
	wantNothingElse(t, r)
	rig.Must(t, s.ca.Down())
	rig.Must(t, r.Stop())
	rig.Must(t, r.Start(t.Context()))
	if again := s.certified(t, r); again != serial {
		t.Errorf("another certificate after the restart: %s, not %s", again, serial)
	}
	s.wantOrders(t, 1)
}

// wantReady waits until the replica says that it is ready.
func wantReady(t *testing.T, r *replica) {
	t.Helper()
	rig.Must(t, rig.Await(t.Context(), patience, "a gateway is ready", func() bool {
		_, err := rig.Fetch(t.Context(), "http://"+r.Admin+"/readyz")
		return err == nil
	}))
}

// wantNothingElse fails the test if the port of challenges does anything else.
func wantNothingElse(t *testing.T, r *replica) {
	t.Helper()
	for path, status := range map[string]int{
		"/": http.StatusForbidden, "/crm/v1/Companies(1)": http.StatusForbidden,
		"/.well-known/acme-challenge/unknown": http.StatusNotFound, "/.well-known/acme-challenge/../../livez": http.StatusForbidden,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.http+path, http.NoBody)
		rig.Must(t, err)
		req.Host = domain
		resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
		rig.Must(t, err)
		text, err := io.ReadAll(resp.Body)
		rig.Must(t, err)
		resp.Body.Close()
		if resp.Header.Get("Location") != "" || resp.StatusCode != status && !strings.Contains(path, "..") {
			t.Errorf("GET %s: %s %q", path, resp.Status, text)
		}
	}
}

// A certificate comes by TLS-ALPN-01, through the port that callers use.
func TestACMEByTLS(t *testing.T) {
	t.Parallel()
	s := newSite(t, 0, "")
	r := s.replica(t, false)
	s.lead(r)
	s.start(t, r)
	s.ca.Release()
	s.certified(t, r)
	s.wantOrders(t, 1)
	if s.tls.Led(r.Server) == 0 {
		t.Error("nobody came to validate by TLS")
	}
	wantReady(t, r)
}

// Replicas share one order, one account, one certificate; each answers for all.
// What they share survives the CA, and they survive its loss.
func TestACMEFleet(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	for name, withHTTP := range map[string]bool{"by HTTP": true, "by TLS": false} {
		t.Run(name, func(t *testing.T) {
			redis.FlushAll(t)
			s := newSite(t, 0, redis.Address())
			a, b := s.replica(t, withHTTP), s.replica(t, withHTTP)
			s.lead(a, b)
			s.start(t, a)
			s.start(t, b)
			s.ca.Release() // none begins before all can be asked
			serial := s.certified(t, a)
			if other := s.certified(t, b); other != serial {
				t.Errorf("the replicas serve %s and %s", serial, other)
			}
			s.wantOrders(t, 1)
			s.wantAsked(t, withHTTP, a, b)
			wantSealed(t, redis)
			redis.NoEternalKeys(t)
			if withHTTP {
				s.loseCA(t, a, serial)
				s.loseStorage(t, redis, a, b, serial)
				s.awayStorage(t, redis, b)
			}
		})
	}
}

// wantAsked fails the test unless the CA has come to both, of which at most one
// began the order.
func (s *site) wantAsked(t *testing.T, withHTTP bool, all ...*replica) {
	t.Helper()
	for i, r := range all {
		asked := s.tls.Led(r.Server)
		if withHTTP {
			asked = s.http.Led(r.http)
		}
		if asked == 0 {
			t.Errorf("replica %d was not asked for a challenge", i)
		}
	}
}

func wantSealed(t *testing.T, redis redistest.Topology) {
	t.Helper()
	dump := redis.Dump(t)
	if len(dump) == 0 {
		t.Error("Redis holds nothing")
	}
	for key, text := range dump {
		if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "BEGIN ") || strings.Contains(text, "ops@example.com") {
			t.Errorf("Redis holds secrets in the clear: %q", key)
		}
	}
}

// loseCA has the CA go: those who run serve on, and those who start do, too.
func (s *site) loseCA(t *testing.T, a *replica, serial string) {
	t.Helper()
	rig.Must(t, s.ca.Down())
	if now := s.serial(t, a); now != serial {
		t.Errorf("without the CA %q is served, not %s", now, serial)
	}
	c := s.replica(t, true)
	s.start(t, c)
	if now := s.certified(t, c); now != serial {
		t.Errorf("a new replica serves %s, not %s", now, serial)
	}
	rig.Must(t, s.ca.Up(t.Context()))
	s.wantOrders(t, 1)
}

// loseStorage has Redis forget everything: those who run serve on, and who starts
// anew gets a new certificate.
func (s *site) loseStorage(t *testing.T, redis redistest.Topology, a, b *replica, serial string) {
	t.Helper()
	redis.FlushAll(t)
	if now := s.serial(t, a); now != serial {
		t.Errorf("without the storage %q is served, not %s", now, serial)
	}
	rig.Must(t, b.Stop())
	rig.Must(t, b.Start(t.Context()))
	s.certified(t, b, serial)
	s.wantOrders(t, 2)
	if now := s.serial(t, a); now == "" {
		t.Error("the other replica serves none any more")
	}
	wantSealed(t, redis)
}

// awayStorage has a replica start while Redis is away: it serves what it has seen
// last, as before.
func (s *site) awayStorage(t *testing.T, redis *redistest.Server, b *replica) {
	t.Helper()
	serial := s.serial(t, b)
	redis.Stop()
	rig.Must(t, b.Stop())
	rig.Must(t, b.Start(t.Context()))
	if again := s.certified(t, b); again != serial {
		t.Errorf("without Redis %s is served, not %s", again, serial)
	}
	wantReady(t, b)
	redis.Start()
	s.wantOrders(t, 2)
}

// lifetime is of certificates that are renewed within a test: the gateway looks
// every ten seconds whether time is short, which it is when no more than five such
// looks are left.
const lifetime = 64 * time.Second

// Replicas renew a certificate once for all of them, before it ends, and no
// handshake fails meanwhile.
func TestACMERenewal(t *testing.T) {
	t.Parallel()
	redis := redistest.Single(t)
	s := newSite(t, lifetime, redis.Address())
	a, b := s.replica(t, true), s.replica(t, true)
	s.lead(a, b)
	s.start(t, a)
	s.start(t, b)
	s.ca.Release()
	first := s.certified(t, a)
	s.certified(t, b)
	s.wantOrders(t, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		serials := map[string]bool{}
		for _, r := range []*replica{a, b} {
			serial := s.serial(t, r)
			if serial == "" {
				t.Fatal("a handshake failed")
			}
			serials[serial] = true
		}
		if len(serials) == 1 && !serials[first] {
			break // both serve the next one
		}
		if !rig.Pass(ctx, 50*time.Millisecond) {
			t.Fatalf("no renewal: %v are served", serials)
		}
	}
	s.wantOrders(t, 2)
}
