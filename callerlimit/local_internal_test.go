package callerlimit

import (
	"testing"
	"time"
)

// A process that stood still does not spend what others have got meanwhile.
func TestFrozenReplicaTrustsNothing(t *testing.T) {
	now := time.Now()
	l := newLocal(Limit{Tokens: 1, Per: time.Hour, Burst: 100, Concurrency: 80}, func() int { return 2 })
	l.awake = true
	l.ask(now)
	l.answered(Answer{Granted: 50, Slots: 60, Due: 60})
	if l.allowance(now) != 60 || int(l.have) != 75 {
		t.Fatalf("%d slots, %.0f tokens", l.allowance(now), l.have)
	}
	later := now.Add(trust + time.Millisecond)
	l.take(later)
	if l.allowance(later) != 20 || l.have != 24 {
		t.Errorf("%d slots, %.0f tokens after a pause", l.allowance(later), l.have)
	}
	if a := l.ask(later); a.Slots != 20 || a.Have != 24 {
		t.Errorf("tells %+v", a)
	}
}

// What was made without the store is told once, and again if that was not heard.
func TestDebtIsTold(t *testing.T) {
	now := time.Now()
	l := newLocal(Limit{Tokens: 100, Per: time.Second, Burst: 100}, func() int { return 2 })
	l.awake = true
	l.ask(now)
	l.unanswered()
	for range 100 { // of which it has 25, and makes 25 in half a second
		now = now.Add(5 * time.Millisecond)
		l.take(now)
	}
	for range 2 {
		a := l.ask(now)
		if a.Debt < 23 || a.Debt > 25 {
			t.Errorf("tells %+v", a)
		}
		l.unanswered()
	}
	l.ask(now)
	l.answered(Answer{})
	if a := l.ask(now); a.Debt != 0 {
		t.Errorf("tells it again: %+v", a)
	}
}

// In a fleet, a bound below one for each replica is one for each.
func TestDivide(t *testing.T) {
	for _, tt := range []struct {
		bound, replicas int
		want            Parts
	}{
		{100, 0, Parts{100, 100, 100}},
		{100, 1, Parts{100, 100, 100}},
		{100, 2, Parts{100, 50, 25}},
		{100, 3, Parts{100, 33, 16}},
		{2, 3, Parts{3, 1, 1}},
		{1, 1, Parts{1, 1, 1}},
	} {
		if got := Divide(tt.bound, tt.replicas); got != tt.want {
			t.Errorf("%d of %d: %+v, want %+v", tt.bound, tt.replicas, got, tt.want)
		}
	}
}
