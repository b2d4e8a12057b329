package redisstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
	"iqgateway/limiter/redisstore"
)

// oddCase puts something under one of the store's names that the store would
// not have written.
type oddCase struct {
	name    string
	field   string
	counted string
	put     func(ctx context.Context, c redis.UniversalClient, name string) error
}

func set(text string) func(ctx context.Context, c redis.UniversalClient, name string) error {
	return func(ctx context.Context, c redis.UniversalClient, name string) error {
		return c.Set(ctx, name, text, 0).Err()
	}
}

func wrongTypes() []oddCase {
	var cases []oddCase
	for _, field := range []string{"state", "history"} {
		cases = append(cases,
			oddCase{"hash", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.HSet(ctx, name, "a", "b").Err()
			}},
			oddCase{"stream", field, field + " type", func(ctx context.Context, c redis.UniversalClient, name string) error {
				return c.XAdd(ctx, &redis.XAddArgs{Stream: name, Values: []string{"a", "b"}}).Err()
			}},
		)
	}
	return append(cases,
		oddCase{"list", "state", "state type", func(ctx context.Context, c redis.UniversalClient, name string) error {
			return c.RPush(ctx, name, "a", "b").Err()
		}},
		oddCase{"string", "history", "history type", set("text")},
		oddCase{"50 MB", "state", "state size", func(ctx context.Context, c redis.UniversalClient, name string) error {
			return c.SetRange(ctx, name, 50_000_000, "x").Err()
		}},
	)
}

func wrongTexts() []oddCase {
	var cases []oddCase
	for _, text := range []string{"x", "{}", "iqgw-quota-0 \x80", redisstore.Magic[:5]} {
		cases = append(cases, oddCase{fmt.Sprintf("schema %q", text), "state", "state schema", set(text)})
	}
	packed := map[string]string{
		"nothing": "", "cut off": "\xde\x00", "a number": "\x07", "an empty table": "\x80", "a list": "\x93\x01\x02\x03",
		"two values":          "\x80\x80",
		"a table of nonsense": "\x82\xa4Mode\xa5known\xa5Epoch\xa3abc",
	}
	for name, text := range packed {
		cases = append(cases, oddCase{name, "state", "state unreadable", set(redisstore.Magic + text)})
	}
	return cases
}

func TestForeignDataIsHealedAndCounted(t *testing.T) {
	t.Parallel()
	redistest.Each(t, func(t *testing.T, topology redistest.Topology) {
		r := newReplica(t, topology, redistest.Generous)
		client := redistest.Client(t, topology)
		for i, c := range append(wrongTypes(), wrongTexts()...) {
			key := bucket(fmt.Sprint("case ", i))
			side := newSide(t, r, key)
			side.learn()
			client.Del(t.Context(), r.name(key, c.field))
			before := r.seen.Of(c.counted)
			if err := c.put(t.Context(), client, r.name(key, c.field)); err != nil {
				t.Fatalf("%s of %s: %v", c.name, c.field, err)
			}
			side.next() // a window ends, so that the history is written
			a := side.tell()
			if a.Mode != limiter.ModeKnown || a.Limit != side.limit {
				t.Errorf("%s of %s: not healed: %+v", c.name, c.field, a)
			}
			s := must[limiter.Snapshot](t)(r.View(t.Context(), key, nil))
			if s.Epoch != a.Epoch || c.field == "history" && len(s.History) != 1 {
				t.Errorf("%s of %s: the view is %+v", c.name, c.field, s)
			}
			if n := r.seen.Of(c.counted) - before; n != 1 {
				t.Errorf("%s of %s: %q was counted %d times", c.name, c.field, c.counted, n)
			}
		}
		topology.NoEternalKeys(t)
	})
}

// A state whose numbers no script can have written must not stop the bucket.
func TestPoisonedNumbersAreThrownAway(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, redistest.Generous)
	client := redistest.Client(t, topology)
	key := bucket("poisoned")
	side := newSide(t, r, key)
	side.learn()
	name := r.name(key, "state")
	for what, number := range map[string]string{
		"nan": "\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", "inf": "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", "1e300": "\xcb\x7e\x37\xe4\x3c\x88\x00\x75\x9c",
	} {
		text := must[string](t)(client.Get(t.Context(), name).Result())
		at := strings.Index(text, "\xa8External") + len("\xa8External")
		if err := client.Set(t.Context(), name, text[:at]+number+text[at+1:], time.Hour).Err(); err != nil {
			t.Fatal(err)
		}
		before := r.seen.Of("state unreadable")
		side.tell()
		if a := side.tell(); a.Mode != limiter.ModeKnown || a.External != 0 || a.Limit != side.limit {
			t.Errorf("%s: not healed: %+v", what, a)
		}
		if r.seen.Of("state unreadable") != before+1 {
			t.Errorf("%s: not counted: %v", what, r.seen)
		}
	}
}

// Records that are none are left out of a view, and counted.
func TestNonsenseInTheHistory(t *testing.T) {
	topology := redistest.Single(t)
	r := newReplica(t, topology, redistest.Generous)
	key := bucket("history")
	side := newSide(t, r, key)
	side.learn()
	side.next()
	side.tell()
	client := redistest.Client(t, topology)
	if err := client.LPush(t.Context(), r.name(key, "history"), "nonsense", `{"e":"x"}`, `[1]`).Err(); err != nil {
		t.Fatal(err)
	}
	s := must[limiter.Snapshot](t)(r.View(t.Context(), key, nil))
	if len(s.History) != 1 || r.seen.Of("history unreadable") != 3 {
		t.Errorf("%d records, counted %v", len(s.History), r.seen)
	}
}

func TestWithoutMemoryNothingChanges(t *testing.T) {
	server := redistest.Single(t)
	r := newReplica(t, server, redistest.Generous)
	side := newSide(t, r, bucket("full"))
	side.learn()
	before := must[limiter.Snapshot](t)(r.View(t.Context(), side.key, nil))
	server.SetMaxMemory(t, 1, "noeviction")
	ask := side.ask
	ask.Seq++
	ask.Uses = []limiter.Use{{Caller: "a", Waiting: 5}}
	if a, err := r.Acquire(t.Context(), side.key, ask); err == nil {
		t.Errorf("granted without memory: %+v", a)
	}
	server.SetMaxMemory(t, 0, "noeviction")
	after := must[limiter.Snapshot](t)(r.View(t.Context(), side.key, nil))
	if after.Own != before.Own || after.Epoch != before.Epoch {
		t.Errorf("half a write happened: %+v", after)
	}
	if a := must[limiter.Answer](t)(r.Acquire(t.Context(), side.key, ask)); len(a.Grants) != 1 || a.Grants[0] == 0 {
		t.Errorf("the same ask again: %+v", a)
	}
}
