package main

import (
	"context"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// connKey finds the connection of a request in its context.
type connKey struct{}

// cutTCP ends the connection under TLS, and with HTTP/2 under all its streams,
// without a word.
func cutTCP(r *http.Request) {
	if c, ok := r.Context().Value(connKey{}).(interface{ NetConn() net.Conn }); ok {
		_ = c.NetConn().Close()
	}
	panic(http.ErrAbortHandler)
}

// overTLS runs f with each version of HTTP that upstreams speak over TLS.
func overTLS(t *testing.T, handle http.HandlerFunc, configure func(*http.Server), f func(t *testing.T, g *rig)) {
	t.Helper()
	for name, major := range map[string]int{"HTTP/1.1": 1, "HTTP/2": 2} {
		t.Run(name, func(t *testing.T) {
			up := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ProtoMajor != major || r.TLS == nil {
					t.Errorf("the gateway speaks %s, TLS %t", r.Proto, r.TLS != nil)
				}
				handle(w, r)
			}))
			up.EnableHTTP2 = major == 2
			up.Config.ErrorLog = log.New(io.Discard, "", 0)
			up.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) }
			if configure != nil {
				configure(up.Config)
			}
			up.StartTLS()
			t.Cleanup(func() {
				up.CloseClientConnections()
				up.Close()
			})
			f(t, newFramesRig(t, up, nil))
		})
	}
}

// failsAsTold executes each request once and then fails as its path says.
func failsAsTold(executed *tally) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		executed.run(r.Method + r.URL.Path)
		switch what, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/"); what {
		case "cut", "effect":
			cutTCP(r)
		case "abort":
			panic(http.ErrAbortHandler)
		case "silent":
			<-r.Context().Done()
		case "half-body":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "some")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case "503":
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			_, _ = io.WriteString(w, "ok")
		}
	}
}

// Over TLS too what changes something runs once, on a connection that was used
// before, and its caller learns what is known of it; reads are repeated. 0 is an
// answer that breaks off.
func TestREL01OverTLS(t *testing.T) {
	var executed tally
	var n atomic.Int64
	overTLS(t, failsAsTold(&executed), nil, func(t *testing.T, g *rig) {
		t.Parallel() // with each other only: they wait more than they reckon
		for path, c := range map[string]struct {
			status int
			most   int // times that a read is sent
		}{
			"/cut/": {502, 4}, "/abort/": {502, 4}, "/silent/": {504, 3}, "/half-body/": {0, 1}, "/503/": {503, 3}, "/effect/": {502, 1},
		} {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodGet} {
				for name, edit := range map[string]func(*http.Request){
					"": func(*http.Request) {}, ", with a key": setHeader("Idempotency-Key", "k"),
				} {
					t.Run(method+path+name, func(t *testing.T) {
						path := path + strconv.FormatInt(n.Add(1), 10)
						g.do(t, http.MethodGet, "/raw/warm", "").want(t, http.StatusOK)
						wantFate(t, g, &executed, fate{method: method, path: path, status: c.status, most: c.most, edit: edit})
					})
				}
			}
		}
	})
}

// fate is what becomes of a request.
type fate struct {
	method, path string
	status, most int
	edit         func(*http.Request)
}

func wantFate(t *testing.T, g *rig, executed *tally, f fate) {
	t.Helper()
	body := ""
	if f.method == http.MethodPost || f.method == http.MethodPut {
		body = "abc"
	}
	a, err := g.try(t.Context(), f.method, "/raw"+f.path, body, f.edit)
	safe := f.method == http.MethodGet && !strings.HasPrefix(f.path, "/effect/")
	least, most := 1, 1
	if safe {
		least, most = min(2, f.most), f.most
	}
	if runs := executed.of(f.method + f.path); runs < least || runs > most {
		t.Errorf("executed %d times", runs)
	}
	if f.status == 0 {
		if err == nil {
			t.Errorf("a broken answer ended cleanly: %s %q", a.Status, a.text)
		}
		return
	}
	if err != nil || a.StatusCode != f.status {
		t.Fatalf("%v %v, want %d", a.Response, err, f.status)
	}
	want := exchange.OutcomeUnknown
	if safe {
		want = exchange.OutcomeNone
	}
	if f.status == http.StatusServiceUnavailable { // the upstream's own
		return
	}
	if v := a.verdict(t); v.Outcome != want {
		t.Errorf("%d %+v, want outcome %q", a.StatusCode, v, want)
	}
}

// The upstream ends each connection 0 to 20 ms after it fell idle, whatever it
// does by then. How many requests that meets is the machine's: it goes on until
// enough were answered.
func TestREL02OverTLS(t *testing.T) {
	enough := 400
	if *long {
		enough = 10_000
	}
	var executed tally
	handle := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		executed.run(string(body))
		_, _ = io.WriteString(w, "ok")
	}
	hasty := func(s *http.Server) {
		s.ConnState = func(c net.Conn, state http.ConnState) {
			if state == http.StateIdle {
				time.AfterFunc(time.Duration(rand.Int64N(int64(20*time.Millisecond))), func() { _ = c.Close() })
			}
		}
	}
	overTLS(t, handle, hasty, func(t *testing.T, g *rig) {
		tick := time.NewTicker(time.Second / 200)
		defer tick.Stop()
		var callers sync.WaitGroup
		var answered, failed atomic.Int32
		sent, places := 0, make(chan struct{}, 50) // a busy machine gets no more than it can answer
		for ; int(answered.Load()) < enough && sent < 4*enough; sent++ {
			<-tick.C
			places <- struct{}{}
			nonce := t.Name() + strconv.Itoa(sent)
			callers.Go(func() {
				defer func() { <-places }()
				a, err := g.try(t.Context(), http.MethodPost, "/raw/orders", nonce)
				runs := executed.of(nonce)
				if err != nil { // the upstream's answer broke off, so this one does
					if failed.Add(1); runs != 1 {
						t.Errorf("%s ran %d times: %v", nonce, runs, err)
					}
					return
				}
				if a.StatusCode != http.StatusOK {
					failed.Add(1)
					if v := a.verdict(t); runs > 1 || v.Outcome == exchange.OutcomeNone || v.Outcome == exchange.NotExecuted && runs != 0 {
						t.Errorf("%s ran %d times: %+v", nonce, runs, v)
					}
				} else if answered.Add(1); runs != 1 {
					t.Errorf("%s was answered 200 and ran %d times", nonce, runs)
				}
			})
		}
		callers.Wait()
		t.Logf("%d of %d requests met a connection that died under them", failed.Load(), sent)
		if int(answered.Load()) < enough {
			t.Errorf("%d of %d requests were answered, not even %d", answered.Load(), sent, enough)
		}
	})
}
