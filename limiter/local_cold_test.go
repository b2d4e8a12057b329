package limiter

import (
	"testing"
	"time"
)

// A replica whose last word of the store was "nothing is known, one probe" goes
// on by what its own answers say when the store is away: the one probe is no
// limit.
func TestAloneAfterAColdAnswer(t *testing.T) {
	d := newDesk(t, settings())
	first := d.want("a", Interactive, 2*time.Second)
	ask := d.ask()
	cold := d.known(ask, []int64{0}, 0)
	cold.Mode, cold.Name, cold.Lo, cold.Hi, cold.Limit, cold.Available, cold.Span = ModeCold, 0, 0, 0, 1, 0, 0
	d.answer(ask, cold)
	d.now = d.now.Add(askAgain)
	d.lose()
	d.now = d.now.Add(trickleEvery)
	d.local.Tick(d.now)
	if first.ticket == nil {
		t.Fatal("not even a probe is sent")
	}
	d.now = d.now.Add(20 * time.Millisecond)
	d.local.Answered(d.now, first.ticket, headers(1_000_000, 1000, 990))
	granted := 0
	for range 20 {
		d.now = d.now.Add(time.Millisecond)
		if c := d.want("a", Interactive, 2*time.Second); c.ticket != nil {
			granted++
			d.local.Answered(d.now, c.ticket, headers(1_000_000, 1000, 989))
		}
	}
	if granted < 15 {
		t.Errorf("%d of 20 requests got a token, although 990 of 1000 are left", granted)
	}
}
