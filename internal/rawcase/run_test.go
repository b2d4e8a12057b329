package rawcase_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/rawcase"
)

// notes collects failures instead of failing.
type notes struct {
	testing.TB

	text strings.Builder
}

// Errorf implements testing.TB.
func (n *notes) Errorf(format string, args ...any) { fmt.Fprintf(&n.text, format+"\n", args...) }

// Error implements testing.TB.
func (n *notes) Error(args ...any) { fmt.Fprintln(&n.text, args...) }

// Fatalf implements testing.TB.
func (n *notes) Fatalf(format string, args ...any) {
	n.Errorf(format, args...)
	runtime.Goexit()
}

// Helper implements testing.TB.
func (*notes) Helper() {}

// failures runs a case and returns what it complains about.
func failures(t *testing.T, text string, target rawcase.Target) string {
	t.Helper()
	cases, err := rawcase.Parse("t", text)
	if err != nil {
		t.Fatal(err)
	}
	n := &notes{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		rawcase.Run(n, cases[0], target)
	}()
	<-done
	return n.text.String()
}

// naive is a proxy with every defect that a path asks for.
func naive(t *testing.T, upstream *rawcase.Upstream) *httptest.Server {
	t.Helper()
	ask := func(lines ...string) string {
		c, err := net.Dial("tcp", upstream.Addr())
		if err != nil {
			return err.Error()
		}
		defer c.Close()
		fmt.Fprint(c, strings.Join(lines, "\r\n")+"\r\n\r\n")
		_ = c.(*net.TCPConn).CloseWrite()
		body, err := io.ReadAll(c)
		if err != nil {
			return err.Error()
		}
		return string(body)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target := "GET " + r.RequestURI + " HTTP/1.1"
		switch r.URL.Path {
		case "/good":
			fmt.Fprint(w, ask(target, "Host: up", "Authorization: T"))
		case "/two":
			fmt.Fprint(w, ask(target, "Host: up", "Authorization: T", "authorization: X"))
		case "/host":
			fmt.Fprint(w, ask(target, "Host: evil", "Authorization: T"))
		case "/leak":
			fmt.Fprint(w, ask(target, "Host: up", "Authorization: T", "X-Api-Key: "+r.Header.Get("X-Api-Key")))
		case "/half":
			fmt.Fprint(w, ask("POST /half HTTP/1.1", "Host: up", "Authorization: T", "Content-Length: 5"))
		case "/other":
			fmt.Fprint(w, "echo of another question")
		case "/bye":
			w.Header().Set("Connection", "close")
		}
	}))
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func setup(t *testing.T) rawcase.Target {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	up := rawcase.ServeUpstream(l)
	t.Cleanup(up.Close)
	s := naive(t, up)
	config := s.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	config.ServerName = "example.com"
	return rawcase.Target{
		Addr: s.Listener.Addr().String(), TLS: config, Upstream: up, Authorization: "T",
		UpstreamHosts: []string{"up"}, Secrets: []string{"secretkey"},
		Vars: map[string]string{"host": "example.com", "key": "secretkey", "probe": "/good"},
	}
}

func ask(path, expect string) string {
	return "case a\nsend\n  GET " + path + `?n=${nonce} HTTP/1.1\r\nHost: ${host}\r\nX-Api-Key: ${key}\r\n\r\n` + "\n" + expect
}

// Every expectation must be able to fail, and hold where it should.
func TestRunReports(t *testing.T) {
	target := setup(t)
	tests := []struct{ name, text, want string }{
		{"good", ask("/good", "status 200\nopen\nupstream_requests 2\nupstream_complete 2\ncontains echo\nabsent xyz\nupstream_contains Host: up\nupstream_absent secretkey"), ""},
		{"status", ask("/good", "status 400|none"), "200, want 400 or none"},
		{"missing answer", ask("/bye", "status 200\nstatus 200"), "none, want 200"},
		{"close", ask("/bye", "status 200\nclose"), ""},
		{"open", ask("/bye", "status 200\nopen"), "none, want 200"},
		{"contains", ask("/good", "status 200\ncontains xyz"), `the answer lacks "xyz"`},
		{"absent", ask("/good", "status 200\nabsent echo"), `the answer has "echo"`},
		{"upstream requests", ask("/good", "status 200\nupstream_requests 0"), "saw 1 requests, want 0"},
		{"upstream target", ask("/good", "status 200\nupstream_target GET /x HTTP/1.1"), "want\n"},
		{"upstream contains", ask("/good", "status 200\nupstream_contains xyz"), `lacks "xyz"`},
		{"upstream absent", ask("/good", "status 200\nupstream_absent Host"), `has "Host"`},
		{"two authorizations", ask("/two", "status 200"), "2 Authorization fields, want 1"},
		{"host", ask("/host", "status 200"), `Host ["evil"]`},
		{"leak", ask("/leak", "status 200"), "a caller's credential went upstream"},
		{"incomplete", ask("/half", "status 200\nupstream_complete 1"), "saw 0 complete requests, want 1"},
		{"other answer", ask("/other", "status 200"), "belongs to another question"},
		{"reply", "case a\nreply\n  HTTP/1.1 299 X\\r\\nContent-Length: 0\\r\\n\\r\\n\n" + strings.TrimPrefix(ask("/good", "status 200\nabsent 299"), "case a\n"), `has "299"`},
		{"unknown variable", "case a\nsend\n  ${nosuch}\nstatus 200", "unknown variable"},
		{"h2", "case a\nconnect h2\nsend\n  headers 1 end :method=GET :scheme=https :authority=${host} :path=/good?${nonce}\n  headers 3 end :method=GET :scheme=https :authority=${host} :path=nopath\nstatus 200\nstatus reset|400\nupstream_requests 1", ""},
		{"h2 status", "case a\nconnect h2\nsend\n  headers 1 end :method=GET :scheme=https :authority=${host} :path=/good\nstatus reset", "200, want reset"},
		{"h2 frame", "case a\nconnect h2\nsend\n  ping 1\nstatus 200", "unknown frame"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := failures(t, tt.text, target)
			if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// A server that hangs fails every case, of either protocol, and soon quickly.
func TestRunOutlivesSilence(t *testing.T) {
	target := setup(t)
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	target.Addr, target.TLS = mute.Addr().String(), nil
	rawcase.LosePatience(target.Upstream)
	since := time.Now()
	for _, text := range []string{
		ask("/good", "status none"),
		"case a\nconnect h2\nsend\n  headers 1 end :method=GET :scheme=https :authority=${host} :path=/good\nstatus reset",
	} {
		if got := failures(t, text, target); !strings.Contains(got, "no answer in time") {
			t.Errorf("got %q", got)
		}
	}
	if took := time.Since(since); took > 10*time.Second {
		t.Errorf("two cases took %v", took)
	}
}

// A connection that still waits to be read belongs to the case that made it.
func TestSettleWaitsForWhatWasSent(t *testing.T) {
	target := setup(t)
	up := target.Upstream
	c, err := net.Dial("tcp", up.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for round := range 50 {
		up.Reset()
		if round%2 == 0 {
			fmt.Fprintf(c, "GET /%d HTTP/1.1\r\nHost: up\r\n\r\n", round)
		}
		received, err := up.Settle(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if want := 1 - round%2; len(received) != want {
			t.Fatalf("round %d: %d requests, want %d", round, len(received), want)
		}
	}
}

func TestSettleGivesUp(t *testing.T) {
	up := setup(t).Upstream
	c, err := net.Dial("tcp", up.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nab")
	received, err := up.Settle(20 * time.Millisecond)
	if err == nil || len(received) > 1 {
		t.Errorf("%v, %v", received, err)
	}
}
