package auth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"iqgateway/internal/exchange"
	"iqgateway/internal/pathpattern"
)

// noon is "now" in all tests.
func noon() time.Time { return time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC) }

func basic(user, key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+key))
}

// refusals keeps the problems that stages answer with.
type refusals struct{ problems []*exchange.Problem }

func (f *refusals) refuse(w http.ResponseWriter, _ *http.Request, err error) {
	problem, _ := errors.AsType[*exchange.Problem](err)
	f.problems = append(f.problems, problem)
	w.WriteHeader(problem.Status())
}

// serve sends r with ex through a stage and returns what the next stage saw,
// nil when it was not reached.
func serve(stage func(http.Handler) http.Handler, r *http.Request, ex *exchange.Exchange) (seen *http.Request, answer *httptest.ResponseRecorder) {
	answer = httptest.NewRecorder()
	next := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })
	stage(next).ServeHTTP(answer, r.WithContext(exchange.With(r.Context(), ex)))
	return seen, answer
}

func pattern(t testing.TB, text string) pathpattern.Pattern {
	t.Helper()
	p, err := pathpattern.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}
