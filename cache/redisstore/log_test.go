package redisstore_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iqgateway/cache"
	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

// kinds is one event of each kind, with texts that no encoding may change.
func kinds() []cache.Event {
	s := cache.ServiceName{Environment: "production", Service: "crm"}
	return []cache.Event{
		{ID: 1, Kind: cache.DropPath, Service: s, Path: "/v1/companies(1)"},
		{ID: 1<<64 - 1, Kind: cache.DropTree, Service: s, Path: "/v1/\xff\xfe\x00 \u2028<>&"},
		{ID: 3, Kind: cache.DropPattern, Service: s, Path: "/v1/{company}/**"},
		{ID: 4, Kind: cache.DropTag, Service: s, Tag: "prices"},
		{ID: 5, Kind: cache.DropTag, Tag: "prices"},
		{ID: 6, Kind: cache.DropKey, Service: s, Path: "/a", Query: "$filter=\xffa%20b"},
		{ID: 7, Kind: cache.DropService, Service: s},
		{ID: 8, Kind: cache.DropAll},
	}
}

var plainly = cmpopts.IgnoreUnexported(cache.Event{})

func TestEventsComeBackAsTheyWere(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		one, two := newReplica(t, topology, setup{}), newReplica(t, topology, setup{})
		start := two.since(t, cache.Position{})
		if start.Position.Log == "" || start.Position.Seq != 0 || len(start.Events) != 0 {
			t.Fatalf("an empty log: %+v", start)
		}
		p := one.append(t, kinds()...)
		news := two.since(t, start.Position)
		if diff := cmp.Diff(kinds(), news.Events, plainly); diff != "" || news.Lost || news.Position != p {
			t.Errorf("%+v (-want +got):\n%s", news, diff)
		}
		if news = one.since(t, p); len(news.Events) != 0 || news.Lost || news.Position != p {
			t.Errorf("nothing is new: %+v", news)
		}
		topology.NoEternalKeys(t)
	})
}

// Without keys no word of a caller goes to Redis, and others drop more.
func TestWithoutKeysEventsAreCoarse(t *testing.T) {
	server := redistest.Single(t)
	log := newPlainLog(t, server)
	start := must[cache.News](t)(log.Since(t.Context(), cache.Position{}))
	must[cache.Position](t)(log.Append(t.Context(), kinds()))
	want := kinds()
	for i, e := range want {
		want[i] = cache.Event{ID: e.ID, Kind: cache.DropService, Service: e.Service}
		if e.Service.Service == "" {
			want[i].Kind = cache.DropAll
		}
	}
	news := must[cache.News](t)(log.Since(t.Context(), start.Position))
	if diff := cmp.Diff(want, news.Events, plainly); diff != "" || news.Lost {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for name, text := range server.Dump(t) {
		for _, canary := range []string{"companies", "prices", "filter"} {
			for _, form := range redistest.Disguises(canary) {
				if strings.Contains(name+text, form) {
					t.Errorf("%q can be read", canary)
				}
			}
		}
	}
	// Replicas with keys understand the others, and not the other way round.
	keyed := newReplica(t, server, setup{})
	if got := keyed.since(t, start.Position).Events; !slices.Equal(ids(got), ids(want)) {
		t.Errorf("with keys: %v", ids(got))
	}
	p := keyed.append(t, anEvent(99))
	if news := must[cache.News](t)(log.Since(t.Context(), news.Position)); !news.Lost || news.Position != p {
		t.Errorf("without keys: %+v", news)
	}
}

func TestEventsNeedAnID(t *testing.T) {
	r := newReplica(t, redistest.Single(t), setup{})
	if p, err := r.Append(t.Context(), []cache.Event{anEvent(1), anEvent(0)}); err == nil || errors.Is(err, cache.ErrAway) {
		t.Errorf("%+v, %v", p, err)
	}
	if news := r.since(t, cache.Position{}); news.Position.Seq != 0 {
		t.Errorf("half of them were appended: %+v", news)
	}
}

// After a lost answer the same events are given again, alone or with more.
func TestEventsAreKnownByTheirID(t *testing.T) {
	r := newReplica(t, redistest.Single(t), setup{})
	tests := []struct {
		name string
		give []uint64
		seq  uint64
		want []uint64 // the whole log
	}{
		{"the first", []uint64{1, 2}, 2, []uint64{1, 2}},
		{"the same again", []uint64{1, 2}, 2, []uint64{1, 2}},
		{"a part of them", []uint64{1}, 1, []uint64{1, 2}},
		{"with more", []uint64{1, 2, 3}, 3, []uint64{1, 2, 3}},
		{"the last with more", []uint64{3, 4}, 4, []uint64{1, 2, 3, 4}},
		{"nothing", nil, 4, []uint64{1, 2, 3, 4}},
		{"with others between", []uint64{2, 5}, 6, []uint64{1, 2, 3, 4, 2, 5}},
		{"that once more", []uint64{2, 5}, 6, []uint64{1, 2, 3, 4, 2, 5}},
		{"not in one piece", []uint64{1, 3}, 8, []uint64{1, 2, 3, 4, 2, 5, 1, 3}},
	}
	for _, tt := range tests {
		var events []cache.Event
		for _, id := range tt.give {
			events = append(events, anEvent(id))
		}
		p := r.append(t, events...)
		news := r.since(t, cache.Position{})
		if p.Seq != tt.seq || !slices.Equal(ids(news.Events), tt.want) {
			t.Errorf("%s: sequence %d, want %d; the log is %v, want %v", tt.name, p.Seq, tt.seq, ids(news.Events), tt.want)
		}
	}
}

// Whoever is behind further than the log reaches back hears that it lost.
func TestTheLogIsBounded(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{keep: 10})
	var positions []cache.Position
	positions = append(positions, r.since(t, cache.Position{}).Position)
	for id := range uint64(25) {
		positions = append(positions, r.append(t, anEvent(id+1)))
	}
	for i, p := range positions {
		news := r.since(t, p)
		if lost := i < 15; news.Lost != lost || news.Position != positions[25] || !lost && len(news.Events) != 25-i {
			t.Errorf("from %d: %+v", i, news)
		}
	}
	if n := redistest.Client(t, server).HLen(t.Context(), r.conn.Key("cachelog").Field("events")).Val(); n != 3+2*10 {
		t.Errorf("%d fields, want 10 events with their IDs, and the log's name, sequence and beat", n)
	}
	if odd := r.seen.String(); odd != "" {
		t.Errorf("counted %s", odd)
	}
	// IDs that were trimmed are new again.
	if p := r.append(t, anEvent(1)); p.Seq != 26 {
		t.Errorf("sequence %d", p.Seq)
	}
}

// More than one script takes is still one answer.
func TestManyEventsAtOnce(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, setup{})
	var all []cache.Event
	for id := range uint64(2500) {
		all = append(all, anEvent(id+1))
	}
	if p := r.append(t, all...); p.Seq != 2500 {
		t.Errorf("sequence %d", p.Seq)
	}
	server.NoEternalKeys(t)
	if news := r.since(t, cache.Position{}); len(news.Events) != 2500 || news.Position.Seq != 2500 || news.Lost {
		t.Errorf("%d events up to %d", len(news.Events), news.Position.Seq)
	}
	if p := r.append(t, all...); p.Seq != 2500 {
		t.Errorf("sequence %d after they were given again", p.Seq)
	}
}

// Anything that replicas have seen and that is gone makes all of them drop all.
func TestAnotherHistoryIsAnotherLog(t *testing.T) {
	tests := map[string]func(t *testing.T, server *redistest.Server, key string){
		"flushed": func(t *testing.T, server *redistest.Server, _ string) { server.FlushAll(t) },
		"restarted": func(t *testing.T, server *redistest.Server, _ string) {
			server.Kill()
			server.Start()
		},
		"rolled back": func(t *testing.T, server *redistest.Server, key string) {
			server.CLI(t, "HSET", key, "seq", "2")
		},
		"an event is gone": func(t *testing.T, server *redistest.Server, key string) { server.CLI(t, "HDEL", key, "3") },
		"without a head":   func(t *testing.T, server *redistest.Server, key string) { server.CLI(t, "HDEL", key, "seq") },
		"without a name":   func(t *testing.T, server *redistest.Server, key string) { server.CLI(t, "HDEL", key, "log") },
		"head of nonsense": func(t *testing.T, server *redistest.Server, key string) { server.CLI(t, "HSET", key, "seq", "nan") },
		"another type": func(t *testing.T, server *redistest.Server, key string) {
			server.CLI(t, "DEL", key)
			server.CLI(t, "SADD", key, "x")
		},
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Single(t)
			one, two := newReplica(t, server, setup{}), newReplica(t, server, setup{})
			mine := one.append(t, anEvent(1), anEvent(2), anEvent(3))
			theirs := cache.Position{Log: mine.Log, Seq: 2} // two has read less
			two.since(t, cache.Position{Log: mine.Log, Seq: 1})
			change(t, server, one.conn.Key("cachelog").Field("events"))
			for who, r := range map[string]*replica{"one": one, "two": two} {
				from := mine
				if who == "two" {
					from = theirs
				}
				var news cache.News
				redistest.Eventually(t, "the log answers", func() (ok bool) {
					got, err := r.Since(t.Context(), from)
					news = got
					return err == nil
				})
				if !news.Lost || news.Position.Log == mine.Log || len(news.Events) != 0 {
					t.Errorf("%s: %+v", who, news)
				}
			}
			p := one.append(t, anEvent(1)) // again, it is another log
			if news := two.since(t, cache.Position{Log: p.Log}); p.Seq != 1 || !slices.Equal(ids(news.Events), []uint64{1}) {
				t.Errorf("%+v, %+v", p, news)
			}
			server.NoEternalKeys(t)
		})
	}
}

// A failover that takes back what one replica has read or written is told to
// all, even when the new master has caught up with other events meanwhile.
func TestARewrittenHistoryIsNoticed(t *testing.T) {
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{}), newReplica(t, server, setup{})
	client := redistest.Client(t, server)
	key := one.conn.Key("cachelog").Field("events")
	old := two.append(t, anEvent(1))
	one.since(t, cache.Position{})
	before := must[string](t)(client.Dump(t.Context(), key).Result())
	lost := one.append(t, anEvent(2))
	if err := client.RestoreReplace(t.Context(), key, time.Hour, before).Err(); err != nil {
		t.Fatal(err)
	}
	if p := two.append(t, anEvent(3), anEvent(4)); p.Seq != 3 || p.Log != old.Log {
		t.Fatalf("two cannot know: %+v", p)
	}
	if news := one.since(t, lost); !news.Lost || news.Position.Log == old.Log {
		t.Errorf("the one who has seen more: %+v", news)
	}
	if news := two.since(t, cache.Position{Log: old.Log, Seq: 3}); !news.Lost || news.Position.Log == old.Log {
		t.Errorf("the others: %+v", news)
	}
	if n := one.seen.Of("log rollback"); n != 1 {
		t.Errorf("counted %v", one.seen)
	}
}

// What cannot be read may have dropped anything.
func TestEventsThatCannotBeReadAreLosses(t *testing.T) {
	server := redistest.Single(t)
	one, two := newReplica(t, server, setup{}), newReplica(t, server, setup{})
	client := redistest.Client(t, server)
	key := one.conn.Key("cachelog").Field("events")
	start := one.since(t, cache.Position{}).Position
	one.append(t, anEvent(1), anEvent(2))
	first, second := client.HGet(t.Context(), key, "1").Val(), client.HGet(t.Context(), key, "2").Val()
	const id = "0000000000000001 "
	for name, entry := range map[string]string{
		"nothing": "", "no ID": "x", "short": first[:40], "flipped": first[:60] + "A" + first[61:] + "A",
		"another's payload": id + strings.TrimPrefix(second, "0000000000000002 "),
		"no kind":           id + "\x01\x00\x00\x00\x00\x00\x00", "too short": id + "\x01\x03all\x00\x00\x00\x00",
		"too long": id + "\x01\x03all\x00\x00\x00\x00\x00\x00", "a length of nonsense": id + "\x01\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01all",
		"no payload": id, "ID 0": "0000000000000000 \x01\x03all\x00\x00\x00\x00\x00",
	} {
		if err := client.HSet(t.Context(), key, "1", entry).Err(); err != nil {
			t.Fatal(err)
		}
		before := two.seen.Of("event unreadable")
		if news := two.since(t, start); !news.Lost || news.Position.Seq != 2 || len(news.Events) != 0 {
			t.Errorf("%s: %+v", name, news)
		}
		if n := two.seen.Of("event unreadable") - before; n != 1 {
			t.Errorf("%s: counted %d times", name, n)
		}
	}
	// Events in clear only ever drop more than they say.
	if err := client.HSet(t.Context(), key, "1", id+"\x01\x04path\x0aproduction\x03crm\x01x\x00\x00").Err(); err != nil {
		t.Fatal(err)
	}
	news := two.since(t, cache.Position{Log: start.Log})
	want := cache.Event{ID: 1, Kind: cache.DropService, Service: cache.ServiceName{Environment: "production", Service: "crm"}}
	if len(news.Events) != 2 || !cmp.Equal(news.Events[0], want, plainly) {
		t.Errorf("in clear: %+v", news)
	}
}

// newPlainLog is a log of a replica without keys.
func newPlainLog(t *testing.T, topology redistest.Topology) cache.Log {
	t.Helper()
	return plainLog(setup{}.connect(t, topology, nil, redisconn.Hooks{}))
}
