package bulkhead

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

// TestWhatASlotTookIsNoted, if it was not there at once.
func TestWhatASlotTookIsNoted(t *testing.T) {
	const frees = time.Second
	tests := map[string]struct {
		held  int // slots of the two
		edit  func(*exchange.Exchange)
		limit time.Duration // of its context; 0 = none
		want  []exchange.Wait
	}{
		"free":     {held: 1},
		"waited":   {held: 2, want: []exchange.Wait{{Kind: exchange.WaitSlot, Took: frees, Result: exchange.WaitWaited}}},
		"no wait":  {held: 2, edit: func(ex *exchange.Exchange) { ex.NoWait = true }, want: []exchange.Wait{{Kind: exchange.WaitSlot, Result: exchange.WaitFailed, Failed: true}}},
		"too late": {held: 2, limit: frees / 2, want: []exchange.Wait{{Kind: exchange.WaitSlot, Took: frees / 2, Result: exchange.WaitFailed, Failed: true}}},
		"renewed": {
			held: 2, edit: func(ex *exchange.Exchange) { ex.QuotaToken = &perishable{voidAt: time.Now()} },
			want: []exchange.Wait{{Kind: exchange.WaitSlot, Took: frees, Result: exchange.WaitWaited}, {Kind: exchange.WaitSlot, At: frees, Result: exchange.WaitWaited}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				stage := use(t, NewUpstreams(UpstreamsOptions{}), 2).Stage()(tripper(answering))
				for range tt.held {
					res := trip(t, stage, request(t.Context()))
					time.AfterFunc(frees, func() { _ = res.Body.Close() })
				}
				ctx, cancel := t.Context(), func() {}
				if tt.limit > 0 {
					ctx, cancel = context.WithTimeout(ctx, tt.limit)
				}
				defer cancel()
				var ex *exchange.Exchange
				res, err := stage.RoundTrip(request(ctx, func(e *exchange.Exchange) {
					ex, e.Start = e, time.Now()
					if tt.edit != nil {
						tt.edit(e)
					}
				}))
				if err == nil {
					_ = res.Body.Close()
				}
				if diff := cmp.Diff(tt.want, ex.Waits); diff != "" {
					t.Errorf("noted (-want +got):\n%s", diff)
				}
				<-time.After(frees)
			})
		})
	}
}
