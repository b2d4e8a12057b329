package proxy_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

// patience bounds every wait of these tests; none of them waits that long when
// it passes.
const patience = 10 * time.Second

// bearer authorizes attempts with a fixed token.
type bearer string

func (b bearer) Authorize(h http.Header) { h.Set("Authorization", "Bearer "+string(b)) }

// gate is a server with the forward and attempt stages behind a minimal
// router: /svc/… goes to the upstream.
type gate struct {
	*httptest.Server
	Target   exchange.Target
	Token    string
	Service  proxy.ServiceOptions
	Settings proxy.TransportSettings
	// Transports hold the pool of the upstream.
	Transports *proxy.Transports
	Locations  *proxy.Locations
	Mode       proxy.HeaderMode
	HTTP2      bool
	Form       exchange.Form
	// Write overrides what the harness takes as an unsafe request.
	Write func(*http.Request) bool
	// Sessions are those of the upstream, for which /session is then answered.
	Sessions *proxy.Sessions
	// Tokens are those of the credentials that X-Credential may name; a 401 has
	// the request sent once more.
	Tokens map[string]string
	// Limits are the timeouts of the server.
	Limits proxy.ServerOptions
	// Wrap puts stages in front of the gate; nil puts none.
	Wrap func(http.Handler) http.Handler

	// Between stands between the forward and the attempt stage; nil passes.
	Between func(*http.Request, http.RoundTripper) (*http.Response, error)
	// Spy sees the errors of attempts.
	Spy func(context.Context, error)

	prepare   sync.Once // the client
	exchanges chan *exchange.Exchange
	attempts  chan proxy.AttemptInfo
}

// newGate starts a gate in front of origin. change may alter it before.
func newGate(t *testing.T, origin string, change func(*gate)) *gate {
	t.Helper()
	upstream, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{
		Target: exchange.Target{
			Environment: "sandbox", Service: "crm", Upstream: upstream, Prefix: "/svc",
			Route: "/sandbox/crm/**", Authentication: "bearer",
		},
		Token:     "CAN_AT",
		exchanges: make(chan *exchange.Exchange, 1000),
		attempts:  make(chan proxy.AttemptInfo, 1000),
	}
	g.Settings.Connect = patience
	if change != nil {
		change(g)
	}
	g.Transports = proxy.NewTransports()
	pool := openPoolOf(t, g.Transports, origin, g.Settings)
	g.Service.Pool = pool
	handler := g.handler(t)
	if g.Wrap != nil {
		handler = g.Wrap(handler)
	}
	g.Server = httptest.NewUnstartedServer(handler)
	if g.Limits.Handler = handler; g.Limits.IdleTimeout != 0 {
		g.Limits.Logger = slog.New(slog.DiscardHandler)
		g.Config = proxy.NewServer(g.Limits)
		g.Config.Protocols = nil // httptest's choice
	}
	if g.HTTP2 {
		g.EnableHTTP2 = true
		g.StartTLS()
	} else {
		g.Start()
	}
	t.Cleanup(g.Close)
	return g
}

func openPool(t *testing.T, origin string, settings proxy.TransportSettings) *proxy.Pool {
	t.Helper()
	return openPoolOf(t, proxy.NewTransports(), origin, settings)
}

func openPoolOf(t *testing.T, transports *proxy.Transports, origin string, settings proxy.TransportSettings) *proxy.Pool {
	t.Helper()
	u, err := url.Parse(origin)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := transports.Open(proxy.PoolKey{Environment: "sandbox", Origin: u.Scheme + "://" + u.Host}, settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

func (g *gate) handler(t *testing.T) http.Handler {
	t.Helper()
	service, err := proxy.NewService(g.Service)
	if err != nil {
		t.Fatal(err)
	}
	services := proxy.Services{{Environment: "sandbox", Service: "crm"}: service}
	errors := proxy.NewErrors(proxy.ErrorsOptions{})
	attempt := proxy.NewAttempt(proxy.AttemptOptions{
		Services: services, Sessions: g.Sessions,
		Hooks: proxy.AttemptHooks{Done: func(_ context.Context, i proxy.AttemptInfo) { g.attempts <- i }},
	})
	outbound := tripper(func(r *http.Request) (*http.Response, error) {
		res, err := g.authorize(attempt, r)
		if err != nil && g.Spy != nil {
			g.Spy(r.Context(), err)
		}
		return res, err
	})
	forward := proxy.NewForward(proxy.ForwardOptions{
		Transport: g.between(outbound), Services: services, Errors: errors, Locations: g.Locations, Headers: g.Mode,
	})
	forward = proxy.NewSession(proxy.SessionOptions{Transport: outbound, Services: services, Sessions: g.Sessions, Locations: g.Locations, Errors: errors})(forward)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := &exchange.Exchange{ID: "r1-test", Target: g.route(r), Credential: "retail", Form: g.Form}
		if name := r.Header.Get("X-Credential"); name != "" {
			ex.Credential = name
		}
		ctx := exchange.With(r.Context(), ex)
		defer func() { g.exchanges <- ex }()
		forward.ServeHTTP(w, r.WithContext(ctx))
	})
}

func (g *gate) between(next http.RoundTripper) http.RoundTripper {
	if g.Between == nil {
		return next
	}
	return tripper(func(r *http.Request) (*http.Response, error) { return g.Between(r, next) })
}

// authorize stands for the token stage.
func (g *gate) authorize(attempt http.RoundTripper, r *http.Request) (*http.Response, error) {
	token, several := g.Tokens[exchange.From(r.Context()).Credential]
	if !several {
		token = g.Token
	}
	if token == "" {
		return attempt.RoundTrip(r)
	}
	r = r.WithContext(exchange.WithAuthorizer(r.Context(), bearer(token)))
	res, err := attempt.RoundTrip(r)
	if err == nil && res.StatusCode == http.StatusUnauthorized && several {
		_ = res.Body.Close()
		return attempt.RoundTrip(r)
	}
	return res, err
}

// route is the smallest router that keeps the target byte for byte.
func (g *gate) route(r *http.Request) *exchange.Target {
	t := g.Target
	raw := strings.TrimPrefix(r.RequestURI, t.Prefix)
	t.Path, t.RawQuery, t.HasQuery = strings.Cut(raw, "?")
	t.Session = t.Session || g.Sessions != nil && strings.EqualFold(t.Path, "/session")
	t.Write = r.Method != http.MethodGet && r.Method != http.MethodHead
	if g.Write != nil {
		t.Write = g.Write(r)
	}
	return &t
}

// do sends a request built by hand and returns the answer with its body read.
func (g *gate) do(t *testing.T, method, path string, body io.Reader, header http.Header) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL+path, body)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	res, err := g.client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("reading the answer: %v", err)
	}
	return res, string(text)
}

// client follows no redirects and asks for no compression of its own.
func (g *gate) client() *http.Client {
	c := g.Client()
	g.prepare.Do(func() {
		c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
		if tr, ok := c.Transport.(*http.Transport); ok {
			tr.DisableCompression = true
		}
	})
	return c
}

// finished returns the exchange of the next request that ended.
func (g *gate) finished(t *testing.T) *exchange.Exchange {
	t.Helper()
	return receive(t, g.exchanges, "a finished exchange")
}

func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(patience):
		t.Fatalf("no %s within %v", what, patience)
		panic("unreachable")
	}
}

// raw sends bytes to the gate and returns all that comes back until it closes
// the connection, or until want is seen.
func (g *gate) raw(t *testing.T, send, want string) string {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", g.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, send); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	chunk := make([]byte, 4096)
	for want == "" || !strings.Contains(got.String(), want) {
		n, err := conn.Read(chunk)
		got.Write(chunk[:n])
		if err != nil {
			break
		}
	}
	return got.String()
}

// rawUpstream is an upstream that is no HTTP server: serve gets every
// connection with its number, from 1.
type rawUpstream struct {
	URL   string
	conns chan int // numbers of accepted connections
}

func newRawUpstream(t *testing.T, serve func(n int, c net.Conn, r *bufio.Reader)) *rawUpstream {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	u := &rawUpstream{URL: "http://" + listener.Addr().String(), conns: make(chan int, 100)}
	var all sync.WaitGroup
	t.Cleanup(all.Wait)
	t.Cleanup(func() { _ = listener.Close() })
	all.Go(func() {
		for n := 1; ; n++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			select {
			case u.conns <- n:
			default: // nobody counts them
			}
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				_ = conn.SetDeadline(time.Now().Add(2 * patience))
				serve(n, conn, bufio.NewReader(conn))
			})
		}
	})
	return u
}

// readHead reads a request up to the end of its header, "" when there is none.
func readHead(r *bufio.Reader) string {
	var head strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return ""
		}
		head.WriteString(line)
		if line == "\r\n" {
			return head.String()
		}
	}
}

// certificatePEM is the certificate of a TLS test server, as a root.
func certificatePEM(s *httptest.Server) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
}

// trusting trusts these roots alone; the system's for "".
func trusting(t *testing.T, roots string) *proxy.Trust {
	t.Helper()
	trust, err := proxy.NewTrust(proxy.TrustPEM{Roots: roots})
	if err != nil {
		t.Fatal(err)
	}
	return trust
}
