package redisstore

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/fleet"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

// unconnected seals and opens; it reaches no server.
func unconnected(t testing.TB) *Store {
	t.Helper()
	ring, err := redisconn.NewKeyring([]secret.Text{secret.New(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring, NameKey: secret.New(strings.Repeat("n", 32))})
	if err != nil {
		t.Fatal(err)
	}
	return New(conn)
}

// Whatever stands in Redis is a member with a place in time, or none.
func FuzzReadMember(f *testing.F) {
	f.Add("a", "1784800000000000", `1784800000000000 {"version":"1","done":3,"failed":[1,2]}`)
	f.Add("a", "0", "")
	f.Add("a", "-1", "9 {}")
	f.Add("", "9999999999999999999", "9 {} {}")
	f.Fuzz(func(t *testing.T, replica, seen, value string) {
		m, ok := readMember([]string{replica, seen, value})
		if !ok {
			if m.Replica != "" {
				t.Errorf("%+v is none", m)
			}
			return
		}
		if m.Replica != replica || m.Started.UnixMicro() <= 0 || m.Seen.UnixMicro() <= 0 || m.Done < fleet.ID(m.Started.UnixMicro()) {
			t.Errorf("%+v", m)
		}
	})
}

// Nothing but what was sealed opens, and it opens as it was.
func FuzzOpenCommand(f *testing.F) {
	s := unconnected(f)
	sealed, err := s.seal(fleet.Command{ID: 7, From: "a", Kind: "do", Payload: []byte("x")})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"7 " + sealed, "8 " + sealed, "7 x", "", " ", "-7 " + sealed, "7"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		c, ok := s.open(value)
		want := fleet.Command{ID: 7, From: "a", Kind: "do", Payload: []byte("x")}
		switch {
		case !ok && value == "7 "+sealed:
			t.Error("the genuine one does not open")
		case ok && c.Err == nil: // genuine: each fuzzing process has sealed its own
			if diff := cmp.Diff(want, c); diff != "" {
				t.Errorf("%q (-want +got):\n%s", value, diff)
			}
		case ok && (c.ID <= 0 || c.Kind != "" || c.From != "" || value == "7 "+sealed):
			t.Errorf("%q opens as %+v", value, c)
		}
	})
}

func TestAnswersOfAnotherShape(t *testing.T) {
	s := unconnected(t)
	for _, answer := range [][]any{
		nil,
		{"1", int64(1), "1", int64(0), []any{}},
		{int64(1), int64(1), "1", int64(0), []any{}, []any{}, "5"},
		{"x", int64(1), "1", int64(0), []any{}, []any{}, "5"},
		{"1", int64(1), "x", int64(0), []any{}, []any{}, "5"},
		{"1", int64(1), "1", int64(0), []any{}, []any{}, "x"},
	} {
		if news, err := s.readNews("a", answer); err == nil {
			t.Errorf("%v: %+v", answer, news)
		}
	}
	news, err := s.readNews("a", []any{"5", int64(2), "9", int64(1), []any{int64(3), "no place", "6 forged"}, []any{int64(3), "forged"}, "6"})
	if err != nil || news.Members != 2 || news.Latest != 9 || news.Now.UnixMicro() != 6 || !news.Missed || len(news.Commands) != 1 || news.Commands[0].Err == nil {
		t.Errorf("%+v, %v", news, err)
	}
	if len(news.Questions) != 2 || news.Questions[0].Err == nil || news.Questions[1].Err == nil {
		t.Errorf("%+v", news.Questions)
	}
}
