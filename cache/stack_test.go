package cache_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/cache"
	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// stack is the cache as it stands in the gateway: a real client, real servers
// of gateways that share an origin, httputil.ReverseProxy between the stages.
type stack struct {
	t        *testing.T
	origin   *httptest.Server
	asked    atomic.Int64 // requests that reached the origin
	last     atomic.Pointer[http.Request]
	services map[cache.ServiceName]*cache.Service
	nodes    []*node
	client   *http.Client
	passed   atomic.Int64 // nanoseconds by which the clock runs ahead
}

// node is one gateway.
type node struct {
	stack  *stack
	cache  *cache.Cache
	server *httptest.Server
	// upstream is where attempts end; it may be replaced before the first
	// request.
	upstream http.RoundTripper
	account  atomic.Pointer[string]
}

// stackOptions say what a stack is made of.
type stackOptions struct {
	service cache.Service // of sim/crm; Mode 0 = cache.ModePolicy
	rule    *cache.Rule   // nil = one for everything, ttl 1 minute; of cache.ModePolicy
	origin  http.HandlerFunc
	nodes   int // 0 = one
	options func(i int) cache.Options
	wrap    func(next http.RoundTripper) http.RoundTripper // between store and upstream
	stage   func(*cache.StageOptions)
	between func(*http.Request) // after the lookup, before all that follows
	after   func(*http.Request) // when all that has ended
}

var crm = cache.ServiceName{"sim", "crm"}

func everything() *cache.Rule {
	return &cache.Rule{Path: pathpattern.MustParse("/**"), Version: "1", TTL: time.Minute, Vary: []string{"Accept", "Accept-Language"}}
}

func newStack(t *testing.T, o stackOptions) *stack {
	t.Helper()
	s := &stack{t: t, client: &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	t.Cleanup(s.client.CloseIdleConnections)
	s.origin = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		s.last.Store(r.Clone(context.Background()))
		o.origin(w, r)
	}))
	t.Cleanup(s.origin.Close)
	service := o.service
	if service.Mode == cache.ModeNone {
		service.Mode = cache.ModePolicy
	}
	if service.MaxObject == 0 {
		service.MaxObject = 1 << 20
	}
	if service.Rules == nil && service.Mode == cache.ModePolicy {
		rule := o.rule
		if rule == nil {
			rule = everything()
		}
		service.Rules = []cache.Rule{*rule}
	}
	s.services = map[cache.ServiceName]*cache.Service{crm: &service}
	for i := range max(1, o.nodes) {
		s.add(o, i)
	}
	return s
}

// now is the nodes' clock, which [stack.pass] sets forward.
func (s *stack) now() time.Time { return time.Now().Add(time.Duration(s.passed.Load())) }

func (s *stack) pass(d time.Duration) { s.passed.Add(int64(d)) }

func (s *stack) add(o stackOptions, i int) {
	s.t.Helper()
	options := cache.Options{Memory: 64 << 20}
	if o.options != nil {
		options = o.options(i)
	}
	if options.Now == nil {
		options.Now = s.now
	}
	if a, ok := options.Tier.(*agingTier); ok {
		a.now = s.now
	}
	if options.Hooks.Panicked == nil {
		options.Hooks.Panicked = func(_ cache.ServiceName, v any, stack []byte) { s.t.Errorf("panic: %v\n%s", v, stack) }
	}
	n := &node{stack: s, cache: cache.New(options)}
	transport := &http.Transport{MaxIdleConnsPerHost: 100, DisableCompression: true}
	n.upstream = attempted{transport}
	if o.wrap != nil {
		n.upstream = o.wrap(n.upstream)
	}
	account := "account-1"
	n.account.Store(&account)
	so := cache.StageOptions{
		Services: s.services, Refuse: refuse,
		Account: func(*exchange.Exchange) (string, bool) { return *n.account.Load(), true },
		Counted: func(*exchange.Exchange) bool { return true },
		Decorate: func(h http.Header, r *http.Request, _ int) {
			h["Cache-Status"] = []string{"iqgateway; " + exchange.From(r.Context()).Cache.Status}
		},
	}
	if o.stage != nil {
		o.stage(&so)
	}
	stages := n.cache.Stages(so)
	n.server = httptest.NewServer(n.route(stages.Lookup(framed(o.between, o.after, s.forward(stages.Store(n))))))
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { n.cache.Run(ctx) })
	s.t.Cleanup(func() {
		n.server.Close()
		stop()
		running.Wait()
		n.cache.Close()
		transport.CloseIdleConnections()
	})
	s.nodes = append(s.nodes, n)
}

func framed(first, last func(*http.Request), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if first != nil {
			first(r)
		}
		if last != nil {
			defer last(r)
		}
		next.ServeHTTP(w, r)
	})
}

// RoundTrip implements [http.RoundTripper].
func (n *node) RoundTrip(r *http.Request) (*http.Response, error) { return n.upstream.RoundTrip(r) }

// route does what the stages before the lookup do.
func (n *node) route(next http.Handler) http.Handler {
	upstream, err := url.Parse(n.stack.origin.URL)
	if err != nil {
		n.stack.t.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		write := r.Method != http.MethodGet && r.Method != http.MethodHead && r.Header.Get("X-Reads") == ""
		ex := &exchange.Exchange{
			ID: "t", Start: time.Now(), Class: r.Header.Get("X-Class"), Credential: "main",
			Caller: &exchange.Caller{Name: r.Header.Get("X-Caller")},
			Target: &exchange.Target{
				Environment: crm.Environment, Service: crm.Service, Upstream: upstream,
				Path: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery, HasQuery: r.URL.ForceQuery || r.URL.RawQuery != "",
				Write: write, Authentication: "bearer", Policy: cmp.Or(r.Header.Get("X-Policy"), "authenticated"),
			},
		}
		if credential := r.Header.Get("X-Credential"); credential != "" {
			ex.Credential = credential
		}
		next.ServeHTTP(w, r.WithContext(exchange.With(r.Context(), ex)))
	})
}

// forward stands for the forward stage.
func (s *stack) forward(store http.RoundTripper) http.Handler {
	return &httputil.ReverseProxy{
		Transport: store,
		Rewrite: func(pr *httputil.ProxyRequest) {
			t := exchange.From(pr.In.Context()).Target
			pr.Out.URL.Scheme, pr.Out.URL.Host = t.Upstream.Scheme, t.Upstream.Host
			pr.Out.Header.Set("Via", "1.1 iqgateway")
			maps.DeleteFunc(pr.Out.Header, func(name string, _ []string) bool { return strings.HasPrefix(name, "X-") })
		},
		ModifyResponse: func(res *http.Response) error {
			ex := exchange.From(res.Request.Context())
			res.Header["Cache-Status"] = []string{"iqgateway; " + ex.Cache.Status}
			res.Header.Set("X-Spent", fmt.Sprint(ex.Attempts, " ", ex.UpstreamStatus)) // what is booked to the exchange
			return nil
		},
		ErrorHandler: refuse,
	}
}

// refuse renders a problem as its status and type.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, text := http.StatusBadGateway, err.Error()
	if p, ok := errors.AsType[*exchange.Problem](err); ok {
		status, text = p.Status(), string(p.Type)
		exchange.From(r.Context()).Problem = p
	}
	if line := exchange.From(r.Context()).Cache.Status; line != "" {
		w.Header().Set("Cache-Status", "iqgateway; "+line)
	}
	http.Error(w, text, status)
}

// attempted counts attempts and authorizes them, as the last stages do.
type attempted struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (a attempted) RoundTrip(r *http.Request) (*http.Response, error) {
	ex := exchange.From(r.Context())
	ex.Attempts++
	out := r.Clone(r.Context())
	out.Header.Set("Authorization", "Bearer secret-of-"+ex.Credential)
	resp, err := a.next.RoundTrip(out)
	if err != nil {
		return nil, exchange.Refuse(exchange.UpstreamUnreachable, "no answer").Because(err)
	}
	ex.UpstreamStatus = resp.StatusCode
	return resp, nil
}

// got is an answer as the client saw it.
type got struct {
	status int
	header http.Header
	body   string
	err    error // of reading the body
	cache  string
}

// ask sends one request to the first node. Header fields are "Name: value".
func (s *stack) ask(method, path string, fields ...string) got {
	s.t.Helper()
	return s.askNode(0, method, path, "", fields...)
}

func (s *stack) get(path string, fields ...string) got {
	s.t.Helper()
	return s.ask(http.MethodGet, path, fields...)
}

func (s *stack) askNode(i int, method, path, body string, fields ...string) got {
	s.t.Helper()
	return s.send(s.t.Context(), i, method, path, body, fields...)
}

func (s *stack) send(ctx context.Context, i int, method, path, body string, fields ...string) got {
	req, err := http.NewRequestWithContext(ctx, method, s.nodes[i].server.URL+path, strings.NewReader(body))
	if err != nil {
		return got{err: err}
	}
	if body == "" {
		req.Body, req.ContentLength = http.NoBody, 0
	}
	req.Header.Set("Accept-Encoding", "identity")
	for _, f := range fields {
		name, value, _ := strings.Cut(f, ": ")
		req.Header.Add(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return got{err: err}
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(resp.Body)
	g := got{status: resp.StatusCode, header: resp.Header, body: string(text), err: err}
	g.cache = strings.TrimPrefix(resp.Header.Get("Cache-Status"), "iqgateway; ")
	return g
}

// want fails unless the answer is this one: cache is how its Cache-Status
// begins.
func (g got) want(t *testing.T, status int, body, cache string) got {
	t.Helper()
	if g.err != nil || g.status != status || g.body != body || !strings.HasPrefix(g.cache, cache) {
		t.Errorf("got %d %.80q, %q, %v; want %d %.80q, %q", g.status, g.body, g.cache, g.err, status, body, cache)
	}
	return g
}

// wantAsked fails unless the origin has had so many requests so far.
func (s *stack) wantAsked(n int64) {
	s.t.Helper()
	if got := s.asked.Load(); got != n {
		s.t.Errorf("the origin was asked %d times, want %d", got, n)
	}
}

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 5 s", what)
		}
		select {
		case <-time.After(time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(what)
		}
	}
}
