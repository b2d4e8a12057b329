package limiter

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/exchange"
)

const noteBucket = "production/crm/authenticated"

// noted is what an exchange tells of its tokens, without the times.
func noted(ex *exchange.Exchange) []exchange.Wait {
	var all []exchange.Wait
	for _, w := range ex.Waits {
		w.At, w.Took = 0, 0
		all = append(all, w)
	}
	return all
}

// TestWhatATokenTookIsNoted: one note for each time that one was asked for, with
// the bucket as its caller would be shown it.
func TestWhatATokenTookIsNoted(t *testing.T) {
	shadow := patient()
	shadow.Enforce = false
	tests := map[string]struct {
		settings Settings
		spend    int  // before
		behind   bool // outsiders take the rest, unseen
		want     want
		results  []string      // "-" before one without a token
		waited   time.Duration // at least, for the last one
	}{
		"granted":   {settings: patient(), spend: 2, want: want{class: "batch"}, results: []string{"granted"}},
		"waited":    {settings: patient(), spend: 10, want: want{class: "batch"}, results: []string{"waited"}, waited: time.Second},
		"too late":  {settings: patient(), spend: 10, want: want{class: "interactive"}, results: []string{"-eta"}},
		"no wait":   {settings: patient(), spend: 10, want: want{noWait: true}, results: []string{"-no_wait"}},
		"shadow":    {settings: shadow, spend: 10, want: want{class: "batch", most: 1}, results: []string{"shadow"}},
		"429 again": {settings: patient(), spend: 2, behind: true, want: want{class: "batch"}, results: []string{"granted", "waited"}, waited: time.Second},
		"429 alone": {settings: patient(), spend: 2, behind: true, want: want{class: "interactive"}, results: []string{"granted", "-eta"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			o := &origin{limit: 10, window: 20 * time.Second}
			bubble(t, tt.settings, o, nil, func(r *rig) {
				r.mustSend(tt.spend, want{class: "batch"})
				if tt.behind {
					outsiders(o)
				}
				shown := r.showing()
				_, ex, _ := r.send(tt.want)
				if diff := cmp.Diff(notesOf(tt.results, *shown), noted(ex)); diff != "" {
					r.Errorf("noted (-want +got):\n%s", diff)
				}
				if last := ex.Waits[len(ex.Waits)-1]; last.Took < tt.waited || tt.waited == 0 && last.Took != 0 {
					r.Errorf("it took %v", last.Took)
				}
			})
		})
	}
}

// showing collects what callers are shown when their attempts begin.
func (r *rig) showing() *[]exchange.QuotaView {
	shown := new([]exchange.QuotaView)
	r.stage = r.set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return rigKey(), true }})(tripper(
		func(req *http.Request) (*http.Response, error) {
			*shown = append(*shown, exchange.From(req.Context()).QuotaView())
			return r.origin.RoundTrip(req)
		}))
	return shown
}

func notesOf(results []string, shown []exchange.QuotaView) []exchange.Wait {
	var all []exchange.Wait
	for i, result := range results {
		name, failed := strings.CutPrefix(result, "-")
		w := exchange.Wait{Kind: exchange.WaitQuota, Result: name, Failed: failed, Bucket: noteBucket, Limit: 10}
		if !failed && i < len(shown) {
			w.Remaining = shown[i].Remaining
		}
		all = append(all, w)
	}
	return all
}

// TestWhoLeavesTheQueueIsNoted, although nobody gets an answer.
func TestWhoLeavesTheQueueIsNoted(t *testing.T) {
	o := &origin{limit: 10, window: 20 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(10, want{class: "batch"})
		ctx, leave := context.WithCancel(r.Context())
		time.AfterFunc(3*time.Second, leave)
		_, ex, err := r.send(want{class: "batch", ctx: ctx})
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		want := []exchange.Wait{{Kind: exchange.WaitQuota, Result: "cancel", Failed: true, Bucket: noteBucket}}
		if diff := cmp.Diff(want, noted(ex)); diff != "" || ex.Waits[0].Took != 3*time.Second {
			t.Errorf("after %v (-want +got):\n%s", ex.Waits[0].Took, diff)
		}
	})
}

// TestARenewedTokenIsNoted beside the first one.
func TestARenewedTokenIsNoted(t *testing.T) {
	o := &origin{limit: 10, window: 20 * time.Second}
	bubble(t, patient(), o, nil, func(r *rig) {
		r.mustSend(1, want{class: "batch"})
		below := tripper(func(req *http.Request) (*http.Response, error) {
			<-time.After(25 * time.Second)
			token := exchange.From(req.Context()).QuotaToken
			if !token.Void() {
				t.Error("the token outlives its window")
			}
			if err := token.Renew(req.Context()); err != nil {
				t.Error(err)
			}
			return o.RoundTrip(req)
		})
		r.stage = r.set.Stage(StageOptions{Bucket: func(*exchange.Exchange) (Key, bool) { return rigKey(), true }})(below)
		_, ex, err := r.send(want{class: "batch"})
		synctest.Wait()
		if got := noted(ex); err != nil || len(got) != 2 || got[0].Result != "granted" || got[1].Failed || got[1].Kind != exchange.WaitQuota {
			t.Errorf("%v: %+v", err, got)
		}
	})
}

// tripper is a func as the stages below.
type tripper func(*http.Request) (*http.Response, error)

// RoundTrip implements [http.RoundTripper].
func (f tripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
