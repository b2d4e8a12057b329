package breaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// kinded is an error that judge knows.
type kinded struct{ kind Kind }

func (k kinded) Error() string { return k.kind.String() }

func judge(err error) Kind {
	if k, ok := errors.AsType[kinded](err); ok {
		return k.kind
	}
	return NotCounted
}

// upstreamFunc is what stands below the stages.
type upstreamFunc func(*http.Request) (*http.Response, error)

func (f upstreamFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answer returns a whole answer.
func answer(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
}

func always(status int) upstreamFunc {
	return func(*http.Request) (*http.Response, error) { return answer(status, "text"), nil }
}

func failing(k Kind) upstreamFunc {
	return func(*http.Request) (*http.Response, error) { return nil, kinded{k} }
}

// replica is one process of a fleet, with an upstream that tests exchange.
type replica struct {
	*testing.T
	*Breakers
	set      *Set
	stack    http.RoundTripper
	mu       sync.Mutex
	upstream upstreamFunc
	asked    int
	log      []string
}

var errAll = Failures{Status: true, Timeout: true, Connect: true}

func key() Key { return Key{Environment: "production", Service: "crm"} }

func usual() Upstream {
	return Upstream{
		Key: key(), Origin: "https://crm.example",
		Settings: Settings{
			Failures: errAll,
			Mistakes: []Mistake{{Path: pathpattern.MustParse("/mistaken**"), Status: 500, Body: "Not Related"}},
		},
	}
}

// newReplica starts a replica; it runs until the test ends.
func newReplica(t *testing.T, name string, store Store, u Upstream) *replica {
	t.Helper()
	r := &replica{T: t, upstream: always(200)}
	r.Breakers = New(Options{Store: store, Replica: name, Hooks: Hooks{
		Transition: func(n Transition) { r.note(fmt.Sprintf("%s>%s %s", n.From, n.To, n.Reason)) },
		StoreState: func(err error) { r.note(fmt.Sprintf("store %v", err)) },
		Panicked:   func(v any, _ []byte) { r.note(fmt.Sprintf("panic %v", v)) },
	}})
	r.use(u)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); r.Breakers.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return r
}

// use makes u the configuration.
func (r *replica) use(u Upstream) {
	r.Helper()
	set, err := r.Use([]Upstream{u})
	if err != nil {
		r.Fatal(err)
	}
	if r.set != nil {
		r.set.Release()
	}
	r.set = set
	o := StageOptions{
		Judge: judge, Bucket: func(ex *exchange.Exchange) string { return ex.Target.Policy },
		TellsReset: func(resp *http.Response) bool {
			return resp.Header.Get("Retry-After") != "" || resp.Header.Get("X-RateLimit-ResetSeconds") != ""
		},
	}
	r.stack = set.Gate(o)(set.Permit(o)(upstreamFunc(func(req *http.Request) (*http.Response, error) {
		r.mu.Lock()
		f := r.upstream
		r.asked++
		r.mu.Unlock()
		return f(req)
	})))
}

func (r *replica) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.log = append(r.log, text)
}

// noted returns the notes so far and forgets them.
func (r *replica) noted() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	text := strings.Join(r.log, ", ")
	r.log = nil
	return text
}

func (r *replica) become(f upstreamFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.upstream = f
}

func (r *replica) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

func request(ctx context.Context, path string) (*http.Request, *exchange.Exchange) {
	ctx, ex := exchange.Begin(ctx)
	ex.SetTarget(exchange.Target{Environment: "production", Service: "crm", Path: path, Policy: "authenticated"})
	req := (&http.Request{Method: http.MethodGet, URL: &url.URL{Path: path}, Header: http.Header{}}).WithContext(ctx)
	return req, ex
}

// send sends one request and reads its answer to the end.
func (r *replica) send(path string) (int, error) {
	req, _ := request(r.Context(), path)
	resp, err := r.stack.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

// many sends so many requests, whatever becomes of them.
func (r *replica) many(n int, path string) {
	for range n {
		_, _ = r.send(path)
	}
}

// refuses fails unless a request is refused.
func (r *replica) refuses() {
	r.Helper()
	_ = r.refused()
}

// refused fails unless a request is refused, and returns how.
func (r *replica) refused() *exchange.Problem {
	r.Helper()
	before := r.count()
	_, err := r.send("/")
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok || p.Type != exchange.BreakerOpen || p.Outcome != exchange.NotExecuted || r.count() != before {
		r.Fatalf("not refused: %v, %d more asked", err, r.count()-before)
	}
	return p
}

// passes fails unless a request is answered.
func (r *replica) passes() {
	r.Helper()
	if _, err := r.send("/"); err != nil {
		r.Fatalf("refused or failed: %v", err)
	}
}

// is fails unless the upstream's breaker is in that state.
func (r *replica) is(want State) {
	r.Helper()
	for _, s := range r.List() {
		if s.Key == key() {
			if s.State != want {
				r.Fatalf("it is %s (%s), want %s", s.State, s.Reason, want)
			}
			return
		}
	}
	r.Fatalf("%s is not among %d breakers", key(), len(r.List()))
}

func rest(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// alone runs a test of one replica in a bubble.
func alone(t *testing.T, u Upstream, f func(r *replica)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newReplica(t, "a", nil, u)) })
}
