package tokencache

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// fetches collects what is told of fetches.
type fetches struct {
	mu  sync.Mutex
	all []FetchInfo
}

func (f *fetches) hooks() Hooks {
	return Hooks{FetchDone: func(i FetchInfo) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.all = append(f.all, i)
	}}
}

func (f *fetches) told() []FetchInfo {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.all
}

// inNewTrace is an exchange whose trace somebody has begun.
func inNewTrace(ex *exchange.Exchange) {
	ex.Start, ex.Trace = time.Now(), exchange.NewTrace()
	ex.Trace.Sampled = true
}

// TestGettingATokenIsNoted, also when it was there, and links to the fetch that was
// waited for.
func TestGettingATokenIsNoted(t *testing.T) {
	tests := map[string]struct {
		warm     bool // there is a token
		accepted bool
		endpoint func(call int) (int, string)
		status   []int // of the upstream
		results  []string
		numbers  []uint64 // generations
	}{
		"ready":       {warm: true, status: []int{200}, results: []string{"ready"}, numbers: []uint64{1}},
		"waited":      {status: []int{200}, results: []string{"waited"}, numbers: []uint64{1}},
		"failed":      {endpoint: always(500, ""), results: []string{"failed"}, numbers: []uint64{0}},
		"replaced":    {warm: true, accepted: true, status: []int{401, 200}, results: []string{"ready", "waited"}, numbers: []uint64{1, 2}},
		"not because": {warm: true, status: []int{401}, results: []string{"ready", "failed"}, numbers: []uint64{1, 0}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var log fetches
			endpoint := &idp{answer: tt.endpoint, delay: time.Second}
			staged(t, Options{Hooks: log.hooks()}, &upstream{status: statuses(tt.status...)}, endpoint, func(t *testing.T, send sender, s *Set) {
				if tt.warm {
					e, tok, _, err := s.acquire(t.Context(), testCredential(nil).id())
					if err != nil {
						t.Fatal(err)
					}
					tok.accepted.Store(tt.accepted)
					_ = e
				}
				_, ex, _ := send(http.NoBody, inNewTrace)
				checkWaits(t, ex, log.told(), tt.results, tt.numbers)
			})
		})
	}
}

func checkWaits(t *testing.T, ex *exchange.Exchange, told []FetchInfo, results []string, generations []uint64) {
	t.Helper()
	var want []exchange.Wait
	for i, result := range results {
		w := exchange.Wait{Kind: exchange.WaitToken, Result: result, Failed: result == exchange.WaitFailed, Generation: generations[i]}
		if result == exchange.WaitWaited || w.Failed && i == 0 { // it waited for the last fetch
			w.Took, w.Link = time.Second, told[len(told)-1].Exchange.Trace.Link()
		}
		want = append(want, w)
	}
	if diff := cmp.Diff(want, ex.Waits); diff != "" {
		t.Errorf("noted (-want +got):\n%s", diff)
	}
	for _, info := range told[len(told)-1:] {
		if last := ex.Waits[len(ex.Waits)-1]; !last.Link.IsZero() && info.Exchange.Link != ex.Trace.Link() {
			t.Errorf("the fetch links to %v, want %v", info.Exchange.Link, ex.Trace.Link())
		}
	}
}

// TestAFetchIsATraceOfItsOwn, which tells of the calls that it made and holds
// nothing but the endpoint's host.
func TestAFetchIsATraceOfItsOwn(t *testing.T) {
	tests := map[string]struct {
		answer func(int) (int, string)
		status int
		failed string
		fate   Outcome
	}{
		"granted": {status: 200, fate: OutcomeGranted},
		"refused": {answer: always(400, `{"error":"invalid_grant"}`), status: 400, fate: OutcomeRefused},
		"ill":     {answer: always(503, "CAN-PW-6f1c"), status: 503, fate: OutcomeFailed},
		"away":    {answer: always(0, ""), failed: "failed", fate: OutcomeFailed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var log fetches
			inBubble(t, Options{Hooks: log.hooks()}, &idp{answer: tt.answer, delay: time.Second}, nil, func(t *testing.T, e *entry, _ *Set) {
				began := time.Now()
				_, _ = acquired(e.acquire(t.Context()))
				told := log.told()
				if len(told) != 1 || told[0].Outcome != tt.fate || told[0].Took != time.Second {
					t.Fatalf("%+v", told)
				}
				own := told[0].Exchange
				if !own.Trace.Sampled || own.Trace.Parent != (exchange.SpanID{}) || !own.Link.IsZero() || !own.Start.Equal(began) ||
					own.Credential != "retail" || own.Target.Environment != "production" {
					t.Errorf("%+v", own)
				}
				if len(own.Tries) != 1 {
					t.Fatalf("%d calls", len(own.Tries))
				}
				if got := own.Upstream.String(); got != "https://accounts.example" {
					t.Errorf("it names %s", got)
				}
				try := own.Tries[0]
				_, cut, ended := try.Body.Get()
				if try.Host != "accounts.example" || try.Status != tt.status || try.Failure != tt.failed || try.Span == (exchange.SpanID{}) ||
					ended != (tt.status != 0) || cut != "" || try.Took != time.Second {
					t.Errorf("%+v", try)
				}
			})
		})
	}
}

// TestARenewalAheadOfTimeIsNobodys, whoever came by.
func TestARenewalAheadOfTimeIsNobodys(t *testing.T) {
	var log fetches
	endpoint := &idp{}
	staged(t, Options{Hooks: log.hooks()}, &upstream{status: statuses(200)}, endpoint, func(t *testing.T, send sender, _ *Set) {
		_, _, _ = send(http.NoBody, inNewTrace)
		pass(43199*time.Second - 5*time.Minute)
		_, ex, err := send(http.NoBody, inNewTrace)
		told := log.told()
		if err != nil || len(told) != 2 || told[1].Reason != ReasonAhead || !told[1].Exchange.Link.IsZero() {
			t.Fatalf("%v: %+v", err, told)
		}
		if w := ex.Waits[0]; w.Result != exchange.WaitReady || !w.Link.IsZero() {
			t.Errorf("%+v", w)
		}
	})
}

// TestWhoLeavesLinksToTheFetch that goes on without it.
func TestWhoLeavesLinksToTheFetch(t *testing.T) {
	var log fetches
	inBubble(t, Options{Hooks: log.hooks()}, &idp{delay: 3 * time.Second}, nil, func(t *testing.T, e *entry, _ *Set) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, f, err := e.acquire(ctx)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		left := f.link()
		pass(5 * time.Second)
		if told := log.told(); len(told) != 1 || told[0].Exchange.Trace.Link() != left {
			t.Errorf("link %v, fetch %+v", left, told)
		}
	})
}

// TestCallsAreTold: two where a refresh token has become useless, and what cut an
// answer.
func TestCallsAreTold(t *testing.T) {
	var log fetches
	refreshed := func(c *Credential) { c.Grant = GrantRefreshToken }
	endpoint := &idp{answer: func(call int) (int, string) {
		if call == 2 {
			return 400, `{"error":"invalid_grant"}`
		}
		return 200, tokenBody(call, 43199)
	}}
	inBubble(t, Options{Hooks: log.hooks()}, endpoint, refreshed, func(t *testing.T, e *entry, _ *Set) {
		_ = wantToken(t, e, 1)
		pass(13 * time.Hour)
		_ = wantToken(t, e, 2)
		own := log.told()[1].Exchange
		if len(own.Tries) != 2 || own.Tries[0].Status != 400 || own.Tries[1].Status != 200 || own.Tries[0].Span == own.Tries[1].Span {
			t.Errorf("%+v", own.Tries)
		}
	})
	ex := &exchange.Exchange{}
	cut := tripper(func(req *http.Request) (*http.Response, error) {
		res := response(req, 200, "")
		res.Body = &brokenBody{}
		return res, nil
	})
	if _, err := fetchToken(exchange.With(t.Context(), ex), testCredential(cut), testSecrets(), testSecrets().ClientID); err == nil {
		t.Fatal("a broken answer gave a token")
	}
	if _, failure, ended := ex.Tries[0].Body.Get(); !ended || failure != "body" {
		t.Errorf("ended %v, %q", ended, failure)
	}
}

type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("cut") }
func (brokenBody) Close() error             { return nil }

// failing is an error that says what it is.
type failing string

func (f failing) Error() string   { return "no answer" }
func (f failing) Failure() string { return string(f) }

func TestFailureOfACall(t *testing.T) {
	for want, err := range map[string]error{
		"header_timeout": &url.Error{Op: "Post", Err: failing("header_timeout")},
		"failed":         &url.Error{Op: "Post", Err: context.DeadlineExceeded},
	} {
		if got := failureOf(err); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
}
