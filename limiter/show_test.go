package limiter

import (
	"testing"
	"time"

	"iqgateway/internal/exchange"
)

// An answer from the cache shows the bucket without a token of it, and without
// its lock.
func TestShowWithoutAnAttempt(t *testing.T) {
	bubble(t, patient(), &origin{limit: 10, window: time.Minute}, nil, func(r *rig) {
		if _, _, err := r.send(want{caller: "pos"}); err != nil {
			r.Fatal(err)
		}
		ex := &exchange.Exchange{Caller: &exchange.Caller{Name: "pos"}}
		r.set.Show(rigKey(), ex)
		first := ex.QuotaView()
		if !first.Known || first.Limit != 10 || first.Remaining >= 10 || first.Opens <= 0 {
			r.Errorf("%+v", first)
		}
		r.mustSend(2, want{caller: "pos"})
		<-time.After(showFor / 2)
		if v := ex.QuotaView(); v.Remaining != first.Remaining || v.Opens != first.Opens-showFor/2 {
			r.Errorf("within 20 ms: %+v, want that of before, %+v, but for the time", v, first)
		}
		<-time.After(showFor / 2)
		if v := ex.QuotaView(); v.Remaining >= first.Remaining {
			r.Errorf("after two more requests and 20 ms: %+v, before %+v", v, first)
		}
	})
}

// What a caller may know of a bucket asks nobody, and is not 20 ms old.
func TestViewOfOneCaller(t *testing.T) {
	bubble(t, patient(), &origin{limit: 10, window: time.Minute}, nil, func(r *rig) {
		r.mustSend(3, want{caller: "pos"})
		v, there := r.set.View(rigKey(), "pos")
		if !there || !v.Known || v.Limit != 10 || v.Remaining > 7 || v.Opens <= 0 {
			r.Errorf("%+v, %v", v, there)
		}
		if v, there := r.set.View(Key{Service: "other"}, "pos"); there || v.Known {
			r.Errorf("a bucket that does not exist: %+v", v)
		}
	})
}

func TestShowOfNoBucket(t *testing.T) {
	ex := &exchange.Exchange{}
	new(Set).Show(Key{Service: "crm"}, ex)
	if ex.QuotaView != nil {
		t.Error("a bucket that does not exist is shown")
	}
}
