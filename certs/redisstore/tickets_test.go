package redisstore_test

import (
	"bytes"
	"errors"
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
