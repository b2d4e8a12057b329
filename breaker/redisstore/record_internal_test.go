package redisstore

import (
	"strings"
	"testing"
	"time"

	"iqgateway/breaker"
)

func TestEncodeBoundsWords(t *testing.T) {
	text, err := encode(breaker.Change{By: strings.Repeat("b", 5000), Why: strings.Repeat("ü", 5000)})
	if err != nil || len(text) > maxValue {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestLeastTime(t *testing.T) {
	for d, want := range map[time.Duration]int64{0: 0, -1: 0, 1: 1, time.Millisecond: 1, time.Millisecond + 1: 2, time.Second: 1000} {
		if got := ms(d); got != want {
			t.Errorf("%s is %d ms, want %d", d, got, want)
		}
	}
}

// Whatever a script answers is a record within bounds, or none.
func FuzzParse(f *testing.F) {
	f.Add("1", "open", "5", "7", "0", `{"by":"a"}`)
	f.Add("-1", "", "99999999999999999999", "x", "4294967296", "{")
	f.Fuzz(func(t *testing.T, version, state, left, age, step, text string) {
		r, ok := parse([]any{version, state, left, age, step, text})
		if !ok {
			if r != (breaker.Record{}) {
				t.Errorf("%+v is none", r)
			}
			return
		}
		if r.Left < 0 || r.Age < 0 || r.Step < 0 || string(r.State) != state {
			t.Errorf("%+v", r)
		}
	})
	for _, answer := range [][]any{nil, {"1"}, {"1", "open", "5", "7", int64(0), "{}"}, {"1", "open", "5", "7", "0", "{}", ""}} {
		if r, ok := parse(answer); ok {
			f.Errorf("%v is %+v", answer, r)
		}
	}
}

func TestAnswersOfAnotherShape(t *testing.T) {
	for _, answer := range [][]any{{"one"}, {int64(1), "x"}} {
		if all, err := readRecords(answer); err == nil {
			t.Errorf("%v: %v", answer, all)
		}
	}
	for _, answer := range [][]any{nil, {"x"}, {int64(1)}} {
		if list, ok := first(answer); ok {
			t.Errorf("%v: %v", answer, list)
		}
	}
}
