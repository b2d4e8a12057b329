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
	refused, err := s.(fleet.Mail).Ask(t.Context(), []fleet.Question{q})
	if err != nil || len(refused) != 1 || !errors.Is(refused[0], want) {
		t.Errorf("asking %s: %v %v, want %v", q.To, refused, err, want)
	}
}

func answerOf(t *testing.T, s fleet.Store, q fleet.Question) (string, bool) {
	t.Helper()
	texts, err := s.(fleet.Mail).Answers(t.Context(), []fleet.Question{q})
	if err != nil || len(texts) != 1 {
		t.Fatal(texts, err)
	}
	return string(texts[0]), texts[0] != nil
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

// Several are asked and heard in one trip each, whatever becomes of some.
func questionsAtOnce(t *testing.T, one, other fleet.Store) {
	for _, replica := range []string{"b", "c", "full"} {
		beat(t, other, fleet.Beat{Member: fleet.Member{Replica: replica}})
	}
	for range fleet.MaxAsked {
		ask(t, one, fleet.Question{ID: "q", From: "a", To: "full"}, nil)
	}
	all := []fleet.Question{
		{ID: "q1", From: "a", To: "b", Kind: "name", Payload: []byte("x")},
		{ID: "q2", From: "a", To: "nobody"},
		{ID: "q3", From: "a", To: "full"},
		{ID: "q4", From: "a", To: "c", Kind: "name", Payload: []byte("x")},
	}
	refused, err := one.(fleet.Mail).Ask(t.Context(), all)
	if err != nil || len(refused) != 4 || refused[0] != nil || !errors.Is(refused[1], fleet.ErrNobody) || !errors.Is(refused[2], fleet.ErrAsking) || refused[3] != nil {
		t.Fatalf("%v, %v", refused, err)
	}
	news := beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "c"}, Listen: true})
	if diff := cmp.Diff(all[3:], news.Questions); diff != "" {
		t.Errorf("questions (-want +got):\n%s", diff)
	}
	if err := other.(fleet.Mail).Reply(t.Context(), all[3], nil); err != nil {
		t.Fatal(err)
	}
	texts, err := one.(fleet.Mail).Answers(t.Context(), all)
	if err != nil || len(texts) != 4 || texts[0] != nil || texts[3] == nil || len(texts[3]) != 0 {
		t.Errorf("%q, %v", texts, err)
	}
}
