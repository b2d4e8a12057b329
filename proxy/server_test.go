package proxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"

	"iqgateway/proxy"
)

func serve(t *testing.T, s *http.Server, l net.Listener) {
	t.Helper()
	ended := make(chan error, 1)
	go func() {
		if s.TLSConfig == nil {
			ended <- s.Serve(l)
			return
		}
		ended <- s.ServeTLS(l, "", "")
	}()
	t.Cleanup(func() {
		_ = s.Close()
		_ = receive(t, ended, "the end of the server") // http.ErrServerClosed
	})
}

func TestServerSpeaksHTTP2OnlyOverTLS(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	proto := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Proto) })
	l := listen(t)
	serve(t, proxy.NewServer(proxy.ServerOptions{Handler: proto, TLS: serverTLS, Logger: slog.New(slog.DiscardHandler)}), l)
	for _, alpn := range []string{"h2", "http/1.1"} {
		config := clientTLS.Clone()
		config.NextProtos = []string{alpn}
		c, err := tls.Dial("tcp", l.Addr().String(), config)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.ConnectionState().NegotiatedProtocol; got != alpn {
			t.Errorf("asked for %s, got %q", alpn, got)
		}
		_ = c.Close()
	}

	plain := listen(t)
	serve(t, proxy.NewServer(proxy.ServerOptions{Handler: proto, Logger: slog.New(slog.DiscardHandler)}), plain)
	c, in := dialogue(t, plain.Addr().String())
	fmt.Fprint(c, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	if line, err := in.ReadString('\n'); err == nil && !strings.HasPrefix(line, "HTTP/1.1 ") {
		t.Errorf("HTTP/2 in the clear: %q", line)
	}
}

// REL-35: the length of a frame that never comes costs no memory.
func TestREL35ServerMakesRoomForSmallFramesOnly(t *testing.T) {
	serverTLS, clientTLS, _ := certificates(t)
	l := listen(t)
	serve(t, proxy.NewServer(proxy.ServerOptions{Handler: http.NotFoundHandler(), TLS: serverTLS, Logger: slog.New(slog.DiscardHandler)}), l)
	config := clientTLS.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", l.Addr().String(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	const allowed = 16 << 10
	fmt.Fprint(c, http2.ClientPreface)
	frames := http2.NewFramer(c, c)
	if err := frames.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	// The header of a frame of stream 1, DATA, one byte too long.
	if _, err := c.Write([]byte{0, allowed >> 8, 1, 0, 0, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := frames.ReadFrame()
		if err != nil {
			t.Fatalf("%v; want GOAWAY", err)
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if size, ok := f.Value(http2.SettingMaxFrameSize); !f.IsAck() && (!ok || size != allowed) {
				t.Fatalf("allows frames of %d bytes", size)
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeFrameSize {
				t.Errorf("ends for %s", f.ErrCode)
			}
			return
		}
	}
}

func TestServerEndsSlowHeaders(t *testing.T) {
	l := listen(t)
	s := proxy.NewServer(proxy.ServerOptions{
		Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler), ReadHeaderTimeout: 30 * time.Millisecond,
	})
	serve(t, s, l)
	c, in := dialogue(t, l.Addr().String())
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\n")
	if rest, err := io.ReadAll(in); err != nil || strings.Contains(string(rest), "404") {
		t.Errorf("%q, %v; want the end of the connection", rest, err)
	}
}

func TestServerHasNoDeadlineForWholeTransfers(t *testing.T) {
	s := proxy.NewServer(proxy.ServerOptions{Handler: http.NotFoundHandler(), Logger: slog.New(slog.DiscardHandler)})
	if s.ReadTimeout != 0 || s.WriteTimeout != 0 {
		t.Errorf("read %v, write %v: a long export would be cut", s.ReadTimeout, s.WriteTimeout)
	}
	if s.ReadHeaderTimeout == 0 || s.IdleTimeout == 0 || s.HTTP2.MaxConcurrentStreams != 100 || !s.DisableGeneralOptionsHandler {
		t.Errorf("unbounded: %+v", s)
	}
}

func TestServerLogIsOneCleanLine(t *testing.T) {
	var log logBuffer
	s := proxy.NewServer(proxy.ServerOptions{Handler: http.NotFoundHandler(), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.ErrorLog.Print("http: odd \x1b[2J \u2028 \xff {\"level\":\"error\"}\nsecond " + strings.Repeat("a", 5000))
	text := log.String()
	if strings.Count(text, "\n") != 1 || len(text) > 2500 {
		t.Errorf("%d lines, %d bytes", strings.Count(text, "\n"), len(text))
	}
	for _, bad := range []string{"\x1b", "\u2028", "\xff"} {
		if strings.Contains(text, bad) {
			t.Errorf("the log has %q", bad)
		}
	}
	if !strings.Contains(text, `\\x1b`) && !strings.Contains(text, `\\u001b`) {
		t.Errorf("the escape is lost: %.200s", text)
	}
}

func TestServerLogLevels(t *testing.T) {
	for message, level := range map[string]string{
		"http: panic serving 127.0.0.1:1: boom":                                             "ERROR",
		"http: TLS handshake error from 127.0.0.1:1: EOF":                                   "DEBUG",
		"http2: server: error reading preface from client 127.0.0.1:1: bogus greeting":      "DEBUG",
		"http2: server connection error from 127.0.0.1:1: connection error: PROTOCOL_ERROR": "DEBUG",
		"http2: server closing client connection: error reading frame from client: reset":   "DEBUG",
		"timeout waiting for SETTINGS frames from 127.0.0.1:1":                              "DEBUG",
		"http2: received GOAWAY [FrameHeader GOAWAY], starting graceful shutdown":           "DEBUG",
		"http: superfluous response.WriteHeader call from main":                             "WARN",
		"http: Accept error: accept tcp: too many open files; retrying in 5ms":              "WARN",
	} {
		var log logBuffer
		s := proxy.NewServer(proxy.ServerOptions{Handler: http.NotFoundHandler(), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		s.ErrorLog.Print(message)
		if !strings.Contains(log.String(), "level="+level) {
			t.Errorf("%s: no %s in %s", message, level, log.String())
		}
	}
}

func TestLimitConnections(t *testing.T) {
	l := listen(t)
	entered := make(chan struct{}, 2)
	release := make(chan struct{})
	serve(t, proxy.NewServer(proxy.ServerOptions{Logger: slog.New(slog.DiscardHandler), Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		entered <- struct{}{}
		<-release
	})}), proxy.LimitConnections(l, 1))

	first, _ := dialogue(t, l.Addr().String())
	second, in := dialogue(t, l.Addr().String())
	for _, c := range []net.Conn{first, second} {
		fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	}
	receive(t, entered, "the first request")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	select {
	case <-entered:
		t.Error("both connections are served")
	case <-ctx.Done():
	}
	close(release)
	receive(t, entered, "the second request")
	if _, err := http.ReadResponse(in, nil); err != nil {
		t.Errorf("the second connection: %v", err)
	}
}

// BenchmarkSanitize measures the stage alone, for a usual request.
func BenchmarkSanitize(b *testing.B) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(
		"GET /crm/v1/Companies(14146)/Customers?$filter=Name%20eq%20'x'&$top=5 HTTP/1.1\r\nHost: gw.test\r\n" +
			"X-Api-Key: k\r\nAccept: application/json\r\nUser-Agent: app/1\r\nAccept-Encoding: gzip\r\n\r\n")))
	if err != nil {
		b.Fatal(err)
	}
	h := proxy.Sanitize(proxy.SanitizeOptions{Hosts: []string{"gw.test"}, Refuse: refusal})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	w := discardResponse{header: make(http.Header)}
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

type discardResponse struct{ header http.Header }

// Header implements http.ResponseWriter.
func (d discardResponse) Header() http.Header { return d.header }

// Write implements http.ResponseWriter.
func (discardResponse) Write(p []byte) (int, error) { return len(p), nil }

// WriteHeader implements http.ResponseWriter.
func (d discardResponse) WriteHeader(status int) {
	if status >= http.StatusBadRequest {
		panic(status)
	}
}
