package redisstore_test

import (
	"flag"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redistest"
	"iqgateway/limiter"
	"iqgateway/limiter/redisstore"
)

// The long form is for whoever changes a decision: go test . -traces 2000.
var traces = flag.Int("traces", 45, "how many random traces the script is compared with limiter.Shared on")

const stepsPerTrace = 120

// The script decides what limiter.Shared decides, and remembers what it
// remembers: to the last bit of every number.
func TestTheScriptDecidesAsSharedDoes(t *testing.T) {
	t.Parallel()
	server := redistest.Single(t)
	r := newReplica(t, server, redistest.Generous)
	client := redistest.Client(t, server)
	modes, told := map[limiter.Mode]int{}, map[string]bool{}
	for seed := range uint64(*traces) {
		c := comparison{trace: newTrace(seed), store: redisstore.NewTimed(r.Store), client: client, key: bucket("compared"), shared: &limiter.Shared{}, told: told}
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		c.operate(t) // on a bucket that nobody has used
		for step := range stepsPerTrace {
			if !c.step(t, r) {
				t.Fatalf("seed %d (%v), step %d", seed, c.trace, step)
			}
			modes[c.shared.Mode]++
		}
	}
	for _, mode := range []limiter.Mode{
		limiter.ModeCold, limiter.ModeKnown, limiter.ModeLimitOnly, limiter.ModeBlind, limiter.ModeSliding, limiter.ModeSlots,
	} {
		if modes[mode] == 0 && *traces >= 45 {
			t.Errorf("no trace came to the mode %s", mode)
		}
	}
	for _, typ := range []reflect.Type{
		reflect.TypeFor[limiter.Ask](), reflect.TypeFor[limiter.Parameters](), reflect.TypeFor[limiter.Use](),
		reflect.TypeFor[limiter.Seen](), reflect.TypeFor[limiter.Share](), reflect.TypeFor[limiter.Amount](),
	} {
		for field := range typ.Fields() {
			if name := typ.Name() + "." + field.Name; !told[name] && *traces >= 45 {
				t.Errorf("no trace tells %s: its part of the script is not compared", name)
			}
		}
	}
	if odd := r.seen.String(); odd != "" {
		t.Errorf("the script threw away %s", odd)
	}
	t.Logf("steps by mode: %v", modes)
}

// comparison is one bucket in Redis and in Go.
type comparison struct {
	trace  *trace
	store  redisstore.Timed
	client redis.UniversalClient
	key    limiter.Key
	shared *limiter.Shared
	told   map[string]bool // fields of asks that were not zero
}

// note finds the fields of an Ask that are not zero.
func (c *comparison) note(v reflect.Value) {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			c.note(v.Index(i))
		}
	}
	if v.Kind() != reflect.Struct {
		return
	}
	for field, value := range v.Fields() {
		if !value.IsZero() {
			c.told[v.Type().Name()+"."+field.Name] = true
			c.note(value)
		}
	}
}

func (c *comparison) step(t *testing.T, r *replica) bool {
	t.Helper()
	teller, ask := c.trace.step()
	now := c.trace.now
	hidden, text, err := c.store.Hidden(ask)
	if err != nil {
		t.Fatal(err)
	}
	c.note(reflect.ValueOf(hidden))
	want := c.shared.Acquire(hidden, now)
	got, err := c.store.AcquireAt(t.Context(), c.key, text, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the answer to %s at %d (-Go +Lua):\n%s", text, now, diff)
		return false
	}
	teller.take(want)
	if c.trace.IntN(10) == 0 {
		c.operate(t)
	}
	state := must[string](t)(c.client.Get(t.Context(), r.name(c.key, "state")).Result())
	if want, got := plainState(c.shared), packedState(t, state); !reflect.DeepEqual(want, got) { // cmp alone takes half of the test's time
		t.Errorf("the state after %s at %d (-Go +Lua):\n%s", text, now, cmp.Diff(want, got))
		return false
	}
	return !t.Failed()
}

// operate does what operators do.
func (c *comparison) operate(t *testing.T) {
	t.Helper()
	now := c.trace.now
	want := c.shared.View(now)
	got := must[limiter.Snapshot](t)(c.store.ViewAt(t.Context(), c.key, now))
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the view at %d (-Go +Lua):\n%s", now, diff)
	}
	if c.trace.IntN(20) > 0 {
		return
	}
	until := c.trace.IntN(2) * int(now+c.trace.Int64N(2000))
	c.shared.Block(int64(until), "by hand")
	if err := c.store.Block(t.Context(), c.key, int64(until), "by hand"); err != nil {
		t.Fatal(err)
	}
}
