package proxy_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/proxy"
)

func TestBodyLength(t *testing.T) {
	for name, c := range map[string]struct {
		limit, length int64
		refused       bool
	}{
		"below":        {10, 9, false},
		"at":           {10, 10, false},
		"above":        {10, 11, true},
		"far above":    {10, 1 << 30, true},
		"not said":     {10, -1, false},
		"no limit":     {0, 1 << 30, false},
		"without body": {10, 0, false},
	} {
		var problem *exchange.Problem
		reached := false
		stage := proxy.BodyLength(c.limit, func(_ http.ResponseWriter, _ *http.Request, err error) {
			problem, _ = errors.AsType[*exchange.Problem](err)
		})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
		r := httptest.NewRequest(http.MethodPost, "/crm/v1/x", http.NoBody)
		r.ContentLength = c.length
		stage.ServeHTTP(httptest.NewRecorder(), r)
		if reached == c.refused || c.refused != (problem != nil) {
			t.Errorf("%s: reached %t, %v", name, reached, problem)
		}
		if c.refused && (problem.Type != exchange.BodyTooLarge || problem.Outcome != exchange.NotExecuted) {
			t.Errorf("%s: %+v", name, problem)
		}
	}
}
