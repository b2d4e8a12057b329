package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"iqgateway/internal/exchange"
	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
	"iqgateway/observability"
)

// A replica that cannot be asked now is no request that never was: 503, for
// callers and for operators, each of whom asks as themselves.
func TestReplicasThatCannotBeAsked(t *testing.T) {
	document := []byte(`{"request_id": "other-0000"}`)
	for name, tt := range map[string]struct {
		answer []byte
		err    error
		want   int
	}{
		"there":           {document, nil, http.StatusOK},
		"not there":       {nil, nil, http.StatusNotFound},
		"gone":            {nil, fleet.ErrNobody, http.StatusNotFound},
		"no keys":         {nil, fmt.Errorf("%w: %w", fleet.ErrStore, redisconn.ErrNoKeys), http.StatusNotFound},
		"busy":            {nil, fleet.ErrAsking, http.StatusServiceUnavailable},
		"silent":          {nil, fmt.Errorf("%w: %w", fleet.ErrNoAnswer, context.DeadlineExceeded), http.StatusServiceUnavailable},
		"Redis is silent": {nil, fmt.Errorf("%w: %w", fleet.ErrStore, errors.New("away")), http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			var askers []string
			finder := requestFinder{replica: "own", recent: observability.NewRecent(), ask: func(_ context.Context, caller, replica, _ string, _ []byte) ([]byte, error) {
				askers = append(askers, caller+"@"+replica)
				return tt.answer, tt.err
			}}
			var refused *exchange.Problem
			self := selfService{
				find: func(ctx context.Context, id, caller string) ([]byte, error) {
					return finder.find(ctx, requestQuestion{ID: id, Caller: caller})
				},
				refuse: func(w http.ResponseWriter, _ *http.Request, err error) {
					refused = err.(*exchange.Problem) //nolint:errorlint // the stage's own
					w.WriteHeader(refused.Status())
				},
			}
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathOwnRequests+"other-0000", http.NoBody)
			ctx, ex := exchange.Begin(r.Context())
			ex.Caller = &exchange.Caller{Name: "pos"}
			w := httptest.NewRecorder()
			self.request(w, r.WithContext(ctx), "other-0000")
			if w.Code != tt.want || (refused != nil && refused.RetryAfter > 0) != (tt.want == http.StatusServiceUnavailable) {
				t.Errorf("the caller gets %d, %+v", w.Code, refused)
			}
			operator := httptest.NewRecorder()
			requestAdmin{finder}.show(operator, httptest.NewRequestWithContext(t.Context(), http.MethodGet, pathRequests+"other-0000", http.NoBody))
			if operator.Code != tt.want || (operator.Header().Get("Retry-After") != "") != (tt.want == http.StatusServiceUnavailable) || !json.Valid(operator.Body.Bytes()) {
				t.Errorf("the operator gets %d %v %s", operator.Code, operator.Header(), operator.Body)
			}
			if got := fmt.Sprint(askers); got != "[pos@other @other]" {
				t.Errorf("asked as %s", got)
			}
		})
	}
}
