package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// dayFlow is what an application does in one go; each makes many calls, as the
// published client of the provider's APIs does.
type dayFlow string

const (
	flowProducts   dayFlow = "product poll"     // search, each item by its SKU for each list, details, products
	flowProduct    dayFlow = "product by id"    // structure, product
	flowPrices     dayFlow = "prices"           // a list, details, one price for each item
	flowQuantities dayFlow = "quantities"       // changed SKUs, each item by its SKU
	flowOrder      dayFlow = "order"            // each item by its SKU, then three writes
	flowFulfilment dayFlow = "fulfilment"       // report of orders, then each in detail
	flowCustomer   dayFlow = "customer lookup"  // personal data, never kept
	flowTree       dayFlow = "company tree"     // read alone
	flowLocation   dayFlow = "location changed" // read with its Version, then written
)

// dayEvent is one flow of a day.
type dayEvent struct {
	at     time.Duration // since midnight
	caller string
	flow   dayFlow
	// first and count select items of the catalog, or SKUs of an order; what
	// else a flow needs to choose, it takes from first.
	first, count int
	// way is which of the ways a location is written in.
	way int
}

// dayOptions are a day. The same options make the same events.
type dayOptions struct {
	seed    uint64
	callers []string
	items   int // of the catalog
	lists   int // that items come with
	// from and to cut a part out of the day.
	from, to time.Duration
}

// planDay returns the events of a day in the order of their times.
func planDay(o dayOptions) []dayEvent {
	p := dayPlanner{o: o, random: rand.New(rand.NewPCG(o.seed, 1))} // a repeatable day
	for _, caller := range o.callers {
		p.polls(caller)
		p.people(caller)
	}
	p.managers()
	events := slices.DeleteFunc(p.events, func(e dayEvent) bool { return e.at < o.from || e.at >= o.to })
	slices.SortStableFunc(events, func(a, b dayEvent) int { return int(a.at - b.at) })
	return events
}

type dayPlanner struct {
	o      dayOptions
	random *rand.Rand
	events []dayEvent
}

const day = 24 * time.Hour

// polls are what runs by the clock, every application's a little later than the
// minute says, and all of them looking for the same news.
func (p *dayPlanner) polls(caller string) {
	p.every(time.Hour, func(at time.Duration, n int) dayEvent {
		e := dayEvent{flow: flowProducts, first: n * 53 % (p.o.items - 40), count: 40}
		if at == 2*time.Hour {
			e.first, e.count = 0, min(500, p.o.items) // what the lists of the night brought
		}
		return e
	}, caller)
	p.every(2*time.Hour, func(_ time.Duration, n int) dayEvent {
		return dayEvent{flow: flowPrices, first: n % p.o.lists}
	}, caller)
	p.every(10*time.Minute, func(_ time.Duration, n int) dayEvent {
		return dayEvent{flow: flowQuantities, first: n * 29 % (p.o.items - 25), count: 25}
	}, caller)
	p.every(10*time.Minute, func(_ time.Duration, n int) dayEvent { return dayEvent{flow: flowFulfilment, first: n} }, caller)
	p.every(5*time.Minute, func(time.Duration, int) dayEvent { return dayEvent{flow: flowTree} }, caller)
}

// every adds the poll that poll returns for each due time of the day.
func (p *dayPlanner) every(interval time.Duration, poll func(at time.Duration, n int) dayEvent, caller string) {
	for n := range int(day / interval) {
		due := time.Duration(n) * interval
		e := poll(due, n)
		e.at, e.caller = due+time.Duration(p.random.Int64N(int64(2*time.Minute))), caller
		p.events = append(p.events, e)
	}
}

// people come by chance, most of them while the shops are open, and most of
// them want the same few things.
func (p *dayPlanner) people(caller string) {
	popular := rand.NewZipf(p.random, 1.2, 8, uint64(p.o.items-1))
	for hour := range 24 {
		busy := 2
		if hour >= 8 && hour < 20 {
			busy = 20
		}
		for _, flow := range []dayFlow{flowOrder, flowProduct, flowProduct, flowCustomer} {
			for range busy {
				p.events = append(p.events, dayEvent{
					at: time.Duration(hour)*time.Hour + time.Duration(p.random.Int64N(int64(time.Hour))), caller: caller,
					flow: flow, first: int(popular.Uint64()), count: 1 + p.random.IntN(4),
				})
			}
		}
	}
}

// managers of shops change their locations now and then.
func (p *dayPlanner) managers() {
	const changes = 480
	for range changes {
		p.events = append(p.events, dayEvent{
			at: time.Duration(p.random.Int64N(int64(day))), caller: p.o.callers[p.random.IntN(len(p.o.callers))],
			flow: flowLocation, first: p.random.IntN(1 << 16), way: p.random.IntN(len(nodeWays())),
		})
	}
}

// The same options are the same day, and each flow is in it.
func TestPlanDay(t *testing.T) {
	o := dayOptions{seed: 7, callers: []string{"a", "b"}, items: 3000, lists: 12, to: day}
	events := planDay(o)
	if !slices.Equal(events, planDay(o)) {
		t.Error("the same options make two days")
	}
	o.seed++
	if slices.Equal(events, planDay(o)) {
		t.Error("another seed makes the same day")
	}
	seen := map[dayFlow]int{}
	var last time.Duration
	for _, e := range events {
		if e.at < last || e.at >= day+2*time.Minute || e.first < 0 || e.caller == "" {
			t.Fatalf("%+v after %s", e, last)
		}
		last = e.at
		seen[e.flow]++
	}
	if len(seen) != 9 || seen[flowProducts] != 48 || seen[flowOrder] < 300 {
		t.Errorf("flows %v", seen)
	}
	o.seed, o.from, o.to = 7, 9*time.Hour, 10*time.Hour
	part := planDay(o)
	for _, e := range part {
		if e.at < o.from || e.at >= o.to || !slices.Contains(events, e) {
			t.Fatalf("%+v is not of the hour", e)
		}
	}
	if len(part) < len(events)/48 {
		t.Errorf("%d events of %d in a busy hour", len(part), len(events))
	}
}
