package redisstore

import (
	"errors"
	"testing"
)

func TestOddAnswersAreErrors(t *testing.T) {
	good := func() []any { return []any{int64(5), int64(4), int64(1), int64(3), int64(2), "t", "h"} }
	if v, err := parseView(good()); err != nil || v.granted != 5 || v.saved != 4 || !v.accepted || v.hsaved != 3 || v.forgiven != 2 || v.token != "t" || v.history != "h" {
		t.Fatalf("a good answer: %+v, %v", v, err)
	}
	for i := range good() {
		for _, wrong := range []any{nil, int64(-1), 1.5, []any{}, errors.New("x")} {
			answer := good()
			answer[i] = wrong
			if v, err := parseView(answer); !errors.Is(err, errReply) {
				t.Errorf("part %d as %v: %+v, %v", i, wrong, v, err)
			}
		}
	}
	if _, err := parseView(good()[:6]); !errors.Is(err, errReply) {
		t.Errorf("too short: %v", err)
	}
}

func TestOddEntriesOfTheDiscardedListAreIgnored(t *testing.T) {
	var told []string
	s := &Store{options: Options{Hooks: Hooks{Discarded: func(field, reason string) { told = append(told, field+" "+reason) }}}}
	for _, entry := range []any{nil, 17, "", "x y", "0 type", "5 type", "4 size", "1 number"} {
		s.reportOdd(entry)
	}
	if len(told) != 2 || told[0] != "lock size" || told[1] != "state number" {
		t.Errorf("told %q", told)
	}
	(&Store{}).reportOdd("1 type") // no hook: silent
}
