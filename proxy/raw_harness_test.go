package proxy_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
	"iqgateway/internal/rawcase"
	"iqgateway/proxy"
)

const (
	gatewayHost = "gw.test"
	nativeHost  = "crmdemo.iqmetrix.net"
)

// front is the whole inbound half over TLS, with the real forwarder, in front
// of a raw upstream; authentication is a stub that knows one key.
type front struct {
	Addr     string
	TLS      *tls.Config
	Upstream *rawcase.Upstream
	Key      string
	Token    string
	Log      *logBuffer
}

// frontOptions are what single tests change.
type frontOptions struct {
	Plain    bool
	Sanitize func(*proxy.SanitizeOptions)
	Server   func(*proxy.ServerOptions)
}

func newFront(t testing.TB, o frontOptions) *front {
	t.Helper()
	l := listen(t)
	f := &front{Upstream: rawcase.ServeUpstream(listen(t)), Key: rand.Text(), Token: rand.Text(), Addr: l.Addr().String(), Log: &logBuffer{}}
	t.Cleanup(f.Upstream.Close)

	serverTLS, clientTLS, same := certificates(t)
	sanitize := proxy.SanitizeOptions{Hosts: []string{gatewayHost}, SameCertificate: same}
	server := proxy.ServerOptions{TLS: serverTLS, Logger: slog.New(slog.NewTextHandler(f.Log, nil))}
	if o.Plain {
		server.TLS = nil
	} else {
		f.TLS = clientTLS
	}
	if o.Sanitize != nil {
		o.Sanitize(&sanitize)
	}
	server.Handler = f.handler(t, sanitize)
	if o.Server != nil {
		o.Server(&server)
	}
	s := proxy.NewServer(server)
	var done sync.WaitGroup
	done.Go(func() {
		if o.Plain {
			_ = s.Serve(l)
			return
		}
		_ = s.ServeTLS(l, "", "")
	})
	t.Cleanup(func() {
		_ = s.Close() // what it says is in the log
		done.Wait()
	})
	return f
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// handler is exchange -> sanitize -> authenticate -> route -> forward.
func (f *front) handler(t testing.TB, o proxy.SanitizeOptions) http.Handler {
	t.Helper()
	failures := proxy.NewErrors(proxy.ErrorsOptions{})
	router := newRouter(t, "http://"+f.Upstream.Addr(), failures.Refuse)
	o.Refuse, o.NativeHost = failures.Refuse, router.NativeHost
	chain := proxy.Sanitize(o)(f.authenticate(failures, proxy.BodyLength(o.MaxBody, o.Refuse)(router.Route(f.forward(t, failures)))))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ex := &exchange.Exchange{ID: rand.Text()}
		chain.ServeHTTP(w, r.WithContext(exchange.With(r.Context(), ex)))
	})
}

func (f *front) authenticate(failures *proxy.Errors, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-Api-Key") != f.Key {
			failures.Refuse(w, r, exchange.Refuse(exchange.CallerUnauthenticated, "no key"))
			return
		}
		r.Header = r.Header.Clone()
		r.Header.Del("X-Api-Key")
		r.Header.Del("Authorization")
		exchange.From(r.Context()).Caller = &exchange.Caller{Name: "A", Environments: []string{"native", "sandbox"}, Environment: "sandbox"}
		next.ServeHTTP(w, r)
	})
}

func (f *front) forward(t testing.TB, failures *proxy.Errors) http.Handler {
	t.Helper()
	origin := "http://" + f.Upstream.Addr()
	pool, err := proxy.NewTransports().Open(proxy.PoolKey{Environment: "sandbox", Origin: origin}, proxy.TransportSettings{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	service, err := proxy.NewService(proxy.ServiceOptions{Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	services := make(proxy.Services)
	for _, e := range environments(origin) {
		for _, s := range e.Services {
			services[proxy.ServiceName{Environment: e.Name, Service: s.Name}] = service
		}
	}
	attempt := proxy.NewAttempt(proxy.AttemptOptions{Services: services})
	return proxy.NewForward(proxy.ForwardOptions{
		Services: services, Errors: failures,
		Transport: tripper(func(r *http.Request) (*http.Response, error) {
			ctx := exchange.WithAuthorizer(r.Context(), bearer(f.Token))
			r = r.Clone(ctx)
			r.URL.Host = f.Upstream.Addr() // the native name does not resolve here
			return attempt.RoundTrip(r)
		}),
	})
}

type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (f *front) target() rawcase.Target {
	return rawcase.Target{
		Addr: f.Addr, TLS: f.TLS, Upstream: f.Upstream,
		Vars:          map[string]string{"host": gatewayHost, "native": nativeHost, "key": f.Key, "probe": "/crm/v1/probe"},
		Authorization: "Bearer " + f.Token,
		UpstreamHosts: []string{f.Upstream.Addr(), nativeHost},
		Secrets:       []string{f.Key},
	}
}

func newRouter(t testing.TB, origin string, refuse func(http.ResponseWriter, *http.Request, error)) *proxy.Router {
	t.Helper()
	r, err := proxy.NewRouter(proxy.RouterOptions{Environments: environments(origin), Refuse: refuse})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// environments: sandbox by path, native by host name.
func environments(origin string) []proxy.RouteEnvironment {
	pattern := pathpattern.MustParse
	return []proxy.RouteEnvironment{
		{Name: "sandbox", Services: []proxy.RouteService{
			{Name: "crm", Aliases: []string{"customers"}, Upstream: parseURL(origin), Routes: []pathpattern.Pattern{pattern("/v1/Companies({company})/Customers**")}},
			{Name: "catalogs", Upstream: parseURL(origin), Reads: []proxy.ReadingPost{{Path: pattern("/v1/Bulk")}}},
			{
				Name: "dataconnect", Upstream: parseURL(origin + "/dc"), Session: true,
				Denied:      []pathpattern.Pattern{pattern("/logout"), pattern("/v1/admin/**")},
				SideEffects: []proxy.SideEffect{{Path: pattern("/Import/**")}, {Parameter: "Response", Values: []string{"*.Email"}}},
			},
		}},
		{Name: "native", Services: []proxy.RouteService{{Name: "crm", Upstream: parseURL("http://" + nativeHost)}}},
	}
}

func parseURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// certificates returns a server with two certificates, a client that trusts
// them, and which names share one.
func certificates(t testing.TB) (server, client *tls.Config, same func(a, b string) bool) {
	t.Helper()
	groups := [][]string{{gatewayHost, "gw2.test"}, {nativeHost}}
	server, client = &tls.Config{MinVersion: tls.VersionTLS12}, &tls.Config{RootCAs: x509.NewCertPool(), ServerName: gatewayHost}
	for i, names := range groups {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(int64(i + 1)), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		server.Certificates = append(server.Certificates, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key})
		client.RootCAs.AddCert(leaf)
	}
	return server, client, func(a, b string) bool {
		return slices.ContainsFunc(groups, func(names []string) bool { return slices.Contains(names, a) && slices.Contains(names, b) })
	}
}

// logBuffer is a log that tests read while it is written.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
