package bulkhead

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// perishable is a token that becomes void at a time, once.
type perishable struct {
	voidAt  time.Time
	takes   time.Duration // to get another
	refuses error
	renewed int
}

func (p *perishable) Void() bool { return p.renewed == 0 && !time.Now().Before(p.voidAt) }

func (p *perishable) Renew(context.Context) error {
	<-time.After(p.takes)
	p.renewed++
	return p.refuses
}

// Who has waited longer than its token was good for gets another while the slot
// serves somebody else, and then comes next.
func TestATokenIsRenewedWithoutASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUpstreams(UpstreamsOptions{})
		stage := use(t, u, 3).Stage()(tripper(answering))
		var held []func() error
		for range 3 {
			held = append(held, trip(t, stage, request(t.Context())).Body.Close)
		}
		tokens := []*perishable{
			{voidAt: time.Now().Add(time.Second), takes: time.Second},
			{voidAt: time.Now().Add(time.Hour)},
			{voidAt: time.Now().Add(time.Hour)},
		}
		order := make(chan int, len(tokens))
		for i, token := range tokens {
			go func() {
				res := trip(t, stage, request(t.Context(), func(ex *exchange.Exchange) { ex.QuotaToken = token }))
				order <- i
				<-time.After(5 * time.Second)
				_ = res.Body.Close()
			}()
			synctest.Wait() // it stands in the queue
		}
		<-time.After(2 * time.Second)
		_ = held[0]() // for the first, and then for the second, while the first gets a token
		synctest.Wait()
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 3, InFlight: 3, Waiting: 1})
		<-time.After(2 * time.Second)
		_ = held[1]()
		if a, b := <-order, <-order; a != 1 || b != 0 {
			t.Errorf("served %d, then %d; the first comes before the third", a, b)
		}
		_ = held[2]()
		<-order
		if tokens[0].renewed != 1 || tokens[1].renewed+tokens[2].renewed != 0 {
			t.Errorf("renewed %d %d %d", tokens[0].renewed, tokens[1].renewed, tokens[2].renewed)
		}
		<-time.After(time.Minute)
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 3})
	})
}

// Where there is no other token, nothing of the request is left behind.
func TestATokenThatIsNotRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		spent := errors.New("spent")
		u := NewUpstreams(UpstreamsOptions{})
		stage := use(t, u, 1).Stage()(tripper(answering))
		held := trip(t, stage, request(t.Context()))
		time.AfterFunc(time.Second, func() { _ = held.Body.Close() })
		_, err := stage.RoundTrip(request(t.Context(), func(ex *exchange.Exchange) {
			ex.QuotaToken = &perishable{voidAt: time.Now(), refuses: spent}
		}))
		if !errors.Is(err, spent) {
			t.Errorf("error %v", err)
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
	})
}

// fragile is a token whose quota has a defect.
type fragile struct{ perishable }

func (*fragile) Void() bool { panic("boom") }

// A panic while the slot changes hands gives it back.
func TestREL37APanicBeforeTheAttemptKeepsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := NewUpstreams(UpstreamsOptions{})
		stage := use(t, u, 1).Stage()(tripper(answering))
		first := trip(t, stage, request(t.Context()))
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			res, err := stage.RoundTrip(request(t.Context(), func(ex *exchange.Exchange) { ex.QuotaToken = &fragile{} }))
			if err == nil {
				_ = res.Body.Close()
			}
		}()
		synctest.Wait()
		_ = first.Body.Close()
		if <-done == nil {
			t.Error("the panic did not pass on")
		}
		wantState(t, u, UpstreamState{Key: crm, MaxInFlight: 1})
	})
}
