package main

import (
	"net/http"
	"testing"
	"time"

	"iqgateway/internal/iqsim"
	"iqgateway/internal/redistest"
)

const (
	dataConnectStores = "/dataconnect/lists/stores?Response=Json"
	dataConnectBucket = "sim/dataconnect/authenticated"
)

// DataConnect runs eight requests at once: three gateways never send more, use
// all of them, and give the slots of a killed gateway to others.
func TestFleetKeepsDataConnectSlots(t *testing.T) {
	t.Parallel()
	if !*long {
		keepsSlots(t, redistest.Single(t))
		return
	}
	redistest.Each(t, keepsSlots)
}

func keepsSlots(t *testing.T, topology redistest.Topology) {
	q := newQuotaFleet(t, topology, quotaOptions{limit: 1000, window: time.Minute, fleetOptions: fleetOptions{
		sim: iqsim.Options{DataConnect: iqsim.DataConnectOptions{Hold: iqsim.Duration(200 * time.Millisecond)}},
	}})
	var demands []demand
	for _, app := range q.apps {
		demands = append(demands, demand{caller: app, rate: 4, target: dataConnectStores}) // twice what the slots can do
	}
	load := q.offer(t, demands...)
	pass(t, 4*time.Second)
	before := q.DataConnectStats("")
	pass(t, 4*time.Second)
	after := q.DataConnectStats("")
	load.stop()
	done := after.Completed - before.Completed
	t.Logf("at most %d at once, %d refused; %d answers in 4 s, of 160 that fit", after.MaxActive, after.Refused, done)
	if after.MaxActive != 8 || after.Refused > 0 {
		t.Errorf("%d were under way at once and %d refused, want 8 and none", after.MaxActive, after.Refused)
	}
	if done < 80 {
		t.Errorf("%d answers in 4 s: the slots are not used", done)
	}
	q.takesOverSlots(t)
}

// takesOverSlots has one gateway hold all slots, and kills it.
func (q *quotaFleet) takesOverSlots(t *testing.T) {
	t.Helper()
	hold := func(d time.Duration) {
		if err := q.ConfigureDataConnect("", iqsim.DataConnectOptions{Hold: iqsim.Duration(d)}); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "nothing is under way", func() bool { return q.DataConnectStats("").Active == 0 })
	hold(time.Minute)
	q.use(q.all[0])
	load := q.offer(t, demand{caller: q.apps[0], rate: 50, target: dataConnectStores})
	await(t, "all slots are taken", func() bool { return q.DataConnectStats("").Active == 8 })
	hold(0)
	q.all[0].kill(t)
	killed := time.Now()
	c := q.ask(t.Context(), q.all[1], demand{caller: q.apps[1], target: dataConnectStores})
	took := time.Since(killed)
	load.stop()
	t.Logf("a slot of the killed gateway was used by another after %s", took)
	if c.status != http.StatusOK || took > 5*time.Second {
		t.Errorf("after %s: %d %s, want 200 within 5 s", took, c.status, c.text)
	}
	if s := q.DataConnectStats(""); s.MaxActive > 8 || s.Refused > 0 {
		t.Errorf("%d at once, %d refused", s.MaxActive, s.Refused)
	}
}

// A report of too many rows says nothing about slots, whatever its status; a
// 503 means that there are too many requests at once.
func TestFleetTellsDataConnectErrorsApart(t *testing.T) {
	t.Parallel()
	q := newQuotaFleet(t, redistest.Single(t), quotaOptions{limit: 1000, window: time.Minute})
	slots := func() float64 {
		return q.metric(t, q.all[0], "iqgw_quota_limit{", `service="dataconnect"`)
	}
	send := func(want int, o iqsim.DataConnectOptions) {
		t.Helper()
		if err := q.ConfigureDataConnect("", o); err != nil {
			t.Fatal(err)
		}
		c := q.ask(t.Context(), q.all[0], demand{caller: q.apps[0], target: dataConnectStores})
		if c.status != want {
			t.Fatalf("%d %s, want %d", c.status, c.text, want)
		}
	}
	send(http.StatusOK, iqsim.DataConnectOptions{})
	await(t, "eight slots are known", func() bool { return slots() == 8 })
	for _, status := range []int{http.StatusBadRequest, http.StatusTooManyRequests} {
		send(status, iqsim.DataConnectOptions{RowLimit: 1, RowLimitStatus: status})
	}
	send(http.StatusOK, iqsim.DataConnectOptions{})
	pass(t, 1500*time.Millisecond) // longer than a heartbeat
	if n := slots(); n != 8 {
		t.Errorf("%v slots after reports of too many rows, want 8", n)
	}
	send(http.StatusServiceUnavailable, iqsim.DataConnectOptions{Overloaded: true})
	await(t, "one slot less after a 503", func() bool { return slots() < 8 })
	if s := slots(); s != 7 && s != 6 { // it may have been tried twice
		t.Errorf("%v slots after a 503, want 7", s)
	}
}
