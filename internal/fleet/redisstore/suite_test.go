package redisstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iqgateway/internal/fleet"
)

// suite is what every store must do. The stores that open returns share one
// content, as replicas do; each call begins with an empty one.
func suite(t *testing.T, open func(t *testing.T) (one, other fleet.Store)) {
	for name, test := range map[string]func(*testing.T, fleet.Store, fleet.Store){
		"members":             members,
		"leaving":             leaving,
		"silence":             silence,
		"order":               order,
		"contents":            contents,
		"late":                late,
		"busy":                busy,
		"kept":                kept,
		"concurrent senders":  concurrentSenders,
		"fleets on the store": fleets,
		"questions":           questions,
		"full box":            fullBox,
		"questions at once":   questionsAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			one, other := open(t)
			test(t, one, other)
		})
	}
}

func beat(t *testing.T, s fleet.Store, b fleet.Beat) fleet.News {
	t.Helper()
	news, err := s.Beat(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return news
}

func add(t *testing.T, s fleet.Store, payload string) fleet.ID {
	t.Helper()
	id, err := s.Append(t.Context(), fleet.Command{From: "sender", Kind: "do", Payload: []byte(payload)})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func list(t *testing.T, s fleet.Store) []fleet.Member {
	t.Helper()
	all, err := s.Members(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func members(t *testing.T, one, other fleet.Store) {
	b := beat(t, one, fleet.Beat{Member: fleet.Member{Replica: "b", Version: "2.0"}, Age: time.Hour, Want: true})
	a := beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "a", Version: "1.9"}, Want: true})
	if b.Members != 1 || a.Members != 2 {
		t.Errorf("alive: %d, then %d", b.Members, a.Members)
	}
	if d := a.Started.Sub(b.Started); d < 59*time.Minute || d > 61*time.Minute {
		t.Errorf("b began %v before a, want an hour", d)
	}
	beat(t, one, fleet.Beat{Member: fleet.Member{Replica: "b", Version: "2.0", Config: "c0ffee", Started: b.Started, Done: 1 << 60, Failed: []fleet.ID{7, 9}}, Age: 2 * time.Hour})
	want := []fleet.Member{
		{Replica: "a", Version: "1.9", Started: a.Started, Done: fleet.ID(a.Started.UnixMicro())},
		{Replica: "b", Version: "2.0", Config: "c0ffee", Started: b.Started, Done: 1 << 60, Failed: []fleet.ID{7, 9}},
	}
	for _, s := range []fleet.Store{one, other} {
		got := list(t, s)
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(fleet.Member{}, "Seen"), cmpopts.EquateApproxTime(time.Microsecond), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("members (-want +got):\n%s", diff)
		}
		for _, m := range got {
			if m.Seen.Before(a.Started.Add(-time.Second)) || m.Seen.After(a.Started.Add(time.Minute)) {
				t.Errorf("%s was seen %v", m.Replica, m.Seen)
			}
		}
	}
}

func leaving(t *testing.T, one, other fleet.Store) {
	beat(t, one, fleet.Beat{Member: fleet.Member{Replica: "a"}})
	beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "b"}})
	for range 2 { // the second one has nothing to do
		if err := one.Leave(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if got := list(t, other); len(got) != 1 || got[0].Replica != "b" {
			t.Errorf("members %+v", got)
		}
	}
}

func silence(t *testing.T, one, other fleet.Store) {
	beat(t, one, fleet.Beat{Member: fleet.Member{Replica: "silent"}})
	began := time.Now()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		news := beat(t, other, fleet.Beat{Member: fleet.Member{Replica: "loud"}})
		quiet, alive := time.Since(began), len(list(t, one))
		switch {
		case alive == 2 && quiet > fleet.Silence+time.Second:
			t.Fatalf("silent for %v and still a member", quiet)
		case alive == 1 && quiet < fleet.Silence-100*time.Millisecond:
			t.Fatalf("silent for %v only and gone", quiet)
		case alive == 1 && news.Members == 1:
			return
		}
		<-tick.C
	}
}

func payloads(commands []fleet.Command) []string {
	var texts []string
	for _, c := range commands {
		texts = append(texts, string(c.Payload))
	}
	return texts
}

func order(t *testing.T, one, other fleet.Store) {
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, one, fleet.Beat{Member: member, Want: true}).Started
	ids := []fleet.ID{add(t, one, "1"), add(t, other, "2"), add(t, one, "3")}
	if ids[0] >= ids[1] || ids[1] >= ids[2] || ids[0] <= fleet.ID(member.Started.UnixMicro()) {
		t.Errorf("ids %v after a start at %d", ids, member.Started.UnixMicro())
	}
	for after, want := range [][]string{{"1", "2", "3"}, {"2", "3"}, {"3"}, nil} {
		if after > 0 {
			member.Done = ids[after-1]
		}
		news := beat(t, other, fleet.Beat{Member: member, Want: true})
		if got := payloads(news.Commands); !slices.Equal(got, want) || news.Latest != ids[2] || news.Missed {
			t.Errorf("after %d commands: %v, want %v; latest %d, missed %v", after, got, want, news.Latest, news.Missed)
		}
	}
}

func contents(t *testing.T, one, other fleet.Store) {
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, other, fleet.Beat{Member: member}).Started
	sent := []fleet.Command{
		{From: "x", Kind: "do", Payload: []byte{0, 255, '\n', '"'}},
		{From: "y", Kind: "undo", Payload: nil},
		{From: "y", Kind: "do", Payload: slices.Repeat([]byte("p"), fleet.MaxPayload)},
	}
	for i, c := range sent {
		id, err := one.Append(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		sent[i].ID = id
	}
	got := beat(t, other, fleet.Beat{Member: member, Want: true}).Commands
	if diff := cmp.Diff(sent, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("commands (-sent +got):\n%s", diff)
	}
}

// late is about replicas that begin after a command, or before it and appear
// after it.
func late(t *testing.T, one, other fleet.Store) {
	add(t, one, "1")
	for name, tt := range map[string]struct {
		age  time.Duration
		want int
	}{
		"began after": {0, 0}, "began before": {time.Minute, 1},
	} {
		news := beat(t, other, fleet.Beat{Member: fleet.Member{Replica: name}, Age: tt.age, Want: true})
		if len(news.Commands) != tt.want {
			t.Errorf("a replica that %s the command gets %v", name, payloads(news.Commands))
		}
	}
}

func busy(t *testing.T, one, other fleet.Store) {
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, one, fleet.Beat{Member: member}).Started
	add(t, other, "1")
	if news := beat(t, one, fleet.Beat{Member: member}); len(news.Commands) != 0 || news.Missed {
		t.Errorf("it wanted none: %+v", news)
	}
	if news := beat(t, one, fleet.Beat{Member: member, Want: true}); len(news.Commands) != 1 {
		t.Errorf("now it does: %+v", news)
	}
}

func kept(t *testing.T, one, other fleet.Store) {
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, one, fleet.Beat{Member: member}).Started
	var ids []fleet.ID
	for i := range fleet.Kept + 3 {
		ids = append(ids, add(t, other, fmt.Sprint(i)))
	}
	news := beat(t, one, fleet.Beat{Member: member, Want: true})
	if len(news.Commands) != fleet.Kept || string(news.Commands[0].Payload) != "3" || !news.Missed {
		t.Errorf("%d commands, missed %v", len(news.Commands), news.Missed)
	}
	member.Done = ids[2] // has executed just those that are gone
	if news := beat(t, one, fleet.Beat{Member: member, Want: true}); len(news.Commands) != fleet.Kept || news.Missed {
		t.Errorf("%d commands, missed %v", len(news.Commands), news.Missed)
	}
}

func concurrentSenders(t *testing.T, one, other fleet.Store) {
	member := fleet.Member{Replica: "a"}
	member.Started = beat(t, one, fleet.Beat{Member: member}).Started
	const each = 5
	var (
		senders sync.WaitGroup
		mu      sync.Mutex
		sent    []fleet.ID
	)
	for i, s := range []fleet.Store{one, other, one} {
		senders.Go(func() {
			for n := range each {
				id, err := s.Append(t.Context(), fleet.Command{From: "s", Kind: "do", Payload: fmt.Append(nil, i, n)})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				sent = append(sent, id)
				mu.Unlock()
			}
		})
	}
	senders.Wait()
	slices.Sort(sent)
	var got []fleet.ID
	for _, c := range beat(t, other, fleet.Beat{Member: member, Want: true}).Commands {
		got = append(got, c.ID)
	}
	if !slices.Equal(got, sent) || len(slices.Compact(sent)) != 3*each {
		t.Errorf("got %v, sent %v", got, sent)
	}
}

// fleets is the whole: three replicas, each followed command counted.
func fleets(t *testing.T, one, other fleet.Store) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var mu sync.Mutex
	did := map[string][]string{}
	all := map[string]*fleet.Fleet{}
	for i, name := range []string{"a", "b", "c"} {
		f := fleet.New(fleet.Options{
			Replica: name, Store: []fleet.Store{one, other}[i%2], Interval: 50 * time.Millisecond,
			Handle: map[string]fleet.Handler{"do": func(_ context.Context, payload []byte) error {
				mu.Lock()
				defer mu.Unlock()
				did[name] = append(did[name], string(payload))
				return nil
			}},
		})
		all[name] = f
		running.Go(func() { f.Run(ctx) })
	}
	awaitSize(t, all["a"], 3)
	for i, sender := range []string{"a", "b", "c", "a"} {
		result, err := all[sender].Send(t.Context(), "do", fmt.Append(nil, i))
		if err != nil || result.Replicas != 3 || result.Followed != 3 || result.Alone {
			t.Errorf("%s: %+v, %v", sender, result, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for name, got := range did {
		if !slices.Equal(got, []string{"0", "1", "2", "3"}) {
			t.Errorf("%s executed %v", name, got)
		}
	}
}

func awaitSize(t *testing.T, f *fleet.Fleet, n int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); f.Size() != n; <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d members after 5 s, want %d", f.Size(), n)
		}
	}
}
