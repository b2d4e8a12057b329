package redisstore

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
)

func sealedQuestion(tb testing.TB, s *Store, to string) string {
	tb.Helper()
	plain, err := json.Marshal(letter{"q", "a", "name", []byte("x")})
	if err != nil {
		tb.Fatal(err)
	}
	sealed, err := s.conn.Seal(kind, s.boxOf(to), 0, plain)
	if err != nil {
		tb.Fatal(err)
	}
	return sealed
}

// Nothing but what was sealed for this replica opens, and it opens as it was.
func FuzzReadQuestion(f *testing.F) {
	s := unconnected(f)
	mine, other := sealedQuestion(f, s, "b"), sealedQuestion(f, s, "c")
	for _, seed := range []string{mine, other, "", "x", mine + "A"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		q := s.readQuestion("b", value)
		want := fleet.Question{ID: "q", From: "a", To: "b", Kind: "name", Payload: []byte("x")}
		switch {
		case q.Err == nil:
			if diff := cmp.Diff(want, q); diff != "" {
				t.Errorf("%q (-want +got):\n%s", value, diff)
			}
			if value == other {
				t.Error("one for another replica opens")
			}
		case value == mine:
			t.Errorf("the genuine one does not open: %v", q.Err)
		case q.Kind != "" || q.From != "" || q.ID != "":
			t.Errorf("%q opens as %+v", value, q)
		}
	})
}

// What is asked and answered is somebody's own: without keys it stays here.
func TestNoMailWithoutKeys(t *testing.T) {
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}})
	if err != nil {
		t.Fatal(err)
	}
	s := New(conn)
	if _, err := s.Ask(t.Context(), []fleet.Question{{To: "b"}}); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("asked: %v", err)
	}
	if err := s.Reply(t.Context(), fleet.Question{ID: "q"}, []byte("x")); !errors.Is(err, redisconn.ErrNoKeys) {
		t.Errorf("answered: %v", err)
	}
}
