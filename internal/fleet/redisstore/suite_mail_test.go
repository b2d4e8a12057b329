package redisstore_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/fleet"
)

// ask leaves a question and wants the error.
func ask(t *testing.T, s fleet.Store, q fleet.Question, want error) {
	t.Helper()
	if err := s.(fleet.Mail).Ask(t.Context(), q); !errors.Is(err, want) {
		t.Errorf("asking %s: %v, want %v", q.To, err, want)
	}
}

func answerOf(t *testing.T, s fleet.Store, q fleet.Question) (string, bool) {
	t.Helper()
	text, there, err := s.(fleet.Mail).Answer(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), there
}

func questions(t *testing.T, one, other fleet.Store) {
	q := fleet.Question{ID: "q1", From: "a", To: "b", Kind: "name", Payload: []byte{0, 255, '"'}}
	ask(t, one, q, fleet.ErrNobody)
	beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "b"}})
	ask(t, one, q, nil)
	if text, there := answerOf(t, one, q); there {
		t.Errorf("answered %q by nobody", text)
	}
	for _, b := range []fleet.Beat{
		{Member: fleet.Member{Replica: "b"}, Want: true}, // listens to commands alone
		{Member: fleet.Member{Replica: "a"}, Listen: true},
	} {
		if news := beat(t, other, b); len(news.Questions) != 0 {
			t.Errorf("%+v gets %+v", b, news.Questions)
		}
	}
	listening := fleet.Beat{Member: fleet.Member{Replica: "b"}, Listen: true}
	if diff := cmp.Diff([]fleet.Question{q}, beat(t, other, listening).Questions); diff != "" {
		t.Fatalf("questions (-want +got):\n%s", diff)
	}
	if again := beat(t, other, listening).Questions; len(again) != 0 {
		t.Errorf("asked twice: %+v", again)
	}
	if err := other.(fleet.Mail).Reply(t.Context(), q, []byte("here")); err != nil {
		t.Fatal(err)
	}
	if text, there := answerOf(t, one, q); !there || text != "here" {
		t.Errorf("answer %q, %v", text, there)
	}
	if text, there := answerOf(t, one, fleet.Question{ID: "q2", To: "b"}); there {
		t.Errorf("another question is answered too: %q", text)
	}
}

func fullBox(t *testing.T, one, other fleet.Store) {
	q := fleet.Question{ID: "q", From: "a", To: "b", Kind: "name"}
	beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "b"}})
	for range fleet.MaxAsked {
		ask(t, one, q, nil)
	}
	ask(t, one, q, fleet.ErrAsking)
	if n := len(beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "b"}, Listen: true}).Questions); n != fleet.MaxAsked {
		t.Errorf("%d questions arrive", n)
	}
	ask(t, one, q, nil)
}
