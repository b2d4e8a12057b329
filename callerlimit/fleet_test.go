package callerlimit_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/callerlimit"
)

var hundred = callerlimit.Limit{Tokens: 100, Per: time.Second, Burst: 100}

// However requests come, the fleet admits its rate.
func TestReplicasAdmitTheRate(t *testing.T) {
	for name, tt := range map[string]struct {
		limit    callerlimit.Limit
		replicas int
		asked    int // of them
	}{
		"all replicas":       {hundred, 3, 3},
		"one of three":       {hundred, 3, 1},
		"two of three":       {hundred, 3, 2},
		"a fleet of one":     {hundred, 1, 1},
		"a large fleet":      {hundred, 12, 12},
		"one of a large":     {hundred, 12, 1},
		"a larger burst":     {callerlimit.Limit{Tokens: 100, Per: time.Second, Burst: 400}, 3, 3},
		"one second's worth": {callerlimit.Limit{Tokens: 200, Per: time.Second}, 3, 3},
		"a slow rate":        {callerlimit.Limit{Tokens: 60, Per: time.Minute, Burst: 5}, 3, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, tt.replicas, tt.limit)
				rate := float64(tt.limit.Tokens) / tt.limit.Per.Seconds()
				offered := max(30, int(3*rate))
				warm, seconds := 6*time.Second, 8.0
				hammer(t, f.all[:tt.asked], offered, warm)
				from := time.Now()
				hammer(t, f.all[:tt.asked], offered, time.Duration(seconds)*time.Second)
				if got := float64(f.admitted(from)); got < 0.9*rate*seconds || got > 1.1*rate*seconds {
					t.Errorf("%.0f admitted in %.0f s of %d offered each second", got, seconds, offered)
				}
				t.Logf("%d admitted, %.0f are the rate; %d trips", f.admitted(from), rate*seconds, f.store.count())
				f.close(t)
			})
		})
	}
}

// Who asks for less than its rate is never refused.
func TestModestCallersPass(t *testing.T) {
	for name, tt := range map[string]struct {
		limit     callerlimit.Limit
		replicas  int
		perSecond int
	}{
		"near the rate":  {hundred, 3, 90},
		"far from it":    {hundred, 3, 10},
		"a slow rate":    {callerlimit.Limit{Tokens: 90, Per: time.Minute, Burst: 6}, 3, 1},
		"a fleet of one": {hundred, 1, 95},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, tt.replicas, tt.limit)
				for range 3 {
					hammer(t, f.all, tt.perSecond, 20*time.Second)
					pass(10 * time.Second)
				}
				for i, r := range f.all {
					if len(r.refused) > 0 {
						t.Errorf("replica %d refused %d: %v", i, len(r.refused), r.refused[0])
					}
				}
				f.close(t)
			})
		})
	}
}

// A caller at rest costs nothing: no trip, no timer.
func TestTripsEndWhenTheCallerRests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3, callerlimit.Limit{Tokens: 100, Per: time.Second, Burst: 100, Concurrency: 30})
		hammer(t, f.all, 300, 5*time.Second)
		pass(5 * time.Second)
		before := f.store.count()
		pass(time.Hour)
		if made := f.store.count() - before; made != 0 {
			t.Errorf("%d trips of a caller at rest", made)
		}
		if f.all[0].call(t, "/") != http.StatusOK {
			t.Error("refused after an hour")
		}
		f.close(t)
	})
}

// Each caller has few trips under way, whatever it does.
func TestTripsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1, hundred)
		hammer(t, f.all, 2000, 5*time.Second)
		if n := f.store.count(); n > 5*60 {
			t.Errorf("%d trips in 5 s", n)
		}
		f.close(t)
	})
}

// A caller far below its limit costs the store next to nothing, and one that
// keeps all slots of a small concurrency busy a trip a second.
func TestTripsOfModestCallers(t *testing.T) {
	wide := callerlimit.Limit{Tokens: 1000, Per: time.Second, Burst: 1000, Concurrency: 100}
	for name, tt := range map[string]struct {
		limit     callerlimit.Limit
		replicas  int
		perMinute int
		most      float64 // trips of a request
	}{
		"1000 a minute":                {wide, 3, 1000, 0.02},
		"on many replicas":             {wide, 12, 1000, 0.1},
		"one a second":                 {wide, 3, 60, 0.02},
		"one in two seconds":           {wide, 1, 30, 0.01},
		"10000 a minute":               {wide, 3, 10_000, 0.05},
		"near the limit":               {callerlimit.Limit{Tokens: 1000, Per: time.Minute, Burst: 60}, 3, 800, 0.3},
		"a small burst":                {callerlimit.Limit{Tokens: 1000, Per: time.Minute}, 3, 300, 1},
		"a small burst, once a second": {callerlimit.Limit{Tokens: 90, Per: time.Minute, Burst: 6}, 3, 60, 1},
		"few slots":                    {callerlimit.Limit{Concurrency: 10}, 3, 1000, 0.3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFleet(t, tt.replicas, tt.limit)
				for i := range tt.perMinute {
					f.all[i%tt.replicas].call(t, "/")
					pass(time.Minute / time.Duration(tt.perMinute))
				}
				if got := float64(f.store.count()) / float64(tt.perMinute); got > tt.most {
					t.Errorf("%.3f trips of a request, want at most %.3f", got, tt.most)
				} else {
					t.Logf("%.3f trips of a request", got)
				}
				for i, r := range f.all {
					if len(r.refused) > 0 {
						t.Errorf("replica %d refused %d", i, len(r.refused))
					}
				}
				f.close(t)
			})
		})
	}
}
