package cache

import (
	"bytes"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func codecObject() *Object {
	o := stateObject("/v1/companies(1)/items/2", 0)
	at := time.Date(2026, 11, 22, 8, 0, 0, 7, time.UTC)
	o.Body, o.Status = []byte(`{"Id":2}`), http.StatusNonAuthoritativeInfo
	o.Requested, o.Received = at.Add(-300*time.Millisecond), at
	o.Age, o.Lifetime, o.WhileRevalidate, o.IfError = 3*time.Second, time.Minute, 2*time.Minute, time.Hour
	o.Revalidate, o.AllowStale, o.Immutable = true, true, true
	o.Route.Query, o.Tags, o.Vary = "$top=1", []string{"items"}, []string{"Prefer"}
	o.Header["Link"] = []string{"</a>; rel=next", "</b>; rel=prev"}
	o.Born = Position{Log: "log", Seq: 1 << 40}
	return o
}

func sameObject(a, b *Object) string {
	return cmp.Diff(a, b, cmp.AllowUnexported(Object{}), cmpopts.IgnoreFields(Object{}, "checked"), cmpopts.EquateEmpty())
}

func TestCodecRoundTrip(t *testing.T) {
	o := codecObject()
	now := o.Received.Add(10 * time.Second)
	b := encode(o, now)
	got, err := decode(b, now, 100)
	if err != nil {
		t.Fatal(err)
	}
	if d := sameObject(o, got); d != "" {
		t.Error(d)
	}
	clear(b) // nothing of it is in the object
	if d := sameObject(o, got); d != "" {
		t.Error(d)
	}
}

// Local positions mean something to one process alone.
func TestCodecLeavesTheLocalPosition(t *testing.T) {
	o := codecObject()
	o.Born.Local = 77
	got, err := decode(encode(o, o.Received), o.Received, 100)
	if err != nil || got.Born != (Position{Log: "log", Seq: 1 << 40}) {
		t.Errorf("%+v, %v", got.Born, err)
	}
}

// An answer ages while it lies in the tier, which knows for how long it has.
func TestCodecAges(t *testing.T) {
	o := codecObject()
	b := encode(o, o.Received.Add(10*time.Second))
	now := time.Unix(5_000_000, 0) // of another machine
	for _, lain := range []time.Duration{0, time.Minute, 30 * 24 * time.Hour} {
		got, err := decode(b, now.Add(-lain), 100)
		if err != nil {
			t.Fatal(err)
		}
		if since, want := now.Sub(got.Received), lain+10*time.Second; since != want || got.Received.Sub(got.Requested) != 300*time.Millisecond || got.Age != o.Age {
			t.Errorf("after %v it was received %v ago, want %v; %+v", lain, since, want, got)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	o := codecObject()
	now := o.Received
	good := encode(o, now)
	for n := range good {
		if _, err := decode(good[:n], now, 100); !errors.Is(err, errUnreadable) {
			t.Fatalf("the first %d bytes of %d: %v", n, len(good), err)
		}
	}
	change := func(change func(o *Object)) []byte { return encode(o.with(change), now) }
	for name, b := range map[string][]byte{
		"more behind it":        append(bytes.Clone(good), 0),
		"another version":       append([]byte{codecVersion + 1}, good[1:]...),
		"a body over the limit": change(func(o *Object) { o.Body = make([]byte, 101) }),
		"a status of 1xx":       change(func(o *Object) { o.Status = 103 }),
		"a status of 600":       change(func(o *Object) { o.Status = 600 }),
		"a line break":          change(func(o *Object) { o.Header = http.Header{"A": {"b\r\nC: d"}} }),
		"a name with a blank":   change(func(o *Object) { o.Header = http.Header{"A b": {"c"}} }),
		"a name in small":       change(func(o *Object) { o.Header = http.Header{"etag": {"c"}} }),
		"a long lifetime":       change(func(o *Object) { o.Lifetime = math.MaxInt64 }),
		"many tags":             change(func(o *Object) { o.Tags = make([]string, maxCodecList+1) }),
		"a long key":            change(func(o *Object) { o.Key = Key(strings.Repeat("k", maxCodecText+1)) }),
	} {
		if got, err := decode(b, now, 100); !errors.Is(err, errUnreadable) || got != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCodecProperty(t *testing.T) {
	text := rapid.StringN(0, 40, 200)
	span := rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(maxCodecSpan)).Draw(t, "span"))
	})
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(0, rapid.Int64Range(int64(maxCodecSpan), 1<<61).Draw(t, "now"))
		header := http.Header{}
		for range rapid.IntRange(0, 12).Draw(t, "fields") {
			name := http.CanonicalHeaderKey(rapid.StringMatching(`[A-Za-z][A-Za-z0-9-]{0,9}`).Draw(t, "name"))
			header[name] = append(header[name], rapid.StringMatching(`[!-~]{0,20}`).Draw(t, "value"))
		}
		o := &Object{
			Key: Key(text.Draw(t, "key")), Selected: text.Draw(t, "selected"),
			Status: rapid.IntRange(200, 599).Draw(t, "status"), Header: header,
			Body: rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "body"),
			Age:  span.Draw(t, "age"),
			terms: terms{
				Lifetime: span.Draw(t, "lifetime"), WhileRevalidate: span.Draw(t, "while"), IfError: span.Draw(t, "if error"),
				Revalidate: rapid.Bool().Draw(t, "revalidate"), AllowStale: rapid.Bool().Draw(t, "allow stale"), Immutable: rapid.Bool().Draw(t, "immutable"),
			},
			Route: Route{ServiceName{text.Draw(t, "environment"), text.Draw(t, "service")}, text.Draw(t, "path"), text.Draw(t, "query")},
			Tags:  rapid.SliceOfN(text, 0, 5).Draw(t, "tags"), Vary: rapid.SliceOfN(text, 0, 5).Draw(t, "vary"),
			Born: Position{Log: text.Draw(t, "log"), Seq: rapid.Uint64().Draw(t, "seq")},
		}
		o.Received = now.Add(-span.Draw(t, "received"))
		o.Requested = o.Received.Add(-span.Draw(t, "took"))
		b := encode(o, now)
		got, err := decode(b, now, 3000)
		if err != nil {
			t.Fatal(err)
		}
		if d := sameObject(o, got); d != "" {
			t.Fatal(d)
		}
		if !bytes.Equal(encode(got, now), b) {
			t.Fatal("the same object is written in two ways")
		}
	})
}

// FuzzDecode: whatever lies in the tier, reading it neither fails badly nor
// gives something that could not have been stored.
func FuzzDecode(f *testing.F) {
	now := time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)
	good := encode(codecObject(), now)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte{})
	f.Add([]byte{codecVersion, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Add(encode(&Object{Status: 204, Header: http.Header{}, Requested: now, Received: now}, now))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := decode(b, now, 1000)
		if err != nil {
			if o != nil || !errors.Is(err, errUnreadable) {
				t.Fatalf("%+v and %v", o, err)
			}
			return
		}
		if len(o.Body) > 1000 || o.Status < 200 || o.Lifetime < 0 || o.Age < 0 || o.Received.After(now) || o.Requested.After(o.Received) || o.Born.Local != 0 {
			t.Fatalf("%+v", o)
		}
		again, err := decode(encode(o, now), now, 1000)
		if err != nil {
			t.Fatal(err)
		}
		if d := sameObject(o, again); d != "" {
			t.Fatal(d)
		}
	})
}

func BenchmarkCodec(b *testing.B) {
	o := stateObject("/v1/items", 10<<10)
	now := time.Now()
	value := encode(o, now)
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(value)))
		b.ReportAllocs()
		for b.Loop() {
			encode(o, now)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(value)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decode(value, now, 1<<20); err != nil {
				b.Fatal(err)
			}
		}
	})
}
