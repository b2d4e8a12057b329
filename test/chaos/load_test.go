package chaos_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"iqgateway/test/chaos"
)

// load is numbered requests at a steady rate, whatever becomes of them.
type load struct {
	fleet *fleet
	seed  uint64
	rate  int // writes a second
	first int // number of the first write
	count int // of writes

	mu    sync.Mutex
	calls []chaos.Call
}

// mostUnderWay bounds the load: callers that hang do not pile up for ever.
const mostUnderWay = 1000

// readsPer is how many writes there are to one read.
const readsPer = 5

// run makes all requests and returns once each has its answer or its error.
func (l *load) run(ctx context.Context) {
	var all sync.WaitGroup
	slots := make(chan struct{}, mostUnderWay)
	tick := time.NewTicker(time.Second / time.Duration(l.rate))
	defer tick.Stop()
	start := func(number int, safe bool) {
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			l.note(l.fleet.call(ctx, l.draw(number, safe)))
		})
	}
	for number := l.first; number < l.first+l.count; number++ {
		<-tick.C
		start(number, false)
		if number%readsPer == 0 {
			start(number, true)
		}
	}
	all.Wait()
}

func (l *load) note(c chaos.Call) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, c)
}

// request is what one call of the load asks.
type request struct {
	nonce   string
	replica int
	method  string
	service string
	size    int // of the body
	key     bool
	chunked bool
	safe    bool
	over    way
	leave   time.Duration // after which the caller goes away; 0 = never
}

// draw returns the request of a number, the same for the same seed.
func (l *load) draw(number int, safe bool) request {
	random := rand.New(rand.NewPCG(l.seed, uint64(number)))
	r := request{
		nonce: fmt.Sprintf("w-%06d", number), replica: random.IntN(replicas), safe: safe,
		service: services()[max(0, random.IntN(5)-2)], method: http.MethodGet,
		over: []way{https, http2}[random.IntN(2)],
	}
	if safe {
		r.nonce = fmt.Sprintf("r-%06d", number)
		return r
	}
	r.method = []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete}[random.IntN(4)]
	if r.method != http.MethodDelete { // which must not have a body
		r.size = []int{0, 3, random.IntN(2 << 10), random.IntN(64<<10 + 1)}[random.IntN(4)]
	}
	r.key, r.chunked = random.IntN(2) == 0, random.IntN(4) == 0
	if random.IntN(50) == 0 {
		r.leave = time.Duration(random.IntN(30)) * time.Millisecond
	}
	return r
}

// maxAnswer bounds what is read of an answer.
const maxAnswer = 1 << 20

// call makes one request through the callers' link of its replica.
func (f *fleet) call(ctx context.Context, q request) chaos.Call {
	c := chaos.Call{Nonce: q.nonce, Replica: q.replica, Method: q.method, Safe: q.safe, Begun: time.Now()}
	if q.leave > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, q.leave)
		defer cancel()
	}
	c.Answer = f.exchange(ctx, q)
	c.Left = q.leave > 0 && ctx.Err() != nil
	c.Ended = time.Now()
	return c
}

func (f *fleet) exchange(ctx context.Context, q request) chaos.Answer {
	url := fmt.Sprintf("https://%s/%s/v1/ping?sim-nonce=%s", f.callers[q.replica].Address(), q.service, q.nonce)
	var body io.Reader = http.NoBody
	if q.size > 0 {
		body = strings.NewReader(strings.Repeat("x", q.size))
	}
	if q.size > 0 && q.chunked {
		body = io.MultiReader(body) // of a length that net/http does not see
	}
	req, err := http.NewRequestWithContext(ctx, q.method, url, body)
	if err != nil {
		return chaos.Answer{Err: err}
	}
	req.GetBody = nil
	req.Header.Set("X-Api-Key", f.key)
	if q.key {
		// Not under its canonical name: net/http would repeat the request, and
		// the duplicate would be this test's own.
		req.Header["idempotency-key"] = []string{q.nonce}
	}
	resp, err := f.ways.do(req, q.over)
	if err != nil {
		return chaos.Answer{Err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	return chaos.Answer{Status: resp.StatusCode, Header: resp.Header, Body: text, Err: err}
}
