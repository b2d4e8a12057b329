package limiter

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

func TestListShowsEveryBucket(t *testing.T) {
	o := &origin{limit: 10, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(4, want{caller: "pos"})
		r.mustSend(2, want{caller: "reports"})
		o.stranger(3)
		r.mustSend(1, want{caller: "pos"})
		<-time.After(3 * time.Second)
		list := r.limiter.List(r.Context())
		if len(list) != 1 || list[0].Err != nil {
			r.Fatalf("%+v", list)
		}
		s := list[0]
		got := []any{s.Name.String(), s.Snapshot.Limit, s.Snapshot.Own, s.Snapshot.External, s.Snapshot.Mode, s.Away, s.Here.Known}
		if diff := cmp.Diff([]any{"production/crm/authenticated", int64(10), int64(7), int64(3), ModeKnown, false, true}, got); diff != "" {
			r.Error(diff)
		}
		callers := map[string]int64{}
		for _, c := range s.Snapshot.Callers {
			callers[c.Caller] = c.Spent
		}
		if diff := cmp.Diff(map[string]int64{"pos": 5, "reports": 2}, callers); diff != "" {
			r.Error(diff)
		}
	})
}

func TestBlockHoldsTheBucket(t *testing.T) {
	o := &origin{limit: 100, window: time.Minute}
	bubble(t, patient(), o, nil, func(r *rig) {
		const name = "production/crm/authenticated"
		r.mustSend(1, want{})
		<-time.After(5 * time.Second) // leases go back
		if err := r.limiter.Block(r.Context(), name, 40*time.Second, "by ops: maintenance"); err != nil {
			r.Fatal(err)
		}
		s, err := r.limiter.View(r.Context(), name)
		if err != nil || s.Snapshot.Held != "by ops: maintenance" || s.Snapshot.Blocked-s.Snapshot.Now != 40_000 {
			r.Errorf("%q for %d ms (%v)", s.Snapshot.Held, s.Snapshot.Blocked-s.Snapshot.Now, err)
		}
		if _, _, err := r.send(want{class: "interactive"}); r.refusal(err).Type != exchange.QuotaExceeded {
			r.Errorf("%v", err)
		}
		began := time.Now()
		r.mustSend(1, want{class: "background"})
		if waited := time.Since(began); waited < 37*time.Second || waited > 41*time.Second {
			r.Errorf("a request waited %s for the block to end", waited)
		}
		if err := r.limiter.Block(r.Context(), name, time.Hour, "again"); err != nil {
			r.Fatal(err)
		}
		if err := r.limiter.Unblock(r.Context(), name); err != nil {
			r.Fatal(err)
		}
		<-time.After(3 * time.Second)
		began = time.Now()
		r.mustSend(1, want{class: "background"})
		if waited := time.Since(began); waited > time.Second {
			r.Errorf("a request waited %s after the block was lifted", waited)
		}
	})
}

func TestUnknownBuckets(t *testing.T) {
	bubble(t, patient(), &origin{}, nil, func(r *rig) {
		_, viewErr := r.limiter.View(r.Context(), "production/crm")
		for name, err := range map[string]error{
			"view":    viewErr,
			"block":   r.limiter.Block(r.Context(), "production/crm", time.Minute, "x"),
			"unblock": r.limiter.Unblock(r.Context(), "production/crm"),
		} {
			unknown, ok := errors.AsType[*UnknownError](err)
			if !ok || !strings.Contains(unknown.Error(), `no bucket "production/crm"; there are: production/crm/authenticated`) {
				r.Errorf("%s: %v", name, err)
			}
		}
		if err := r.limiter.Block(r.Context(), "production/crm/authenticated", 0, "x"); err == nil {
			r.Error("a block of no time was taken")
		}
	})
}

// blindStore is away for operators.
type blindStore struct{ *far }

func (blindStore) View(context.Context, Key, []string) (Snapshot, error) {
	return Snapshot{}, errAway
}

func TestListGoesOnWithoutTheStore(t *testing.T) {
	bubble(t, patient(), &origin{limit: 5, window: time.Minute}, func(o *Options) { o.Store = blindStore{newFar()} }, func(r *rig) {
		r.mustSend(2, want{})
		s := r.limiter.List(r.Context())[0]
		if !errors.Is(s.Err, errAway) || s.Here.Limit != 5 || !s.Here.Known {
			r.Errorf("%+v, %v", s.Here, s.Err)
		}
		if err := r.limiter.Block(r.Context(), s.Name.String(), time.Minute, "x"); !errors.Is(err, errAway) {
			r.Errorf("%v", err)
		}
	})
}

func TestEvidence(t *testing.T) {
	history := []Closed{
		{Ended: 4000, Own: 100, Used: 100, Counted: 100},
		{Ended: 3000, Own: 60, Used: 100, External: 40},
		{Ended: 2000, Own: 100, Used: 55, Wasted: 3, Counted: 97},
		{Ended: 1000, Own: 7}, // no answer has told
	}
	want := []Evidence{
		{Ended: time.UnixMilli(4000), Own: 100, Used: 100},
		{Ended: time.UnixMilli(3000), Own: 60, Used: 100, Outside: 40},
		{Ended: time.UnixMilli(2000), Own: 100, Used: 55, Missing: 42},
	}
	if diff := cmp.Diff(want, evidence(history)); diff != "" {
		t.Error(diff)
	}
}

func TestQuotaViewOfTheExchange(t *testing.T) {
	s := patient()
	s.Shares = []Share{{Caller: "pos", Guarantee: Amount{Percent: 20}, Cap: Amount{Tokens: 4}, Weight: 1}}
	o := &origin{limit: 10, window: time.Minute}
	bubble(t, s, o, nil, func(r *rig) {
		_, ex, err := r.send(want{caller: "pos"})
		if err != nil {
			r.Fatal(err)
		}
		v := ex.QuotaView()
		end := time.Now().Truncate(time.Minute).Add(time.Minute)
		if !v.Known || v.Concurrency || v.Limit != 10 || v.Reset != ResetUS.Format(end) || v.Opens < time.Until(end) {
			r.Errorf("%+v", v)
		}
		if v.Remaining > 3 || v.Share != 2 || v.Limiting {
			r.Errorf("what the caller may expect: %+v", v)
		}
		r.mustSend(3, want{caller: "pos"})
		_, ex, err = r.send(want{caller: "pos", class: "interactive"})
		p := r.refusal(err)
		if policies, _ := p.Extra["violated-policies"].([]string); len(policies) != 1 || policies[0] != "share" {
			r.Errorf("violated-policies: %v", p.Extra["violated-policies"])
		}
		if v := ex.QuotaView(); !v.Limiting || v.Remaining != 0 || v.ShareRemaining != 0 {
			r.Errorf("at its cap: %+v", v)
		}
		if !strings.Contains(p.Detail, "your cap of 4 is used up") {
			r.Errorf("the detail: %s", p.Detail)
		}
	})
}
