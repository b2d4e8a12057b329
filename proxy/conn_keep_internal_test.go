package proxy

import (
	"testing"
	"time"
)

func TestKeepTime(t *testing.T) {
	start := time.Now()
	at := func(d time.Duration) time.Time { return start.Add(d) }
	var k keepTime
	if !k.trusts(time.Hour, start) {
		t.Error("distrusts an upstream of which nothing is known")
	}
	k.ended(time.Minute, start)
	for idle, want := range map[time.Duration]bool{0: true, 29 * time.Second: true, 30 * time.Second: false, time.Hour: false} {
		if k.trusts(idle, at(time.Second)) != want {
			t.Errorf("closed after a minute, idle for %s: trusted %t", idle, !want)
		}
	}
	k.ended(2*time.Minute, at(time.Second))
	if k.trusts(40*time.Second, at(time.Second)) {
		t.Error("a longer time has replaced the shorter one")
	}
	k.ended(10*time.Second, at(2*time.Second))
	if k.trusts(5*time.Second, at(2*time.Second)) || !k.trusts(4*time.Second, at(2*time.Second)) {
		t.Error("the shortest time does not count")
	}
	if k.trusts(9*time.Second, at(41*time.Second)) || !k.trusts(9*time.Second, at(42*time.Second)) {
		t.Error("does not forget, or too soon")
	}
	k.ended(0, at(50*time.Second))
	if k.trusts(0, at(50*time.Second)) || !k.trusts(0, at(60*time.Second)) {
		t.Error("closed at once")
	}
	if !k.trusts(time.Second, at(3*time.Minute)) || !k.trusts(time.Minute, at(1000*time.Hour)) {
		t.Error("a restart is remembered for ever")
	}
}
