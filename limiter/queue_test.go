package limiter

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// line puts requests of callers into a queue, in the given order.
func line(q *queue, shares []Share, class Class, callers ...string) []*Request {
	var all []*Request
	for i, name := range callers {
		r := &Request{Caller: name, Class: class}
		q.push(&q.caller(name, shares).lanes[class], r, moment(i+1), headroom+moment(i), false)
		all = append(all, r)
	}
	return all
}

// serveAll takes the callers out in their turn.
func serveAll(q *queue, eligible func(*lane) bool) []string {
	var order []string
	for {
		r := q.next(eligible)
		if r == nil {
			return order
		}
		q.remove(r)
		order = append(order, r.Caller)
	}
}

func anyone(*lane) bool { return true }

func TestQueueTakesTurns(t *testing.T) {
	heavy := []Share{{Caller: "b", Weight: 2}, {Caller: "c", Weight: 1, Cap: Amount{Tokens: 1}}}
	for _, tt := range []struct {
		name     string
		shares   []Share
		callers  []string
		eligible func(*lane) bool
		want     []string
	}{
		{"one caller", nil, []string{"a", "a"}, anyone, []string{"a", "a"}},
		{"equal callers", nil, []string{"a", "a", "a", "b", "c"}, anyone, []string{"a", "b", "c", "a", "a"}},
		{"weights", heavy, []string{"a", "a", "a", "b", "b", "b", "b"}, anyone, []string{"a", "b", "b", "a", "b", "b", "a"}},
		{"some may not", heavy, []string{"c", "a", "c"}, func(ln *lane) bool { return !ln.caller.capped() }, []string{"a"}},
		{"nobody may", nil, []string{"a"}, func(*lane) bool { return false }, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue()
			line(&q, tt.shares, Batch, tt.callers...)
			if got := serveAll(&q, tt.eligible); !slices.Equal(got, tt.want) {
				t.Errorf("%v, want %v", got, tt.want)
			}
		})
	}
}

func TestQueueOrder(t *testing.T) {
	q := newQueue()
	line(&q, nil, Background, "late")
	line(&q, nil, Batch, "middle")
	r := line(&q, nil, Interactive, "first", "first")
	again := &Request{Caller: "first", Again: true}
	q.push(&q.caller("first", nil).lanes[Interactive], again, 9, headroom, false)
	for i, want := range []*Request{again, r[0], r[1]} {
		if got := q.next(anyone); got != want || !q.remove(got) || q.remove(got) {
			t.Errorf("number %d is another, or cannot be taken out once", i)
		}
	}
	if got := serveAll(&q, anyone); !slices.Equal(got, []string{"middle", "late"}) {
		t.Errorf("%v", got)
	}
}

// TestQueueIsConsistent compares the queue with lists.
func TestQueueIsConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := newQueue()
		var all []*Request
		now := moment(1)
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				now++
				r := &Request{Caller: string(rune('a' + rapid.IntRange(0, 3).Draw(t, "caller"))), Class: Class(rapid.IntRange(0, 2).Draw(t, "class"))}
				q.push(&q.caller(r.Caller, nil).lanes[r.Class], r, now, now+moment(rapid.IntRange(0, 50).Draw(t, "patience")), false)
				all = append(all, r)
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					return
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				if !q.remove(all[i]) {
					t.Fatal("it was not there")
				}
				all = slices.Delete(all, i, i+1)
			},
			"next": func(t *rapid.T) {
				r := q.next(anyone)
				if r == nil {
					return
				}
				for _, o := range all {
					if o.Class < r.Class || o.Class == r.Class && o.Caller == r.Caller && o.queued.arrived < r.queued.arrived {
						t.Fatalf("%v is served before %v", r, o)
					}
				}
				q.remove(r)
				all = slices.DeleteFunc(all, func(o *Request) bool { return o == r })
			},
			"renew": func(*rapid.T) { q.renew() },
			"": func(t *rapid.T) {
				first := never
				var classes [Classes]int
				for _, r := range all {
					first = min(first, r.queued.deadline)
					classes[r.Class]++
				}
				if q.total() != len(all) || q.deadlines.first() != first || q.waiting != classes {
					t.Fatalf("%d wait, the first until %v, %v; want %d, %v, %v", q.total(), q.deadlines.first(), q.waiting, len(all), first, classes)
				}
			},
		})
	})
}

func TestQueueBounds(t *testing.T) {
	q := newQueue()
	c := q.caller("a", nil)
	for i := range maxQueued / 2 {
		if q.full(c) {
			t.Fatalf("full at %d", i)
		}
		line(&q, nil, Class(i%Classes), "a")
	}
	if !q.full(c) {
		t.Error("one caller may hold more than half of the queue")
	}
	for i := range maxQueued / 2 / maxQueuedPerCaller {
		for range maxQueuedPerCaller {
			if q.full(q.caller(fmt.Sprint(i), nil)) {
				t.Fatal("the places of a caller are not its own")
			}
			line(&q, nil, Batch, fmt.Sprint(i))
		}
	}
	for class := range Class(Classes) { // the last place is to be had of who has most
		r := q.least(&q.caller("b", nil).lanes[class])
		if q.total() != maxQueued || r == nil || r.Caller != "a" || r.Class != Background || r.queued.next != nil {
			t.Errorf("%d wait, and %+v makes room for %s", q.total(), r, class)
		}
	}
	if r := q.least(&c.lanes[Background]); r != nil {
		t.Errorf("%+v makes room for who has most", r)
	}
}

func TestUsesAreSortedAndFolded(t *testing.T) {
	q := newQueue()
	for i := range 100 {
		c := q.caller(fmt.Sprintf("c%03d", i), nil)
		c.lanes[Batch].arrived, c.lanes[Batch].spent = 1, int64(i)
	}
	line(&q, nil, Interactive, "c000", "c000")
	q.caller("nothing", nil)
	uses := q.uses(headroom+time.Hour, false)
	callers := map[string]bool{}
	total := Use{}
	for i, u := range uses {
		callers[u.Caller] = true
		total.Arrived += u.Arrived
		total.Spent += u.Spent
		total.Waiting += u.Waiting
		if i > 0 && (uses[i-1].Caller > u.Caller || uses[i-1].Caller == u.Caller && uses[i-1].Class >= u.Class) {
			t.Errorf("%v after %v", u, uses[i-1])
		}
	}
	if len(callers) != maxCallers || !callers["c000"] || !callers["c099"] || !callers[otherCallers] || callers["c001"] {
		t.Errorf("%d callers: %v", len(callers), callers)
	}
	if total.Arrived != 100 || total.Spent != 99*100/2 || total.Waiting != 2 {
		t.Errorf("in all %+v", total)
	}
}

func TestUseOfALane(t *testing.T) {
	q := newQueue()
	ln := &q.caller("a", nil).lanes[Batch]
	for i := range 3 {
		at := moment(i) * time.Second
		q.push(ln, &Request{Caller: "a"}, headroom+at, headroom+at+10*time.Second, false)
	}
	ln.spent, ln.held, ln.arrived = 4, 2, 7
	now := headroom + 6500*time.Millisecond
	want := Use{Caller: "a", Class: Batch, Waiting: 3, Urgent: 2, Oldest: 6500, Spent: 4, Arrived: 7}
	if got := ln.use(now, false); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	want.Spent = 2
	if got := ln.use(now, true); got != want {
		t.Errorf("slots: %+v, want %+v", got, want)
	}
}

func TestBooksAreRenewed(t *testing.T) {
	q := newQueue()
	q.caller("gone", nil)
	q.caller("busy", nil).lanes[Batch].arrived = 1
	q.caller("holds", nil).lanes[Batch].held = 1
	line(&q, nil, Batch, "waits")
	q.renew()
	if len(q.callers) != 3 || q.callers["gone"] != nil || q.callers["busy"].lanes[Batch].arrived != 0 {
		t.Errorf("%v", q.callers)
	}
	q.renew()
	if len(q.callers) != 2 {
		t.Errorf("%d callers are left, want those that wait or hold a slot", len(q.callers))
	}
}
