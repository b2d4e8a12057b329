package bulkhead

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"iqgateway/internal/exchange"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var crm = Key{Environment: "sandbox", Service: "crm"}

// tripper is a func as the network.
type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// answering answers every request with a body that the test ends.
func answering(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("body")), Request: r}, nil
}

// use returns the slots of one upstream.
func use(t testing.TB, u *Upstreams, limit int) *Set {
	t.Helper()
	set, err := u.Use([]Upstream{{Key: crm, Origin: "https://crm.example.com", MaxInFlight: limit}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// request is one for crm; edit may change its exchange.
func request(ctx context.Context, edit ...func(*exchange.Exchange)) *http.Request {
	ex := &exchange.Exchange{Target: &exchange.Target{Environment: crm.Environment, Service: crm.Service}}
	for _, e := range edit {
		e(ex)
	}
	return httptest.NewRequestWithContext(exchange.With(ctx, ex), http.MethodGet, "https://crm.example.com/v1", nil)
}

// trip sends one request and fails the test on an error.
func trip(t testing.TB, stage http.RoundTripper, r *http.Request) *http.Response {
	t.Helper()
	res, err := stage.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// wantBusy fails the test unless err is the refusal of the stage.
func wantBusy(t testing.TB, err error, why string) {
	t.Helper()
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok || p.Type != exchange.UpstreamBusy || p.RetryAfter != time.Second || p.Outcome != exchange.NotExecuted {
		t.Fatalf("%+v, want upstream busy", err)
	}
	if !strings.Contains(p.Detail, why) {
		t.Errorf("detail %q does not say %q", p.Detail, why)
	}
}

func wantState(t testing.TB, u *Upstreams, want UpstreamState) {
	t.Helper()
	list := u.List()
	if len(list) != 1 || list[0] != want {
		t.Errorf("state %+v, want %+v", list, want)
	}
}

// calls is a handler behind an inbound stage.
type calls struct {
	handler http.Handler
	refused []error
}

func newCalls(stage func(func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler) *calls {
	c := &calls{}
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		c.refused = append(c.refused, err)
		w.WriteHeader(http.StatusTeapot)
	}
	c.handler = stage(refuse)(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return c
}

// call serves one request.
func (c *calls) call(t testing.TB) int {
	t.Helper()
	ctx, _ := exchange.Begin(t.Context())
	w := httptest.NewRecorder()
	c.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	return w.Code
}

type exchangeOf = exchange.Exchange

// hurried is a request that must not wait.
func hurried(t testing.TB) *http.Request {
	t.Helper()
	return request(t.Context(), func(ex *exchange.Exchange) { ex.NoWait = true })
}
