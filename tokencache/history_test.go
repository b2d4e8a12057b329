package tokencache

import (
	"testing"
	"time"
)

func TestFailedPace(t *testing.T) {
	var h History
	for n, want := range []struct{ calm, urgent time.Duration }{
		{time.Second, 100 * time.Millisecond},
		{2 * time.Second, 200 * time.Millisecond},
		{4 * time.Second, 400 * time.Millisecond},
		{8 * time.Second, 800 * time.Millisecond},
		{16 * time.Second, time.Second},
		{32 * time.Second, time.Second},
		{time.Minute, time.Second},
		{time.Minute, time.Second},
	} {
		h = h.failed(epoch(), &FetchError{})
		calm, _ := h.next(false, 0)
		urgent, stopped := h.next(true, 0)
		if calm.Sub(epoch()) != want.calm || urgent.Sub(epoch()) != want.urgent || stopped {
			t.Errorf("failure %d: calm %s, urgent %s, want %+v", n+1, calm, urgent, want)
		}
	}
	if d := backoff(1000, time.Second, time.Minute, 0.999999); d < 30*time.Second || d > time.Minute {
		t.Errorf("after many failures: %s", d)
	}
}

func TestAskedForWait(t *testing.T) {
	for asked, want := range map[time.Duration]time.Duration{
		-time.Second: 100 * time.Millisecond, 30 * time.Second: 30 * time.Second, time.Hour: time.Minute,
	} {
		if got, _ := (History{}).failed(epoch(), &FetchError{retryAfter: asked}).next(true, 0); got.Sub(epoch()) != want {
			t.Errorf("Retry-After %s: %s, want %s", asked, got.Sub(epoch()), want)
		}
	}
}

// What bars longest decides.
func TestFailuresAndRefusalsTogether(t *testing.T) {
	h := History{}.refused(refusalsAt(0)[0], &FetchError{Refused: true, text: "no"})
	later := h.failed(epoch().Add(time.Minute), &FetchError{text: "away", retryAfter: 30 * time.Second})
	if at, _ := later.next(true, 0); at.Sub(epoch()) != 90*time.Second {
		t.Errorf("a failure after a refusal bars until %s", at)
	}
	if later.LastError != "token endpoint: away" || !later.lastFailure().Equal(epoch().Add(time.Minute)) {
		t.Errorf("%+v", later)
	}
	again := later.refused(refusalsAt(0, 2)[1], &FetchError{Refused: true, text: "no"})
	if at, _ := again.next(true, 0); again.Failures != 0 || at.Sub(epoch()) != 12*time.Minute {
		t.Errorf("a refusal ends a row of failures: %+v until %s", again, at)
	}
	again.ReplacedAt = epoch()
	if got := again.granted(); got.Failures != 0 || len(got.Refusals) != 0 || got.LastError != "" || !got.ReplacedAt.Equal(epoch()) {
		t.Errorf("after a success %+v", got)
	}
}

func TestMergeTakesTheLaterFailure(t *testing.T) {
	at := func(s int) time.Time { return epoch().Add(time.Duration(s) * time.Second) }
	early := History{Failures: 5, FailedAt: at(1), LastError: "early", ReplacedAt: at(3)}
	late := History{Failures: 2, FailedAt: at(2), LastError: "late", ReplacedAt: at(1)}
	cases := map[string]struct {
		mine, theirs History
		cleared      int
		failures     int
		text         string
	}{
		"theirs is later":      {early, late, 0, 2, "late"},
		"mine is later":        {late, early, 0, 2, "late"},
		"they know nothing":    {late, History{}, 0, 2, "late"},
		"success between them": {early, late, 1, 2, "late"},
		"success after both":   {early, late, 2, 0, ""},
		"a liar":               {History{}, History{Failures: -4, FailedAt: at(2), LastError: "x"}, 0, -4, ""},
	}
	for name, c := range cases {
		got := merge(c.mine, c.theirs, at(c.cleared), at(60))
		if got.Failures != c.failures || got.LastError != c.text {
			t.Errorf("%s: %+v", name, got)
		}
		if _, stopped := got.next(true, 0); stopped {
			t.Errorf("%s: stopped", name)
		}
	}
	if got := merge(early, late, time.Time{}, at(60)); !got.ReplacedAt.Equal(at(3)) {
		t.Errorf("replaced %s", got.ReplacedAt)
	}
}

// Clocks that were set back make no failure of the future.
func TestMergeBelievesNoFuture(t *testing.T) {
	year := epoch().AddDate(1, 0, 0)
	theirs := History{Failures: 1, FailedAt: year, ReplacedAt: year, LastError: "x", Refusals: []Refusal{{ID: "a", At: year}}}
	got := merge(History{}, theirs, time.Time{}, epoch())
	if !got.FailedAt.Equal(epoch()) || !got.ReplacedAt.Equal(epoch()) || !got.Refusals[0].At.Equal(epoch()) {
		t.Errorf("%+v", got)
	}
}
