package main

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"iqgateway/internal/exchange"
)

// REL-31: an upstream's HTTP/2 connection that falls silent is found within 20 s,
// though each request on it would wait for a minute: a write tells that nothing
// is known of it, a read is repeated on a new connection.
func TestREL31SilentHTTP2Upstream(t *testing.T) {
	if !*long {
		t.Skip("takes 20 s: the long form has it")
	}
	t.Parallel()
	const found, late = 20 * time.Second, 5 * time.Second
	silent := t.Context().Done()
	up := frames(t, func(n int32, f *http2.Framer, stream uint32) {
		if n == 2 { // and nothing is read any more
			<-silent
			return
		}
		answerEmpty(f, stream)
	})
	minute := "{connect: 2s, response_header: 60s, body_idle: 60s, total: 60s}"
	g := newFramesRig(t, up, map[string]string{"timeouts": minute})
	g.do(t, http.MethodGet, "/raw/warm", "").want(t, http.StatusOK)
	var both sync.WaitGroup
	for method, status := range map[string]int{http.MethodPost: http.StatusBadGateway, http.MethodGet: http.StatusOK} {
		both.Go(func() {
			began := time.Now()
			a, err := g.try(t.Context(), method, "/raw/orders", "")
			took := time.Since(began)
			t.Logf("%s: found after %v", method, took)
			if err != nil || a.StatusCode != status || took < found/2 || took > found+late {
				t.Errorf("%s: %v %v after %v, want %d after at most %v", method, a.Response, err, took, status, found)
				return
			}
			if status == http.StatusOK {
				return
			}
			if v := a.verdict(t); v.Outcome != exchange.OutcomeUnknown || !strings.Contains(a.Header.Get("Proxy-Status"), "connection_terminated") {
				t.Errorf("%+v, Proxy-Status %q", v, a.Header.Get("Proxy-Status"))
			}
		})
	}
	both.Wait()
}
