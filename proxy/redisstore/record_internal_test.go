package redisstore

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
	"iqgateway/proxy"
)

const aMoment = 1_773_000_000_000_000 // microseconds

// A value that is put back together with its version is too old.
func TestStaleValues(t *testing.T) {
	key := secret.New(string(bytes.Repeat([]byte{'k'}, 32)))
	ring, err := redisconn.NewKeyring([]secret.Text{key})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring, NameKey: key})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	var told []Discarded
	s := New(conn, Hooks{Discarded: func(d Discarded) { told = append(told, d) }})
	p := s.place(proxy.SessionKey{})
	plain, err := encode(proxy.SharedSession{Endpoint: proxy.SharedEndpoint{Known: true}}, aMoment)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		plain string
		age   time.Duration
		found bool
		told  Discarded
	}{
		{string(plain), life, true, ""},
		{string(plain), life + time.Microsecond, false, DiscardedStale},
		{"{}", 0, false, DiscardedUnreadable},
		{`{"format":2}`, 0, false, DiscardedUnreadable},
		{"nonsense", 0, false, DiscardedUnreadable},
	} {
		told = nil
		sealed, err := conn.Seal(kind, conn.Key(kind, "", "", "", "", "").Field("value"), aMoment, []byte(tt.plain))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.open(p, redisconn.Stored{Now: aMoment + tt.age.Microseconds(), Version: "1773000000000000", Sealed: sealed})
		if err != nil || got.Endpoint.Known != tt.found || tt.told != "" && (len(told) != 1 || told[0] != tt.told) {
			t.Errorf("%s after %v: %+v, %v, told %v", tt.plain, tt.age, got, err, told)
		}
	}
}

func TestTimesOfRecords(t *testing.T) {
	in := proxy.SharedSession{
		Cookies: []proxy.SharedCookie{
			{Name: "session", Value: secret.New("1")},
			{Name: "minute", Value: secret.New("1"), Left: time.Minute},
			{Name: "moment", Value: secret.New("1"), Left: time.Nanosecond},
			{Name: "for ever", Value: secret.New("1"), Left: math.MaxInt64},
		},
		Endpoint: proxy.SharedEndpoint{Known: true, Age: time.Hour},
	}
	plain, err := encode(in, aMoment)
	if err != nil {
		t.Fatal(err)
	}
	got, err := decode(plain, aMoment+time.Second.Microseconds())
	if err != nil || len(got.Cookies) != 3 || got.Cookies[0].Left != 0 || got.Cookies[1].Left != 59*time.Second ||
		got.Cookies[2].Left <= 24*time.Hour || got.Endpoint.Age != time.Hour+time.Second {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := decode(plain, aMoment-time.Second.Microseconds()); err != nil || got.Endpoint.Age != time.Hour-time.Second || len(got.Cookies) != 4 {
		t.Errorf("after the clock was set back: %+v, %v", got, err)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(`{"format":1,"cookies":[{"host":"h","name":"s","value":"CANARY","path":"/","expires":1}],"endpoint":{"asked":-9223372036854775808}}`), int64(aMoment))
	f.Add([]byte(`{"format":1,"cookies":[{"expires":9223372036854775807}],"endpoint":{"asked":9223372036854775807}}`), int64(0))
	f.Add([]byte("CANARY"), int64(-1))
	f.Fuzz(func(t *testing.T, plain []byte, now int64) {
		s, err := decode(plain, now)
		if err != nil {
			if bytes.Contains(plain, []byte("CANARY")) && strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error quotes the record: %v", err)
			}
			return
		}
		for _, c := range s.Cookies {
			if c.Left < 0 {
				t.Errorf("%q: a cookie that has expired", plain)
			}
		}
		if s.Endpoint.Age < 0 {
			t.Errorf("%q: asked in the future", plain)
		}
	})
}
