package tokencache

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"iqgateway/internal/exchange"
)

// A 401 means that a write was not executed, so its fate is that of its replay:
// neither better nor worse.
func TestFateOfAWriteIsThatOfItsReplay(t *testing.T) {
	failed := func(o exchange.Outcome) error {
		p := exchange.Refuse(exchange.UpstreamUnreachable, "the upstream is gone")
		p.Outcome = o
		return p
	}
	for name, c := range map[string]struct {
		first, second error // nil = 401
		want          exchange.Outcome
	}{
		"lost at once":             {first: failed(exchange.OutcomeUnknown), want: exchange.OutcomeUnknown},
		"not sent at all":          {first: failed(exchange.NotExecuted), want: exchange.NotExecuted},
		"replay lost":              {second: failed(exchange.OutcomeUnknown), want: exchange.OutcomeUnknown},
		"replay not sent":          {second: failed(exchange.NotExecuted), want: exchange.NotExecuted},
		"replay refused a token":   {want: exchange.NotExecuted},
		"body too large to repeat": {first: errors.New("long"), want: exchange.NotExecuted},
	} {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			next := tripper(func(r *http.Request) (*http.Response, error) {
				written(r.Context())
				_, _ = io.Copy(io.Discard, r.Body)
				_ = r.Body.Close()
				attempts++
				err := c.first
				if attempts > 1 {
					err = c.second
				}
				if _, known := errors.AsType[*exchange.Problem](err); known {
					return nil, err
				}
				return response(r, http.StatusUnauthorized, ""), nil
			})
			source := "abc"
			if c.first != nil && c.first.Error() == "long" {
				source = strings.Repeat("x", 100)
			}
			staged(t, Options{}, next, &idp{}, func(t *testing.T, send sender, s *Set) {
				acceptCurrent(t, s)
				_, _, err := send(text(source), nil)
				p, ok := errors.AsType[*exchange.Problem](err)
				if !ok || p.Outcome != c.want {
					t.Errorf("%v after %d attempts, want outcome %q", err, attempts, c.want)
				}
			})
		})
	}
}

// Where the request can tell its body again, no second copy of it is kept: that
// of the stage above may be longer than this one's.
func TestReplayTakesTheBodyOfTheRequest(t *testing.T) {
	long := strings.Repeat("x", 1000)
	for name, c := range map[string]struct {
		failed error
		want   int
	}{"it can": {nil, 2}, "it no longer can": {errors.New("gone"), 1}} {
		t.Run(name, func(t *testing.T) {
			api := &upstream{status: statuses(401, 200)}
			inBubble(t, Options{}, &idp{}, nil, func(t *testing.T, _ *entry, s *Set) {
				acceptCurrent(t, s)
				req, err := http.NewRequestWithContext(exchange.With(t.Context(), &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
					Environment: "production", Service: "crm", Authentication: "bearer",
				}}), http.MethodPost, "https://crm.example/v1/x", text(long))
				if err != nil {
					t.Fatal(err)
				}
				req.GetBody = func() (io.ReadCloser, error) { return text(long), c.failed }
				_, err = s.Stage(StageOptions{ReplayBuffer: 1})(api).RoundTrip(req)
				if (err != nil) != (c.failed != nil) || len(api.bodies) != c.want {
					t.Errorf("%v after %d attempts", err, len(api.bodies))
				}
				for i, got := range api.bodies {
					if got != long {
						t.Errorf("attempt %d carried %d bytes", i+1, len(got))
					}
				}
			})
		})
	}
}
