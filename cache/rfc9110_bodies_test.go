package cache_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
)

// rawOrigin answers each request with the same bytes, and ends the connection.
// It returns its address, and how often it was asked.
func rawOrigin(t *testing.T, answer string) (address string, asked *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	asked = new(atomic.Int64)
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer func() { _ = c.Close() }()
				if _, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					asked.Add(1)
					_, _ = io.WriteString(c, answer)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		all.Wait()
	})
	return l.Addr().String(), asked
}

// to sends requests to another host than the stack's origin.
func to(host string) func(http.RoundTripper) http.RoundTripper {
	return func(next http.RoundTripper) http.RoundTripper {
		return tripper(func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			r.URL.Host = host
			return next.RoundTrip(r)
		})
	}
}

func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text)) // into memory
	_ = z.Close()
	return b.String()
}

// TestRFC9112_8_IncompleteAnswers: what may be cut, or is, reaches its caller as
// far as it came, is not stored, and is asked for once a request (RFC 9111,
// section 3.3).
func TestRFC9112_8_IncompleteAnswers(t *testing.T) {
	const head = "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n"
	whole := zipped("a text that is long enough to be cut")
	gzipped := func(body string) string {
		return fmt.Sprintf("HTTP/1.1 200 OK\r\n%sContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", head, len(body), body)
	}
	broken := []byte(whole)
	broken[len(broken)-5] ^= 1 // of its checksum
	for _, row := range []struct {
		name   string
		answer string
		body   string
		cut    bool // the caller sees that something is missing
		stored bool
	}{
		{"whole", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 4\r\n\r\ntext", "text", false, true},
		{"chunked", "HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n0\r\n\r\n", "text", false, true},
		{"empty", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 0\r\n\r\n", "", false, true},
		{"too short", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 9\r\n\r\ntext", "text", true, false},
		{"a byte too short", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 5\r\n\r\ntext", "text", true, false},
		{"too long", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 3\r\n\r\ntext", "tex", false, true}, // the rest is another answer's
		{"nothing of it", "HTTP/1.1 200 OK\r\n" + head + "Content-Length: 4\r\n\r\n", "", true, false},
		{"no last chunk", "HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n4\r\ntext\r\n", "text", true, false},
		{"half a chunk", "HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n9\r\ntext", "text", true, false},
		{"broken chunks", "HTTP/1.1 200 OK\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n4\r\ntextxx\r\n0\r\n\r\n", "text", true, false},
		{"until the connection ends", "HTTP/1.1 200 OK\r\n" + head + "\r\ntext", "text", false, false},
		{"HTTP/1.0", "HTTP/1.0 200 OK\r\n" + head + "\r\ntext", "text", false, false},
		{"HTTP/1.0 with a length", "HTTP/1.0 200 OK\r\n" + head + "Content-Length: 4\r\n\r\ntext", "text", false, true},
		{"gzip", gzipped(whole), whole, false, true},
		{"gzip without its end", gzipped(whole[:len(whole)-8]), whole[:len(whole)-8], false, false},
		{"gzip cut", gzipped(whole[:20]), whole[:20], false, false},
		{"gzip that is none", gzipped("text"), "text", false, false},
		{"gzip of another checksum", gzipped(string(broken)), string(broken), false, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				host, asked := rawOrigin(t, row.answer)
				sc := newScript(t, mode, stackOptions{wrap: to(host)})
				with := append(sc.fields(nil), "Accept-Encoding: gzip")
				for i := range int64(2) {
					a := sc.get("/v1/a", with...)
					whole := a.err == nil && a.status == http.StatusOK && a.body == row.body
					cut := (a.err != nil || a.status == http.StatusBadGateway) && strings.HasPrefix(row.body, a.body)
					if row.cut && !cut || !row.cut && !whole {
						t.Errorf("got %d %.60q, %v", a.status, a.body, a.err)
					}
					if hit := strings.HasPrefix(a.cache, "hit"); hit != (row.stored && i == 1) {
						t.Errorf("request %d: %s", i, a.cache)
					}
					want := i + 1
					if row.stored {
						want = 1
					}
					if n := asked.Load(); n != want {
						t.Errorf("the origin was asked %d times after %d requests", n, i+1)
					}
				}
			})
		})
	}
}

// TestRFC9113_8_6_ResetAnswers: an HTTP/2 stream that is reset has not ended,
// also not where all that was announced had come.
func TestRFC9113_8_6_ResetAnswers(t *testing.T) {
	for _, length := range []string{"", "9"} {
		reset := atomic.Bool{}
		reset.Store(true)
		origin := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ProtoMajor != 2 {
				t.Errorf("asked by %s", r.Proto)
			}
			w.Header().Set("Cache-Control", "max-age=60")
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			if reset.Load() {
				_, _ = io.WriteString(w, "some")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}
			_, _ = io.WriteString(w, "something")
		}))
		origin.EnableHTTP2 = true
		origin.StartTLS()
		bothModes(t, func(t *testing.T, mode cache.Mode) {
			reset.Store(true)
			sc := newScript(t, mode, stackOptions{wrap: func(http.RoundTripper) http.RoundTripper {
				return tripper(func(r *http.Request) (*http.Response, error) {
					r = r.Clone(r.Context())
					r.URL.Scheme, r.URL.Host = "https", origin.Listener.Addr().String()
					return attempted{origin.Client().Transport}.RoundTrip(r)
				})
			}})
			for range 2 {
				if a := sc.get("/v1/a", sc.fields(nil)...); a.err == nil || !strings.HasPrefix("some", a.body) {
					t.Errorf("got %d %q, %v", a.status, a.body, a.err)
				}
			}
			reset.Store(false)
			sc.get("/v1/a", sc.fields(nil)...).want(t, 200, "something", "fwd=uri-miss")
			sc.get("/v1/a", sc.fields(nil)...).want(t, 200, "something", "hit")
		})
		origin.Close()
	}
}

// TestRFC9110_15_2_InterimAnswers: they are no answer, and nothing of them is in
// the one that follows.
func TestRFC9110_15_2_InterimAnswers(t *testing.T) {
	const interim = "HTTP/1.1 103 Early Hints\r\nLink: </style>\r\nSet-Cookie: a=1\r\nCache-Control: no-store\r\nVary: *\r\nX-Interim: yes\r\n\r\n"
	const final = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nX-Final: yes\r\nContent-Length: 4\r\n\r\ntext"
	for name, answer := range map[string]string{
		"one":  interim + final,
		"five": strings.Repeat(interim, 5) + final,
		"100":  "HTTP/1.1 100 Continue\r\nX-Interim: yes\r\n\r\n" + final,
	} {
		t.Run(name, func(t *testing.T) {
			bothModes(t, func(t *testing.T, mode cache.Mode) {
				host, asked := rawOrigin(t, answer)
				sc := newScript(t, mode, stackOptions{wrap: to(host)})
				none := []string{"Link: ", "Set-Cookie: ", "X-Interim: ", "Vary: ", "Cache-Control: max-age=60", "X-Final: yes"}
				for _, want := range []string{"fwd=uri-miss; fwd-status=200; stored", "hit"} {
					a := sc.get("/v1/a", sc.fields(nil)...).want(t, 200, "text", want)
					wantFields(t, "the answer", a.header, sc, none)
				}
				if n := asked.Load(); n != 1 {
					t.Errorf("the origin was asked %d times", n)
				}
			})
		})
	}
}

// TestRFC9110_15_2_EndlessInterimAnswers: without an end to them there is no
// answer, for one request and for those that wait with it.
func TestRFC9110_15_2_EndlessInterimAnswers(t *testing.T) {
	host, asked := rawOrigin(t, strings.Repeat("HTTP/1.1 103 Early Hints\r\nX: "+strings.Repeat("x", 1000)+"\r\n\r\n", 100))
	sc := newScript(t, cache.ModePolicy, stackOptions{wrap: to(host)})
	if a := sc.get("/v1/a"); a.status != http.StatusBadGateway {
		t.Errorf("got %d %v", a.status, a.err)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("the origin was asked %d times", n)
	}
}

// TestRFC9110_9_2_2_OneRequestIsOneRequest: however a request fails, the cache
// itself does not ask again; what the transport repeats on a dead
// connection is counted by the attempt stage.
func TestRFC9110_9_2_2_OneRequestIsOneRequest(t *testing.T) {
	for name, fail := range map[string]error{
		"unreachable":    errors.New("no connection"),
		"closed":         io.EOF,
		"half an answer": io.ErrUnexpectedEOF,
	} {
		bothModes(t, func(t *testing.T, mode cache.Mode) {
			for _, with := range []string{"X-Nothing: x", "Range: bytes=0-1", "Cache-Control: no-cache", `If-None-Match: "1"`, "Cache-Control: no-store"} {
				for _, stored := range []bool{false, true} {
					asked, failing := atomic.Int64{}, atomic.Bool{}
					sc := newScript(t, mode, stackOptions{wrap: func(next http.RoundTripper) http.RoundTripper {
						return tripper(func(r *http.Request) (*http.Response, error) {
							asked.Add(1)
							if failing.Load() {
								return nil, fail
							}
							return next.RoundTrip(r)
						})
					}})
					sc.says.Store(digits())
					if stored {
						sc.get("/v1/a", sc.fields(nil)...).want(t, 200, "0123456789", "fwd=uri-miss")
					}
					sc.pass(70 * time.Second)
					failing.Store(true)
					before := asked.Load()
					if a := sc.get("/v1/a", sc.fields([]string{with})...); a.status != http.StatusBadGateway {
						t.Errorf("%s, %s: got %d", name, with, a.status)
					}
					if n := asked.Load() - before; n != 1 {
						t.Errorf("%s, %s, stored %v: the upstream was asked %d times", name, with, stored, n)
					}
				}
			}
		})
	}
}

// brokenBody panics after what it has.
type brokenBody struct{ io.Reader }

// Read implements [io.Reader].
func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err != nil {
		panic("a defect")
	}
	return n, nil
}

// Close implements [io.Closer].
func (brokenBody) Close() error { return nil }

// TestAPanicInsideABody ends the answer that has begun, too.
func TestAPanicInsideABody(t *testing.T) {
	panics := atomic.Int64{}
	s := newStack(t, stackOptions{
		origin: counting(),
		options: func(int) cache.Options {
			return cache.Options{Hooks: cache.Hooks{Panicked: func(cache.ServiceName, any, []byte) { panics.Add(1) }}}
		},
		wrap: func(http.RoundTripper) http.RoundTripper {
			return tripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: http.StatusOK, ProtoMajor: 1, Header: http.Header{}, ContentLength: 9,
					Body: brokenBody{strings.NewReader("some")}, Request: r,
				}, nil
			})
		},
	})
	for i := range int64(2) {
		if a := s.get("/v1/a"); a.err == nil {
			t.Errorf("got %d %q", a.status, a.body)
		}
		eventually(t, "the panic is told", func() bool { return panics.Load() == i+1 && s.flights() == 0 })
	}
}
