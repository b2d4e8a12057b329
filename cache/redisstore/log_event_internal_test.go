package redisstore

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

// unconnected encodes and decodes; it reaches no server.
func unconnected(t testing.TB) *Log {
	t.Helper()
	key := secret.New("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk")
	ring, err := redisconn.NewKeyring([]secret.Text{key})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:1"}, Keys: ring, NameKey: key})
	if err != nil {
		t.Fatal(err)
	}
	return NewLog(conn, LogOptions{})
}

// FuzzDecodeEvent: whatever stands in the log is an event or none, and what was
// not sealed drops a service or everything.
func FuzzDecodeEvent(f *testing.F) {
	l := unconnected(f)
	id, payload, err := l.encode(cache.Event{ID: 7, Kind: cache.DropPath, Path: "/a", Service: cache.ServiceName{Environment: "e", Service: "s"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(id + " " + payload)
	f.Add(id + " " + string(marshalEvent(cache.Event{Kind: cache.DropTag, Tag: "t"})))
	f.Add(id + " \x01\x04path\x00\x00\x01x\x00\x00")
	f.Add("")
	f.Add("7 x")
	f.Fuzz(func(t *testing.T, entry string) {
		e, ok := l.decode(entry)
		genuine := entry == id+" "+payload
		switch {
		case !ok && e.Kind != "", ok && e.ID == 0, genuine && !ok:
			t.Errorf("%+v, %v", e, ok)
		case ok && !genuine && entry[idDigits+1] == eventFormat && e.Kind != cache.DropService && e.Kind != cache.DropAll:
			t.Errorf("in clear: %+v", e)
		}
	})
}

func FuzzUnmarshalEvent(f *testing.F) {
	f.Add(marshalEvent(cache.Event{Kind: cache.DropKey, Path: "/a\xff", Query: "b"}))
	f.Add([]byte{eventFormat, 0x80})
	f.Add([]byte{eventFormat, 1, 'x', 0, 0, 0, 0, 5})
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := unmarshalEvent(b)
		if !ok {
			return
		}
		again, ok := unmarshalEvent(marshalEvent(e))
		if diff := cmp.Diff(e, again, cmpopts.IgnoreUnexported(cache.Event{})); !ok || diff != "" {
			t.Errorf("%v (-want +got):\n%s", ok, diff)
		}
	})
}
