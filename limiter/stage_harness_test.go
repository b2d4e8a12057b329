package limiter

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// origin is an upstream with fixed windows on the clock, or so many slots. It
// stands below the stage and counts attempts as the attempt stage does.
type origin struct {
	limit  int64
	window time.Duration
	slots  int64         // requests at once; 0 = no such limit
	delay  time.Duration // until the answer
	// before is asked about each attempt, from 1; an error is returned as if
	// nothing had been sent (or not: see lost).
	before func(n int64) error
	// status is of an answer that is no 429; nil, 0 = 200.
	status func(n int64) int
	// header changes an answer.
	header func(n int64, h http.Header)
	// resends is how often the transport repeats a request by itself.
	resends int

	mu       sync.Mutex
	attempts int64
	used     map[int64]int64 // by the end of the window
	refused  int64           // 429s
	open     int64
	most     int64 // open at once
	bodies   []string
}

// RoundTrip implements [http.RoundTripper].
func (o *origin) RoundTrip(req *http.Request) (*http.Response, error) {
	exchange.From(req.Context()).Attempts += 1 + o.resends
	body := ""
	if req.Body != nil {
		raw, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		body = string(raw)
		_ = req.Body.Close()
	}
	o.mu.Lock()
	o.attempts++
	n := o.attempts
	o.bodies = append(o.bodies, body)
	o.mu.Unlock()
	if o.before != nil {
		if err := o.before(n); err != nil {
			return nil, err
		}
	}
	resp := o.answer(n)
	if o.delay > 0 {
		select {
		case <-time.After(o.delay):
		case <-req.Context().Done():
			_ = resp.Body.Close()
			return nil, context.Cause(req.Context())
		}
	}
	return resp, nil
}

func (o *origin) answer(n int64) *http.Response {
	o.mu.Lock()
	defer o.mu.Unlock()
	resp := &http.Response{StatusCode: http.StatusOK, Header: http.Header{}}
	if o.slots > 0 {
		o.admit(resp)
	} else {
		o.count(resp)
	}
	if o.status != nil && resp.StatusCode == http.StatusOK {
		resp.StatusCode = cmp.Or(o.status(n), http.StatusOK)
	}
	if o.header != nil {
		o.header(n, resp.Header)
	}
	return resp
}

func (o *origin) admit(resp *http.Response) {
	if o.open >= o.slots {
		o.refused++
		resp.StatusCode = http.StatusTooManyRequests
		resp.Header.Set("Content-Type", "application/json")
		resp.Body = io.NopCloser(strings.NewReader(tooMany))
		return
	}
	o.open++
	o.most = max(o.most, o.open)
	resp.Body = exchange.OnEnd(io.NopCloser(strings.NewReader("{}")), func() {
		o.mu.Lock()
		o.open--
		o.mu.Unlock()
	})
}

func (o *origin) count(resp *http.Response) {
	if o.used == nil {
		o.used = map[int64]int64{}
	}
	now := time.Now()
	end := now.Truncate(o.window).Add(o.window)
	text := "{}"
	if o.used[end.Unix()] += 1 + int64(o.resends); o.used[end.Unix()] > o.limit {
		o.used[end.Unix()] = o.limit
		o.refused++
		resp.StatusCode, text = http.StatusTooManyRequests, "rate limit exceeded"
	}
	left := o.limit - o.used[end.Unix()]
	resp.Header.Set(fieldLimit, strconv.FormatInt(o.limit, 10))
	resp.Header.Set(fieldRemaining, strconv.FormatInt(left, 10))
	resp.Header.Set(fieldReset, ResetUS.Format(end))
	resp.Header.Set(fieldResetSeconds, strconv.FormatInt(int64(end.Sub(now)/time.Second), 10))
	resp.Body = io.NopCloser(strings.NewReader(text))
}

// stranger spends of the same quota without being one of ours.
func (o *origin) stranger(n int64) {
	for range n {
		_ = o.answer(0).Body.Close()
	}
}

func (o *origin) tally() (sent, refused, most int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, n := range o.used {
		most = max(most, n)
	}
	return o.attempts, o.refused, most
}

// patient are settings that wait a long time.
func patient() Settings {
	return Settings{
		Enforce: true, MaxWait: [Classes]time.Duration{2 * time.Second, time.Minute, 2 * time.Minute},
		MaxWaitUnsafe: 25 * time.Second,
	}
}

// rig is the stage over an origin.
type rig struct {
	*testing.T
	limiter *Limiter
	set     *Set
	stage   http.RoundTripper
	origin  *origin
	log     recorder
}

func rigKey() Key {
	return Key{Environment: "production", Service: "crm", Policy: "authenticated", Counted: "client-17"}
}

func newRig(t *testing.T, s Settings, o *origin, change func(*Options)) *rig {
	t.Helper()
	r := &rig{T: t, origin: o}
	options := Options{Replica: "r1", Hooks: r.log.hooks()}
	if change != nil {
		change(&options)
	}
	r.limiter = New(options)
	r.use(s)
	return r
}

// use is a reload: the new configuration serves, then the old one is released.
func (r *rig) use(s Settings) {
	r.Helper()
	set, err := r.limiter.Use([]Bucket{{Key: rigKey(), Settings: s}})
	if err != nil {
		r.Fatal(err)
	}
	old := r.set
	r.set = set
	r.stage = set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return rigKey(), true }})(r.origin)
	if old != nil {
		old.Release()
	}
}

// bubble runs f with a rig in virtual time and ends what the rig has started.
func bubble(t *testing.T, s Settings, o *origin, change func(*Options), f func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		// Windows end on the clock: begin a second into one.
		<-time.After(time.Until(time.Now().Truncate(time.Minute).Add(time.Minute + time.Second)))
		r := newRig(t, s, o, change)
		f(r)
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = r.limiter.Close(ctx)
	})
}

// want is one request.
type want struct {
	caller string
	class  string
	method string
	body   io.Reader
	noWait bool
	most   int             // attempts, 0 = no bound
	ctx    context.Context //nolint:containedctx // an argument with a name
}

// send sends one request and closes the body of its answer.
func (r *rig) send(w want) (int, *exchange.Exchange, error) {
	resp, ex, err := r.open(w)
	if err != nil {
		return 0, ex, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	return resp.StatusCode, ex, nil
}

func (r *rig) open(w want) (*http.Response, *exchange.Exchange, error) {
	if w.ctx == nil {
		w.ctx = r.Context()
	}
	if w.method == "" {
		w.method = http.MethodGet
	}
	if w.caller == "" {
		w.caller = "pos"
	}
	ex := &exchange.Exchange{
		Caller: &exchange.Caller{Name: w.caller}, Class: w.class, NoWait: w.noWait, MaxAttempts: w.most, Credential: "retail",
		Target: &exchange.Target{
			Environment: "production", Service: "crm", Policy: "authenticated",
			Write: w.method != http.MethodGet && w.method != http.MethodHead,
		},
	}
	req, err := http.NewRequestWithContext(exchange.With(w.ctx, ex), w.method, "https://crm.example/v1/x", w.body)
	if err != nil {
		r.Fatal(err)
	}
	resp, err := r.stage.RoundTrip(req)
	return resp, ex, err
}

// mustSend sends requests that must all be answered with 200.
func (r *rig) mustSend(n int, w want) {
	r.Helper()
	for i := range n {
		if status, ex, err := r.send(w); err != nil || status != http.StatusOK {
			r.Fatalf("request %d of %d: %d %v (%s)", i+1, n, status, err, ex.QuotaResult)
		}
	}
}

// refusal returns the problem that err is.
func (r *rig) refusal(err error) *exchange.Problem {
	r.Helper()
	p, ok := errors.AsType[*exchange.Problem](err)
	if !ok {
		r.Fatalf("no problem but %v", err)
	}
	if p.Outcome != exchange.NotExecuted {
		r.Errorf("the outcome is %q", p.Outcome)
	}
	return p
}

// own is what the fleet has taken of the window.
func (r *rig) own() int64 {
	r.Helper()
	s, err := r.limiter.View(r.Context(), "production/crm/authenticated")
	if err != nil || s.Err != nil {
		r.Fatal(err, s.Err)
	}
	return s.Snapshot.Own
}

// recorder keeps what hooks tell.
type recorder struct {
	mu       sync.Mutex
	left     []RequestInfo
	refused  map[RefusedKind]int
	resent   int
	returned int
	repeated int
	closed   []Closed
	trips    int
	failed   int
	states   []error
	odd      Anomalies
}

func (r *recorder) hooks() Hooks {
	locked := func(f func()) {
		r.mu.Lock()
		defer r.mu.Unlock()
		f()
	}
	return Hooks{
		Left:      func(i RequestInfo) { locked(func() { r.left = append(r.left, i) }) },
		Resent:    func(_ Name, n int) { locked(func() { r.resent += n }) },
		Returned:  func(Name) { locked(func() { r.returned++ }) },
		Repeated:  func(Name) { locked(func() { r.repeated++ }) },
		Anomalies: func(_ Name, a Anomalies) { locked(func() { r.odd |= a }) },
		UpstreamRefused: func(_ Name, k RefusedKind, n int) {
			locked(func() {
				if r.refused == nil {
					r.refused = map[RefusedKind]int{}
				}
				r.refused[k] += n
			})
		},
		WindowClosed: func(_ Name, c Closed) { locked(func() { r.closed = append(r.closed, c) }) },
		Acquired: func(i AcquireInfo) {
			locked(func() {
				r.trips++
				if i.Err != nil {
					r.failed++
				}
			})
		},
		StoreState: func(_ Name, err error) { locked(func() { r.states = append(r.states, err) }) },
	}
}

// reasons counts how requests have left the queue; "" is with a token.
func (r *recorder) reasons() map[Reason]int {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[Reason]int{}
	for _, i := range r.left {
		all[i.Reason]++
	}
	return all
}
