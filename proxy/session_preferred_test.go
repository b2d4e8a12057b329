package proxy_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/iqsim/simtest"
	"iqgateway/proxy"
)

func TestPreferredHostIsUsed(t *testing.T) {
	for _, https := range []bool{false, true} {
		d := startDataConnect(t, https, "{other}/")
		learned := make(chan string, 10)
		g := d.gate(t, proxy.SessionsOptions{Hooks: proxy.SessionHooks{
			Learned: func(_ proxy.SessionKey, origin string) { learned <- origin },
		}}, nil)
		g.get(t, "retail", "/lists/stores")
		if got := receive(t, learned, "preferred host"); got != d.Other.URL {
			t.Fatalf("learned %q", got)
		}
		for range 3 {
			g.get(t, "retail", "/lists/stores")
		}
		g.get(t, "wholesale", "/lists/stores") // it has not asked yet
		if d.dataCalls(d.Main) != 2 || d.dataCalls(d.Other) != 3 {
			t.Errorf("https %v: %d and %d calls", https, d.dataCalls(d.Main), d.dataCalls(d.Other))
		}
		hosts := map[string]int{}
		for range 5 {
			ex := g.finished(t)
			info := g.attemptOf(t, "/sandbox/crm/**")
			if ex.Upstream.Host != info.Host || ex.Upstream.Path != "/dataconnect" || ex.Target.Upstream.Host != simtest.HostOf(d.Main.URL) {
				t.Errorf("went to %s, attempt says %s", ex.Upstream, info.Host)
			}
			hosts[info.Host]++
		}
		if hosts[simtest.HostOf(d.Other.URL)] != 3 {
			t.Errorf("hosts of the attempts: %v", hosts)
		}
		for _, e := range d.Ledger(iqsim.LedgerQuery{}) {
			if e.Service == "dataconnect" && (e.Authorizations != 1 || !strings.HasPrefix(e.Target, "/dataconnect/")) {
				t.Errorf("upstream saw %+v", e)
			}
		}
	}
}

// attemptOf returns the next attempt with that route.
func (g *gate) attemptOf(t *testing.T, route string) proxy.AttemptInfo {
	t.Helper()
	for {
		if info := receive(t, g.attempts, "attempt"); info.Route == route {
			return info
		}
	}
}

// A document that a caller asks for teaches as well; anonymous calls and
// failed ones do not have the upstream asked.
func TestWhenThePreferredHostIsAsked(t *testing.T) {
	d := startDataConnect(t, false, "{other}")
	anonymous := d.gate(t, proxy.SessionsOptions{}, func(g *gate) { g.Target.Policy, g.Tokens = "anonymous", nil })
	anonymous.Token = ""
	anonymous.get(t, "retail", "/version")
	g := d.gate(t, proxy.SessionsOptions{}, func(g *gate) {
		g.Service.Session.Account = only("retail", "r")
	})
	g.do(t, http.MethodGet, "/svc/lists/none", nil, http.Header{"X-Credential": {"retail"}})
	g.get(t, "wholesale", "/session") // not listed: the caller's own token
	if key := g.key("wholesale"); g.Sessions.PreferredOf(key, g.Target.Upstream) != "" || d.sessionCalls() != 1 {
		t.Errorf("%d session calls", d.sessionCalls())
	}
	key := g.key("retail")
	key.Account = "r"
	g.get(t, "retail", "/session")
	if got := g.Sessions.PreferredOf(key, g.Target.Upstream); got != d.Other.URL {
		t.Errorf("prefers %q", got)
	}
}

// learn has the gate use the other host for retail.
func (d *dataConnect) learn(t *testing.T, g *gate) {
	t.Helper()
	g.get(t, "retail", "/session")
	if got := g.preferred("retail"); got != d.Other.URL {
		t.Fatalf("prefers %q", got)
	}
}

// A preferred host that is gone costs nobody a request, bodies included.
func TestPreferredHostThatIsGone(t *testing.T) {
	d := startDataConnect(t, true, "{other}")
	dropped := make(chan string, 100)
	g := d.gate(t, proxy.SessionsOptions{Hooks: proxy.SessionHooks{
		Dropped: func(_ proxy.SessionKey, origin string, why proxy.SessionDrop) { dropped <- origin + " " + string(why) },
	}}, nil)
	d.learn(t, g)
	d.Other.CloseClientConnections()
	d.Other.Close()
	var all sync.WaitGroup
	places := make(chan struct{}, 4) // the upstream takes eight at once, and one is over a moment after its answer
	for i := range 20 {
		all.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			method, body := http.MethodGet, io.Reader(nil)
			if i%2 == 0 {
				method, body = http.MethodPost, io.MultiReader(strings.NewReader("Response=Json"))
			}
			res, text := g.do(t, method, "/svc/lists/stores", body,
				http.Header{"X-Credential": {"retail"}, "Content-Type": {"application/x-www-form-urlencoded"}})
			if res.StatusCode != http.StatusOK {
				t.Errorf("%s: %d %s", method, res.StatusCode, text)
			}
		})
	}
	all.Wait()
	if got := receive(t, dropped, "drop"); got != d.Other.URL+" connect" || len(dropped) != 0 {
		t.Errorf("dropped %q, and %d more", got, len(dropped))
	}
	if d.dataCalls(d.Main) != 20 {
		t.Errorf("%d calls of 20 at the configured host", d.dataCalls(d.Main))
	}
	// Named again, it is left alone.
	g.get(t, "retail", "/session")
	g.get(t, "retail", "/lists/stores")
	if g.preferred("retail") != "" {
		t.Error("it is used again at once")
	}
	for ex := g.finished(t); ; ex = g.finished(t) {
		if ex.UpstreamStatus == http.StatusOK && ex.Attempts == 1 && ex.Upstream.Host == simtest.HostOf(d.Main.URL) {
			break // what was tried in vain is no attempt
		}
	}
}

// The session call that the preferred host cannot answer is answered by the
// configured one, and ends the preference.
func TestPreferredHostWithoutASession(t *testing.T) {
	for name, tt := range map[string]struct {
		serve  http.HandlerFunc
		drops  bool
		status int
	}{
		"404":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, true, 200},
		"500":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) }, true, 200},
		"401":         {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) }, true, 200},
		"redirect":    {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, true, 200},
		"HTML":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, true, 200},
		"abort":       {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, true, 200},
		"slots taken": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }, false, 502},
	} {
		d := startDataConnect(t, false, "{other}")
		d.other(t, tt.serve)
		sessions := proxy.SessionsOptions{Store: learned(t, d)}
		g := d.gate(t, sessions, nil)
		res, body := g.do(t, http.MethodGet, "/svc/session", nil, http.Header{"X-Credential": {"retail"}})
		if res.StatusCode != tt.status {
			t.Errorf("%s: %d %s", name, res.StatusCode, body)
		}
		if dropped := g.preferred("retail") == ""; dropped != tt.drops {
			t.Errorf("%s: dropped %v", name, dropped)
		}
	}
}

// other replaces the other host, which the session names.
func (d *dataConnect) other(t *testing.T, serve http.HandlerFunc) {
	t.Helper()
	d.Other = httptest.NewServer(serve)
	t.Cleanup(d.Other.Close)
	d.prefer(t, "{other}")
}

// learned returns a store whose fleet prefers the other host for retail.
func learned(t *testing.T, d *dataConnect) *proxy.MemoryStore {
	t.Helper()
	store := &proxy.MemoryStore{}
	key := proxy.SessionKey{Environment: "sandbox", Service: "crm", Upstream: d.Main.URL + "/dataconnect", Credential: "retail"}
	_, err := store.Update(context.Background(), key, func(proxy.SharedSession) proxy.SharedSession {
		return proxy.SharedSession{Endpoint: proxy.SharedEndpoint{Known: true, Origin: d.Other.URL, Age: 1}}
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// A preferred host that takes requests and breaks them fails one at most: it
// may have been executed, so it is not repeated.
func TestPreferredHostThatBreaks(t *testing.T) {
	d := startDataConnect(t, false, "")
	broken := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) { readHead(r) })
	d.Other = &httptest.Server{URL: broken.URL}
	g := d.gate(t, proxy.SessionsOptions{Store: learned(t, d)}, nil)
	var bad int
	for range 10 {
		res, _ := g.do(t, http.MethodPost, "/svc/lists/stores", strings.NewReader("Response=Json"),
			http.Header{"X-Credential": {"retail"}, "Content-Type": {"application/x-www-form-urlencoded"}})
		if res.StatusCode != http.StatusOK {
			bad++
		}
	}
	if bad != 1 || d.dataCalls(d.Main) != 9 {
		t.Errorf("%d of 10 failed", bad)
	}
}

// A preferred host that swallows connections fails those who cannot wait, and
// nobody after them.
func TestPreferredHostThatIsMute(t *testing.T) {
	d := startDataConnect(t, true, "")
	mute := newRawUpstream(t, func(_ int, _ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	d.Other = &httptest.Server{URL: "https" + strings.TrimPrefix(mute.URL, "http")}
	g := d.gate(t, proxy.SessionsOptions{Store: learned(t, d)}, func(g *gate) { g.Service.Total = 1200 * time.Millisecond })
	res, body := g.do(t, http.MethodGet, "/svc/lists/stores", nil, http.Header{"X-Credential": {"retail"}})
	if res.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("%d %s", res.StatusCode, body)
	}
	g.get(t, "retail", "/lists/stores")
	if g.preferred("retail") != "" {
		t.Error("it is still used")
	}
}

// A preferred host that answers with a gateway's errors, or with 401, is asked
// for the session again before its time.
func TestPreferredHostInDoubt(t *testing.T) {
	for answer, want := range map[int]int{http.StatusServiceUnavailable: http.StatusServiceUnavailable, http.StatusUnauthorized: http.StatusBadGateway} {
		d := startDataConnect(t, false, "{other}")
		d.other(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answer) })
		store := learned(t, d)
		age(t, store, d)
		g := d.gate(t, proxy.SessionsOptions{Store: store}, nil)
		res, _ := g.do(t, http.MethodGet, "/svc/lists/stores", nil, http.Header{"X-Credential": {"retail"}})
		if res.StatusCode != want {
			t.Errorf("%d became %d", answer, res.StatusCode)
		}
		eventually(t, "dropped", func() bool { return g.preferred("retail") == "" })
		g.get(t, "retail", "/lists/stores")
	}
}

// age makes the fleet's word two minutes old.
func age(t *testing.T, store *proxy.MemoryStore, d *dataConnect) {
	t.Helper()
	key := proxy.SessionKey{Environment: "sandbox", Service: "crm", Upstream: d.Main.URL + "/dataconnect", Credential: "retail"}
	_, err := store.Update(context.Background(), key, func(s proxy.SharedSession) proxy.SharedSession {
		s.Endpoint.Age = 2 * time.Minute
		return s
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A reference to the preferred host leads back to the gateway.
func TestLocationOfThePreferredHost(t *testing.T) {
	d := startDataConnect(t, false, "{other}")
	hosts := make(chan string, 10)
	d.other(t, func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host
		w.Header().Set("Location", "http://"+r.Host+"/dataconnect/reports/1?a=b")
		w.Header().Set("Content-Location", "/dataconnect/reports/2")
		w.WriteHeader(http.StatusSeeOther)
	})
	g := d.gate(t, proxy.SessionsOptions{Store: learned(t, d)}, func(g *gate) {
		g.Locations = proxy.NewLocations([]proxy.Origin{{Environment: "sandbox", Service: "crm", Upstream: g.Target.Upstream}})
	})
	res, _ := g.do(t, http.MethodGet, "/svc/reports/x", nil, http.Header{"X-Credential": {"retail"}})
	if got := res.Header.Get("Location"); got != "/svc/reports/1?a=b" {
		t.Errorf("Location %q", got)
	}
	if got := receive(t, hosts, "request"); got != simtest.HostOf(d.Other.URL) {
		t.Errorf("Host %q", got)
	}
	if got := res.Header.Get("Content-Location"); got != "/svc/reports/2" {
		t.Errorf("Content-Location %q", got)
	}
}

// A host that the configuration knows as another service's, or as that of
// another environment, is not used whatever the upstream says.
func TestPreferredHostOfAnotherService(t *testing.T) {
	for _, owned := range []bool{true, false} {
		d := startDataConnect(t, false, "{other}")
		refused := make(chan error, 10)
		g := d.gate(t, proxy.SessionsOptions{Hooks: proxy.SessionHooks{
			Refused: func(_ proxy.SessionKey, err error) { refused <- err },
		}}, func(g *gate) {
			if owned {
				other, err := url.Parse(d.Other.URL + "/crm")
				if err != nil {
					t.Fatal(err)
				}
				g.Locations = proxy.NewLocations([]proxy.Origin{{Environment: "other", Service: "crm", Upstream: other}})
			}
		})
		g.get(t, "retail", "/session")
		g.get(t, "retail", "/lists/stores")
		if got := g.preferred("retail") != ""; got == owned {
			t.Errorf("the host of another service: %t, used: %t", owned, got)
		}
		if owned {
			if err := receive(t, refused, "refusal"); strings.Contains(err.Error(), d.Other.URL) {
				t.Errorf("the error repeats it: %v", err)
			}
		}
	}
}
