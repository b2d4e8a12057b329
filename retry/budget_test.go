package retry

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestBudgetSlides(t *testing.T) {
	start := time.Now()
	b := budget{start: start}
	at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
	for range 100 {
		b.request(at(0.5))
	}
	for i := range 10 {
		if !b.spend(at(1+float64(i)/10), 0.1) {
			t.Fatalf("repetition %d of 10 was not granted", i+1)
		}
	}
	if b.spend(at(9.9), 0.1) {
		t.Error("an eleventh was granted for 100 requests")
	}
	for range 100 {
		b.request(at(10))
	}
	if b.spend(at(10.9), 0.1) {
		t.Error("the first ten are not over yet")
	}
	if !b.spend(at(11), 0.1) {
		t.Error("what was spent ten seconds ago still counts")
	}
	if !b.spend(at(1e6), 0.1) || b.spend(at(1e6), 0.1) {
		t.Error("after a long pause there is one, and one only")
	}
	if b.spend(at(5), 0.1) || b.sum.repeats != 1 {
		t.Errorf("a clock that runs backwards changed something: %+v", b.sum)
	}
	if b.spend(at(2e6), 0) {
		t.Error("a budget of nothing has something")
	}
}

// What was spent and not used is there again, as long as it would count.
func TestBudgetGivesBack(t *testing.T) {
	start := time.Now()
	for name, c := range map[string]struct {
		back time.Duration // after it was spent
		left int64
	}{
		"at once":               {0, 1},
		"within the window":     {9 * time.Second, 1},
		"when it does no more":  {10 * time.Second, 0},
		"when nobody has asked": {time.Hour, 0},
	} {
		b := budget{start: start}
		spent := start.Add(1500 * time.Millisecond)
		for range 20 {
			b.request(spent)
		}
		for i := range 3 {
			if b.spend(spent, 0.1) != (i < 2) {
				t.Fatal("the budget is not two of twenty")
			}
		}
		now := spent.Add(c.back)
		b.request(now)
		b.giveBack(spent)
		total := int64(0)
		for _, s := range b.slots {
			total += s.repeats
		}
		if b.sum.repeats != c.left || total != c.left {
			t.Errorf("%s: %d repetitions are booked, %d in slots, want %d", name, b.sum.repeats, total, c.left)
		}
	}
}

// Against the plainest model there is: a list of everything that happened.
func TestBudgetModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := time.Now()
		b := budget{start: start}
		ratio := rapid.SampledFrom([]float64{0, 0.01, 0.1, 0.5, 1, 3}).Draw(t, "ratio")
		now := time.Duration(0)
		var requests, repeats []time.Duration
		count := func(of []time.Duration) (n int) {
			for _, at := range of {
				if at/slotTime > now/slotTime-slots {
					n++
				}
			}
			return n
		}
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				now += time.Duration(rapid.SampledFrom([]int{0, 1, 300, 999, 1000, 5000, 9999, 10000, 40000}).Draw(t, "ms")) * time.Millisecond
			case 1:
				requests = append(requests, now)
				b.request(start.Add(now))
			default:
				spent := count(repeats)
				want := ratio > 0 && (spent == 0 || float64(spent+1) <= ratio*float64(count(requests)))
				if got := b.spend(start.Add(now), ratio); got != want {
					t.Fatalf("at %s granted %t, want %t: %d requests, %d spent", now, got, want, count(requests), spent)
				}
				if want {
					repeats = append(repeats, now)
				}
			}
			if got := b.sum; got != (spent{int64(count(requests)), int64(count(repeats))}) && b.current == int64(now/slotTime) {
				t.Fatalf("at %s counted %+v, want %d and %d", now, got, count(requests), count(repeats))
			}
		}
	})
}

func TestTypicalDuration(t *testing.T) {
	var b budget
	if b.typical() != 0 {
		t.Error("known before any attempt")
	}
	b.took(time.Second)
	if b.typical() != time.Second {
		t.Errorf("after one attempt: %s", b.typical())
	}
	for range 100 {
		b.took(100 * time.Millisecond)
	}
	if got := b.typical(); got < 100*time.Millisecond || got > 101*time.Millisecond {
		t.Errorf("after many of 100 ms: %s", got)
	}
	b.took(10 * time.Second)
	if got := b.typical(); got > 2*time.Second {
		t.Errorf("one slow attempt makes it %s", got)
	}
}
