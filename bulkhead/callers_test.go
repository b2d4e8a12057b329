package bulkhead

import (
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// calls is a handler whose requests end when the test says so.
type calls struct {
	handler http.Handler
	end     chan struct{}
	refused []error
}

func newCalls(stage func(func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler) *calls {
	c := &calls{end: make(chan struct{})}
	refuse := func(w http.ResponseWriter, _ *http.Request, err error) {
		c.refused = append(c.refused, err)
		w.WriteHeader(http.StatusTeapot)
	}
	c.handler = stage(refuse)(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
		<-c.end
	}))
	return c
}

// call serves one request of caller, nil for none.
func (c *calls) call(t testing.TB, caller *exchange.Caller, path string) int {
	t.Helper()
	ctx, ex := exchange.Begin(t.Context())
	ex.Caller = caller
	w := httptest.NewRecorder()
	defer func() {
		if value := recover(); value != nil && value != any(http.ErrAbortHandler) {
			panic(value)
		}
	}()
	c.handler.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
	return w.Code
}

func TestCallersMeetTheirOwnLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		callers := NewCallers(CallersOptions{Hooks: CallerHooks{Refused: func(name string) { told = append(told, name) }}})
		set := callers.Use(map[string]int{"busy": 2})
		c := newCalls(set.Stage)
		busy, other := &exchange.Caller{Name: "busy"}, &exchange.Caller{Name: "other"}
		for _, who := range []*exchange.Caller{busy, busy, other, other, other, nil} {
			go c.call(t, who, "/")
		}
		synctest.Wait()
		if code := c.call(t, busy, "/"); code != http.StatusTeapot || len(c.refused) != 1 {
			t.Fatalf("%d, %d refusals", code, len(c.refused))
		}
		p, ok := errors.AsType[*exchange.Problem](c.refused[0])
		if !ok || p.Type != exchange.CallerBusy || p.Status() != http.StatusTooManyRequests || p.RetryAfter != time.Second {
			t.Errorf("refused with %+v", c.refused[0])
		}
		if len(told) != 1 || told[0] != "busy" || !maps.Equal(callers.InFlight(), map[string]int{"busy": 2}) {
			t.Errorf("told %v, in flight %v", told, callers.InFlight())
		}
		close(c.end)
		synctest.Wait()
		for range 3 { // panics give their slots back, too
			c.call(t, busy, "/panic")
		}
		if !maps.Equal(callers.InFlight(), map[string]int{"busy": 0}) || len(c.refused) != 1 {
			t.Errorf("left: %v, %d refusals", callers.InFlight(), len(c.refused))
		}
		set.Release()
		set.Release()
		if left := callers.InFlight(); len(left) != 0 {
			t.Errorf("kept %v", left)
		}
	})
}

func TestCallersOutliveAGeneration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		callers := NewCallers(CallersOptions{})
		old := callers.Use(map[string]int{"a": 1})
		first := newCalls(old.Stage)
		go first.call(t, &exchange.Caller{Name: "a"}, "/")
		synctest.Wait()
		next := callers.Use(map[string]int{"a": 1})
		old.Release()
		second := newCalls(next.Stage)
		if code := second.call(t, &exchange.Caller{Name: "a"}, "/"); code != http.StatusTeapot {
			t.Errorf("%d: what the old generation serves does not count", code)
		}
		close(first.end)
		synctest.Wait()
		close(second.end)
		if code := second.call(t, &exchange.Caller{Name: "a"}, "/"); code != http.StatusOK {
			t.Errorf("%d after the end of the other", code)
		}
	})
}
