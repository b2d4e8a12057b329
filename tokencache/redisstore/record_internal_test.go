package redisstore

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/internal/secret"
	"iqgateway/tokencache"
)

// exact is a clock that is Redis' own, read in no time.
func exact() measured {
	now := time.UnixMilli(1_790_000_000_000)
	return measured{before: now, after: now, redis: now}
}

func at(seconds int) time.Time {
	return time.UnixMilli(1_790_000_000_000).Add(time.Duration(seconds) * time.Second)
}

func TestTokenSurvivesItsRecord(t *testing.T) {
	for name, want := range map[string]tokencache.SharedToken{
		"full": {
			Field: secret.New("Bearer abc"), Refresh: secret.New("def"),
			Issued: at(-5), Expires: at(43_000), Holder: "replica-1",
		},
		"least": {Field: secret.New("Bearer abc"), Expires: at(1)},
	} {
		plain, expires := encodeToken(want, exact())
		got, err := decodeToken(plain, exact())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmp.Comparer(secret.Text.Equal)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if expires != want.Expires.UnixMilli() {
			t.Errorf("%s: expires at %d, want %d", name, expires, want.Expires.UnixMilli())
		}
	}
}

func TestHistorySurvivesItsRecord(t *testing.T) {
	for name, want := range map[string]tokencache.History{
		"zero": {},
		"full": {
			Failures: 3, FailedAt: at(-1), AskedFor: 90 * time.Second, ReplacedAt: at(-40), LastError: "status 400 invalid_grant",
			Refusals: []tokencache.Refusal{{ID: "a", At: at(-600)}, {ID: "b", At: at(-1)}},
		},
	} {
		got, err := decodeHistory(encodeHistory(want, exact()), exact())
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// What a cache could hand over by a fault must not become a value that no
// replica can read.
func TestAbsurdHistoryIsCutToWhatCanBeRead(t *testing.T) {
	h := tokencache.History{
		Failures: -1, AskedFor: -time.Second, FailedAt: time.Date(1, 1, 2, 0, 0, 0, 0, time.UTC),
		LastError: strings.Repeat("\xff", 3*maxText),
	}
	for range 2 * maxRefusals {
		h.Refusals = append(h.Refusals, tokencache.Refusal{ID: "old", At: at(-1)})
	}
	h.Refusals = append(h.Refusals, tokencache.Refusal{ID: "newest", At: at(0)})
	got, err := decodeHistory(encodeHistory(h, exact()), exact())
	if err != nil {
		t.Fatal(err)
	}
	if n := len(got.Refusals); n != maxRefusals || got.Refusals[n-1].ID != "newest" {
		t.Errorf("%d refusals, the last %v; want %d, the newest last", n, got.Refusals[n-1], maxRefusals)
	}
	if got.Failures != 0 || got.AskedFor != 0 {
		t.Errorf("failures %d, asked for %v; want none", got.Failures, got.AskedFor)
	}
}

func TestOddRecordsAreErrors(t *testing.T) {
	tokens := []string{
		"", "null", "[]", "17", `"text"`, "{", `{"v":1}`,
		`{"v":2,"field":"Bearer a","issued":1,"expires":2}`,
		`{"v":1,"field":17,"expires":2}`,
		`{"v":1,"field":"","expires":2}`,
		`{"v":1,"field":"Bearer a\r\nX: y","expires":2}`,
		`{"v":1,"field":"Bearer ä","expires":2}`,
		`{"v":1,"field":"Bearer a","expires":0}`,
		`{"v":1,"field":"Bearer a","expires":-5}`,
		`{"v":1,"field":"Bearer a","expires":1e18}`,
		`{"v":1,"field":"Bearer a","expires":99999999999999999999}`,
		`{"v":1,"field":"Bearer a","expires":2.5}`,
		`{"v":1,"field":"Bearer a","expires":"2"}`,
	}
	for _, plain := range tokens {
		if got, err := decodeToken([]byte(plain), exact()); err == nil {
			t.Errorf("token %s was read as %+v", plain, got)
		}
	}
	histories := []string{
		"", "null", "[]", "{}", `{"v":2}`, `{"v":1,"failures":-1}`, `{"v":1,"failures":1e9}`, `{"v":1,"failed_at":-1}`,
		`{"v":1,"refusals":{}}`, `{"v":1,"refusals":[{"id":"a","at":-1}]}`, `{"v":1,"asked_for":9e18}`,
		`{"v":1,"last_error":"` + strings.Repeat("x", maxText+1) + `"}`,
		`{"v":1,"refusals":[` + strings.Repeat(`{"id":"a"},`, maxRefusals) + `{"id":"a"}]}`,
	}
	for _, plain := range histories {
		if got, err := decodeHistory([]byte(plain), exact()); err == nil {
			t.Errorf("history %.80s was read as %+v", plain, got)
		}
	}
}

func TestUnknownMembersAreIgnored(t *testing.T) {
	token, err := decodeToken([]byte(`{"v":1,"field":"Bearer a","expires":2,"scope":["new"]}`), exact())
	if err != nil || token.Field.Reveal() != "Bearer a" {
		t.Errorf("token: %v", err)
	}
	history, err := decodeHistory([]byte(`{"v":1,"failures":2,"new":{}}`), exact())
	if err != nil || history.Failures != 2 {
		t.Errorf("history: %+v, %v", history, err)
	}
}

func FuzzDecodeToken(f *testing.F) {
	plain, _ := encodeToken(tokencache.SharedToken{Field: secret.New("Bearer a"), Issued: at(0), Expires: at(9)}, exact())
	f.Add(plain)
	f.Add([]byte(`{"v":1,"field":"Bearer a","expires":4102444800000}`))
	f.Fuzz(func(t *testing.T, plain []byte) {
		token, err := decodeToken(plain, exact())
		if err != nil {
			return
		}
		if strings.ContainsAny(token.Field.Reveal(), "\r\n\x00") || token.Field.IsZero() || token.Expires.IsZero() {
			t.Errorf("%q was read as %+v", plain, token)
		}
		again, _ := encodeToken(token, exact())
		if _, err := decodeToken(again, exact()); err != nil {
			t.Errorf("%q cannot be read again: %v", plain, err)
		}
	})
}

func FuzzDecodeHistory(f *testing.F) {
	f.Add(encodeHistory(tokencache.History{Failures: 1, Refusals: []tokencache.Refusal{{ID: "a", At: at(0)}}}, exact()))
	f.Fuzz(func(t *testing.T, plain []byte) {
		history, err := decodeHistory(plain, exact())
		if err != nil {
			return
		}
		if _, err := decodeHistory(encodeHistory(history, exact()), exact()); err != nil {
			t.Errorf("%q cannot be read again: %v", plain, err)
		}
	})
}
