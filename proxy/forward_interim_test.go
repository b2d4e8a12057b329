package proxy_test

import (
	"bufio"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// interim is an upstream that sends n interim answers before each answer.
func interim(t *testing.T, n int, field string) *rawUpstream {
	t.Helper()
	answer := strings.Repeat("HTTP/1.1 103 Early Hints\r\n"+field+"\r\n\r\n", n) + plainAnswer
	return newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for readHead(r) != "" {
			if _, err := io.WriteString(c, answer); err != nil {
				return
			}
		}
	})
}

// Interim answers end here, in number bounded; what earlier stages have put
// into the answer's header stays in it.
func TestInterimAnswersReachNoCaller(t *testing.T) {
	for _, tt := range []struct {
		n, status int
		field     string
	}{
		{1, 200, "Connection: close\r\nLocation: /x\r\nLink: </x>"},
		{16, 200, "Link: </x>"},
		{17, 502, "Link: </x>"},
		{3, 502, "Link: " + strings.Repeat("l", 30<<10)},
	} {
		up := interim(t, tt.n, tt.field)
		for _, http2 := range []bool{false, true} {
			g := newGate(t, up.URL, func(g *gate) {
				g.HTTP2 = http2
				g.Wrap = func(next http.Handler) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						w.Header().Set("X-Earlier", "kept")
						next.ServeHTTP(w, r)
					})
				}
			})
			passed := 0
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
				Got1xxResponse: func(int, textproto.MIMEHeader) error { passed++; return nil },
			})
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/svc/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := g.client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if passed != 0 || res.StatusCode != tt.status || res.Header.Get("X-Earlier") != "kept" || res.Header.Get("Location") != "" || res.Close {
				t.Errorf("HTTP/2 %v, %d interim answers: %d reached the caller, then %d with %v", http2, tt.n, passed, res.StatusCode, res.Header)
			}
		}
	}
}

// Callers over HTTP/2 that cancel while interim answers arrive: net/http's
// server encodes the header of the answer in a goroutine of its own.
func TestInterimAnswersAndCallersThatCancel(t *testing.T) {
	up := interim(t, 14, strings.TrimSuffix(strings.Repeat("X-"+strings.Repeat("a", 10)+": b\r\n", 100), "\r\n"))
	g := newGate(t, up.URL, func(g *gate) { g.HTTP2 = true })
	client := g.client()
	end := time.Now().Add(time.Second / 2)
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for time.Now().Before(end) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(10_000))*time.Microsecond)
				req, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL+"/svc/x", nil)
				if err == nil {
					var res *http.Response
					if res, err = client.Do(req); err == nil {
						_ = res.Body.Close()
					}
				}
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				cancel()
				select { // nobody else reads them
				case <-g.exchanges:
				default:
				}
				select {
				case <-g.attempts:
				default:
				}
			}
		})
	}
	all.Wait()
	drain(g)
	if _, body := g.do(t, http.MethodGet, "/svc/after", nil, nil); body != "good" {
		t.Errorf("afterwards a caller got %q", body)
	}
}

// drain makes room for what further requests report.
func drain(g *gate) {
	for {
		select {
		case <-g.exchanges:
		case <-g.attempts:
		default:
			return
		}
	}
}
