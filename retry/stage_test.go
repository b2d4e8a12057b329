package retry

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// What is repeated, and what ends it: the policy, case by case.
func TestWhatIsRepeated(t *testing.T) {
	reading := ask{method: http.MethodPost, path: "/v1/Bulk", body: "[1]"}
	effect := ask{method: http.MethodGet, path: "/Import/x", write: true}
	other := ask{method: http.MethodPost, path: "/v1/lists(7f)", write: true, body: "abc"}
	long := ask{method: http.MethodPut, path: "/v1/lists(7f)", write: true, body: string(make([]byte, defaultBuffer+1))}
	for name, c := range map[string]struct {
		ask    ask
		steps  []step
		made   int
		status int // 0 = an error
		fate   exchange.Outcome
		result Result
	}{
		"nothing to repeat":                     {ask: get(), steps: []step{status(200)}, made: 1, status: 200},
		"client error":                          {ask: get(), steps: []step{status(404)}, made: 1, status: 404},
		"500 is none of the statuses":           {ask: get(), steps: []step{status(500)}, made: 1, status: 500},
		"429 is the quota's":                    {ask: get(), steps: []step{status(429)}, made: 1, status: 429},
		"GET and 503":                           {ask: get(), steps: []step{status(503), status(200)}, made: 2, status: 200, result: ResultAnswered},
		"GET and 503 for ever":                  {ask: get(), steps: []step{status(503)}, made: 3, status: 503, result: ResultAttempts},
		"GET, 503 and then lost":                {ask: get(), steps: []step{status(503), failing(lost), status(404)}, made: 3, status: 404, result: ResultAnswered},
		"GET lost for ever":                     {ask: get(), steps: []step{failing(lost)}, made: 3, result: ResultAttempts},
		"GET lost, then the breaker opens":      {ask: get(), steps: []step{failing(lost), failing(breaker)}, made: 2, fate: exchange.NotExecuted, result: ResultFailed},
		"refused by the gateway":                {ask: get(), steps: []step{failing(breaker)}, made: 1, fate: exchange.NotExecuted},
		"write refused by the gateway":          {ask: post(), steps: []step{failing(breaker)}, made: 1, fate: exchange.NotExecuted},
		"reading POST lost":                     {ask: reading, steps: []step{failing(lost), status(200)}, made: 2, status: 200, result: ResultAnswered},
		"GET with a side effect lost":           {ask: effect, steps: []step{failing(lost)}, made: 1, fate: exchange.OutcomeUnknown, result: ResultUnsafe},
		"GET with a side effect and 503":        {ask: effect, steps: []step{status(503)}, made: 1, status: 503, result: ResultUnsafe},
		"GET with a side effect never sent":     {ask: effect, steps: []step{failing(refused), status(200)}, made: 2, status: 200, result: ResultAnswered},
		"write lost":                            {ask: post(), steps: []step{failing(lost)}, made: 1, fate: exchange.OutcomeUnknown, result: ResultUnsafe},
		"write without a body lost":             {ask: post().bare(), steps: []step{failing(lost)}, made: 1, fate: exchange.OutcomeUnknown, result: ResultUnsafe},
		"write and 503":                         {ask: post(), steps: []step{status(503)}, made: 1, status: 503, result: ResultUnsafe},
		"write never sent":                      {ask: post(), steps: []step{unread(failing(refused)), status(201)}, made: 2, status: 201, result: ResultAnswered},
		"write never sent, ever":                {ask: post(), steps: []step{unread(failing(refused))}, made: 3, fate: exchange.NotExecuted, result: ResultAttempts},
		"write never sent, then lost":           {ask: post(), steps: []step{unread(failing(refused)), failing(lost)}, made: 2, fate: exchange.OutcomeUnknown, result: ResultUnsafe},
		"write unprocessed":                     {ask: post(), steps: []step{failing(ignored), status(201)}, made: 2, status: 201, result: ResultAnswered},
		"write unprocessed, again":              {ask: post(), steps: []step{failing(ignored)}, made: 2, fate: exchange.NotExecuted, result: ResultAttempts},
		"write unprocessed, then refused":       {ask: post(), steps: []step{failing(ignored), failing(breaker)}, made: 2, fate: exchange.NotExecuted, result: ResultFailed},
		"replayable write lost":                 {ask: put(), steps: []step{failing(lost), status(200)}, made: 2, status: 200, result: ResultAnswered},
		"replayable write and 504":              {ask: put(), steps: []step{status(504), status(200)}, made: 2, status: 200, result: ResultAnswered},
		"replayable write lost for ever":        {ask: put(), steps: []step{failing(lost)}, made: 3, fate: exchange.OutcomeUnknown, result: ResultAttempts},
		"another method on a replayable path":   {ask: other, steps: []step{failing(lost)}, made: 1, fate: exchange.OutcomeUnknown, result: ResultUnsafe},
		"replayable write whose body is gone":   {ask: long, steps: []step{failing(lost)}, made: 1, fate: exchange.OutcomeUnknown, result: ResultBody},
		"long write whose body was not touched": {ask: long, steps: []step{unread(failing(refused)), status(200)}, made: 2, status: 200, result: ResultAnswered},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &below{do: in(c.steps...)}
				code, ex, err := c.ask.send(t, staged(t, Options{}, defaults(), next))
				if next.attempts != c.made || code != c.status || (err != nil) != (c.status == 0) {
					t.Errorf("%d attempts, status %d, %v; want %d, %d", next.attempts, code, err, c.made, c.status)
				}
				if err != nil && outcomeOf(err) != c.fate {
					t.Errorf("outcome %q, want %q", outcomeOf(err), c.fate)
				}
				if ex.Retries != c.made-1 || ex.RetryResult != string(c.result) {
					t.Errorf("%d retries, result %q, want %q", ex.Retries, ex.RetryResult, c.result)
				}
				for i, body := range next.bodies {
					if body != c.ask.body {
						t.Errorf("body %d of %d bytes, want %d", i, len(body), len(c.ask.body))
					}
				}
			})
		})
	}
}

// MaxAttempts bounds what the upstream sees, whoever repeats it: what the stages
// below have sent counts, and they are told how much they may.
func TestAttemptsOfOthersCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		made := 0
		next := tripper(func(r *http.Request) (*http.Response, error) {
			made++
			ex := exchange.From(r.Context())
			if ex.Attempts++; ex.MayRepeat() {
				ex.Attempts++
			}
			return nil, lost(false)
		})
		req, ex := get().request(t)
		ex.Attempts = 7 // of a session call, say
		if _, err := staged(t, Options{}, defaults(), next).RoundTrip(req); err == nil || made != 2 || ex.Attempts != 10 {
			t.Errorf("%v after %d rounds, %d attempts", err, made, ex.Attempts)
		}
	})
}

// Where nothing is repeated, what was refused unexecuted may be, once.
func TestLeastAttemptsOfOthers(t *testing.T) {
	for attempts, want := range map[int]int{1: 2, 2: 2, 3: 3} {
		s := defaults()
		s.MaxAttempts = attempts
		req, ex := get().request(t)
		next := &below{do: always(status(200))}
		resp, err := staged(t, Options{}, s, next).RoundTrip(req)
		if err != nil || ex.MaxAttempts != want || !ex.MayRepeat() {
			t.Errorf("%d: %v, at most %d attempts, want %d", attempts, err, ex.MaxAttempts, want)
			continue
		}
		_ = resp.Body.Close()
	}
}

type tripper func(*http.Request) (*http.Response, error)

func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Requests that the stage has no settings for, or none that repeat, pass.
func TestStagePasses(t *testing.T) {
	never := defaults()
	never.MaxAttempts = 1
	for name, c := range map[string]struct {
		settings Settings
		change   func(*exchange.Exchange)
	}{
		"one attempt":     {never, func(*exchange.Exchange) {}},
		"unknown service": {defaults(), func(ex *exchange.Exchange) { ex.Target.Service = "pricing" }},
		"not routed":      {defaults(), func(ex *exchange.Exchange) { ex.Target = nil }},
	} {
		t.Run(name, func(t *testing.T) {
			req, ex := get().request(t)
			c.change(ex)
			want := errors.New("as it is")
			var got *http.Request
			_, err := staged(t, Options{}, c.settings, tripper(func(r *http.Request) (*http.Response, error) {
				got = r
				return nil, want
			})).RoundTrip(req)
			if err != want || got != req || ex.RetryResult != "" { //nolint:errorlint // the very same
				t.Error(err)
			}
		})
	}
}

func TestClientMistakesAreNotRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := defaults()
		s.Statuses = append(s.Statuses, 500)
		s.Mistake = func(target *exchange.Target, status int) bool {
			return status == http.StatusInternalServerError && target.Path == get().path
		}
		next := &below{do: always(status(500))}
		stage := staged(t, Options{}, s, next)
		if code, ex, err := get().send(t, stage); err != nil || code != 500 || next.attempts != 1 || ex.RetryResult != "" {
			t.Errorf("mistake: %d, %v after %d attempts, %q", code, err, next.attempts, ex.RetryResult)
		}
		other := get()
		other.path = "/v1/other"
		if code, _, err := other.send(t, stage); err != nil || code != 500 || next.attempts != 4 {
			t.Errorf("failure: %d, %v after %d attempts", code, err, next.attempts)
		}
	})
}

func TestHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		o := Options{Random: func() float64 { return 0.5 }, Hooks: Hooks{
			Repeated: func(i RepeatInfo) { seen = append(seen, string(i.Reason)+" "+i.Wait.String()+" "+i.Key.Service) },
			Stopped:  func(k Key, r Result) { seen = append(seen, string(r)+" "+k.Environment) },
		}}
		next := &below{do: in(unread(failing(refused)), failing(ignored), after(503, "1"), status(200))}
		s := defaults()
		s.MaxAttempts = 9
		stage := staged(t, o, s, next)
		start := time.Now()
		if _, _, err := put().send(t, stage); err != nil {
			t.Fatal(err)
		}
		_, _, _ = get().send(t, stage)
		want := []string{"connect 50ms crm", "unprocessed 100ms crm", "status 1.2s crm", "answered production"}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		if waited := time.Since(start); waited != 1350*time.Millisecond {
			t.Errorf("waited %s", waited)
		}
	})
}
