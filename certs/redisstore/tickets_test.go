package redisstore_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iqgateway/certs"
	"iqgateway/internal/redistest"
)

func someTickets(made time.Time, ids ...byte) []certs.TicketKey {
	var keys []certs.TicketKey
	for _, id := range ids {
		keys = append(keys, certs.TicketKey{Key: [32]byte(bytes.Repeat([]byte{id}, 32)), Made: made.UTC().Round(time.Second)})
	}
	return keys
}

func TestTicketsAreShared(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		if got, err := one.LoadTickets(t.Context()); err != nil || got.Version != 0 || got.Keys != nil {
			t.Errorf("at first: %v, %v", got, err)
		}
		first, second := someTickets(time.Now(), 'a'), someTickets(time.Now(), 'b', 'a')
		if err := one.ReplaceTickets(t.Context(), 0, first); err != nil {
			t.Fatal(err)
		}
		if err := two.ReplaceTickets(t.Context(), 0, second); !errors.Is(err, certs.ErrTicketsChanged) {
			t.Errorf("two replaced what one had replaced: %v", err)
		}
		if got, err := two.LoadTickets(t.Context()); err != nil || !cmp.Equal(got, certs.TicketKeys{Version: 1, Keys: first}) {
			t.Errorf("%v, %v", got, err)
		}
		if err := two.ReplaceTickets(t.Context(), 1, second); err != nil {
			t.Error(err)
		}
		if got, err := one.LoadTickets(t.Context()); err != nil || !cmp.Equal(got, certs.TicketKeys{Version: 2, Keys: second}) {
			t.Errorf("%v, %v", got, err)
		}
		topology.NoEternalKeys(t)
	})
}

// An older value put back alone opens nothing: it would bring back keys that may
// have been stolen.
func TestTicketsCannotBePutBack(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r, client := newReplica(t, server, setup{}), redistest.Client(t, server)
	name := r.conn.Key("certs").Field("tickets")
	for version, keys := range [][]certs.TicketKey{someTickets(time.Now(), 'a'), someTickets(time.Now(), 'b')} {
		old := client.HGet(t.Context(), name, "keys").Val()
		if err := r.ReplaceTickets(t.Context(), uint64(version), keys); err != nil {
			t.Fatal(err)
		}
		if version == 1 {
			client.HSet(t.Context(), name, "keys", old)
		}
	}
	if got, err := r.LoadTickets(t.Context()); err != nil || got.Version != 2 || got.Keys != nil {
		t.Errorf("%v, %v; want none", got, err)
	}
	client.Del(t.Context(), name)
	client.RPush(t.Context(), name, "a list")
	if got, err := r.LoadTickets(t.Context()); err != nil || got.Version != 0 {
		t.Errorf("of another type: %v, %v", got, err)
	}
	if err := r.ReplaceTickets(t.Context(), 0, someTickets(time.Now(), 'c')); err != nil {
		t.Error(err)
	}
}

// Whatever stands in the place of the keys is told of and replaced.
func TestTicketsThatNobodyWrote(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r, client := newReplica(t, server, setup{}), redistest.Client(t, server)
	name := r.conn.Key("certs").Field("tickets")
	for what, tt := range map[string]struct {
		fields  []any
		version uint64
	}{
		"no keys":         {[]any{"version", "7"}, 7},
		"zeros":           {[]any{"version", "007"}, 7},
		"no number":       {[]any{"version", "abc", "keys", "x"}, 0},
		"negative":        {[]any{"version", "-1", "keys", "x"}, 0},
		"hexadecimal":     {[]any{"version", "0x1", "keys", "x"}, 0},
		"a fraction":      {[]any{"version", "1.5", "keys", "x"}, 0},
		"beyond a double": {[]any{"version", "9007199254740993", "keys", "x"}, 0},
		"beyond all":      {[]any{"version", strings.Repeat("9", 400), "keys", "x"}, 0},
		"no version":      {[]any{"keys", "x"}, 0},
	} {
		client.Del(t.Context(), name)
		client.HSet(t.Context(), name, tt.fields...)
		before := r.seen.Of("tickets", "unreadable")
		got, err := r.LoadTickets(t.Context())
		if err != nil || got.Version != tt.version || got.Keys != nil {
			t.Errorf("%s: %v, %v", what, got, err)
		}
		if n := r.seen.Of("tickets", "unreadable") - before; n != 1 {
			t.Errorf("%s: told %d times", what, n)
		}
		keys := someTickets(time.Now(), 'c')
		if err := r.ReplaceTickets(t.Context(), got.Version, keys); err != nil {
			t.Errorf("%s cannot be replaced: %v", what, err)
		}
		if got, err := r.LoadTickets(t.Context()); err != nil || !cmp.Equal(got, certs.TicketKeys{Version: tt.version + 1, Keys: keys}) {
			t.Errorf("%s: then %v, %v", what, got, err)
		}
	}
}
