package tokencache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// upstream answers like an API, and books the Authorization field that the
// attempt stage would send and the body that arrives.
type upstream struct {
	mu      sync.Mutex
	fields  []string
	bodies  []string
	status  func(attempt int, field string) int
	replies []*reply
}

// reply is a response body that knows whether it was closed.
type reply struct {
	io.Reader
	closed bool
}

func (r *reply) Close() error { r.closed = true; return nil }

func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	arrived := ""
	if req.Body != nil {
		raw, err := io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
		arrived = string(raw)
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	field := written(req.Context())
	u.fields, u.bodies = append(u.fields, field), append(u.bodies, arrived)
	u.replies = append(u.replies, &reply{Reader: strings.NewReader("invalid token")})
	return &http.Response{
		StatusCode: u.status(len(u.fields), field), Header: http.Header{},
		Body: u.replies[len(u.replies)-1], Request: req,
	}, nil
}

func statuses(list ...int) func(int, string) int {
	return func(attempt int, _ string) int { return list[min(attempt, len(list))-1] }
}

// staged runs f with the token stage above u in a bubble.
func staged(t *testing.T, o Options, u http.RoundTripper, endpoint *idp, f func(t *testing.T, send sender, s *Set)) {
	t.Helper()
	inBubble(t, o, endpoint, nil, func(t *testing.T, _ *entry, s *Set) {
		stage := s.Stage(StageOptions{ReplayBuffer: 16})(u)
		send := func(body io.Reader, change func(*exchange.Exchange)) (*http.Response, *exchange.Exchange, error) {
			ex := &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
				Environment: "production", Service: "crm", Authentication: "bearer", Policy: "authenticated",
			}}
			if change != nil {
				change(ex)
			}
			req, err := http.NewRequestWithContext(exchange.With(t.Context(), ex), http.MethodPost, "https://crm.example/v1/x", body)
			if err != nil {
				t.Fatal(err)
			}
			req.GetBody = nil // a caller's body streams
			resp, err := stage.RoundTrip(req)
			return resp, ex, err
		}
		f(t, send, s)
	})
}

type sender func(body io.Reader, change func(*exchange.Exchange)) (*http.Response, *exchange.Exchange, error)

// acceptCurrent has the credential's token accepted by another service.
func acceptCurrent(t *testing.T, s *Set) {
	t.Helper()
	e, tok, _, err := s.acquire(t.Context(), testCredential(nil).id())
	if err != nil {
		t.Fatal(err)
	}
	e.accept(t.Context(), tok)
}

func bearer(generation string) string { return "Bearer " + canaryToken + "-" + generation }

func wantProblem(t *testing.T, err error, kind exchange.ProblemType) exchange.Problem {
	t.Helper()
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok || p.Type != kind {
		t.Fatalf("error %v, want %s", err, kind)
	}
	checkClean(t, "the problem", p.Error()+p.Detail)
	if p.Outcome != exchange.NotExecuted {
		t.Errorf("outcome %q", p.Outcome)
	}
	return *p
}

func TestStage(t *testing.T) {
	long := strings.Repeat("x", 17)
	cases := map[string]struct {
		status   []int
		body     string
		target   func(*exchange.Target)
		accepted bool // the first token, before

		want    int // status; 0 = a problem of kind
		kind    exchange.ProblemType
		fields  []string
		bodies  []string
		fetches int
		replays int
	}{
		"token":           {status: []int{200}, want: 200, fields: []string{bearer("1")}, bodies: []string{""}, fetches: 1},
		"anonymous":       {status: []int{200}, target: func(t *exchange.Target) { t.Authentication = "anonymous" }, want: 200, fields: []string{""}, bodies: []string{""}},
		"none":            {status: []int{200}, target: func(t *exchange.Target) { t.Authentication = "none" }, want: 200, fields: []string{""}, bodies: []string{""}},
		"anonymous path":  {status: []int{200}, target: func(t *exchange.Target) { t.Policy = "anonymous" }, want: 200, fields: []string{""}, bodies: []string{""}},
		"401 of no token": {status: []int{401}, target: func(t *exchange.Target) { t.Authentication = "none" }, want: 401, fields: []string{""}, bodies: []string{""}},
		"403":             {status: []int{403}, body: "b", want: 403, fields: []string{bearer("1")}, bodies: []string{"b"}, fetches: 1},
		"500":             {status: []int{500}, body: "b", want: 500, fields: []string{bearer("1")}, bodies: []string{"b"}, fetches: 1},
		"401 once": {
			accepted: true, status: []int{401, 200}, want: 200, fields: []string{bearer("1"), bearer("2")}, bodies: []string{"", ""}, fetches: 2, replays: 1,
		},
		"401 once, with a body": {
			accepted: true, status: []int{401, 201}, body: "0123456789abcdef", want: 201, fetches: 2, replays: 1,
			fields: []string{bearer("1"), bearer("2")}, bodies: []string{"0123456789abcdef", "0123456789abcdef"},
		},
		"401 after more than can be kept": {
			accepted: true, status: []int{401, 200}, body: long, kind: exchange.UpstreamCredentialRejected, fetches: 2,
			fields: []string{bearer("1")}, bodies: []string{long},
		},
		"401 twice": {
			accepted: true, status: []int{401, 401}, body: "b", kind: exchange.UpstreamCredentialRejected, fetches: 2, replays: 1,
			fields: []string{bearer("1"), bearer("2")}, bodies: []string{"b", "b"},
		},
		"401 of a token that nobody has accepted": {
			status: []int{401}, body: "b", kind: exchange.UpstreamCredentialRejected, fetches: 1, fields: []string{bearer("1")}, bodies: []string{"b"},
		},
		"401, then 403": {
			accepted: true, status: []int{401, 403}, want: 403, fields: []string{bearer("1"), bearer("2")}, bodies: []string{"", ""}, fetches: 2, replays: 1,
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			api, endpoint := &upstream{status: statuses(c.status...)}, &idp{}
			staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, s *Set) {
				if c.accepted {
					acceptCurrent(t, s)
				}
				var body io.Reader
				if c.body != "" {
					body = strings.NewReader(c.body)
				}
				resp, ex, err := send(body, func(ex *exchange.Exchange) {
					if c.target != nil {
						c.target(ex.Target)
					}
				})
				if c.kind != "" {
					wantProblem(t, err, c.kind)
				} else if err != nil || resp.StatusCode != c.want {
					t.Fatalf("%v, %v", resp, err)
				}
				if diff := cmp.Diff([][]string{c.fields, c.bodies}, [][]string{api.fields, api.bodies}); diff != "" {
					t.Error(diff)
				}
				if endpoint.count() != c.fetches || ex.Replays != c.replays {
					t.Errorf("%d fetches, %d replays", endpoint.count(), ex.Replays)
				}
				for i, r := range api.replies {
					if handedOn := err == nil && i == len(api.replies)-1; r.closed == handedOn {
						t.Errorf("answer %d closed: %t", i+1, r.closed)
					}
				}
			})
		})
	}
}

func TestNothingRunsWithoutAToken(t *testing.T) {
	api := &upstream{status: statuses(200)}
	endpoint := &idp{delay: time.Second, answer: always(500, canaryPassword)}
	staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, _ *Set) {
		source := text("body")
		_, ex, err := send(source, nil)
		p := wantProblem(t, err, exchange.TokenUnavailable)
		if p.Status() != http.StatusServiceUnavailable || p.RetryAfter < time.Second {
			t.Errorf("status %d, Retry-After %s", p.Status(), p.RetryAfter)
		}
		if len(api.fields) != 0 || source.closings() != 1 || ex.TokenWait != time.Second {
			t.Errorf("%d attempts, body closed %d times, waited %s", len(api.fields), source.closings(), ex.TokenWait)
		}
	})
}

func TestUnknownCredential(t *testing.T) {
	api := &upstream{status: statuses(200)}
	staged(t, Options{}, api, &idp{}, func(t *testing.T, send sender, _ *Set) {
		_, _, err := send(nil, func(ex *exchange.Exchange) { ex.Credential = "gone" })
		wantProblem(t, err, exchange.TokenUnavailable)
		_, _, err = send(nil, func(ex *exchange.Exchange) { ex.Target.Environment = "sandbox" })
		wantProblem(t, err, exchange.TokenUnavailable)
		if len(api.fields) != 0 {
			t.Errorf("sent with %v", api.fields)
		}
	})
}

func TestCallerLeavesWhileWaiting(t *testing.T) {
	api := &upstream{status: statuses(200)}
	inBubble(t, Options{}, &idp{delay: time.Second}, nil, func(t *testing.T, _ *entry, s *Set) {
		ctx, leave := context.WithCancelCause(t.Context())
		gone := errors.New("the caller hung up")
		req := httptest.NewRequest(http.MethodGet, "/", nil)
		req = req.WithContext(exchange.With(ctx, &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
			Environment: "production", Authentication: "bearer",
		}}))
		time.AfterFunc(time.Millisecond, func() { leave(gone) })
		_, err := s.Stage(StageOptions{})(api).RoundTrip(req)
		if problem, ok := errors.AsType[*exchange.Problem](err); ok || !errors.Is(err, gone) {
			t.Errorf("got %v (problem %v)", err, problem)
		}
	})
}

// An endpoint that says 401 to everything, while another service accepts the
// tokens, spends a login every half minute, not one per request; other
// requests are not troubled.
func TestAlways401DoesNotBurnTokens(t *testing.T) {
	api := &upstream{status: statuses(401)}
	endpoint := &idp{}
	var rejects []RejectInfo
	o := Options{Hooks: Hooks{Rejected: func(i RejectInfo) { rejects = append(rejects, i) }}}
	staged(t, o, api, endpoint, func(t *testing.T, send sender, s *Set) {
		for range 600 {
			acceptCurrent(t, s)
			_, _, err := send(nil, nil)
			wantProblem(t, err, exchange.UpstreamCredentialRejected)
			pass(100 * time.Millisecond)
		}
		if got := endpoint.count(); got < 3 || got > 4 {
			t.Errorf("%d logins in a minute", got)
		}
		if got := s.Status()[0]; got.State != StateValid {
			t.Errorf("status %+v", got)
		}
		if len(rejects) != 600 || !rejects[0].Replayed || rejects[1].Replayed || rejects[0].Service != "crm" || rejects[0].Generation != 1 {
			t.Errorf("%d rejects, first %+v", len(rejects), rejects[0])
		}
	})
}

// A token that no upstream has ever accepted is not replaced at all: the
// account is at fault, and the caller is told what to do.
func TestNeverAcceptedTokenIsKept(t *testing.T) {
	api := &upstream{status: statuses(401)}
	endpoint := &idp{}
	staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, s *Set) {
		for range 3600 {
			_, ex, err := send(nil, nil)
			p := wantProblem(t, err, exchange.UpstreamCredentialRejected)
			if !strings.Contains(p.Detail, "gateway token invalidate retail") || ex.Replays != 0 {
				t.Fatalf("%q after %d replays", p.Detail, ex.Replays)
			}
			pass(time.Second)
		}
		if endpoint.count() != 1 {
			t.Errorf("%d logins in an hour", endpoint.count())
		}
		api.status = statuses(500) // an answer to somebody it knows
		if resp, _, err := send(nil, nil); err != nil || resp.StatusCode != http.StatusInternalServerError || !s.Status()[0].Accepted {
			t.Errorf("%v, %v, status %+v", resp, err, s.Status()[0])
		}
		api.status = func(_ int, field string) int {
			if field == bearer("1") {
				return 401
			}
			return 200
		}
		if resp, _, err := send(nil, nil); err != nil || resp.StatusCode != http.StatusOK || endpoint.count() != 2 {
			t.Errorf("%v, %v after %d logins", resp, err, endpoint.count())
		}
	})
}

// A revoked token: all its requests are answered 401, now or later; one new
// token serves all of them.
func TestRevokedTokenUnderLoad(t *testing.T) {
	api := &upstream{status: func(_ int, field string) int {
		if field == bearer("1") {
			return 401
		}
		return 200
	}}
	endpoint := &idp{delay: time.Second}
	staged(t, Options{}, api, endpoint, func(t *testing.T, send sender, s *Set) {
		acceptCurrent(t, s)
		var callers sync.WaitGroup
		for i := range 200 {
			callers.Go(func() {
				<-time.After(time.Duration(i) * 10 * time.Millisecond)
				if resp, _, err := send(strings.NewReader("order"), nil); err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", resp, err)
				}
			})
		}
		callers.Wait()
		if endpoint.count() != 2 {
			t.Errorf("%d logins", endpoint.count())
		}
	})
}

// The token expires while the request waits for quota below the stage: what is
// written is its successor, and what a 401 then refuses is the successor too.
func TestTokenRenewedWhileWaitingForQuota(t *testing.T) {
	cases := map[string]struct {
		refused string // this field is answered 401
		fields  []string
		logins  int
	}{
		"accepted": {"", []string{bearer("2")}, 2},
		"refused":  {bearer("2"), []string{bearer("2"), bearer("3")}, 3},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			endpoint := &idp{answer: func(call int) (int, string) { return 200, tokenBody(call, 60) }}
			api := &upstream{status: func(_ int, field string) int {
				if field == c.refused {
					return 401
				}
				return 200
			}}
			inBubble(t, Options{}, endpoint, nil, func(t *testing.T, e *entry, s *Set) {
				var queue sync.Once // the replay gets its quota at once
				slow := tripper(func(r *http.Request) (*http.Response, error) {
					queue.Do(func() {
						pass(50 * time.Second)
						wantToken(t, e, 1) // another request finds it due for renewal
						pass(20 * time.Second)
						e.accept(t.Context(), e.current.Load())
					})
					return api.RoundTrip(r)
				})
				req := httptest.NewRequest(http.MethodGet, "/", nil)
				req = req.WithContext(exchange.With(t.Context(), &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
					Environment: "production", Authentication: "bearer",
				}}))
				resp, err := s.Stage(StageOptions{})(slow).RoundTrip(req)
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%v, %v", resp, err)
				}
				if diff := cmp.Diff(c.fields, api.fields); diff != "" || endpoint.count() != c.logins {
					t.Errorf("%d logins, want %d; fields (-want +got)\n%s", endpoint.count(), c.logins, diff)
				}
			})
		})
	}
}

// Whatever becomes of a request, its body is closed, once: the server's
// connection hangs on it. A transport may close its copy before or after it
// answers.
func TestBodyIsClosedOnce(t *testing.T) {
	cases := map[string]struct {
		read   int // bytes that the transport takes before it closes
		status []int
		slow   bool // it answers before it closes
		barred bool // the token was replaced a moment ago
		kind   exchange.ProblemType
	}{
		"answered":            {status: []int{200}},
		"answered, part read": {read: 2, status: []int{200}},
		"replayed":            {read: 2, status: []int{401, 200}},
		"not replaced again":  {read: 2, status: []int{401}, barred: true, kind: exchange.UpstreamCredentialRejected},
		"too large":           {read: 17, status: []int{401}, kind: exchange.UpstreamCredentialRejected},
		"too large, slowly":   {read: 17, slow: true, status: []int{401}, kind: exchange.UpstreamCredentialRejected},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			attempts := 0
			transport := tripper(func(r *http.Request) (*http.Response, error) {
				attempts++
				if written(r.Context()) == "" {
					t.Error("no token")
				}
				if _, err := io.CopyN(io.Discard, r.Body, int64(c.read)); err != nil {
					t.Error(err)
				}
				if !c.slow {
					_ = r.Body.Close()
				}
				return response(r, c.status[attempts-1], ""), nil
			})
			staged(t, Options{}, transport, &idp{}, func(t *testing.T, send sender, s *Set) {
				if c.barred {
					e := s.entries[testCredential(nil).id()]
					acceptCurrent(t, s)
					if _, err := acquired(e.replace(t.Context(), wantToken(t, e, 1))); err != nil {
						t.Fatal(err)
					}
				}
				acceptCurrent(t, s)
				source := text(strings.Repeat("x", 20))
				_, _, err := send(source, nil)
				if c.kind != "" {
					wantProblem(t, err, c.kind)
				} else if err != nil {
					t.Error(err)
				}
				synctest.Wait()
				if source.closings() != 1 || attempts != len(c.status) {
					t.Errorf("closed %d times after %d attempts", source.closings(), attempts)
				}
			})
		})
	}
}

// A stage must not change the request that it was given.
func TestRequestIsNotModified(t *testing.T) {
	api := &upstream{status: statuses(401, 200)}
	inBubble(t, Options{}, &idp{}, nil, func(t *testing.T, _ *entry, s *Set) {
		acceptCurrent(t, s)
		source := text("b")
		req := httptest.NewRequest(http.MethodPost, "/", source)
		again := text("b")
		req.GetBody = func() (io.ReadCloser, error) { return again, nil }
		req = req.WithContext(exchange.With(t.Context(), &exchange.Exchange{Credential: "retail", Target: &exchange.Target{
			Environment: "production", Authentication: "bearer",
		}}))
		body := req.Body
		next := tripper(func(r *http.Request) (*http.Response, error) {
			if r.GetBody != nil {
				t.Error("the transport could repeat the request by itself")
			}
			return api.RoundTrip(r)
		})
		if _, err := s.Stage(StageOptions{})(next).RoundTrip(req); err != nil {
			t.Fatal(err)
		}
		if req.Body != body || req.GetBody == nil || len(req.Header) != 0 {
			t.Errorf("request changed: %+v", req)
		}
		if source.closings() != 1 || again.closings() != 1 {
			t.Errorf("the body was closed %d times, that of the replay %d times", source.closings(), again.closings())
		}
		if diff := cmp.Diff([]string{"b", "b"}, api.bodies); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWaitsAreBooked(t *testing.T) {
	api := &upstream{status: statuses(200)}
	staged(t, Options{}, api, &idp{delay: 3 * time.Second}, func(t *testing.T, send sender, _ *Set) {
		_, first, _ := send(nil, nil)
		_, second, _ := send(nil, nil)
		synctest.Wait()
		if first.TokenWait != 3*time.Second || second.TokenWait != 0 {
			t.Errorf("waited %s, then %s", first.TokenWait, second.TokenWait)
		}
	})
}
