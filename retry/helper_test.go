package retry

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// attemptError is what an attempt returns in these tests, as the cause of a
// problem.
type attemptError struct {
	kind   Kind
	unsent bool
	kept   bool
}

func (e *attemptError) Error() string          { return "the attempt failed" }
func (e *attemptError) NothingSent() bool      { return e.unsent }
func (e *attemptError) OnKeptConnection() bool { return e.kept }

func kindOf(err error) Kind {
	if e, ok := errors.AsType[*attemptError](err); ok {
		return e.kind
	}
	return KindOther
}

// problem is an error of an attempt as the attempt stage makes them.
func problem(kind Kind, unsent, write bool) error {
	p := exchange.Refuse(exchange.UpstreamUnreachable, "no answer").Because(&attemptError{kind: kind, unsent: unsent})
	switch {
	case write && unsent:
		p.Outcome = exchange.NotExecuted
	case write:
		p.Outcome = exchange.OutcomeUnknown
	}
	return p
}

var (
	refused = func(write bool) error { return problem(KindConnect, true, write) }
	ignored = func(write bool) error { return problem(KindLost, true, write) } // REFUSED_STREAM
	lost    = func(write bool) error { return problem(KindLost, false, write) }
	breaker = func(bool) error { // a refusal of the gateway's own
		p := exchange.Refuse(exchange.BreakerOpen, "crm: the breaker is open. Nothing was sent.")
		p.Outcome = exchange.NotExecuted
		return p
	}
)

// step is what the stages below do with one attempt.
type step struct {
	status int
	header http.Header
	fail   func(write bool) error
	body   io.ReadCloser // of the answer
	unread bool          // nothing of the request's body is read
}

func status(code int) step                  { return step{status: code} }
func failing(f func(write bool) error) step { return step{fail: f} }
func unread(s step) step                    { s.unread = true; return s }
func after(code int, retryAfter string) step {
	return step{status: code, header: http.Header{"Retry-After": {retryAfter}}}
}
func always(s step) func(int) step { return func(int) step { return s } }
func in(steps ...step) func(attempt int) step {
	return func(n int) step { return steps[min(n, len(steps))-1] }
}

// below stands for all stages below the retry stage.
type below struct {
	do func(attempt int) step

	mu       sync.Mutex
	attempts int
	bodies   []string
}

func (b *below) RoundTrip(req *http.Request) (*http.Response, error) {
	ex := exchange.From(req.Context())
	b.mu.Lock()
	b.attempts++
	s := b.do(b.attempts)
	b.mu.Unlock()
	if req.Body != nil {
		if !s.unread {
			got, err := io.ReadAll(req.Body)
			b.mu.Lock()
			b.bodies = append(b.bodies, string(got))
			b.mu.Unlock()
			if err != nil {
				return nil, err
			}
		}
		_ = req.Body.Close()
	}
	ex.Attempts++
	if s.fail != nil {
		return nil, s.fail(ex.Target.Write)
	}
	if s.body == nil {
		s.body = io.NopCloser(strings.NewReader("answer"))
	}
	if s.header == nil {
		s.header = http.Header{}
	}
	return &http.Response{StatusCode: s.status, Header: s.header, Body: s.body, Request: req}, nil
}

func defaults() Settings {
	return Settings{
		MaxAttempts: 3, Budget: 10, Statuses: []int{502, 503, 504},
		Replayable: []ReplayableWrite{{Path: pathpattern.MustParse("/v1/lists({list})"), Method: http.MethodPut}},
	}
}

var crm = Key{"production", "crm"}

// staged returns the retry stage above next.
func staged(t testing.TB, o Options, s Settings, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	set, err := New(o).Use([]Upstream{{Key: crm, Settings: s}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(set.Release)
	return set.Stage(StageOptions{Kind: kindOf})(next)
}

// ask is a request as it comes from the stages above.
type ask struct {
	method, path string
	write        bool
	body         string // "" = none
}

func get() ask  { return ask{method: http.MethodGet, path: "/v1/Companies(1)"} }
func post() ask { return ask{method: http.MethodPost, path: "/v1/Orders", write: true, body: "abc"} }

func put() ask          { return ask{method: http.MethodPut, path: "/v1/lists(7f)", write: true, body: "abc"} }
func (a ask) bare() ask { a.body = ""; return a }

func (a ask) request(t testing.TB) (*http.Request, *exchange.Exchange) {
	t.Helper()
	target := &exchange.Target{
		Environment: crm.Environment, Service: crm.Service, Path: a.path, Write: a.write,
		Upstream: &url.URL{Scheme: "https", Host: "crm.example"},
	}
	ctx, ex := exchange.Begin(t.Context())
	ex.SetTarget(*target)
	var body io.Reader
	if a.body != "" {
		body = io.NopCloser(strings.NewReader(a.body)) // as a caller's: it streams
	}
	req, err := http.NewRequestWithContext(ctx, a.method, "https://crm.example"+a.path, body)
	if err != nil {
		t.Fatal(err)
	}
	return req, ex
}

// send sends it through stage and closes what comes back.
func (a ask) send(t testing.TB, stage http.RoundTripper) (int, *exchange.Exchange, error) {
	t.Helper()
	req, ex := a.request(t)
	resp, err := stage.RoundTrip(req)
	if err != nil {
		return 0, ex, err
	}
	if got, err := io.ReadAll(resp.Body); err != nil || string(got) != "answer" {
		t.Errorf("answer %q, %v", got, err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode, ex, nil
}

func outcomeOf(err error) exchange.Outcome {
	if p, ok := errors.AsType[*exchange.Problem](err); ok {
		return p.Outcome
	}
	return "no problem at all"
}
