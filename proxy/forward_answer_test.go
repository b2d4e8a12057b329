package proxy_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// answers is an upstream whose first answer is first, cut off when last says
// so, and whose further answers are plain. gone gets the numbers of connections
// that the gateway has given up, or that were cut off.
func answers(t *testing.T, first string, last bool) (up *rawUpstream, gone <-chan int) {
	t.Helper()
	ended := make(chan int, 10)
	up = newRawUpstream(t, func(n int, c net.Conn, r *bufio.Reader) {
		defer func() { ended <- n }()
		answer := plainAnswer
		if n == 1 {
			answer = first
		}
		for readHead(r) != "" {
			if _, err := io.WriteString(c, answer); err != nil || n == 1 && last {
				return
			}
			answer = plainAnswer
		}
	})
	return up, ended
}

const plainAnswer = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\nX-Nonce: good\r\n\r\ngood"

// What a hostile or broken upstream may send, and what the caller gets.
func TestHostileAnswers(t *testing.T) {
	tests := map[string]struct {
		answer string
		status int
		body   string // when not an error of the gateway
		absent []string
	}{
		"length and chunked":  {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, "ok", []string{"Content-Length: 3"}},
		"two lengths":         {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok!", 502, "", nil},
		"status 999":          {"HTTP/1.1 999 Odd\r\nContent-Length: 2\r\n\r\nok", 502, "", nil},
		"status 600":          {"HTTP/1.1 600 Odd\r\nContent-Length: 2\r\n\r\nok", 502, "", nil},
		"status 1000":         {"HTTP/1.1 1000 Odd\r\nContent-Length: 2\r\n\r\nok", 502, "", nil},
		"407":                 {"HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic\r\nContent-Length: 2\r\n\r\nok", 502, "", []string{"Proxy-Authenticate"}},
		"status 099":          {"HTTP/1.1 099 Odd\r\nContent-Length: 2\r\n\r\nok", 502, "", nil},
		"garbage":             {"\x00\x01\x02 \x1b[2J nonsense CAN_AT\r\n\r\n", 502, "", []string{"nonsense", "CAN_AT"}},
		"unsolicited 101":     {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nraw", 502, "", []string{"raw", "Upgrade"}},
		"header of 5 MiB":     {"HTTP/1.1 200 OK\r\nX-Big: " + strings.Repeat("a", 5<<20) + "\r\nContent-Length: 2\r\n\r\nok", 502, "", []string{"aaaa"}},
		"CR in a value":       {"HTTP/1.1 200 OK\r\nX-A: b\rX-Bad: 1\r\nContent-Length: 2\r\n\r\nok", 502, "", []string{"X-Bad"}},
		"no colon":            {"HTTP/1.1 200 OK\r\nnonsense\r\nContent-Length: 2\r\n\r\nok", 502, "", nil},
		"negative length":     {"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok", 502, "", nil},
		"nothing":             {"", 502, "", nil},
		"half a header":       {"HTTP/1.1 200 OK\r\nContent-Le", 502, "", nil},
		"204 with a body":     {"HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil", 204, "", []string{"evil"}},
		"304 with a body":     {"HTTP/1.1 304 Not Modified\r\nEtag: \"1\"\r\n\r\nevil", 304, "", []string{"evil"}},
		"second answer":       {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 200, "ok", []string{"evil"}},
		"connection names":    {"HTTP/1.1 200 OK\r\nConnection: X-Hop, keep-alive\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok", 200, "ok", []string{"X-Hop", "Keep-Alive"}},
		"trailers":            {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\nSet-Cookie: s=1\r\n\r\n", 200, "ok", []string{"X-Late", "Set-Cookie", "Trailer"}},
		"interim with cookie": {"HTTP/1.1 103 Early Hints\r\nSet-Cookie: s=1\r\nServer: IIS\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", []string{"Set-Cookie", "IIS"}},
		"interim flood":       {strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", 200), 502, "", nil},
		"long interim":        {"HTTP/1.1 103 Early Hints\r\nLink: " + strings.Repeat("l", 100<<10) + "\r\n\r\n" + plainAnswer, 502, "", nil},
		"unknown coding":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 502, "", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			up, gone := answers(t, tt.answer, name == "nothing" || name == "half a header")
			g := newGate(t, up.URL, nil)
			got := g.raw(t, "GET /svc/x HTTP/1.1\r\nHost: gw.test\r\nConnection: close\r\n\r\n", "")
			if i := strings.LastIndex(got, "HTTP/1.1 "); i > 0 {
				got = got[i:] // after interim answers
			}
			if !strings.HasPrefix(got, "HTTP/1.1 "+strconv.Itoa(tt.status)+" ") {
				t.Fatalf("want %d, got\n%.500s", tt.status, got)
			}
			if tt.status == http.StatusBadGateway && !strings.Contains(got, `"urn:iqgateway:errors#upstream-`) {
				t.Errorf("no problem document:\n%.500s", got)
			}
			if !strings.Contains(got, tt.body) {
				t.Errorf("want body %q, got\n%s", tt.body, got)
			}
			for _, absent := range tt.absent {
				if strings.Contains(got, absent) {
					t.Errorf("the caller sees %q:\n%.500s", absent, got)
				}
			}
			if strings.Contains(tt.answer, "evil") { // left over: wait for the discard
				receive(t, gone, "end of the spoilt connection")
			}
			res, body := g.do(t, http.MethodGet, "/svc/second", nil, nil)
			if body != "good" || res.Header.Get("X-Nonce") != "good" {
				t.Errorf("the next request got %d %q", res.StatusCode, body)
			}
		})
	}
}

func TestAnswersBreakOff(t *testing.T) {
	tests := map[string]string{
		"fewer bytes than announced": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfour",
		"no last chunk":              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\n",
		"broken chunk":               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfour\r\nzz\r\n",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			up := newRawUpstream(t, func(_ int, c net.Conn, r *bufio.Reader) {
				readHead(r)
				_, _ = io.WriteString(c, answer)
			})
			g := newGate(t, up.URL, nil)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/svc/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := g.client().Do(req)
			if err == nil {
				_, err = io.ReadAll(res.Body)
				_ = res.Body.Close()
			}
			if err == nil {
				t.Error("a truncated answer ended cleanly")
			}
			if ex := g.finished(t); ex.Aborted == nil || ex.Problem != nil {
				t.Errorf("aborted %v, problem %v", ex.Aborted, ex.Problem)
			}
			if info := receive(t, g.attempts, "attempt"); info.Kind != proxy.FailedBody || info.Status != 200 {
				t.Errorf("attempt %+v", info)
			}
		})
	}
}

func TestAnswerHeader(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for _, name := range []string{
			"Set-Cookie", "Server", "X-Powered-By", "X-AspNet-Version", "Arr-Disable-Session-Affinity", "Alt-Svc",
			"Access-Control-Allow-Origin", "Proxy-Status", "Strict-Transport-Security", "X-Request-Id", "X-Quota-Source",
			"Authorization", "Www-Authenticate", "Proxy-Authenticate", "Authentication-Info", "Proxy-Authentication-Info",
		} {
			w.Header().Set(name, "upstream")
		}
		w.Header().Set("Etag", `"5"`)
		w.Header()["X-Odd"] = []string{"a", "b"}
		w.Header().Set("X-Ratelimit-Limit", "1000")
		w.Header().Set("Retry-After", "7")
		w.Header().Set("Via", "1.1 arr")
		w.Header().Set("Date", "Mon, 01 Jan 2024 00:00:00 GMT")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, "rate limit exceeded")
	}))
	t.Cleanup(up.Close)
	base := http.Header{
		"Etag": {`"5"`}, "X-Odd": {"a", "b"}, "X-Ratelimit-Limit": {"1000"}, "Retry-After": {"7"},
		"Date": {"Mon, 01 Jan 2024 00:00:00 GMT"}, "Content-Length": {"19"}, "Content-Type": {"text/plain; charset=utf-8"},
		"Cache-Status": {"iqgateway; fwd=bypass"}, "X-Quota-Source": {"upstream"},
	}
	for mode, via := range map[proxy.HeaderMode][]string{
		proxy.HeadersMinimal: {"1.1 arr"}, proxy.HeadersStandard: {"1.1 arr", "1.1 iqgateway"}, proxy.HeadersDebug: {"1.1 arr", "1.1 iqgateway"},
	} {
		g := newGate(t, up.URL, func(g *gate) { g.Mode = mode })
		res, body := g.do(t, http.MethodGet, "/svc/x", nil, nil)
		timing := res.Header.Get("Server-Timing")
		res.Header.Del("Server-Timing")
		want := base.Clone()
		want["Via"] = via
		if diff := cmp.Diff(want, res.Header); diff != "" {
			t.Errorf("mode %d (-want +got):\n%s", mode, diff)
		}
		if body != "rate limit exceeded" {
			t.Errorf("the body became %q", body)
		}
		hasTiming := strings.HasPrefix(timing, "token;dur=0.0, upstream;dur=")
		if hasTiming != (mode != proxy.HeadersMinimal) {
			t.Errorf("mode %d has Server-Timing %q", mode, timing)
		}
		if debug := strings.HasSuffix(timing, `attempts;desc="1"`); debug != (mode == proxy.HeadersDebug) {
			t.Errorf("mode %d has Server-Timing %q", mode, timing)
		}
	}
}

// 401 is only ever about the caller's own credentials.
func TestRefusedCredentialNeverReachesTheCaller(t *testing.T) {
	up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="upstream"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "invalid token CAN_AT")
	}))
	t.Cleanup(up.Close)
	for authentication, want := range map[string]int{"bearer": 502, "anonymous": 502, "none": 401} {
		g := newGate(t, up.URL, func(g *gate) { g.Target.Authentication = authentication })
		res, body := g.do(t, http.MethodPost, "/svc/x", nil, nil)
		if res.StatusCode != want {
			t.Errorf("%s: status %d, want %d", authentication, res.StatusCode, want)
		}
		if want == http.StatusUnauthorized {
			if res.Header.Get("Www-Authenticate") != `Basic realm="upstream"` {
				t.Errorf("%s: the challenge is lost: %v", authentication, res.Header)
			}
			continue
		}
		if strings.Contains(body, "CAN_AT") || res.Header.Get("Www-Authenticate") != "" ||
			!strings.Contains(body, string(exchange.UpstreamCredentialRejected)) || !strings.Contains(body, `"outcome":"not_executed"`) {
			t.Errorf("%s: %v\n%s", authentication, res.Header, body)
		}
	}
}
