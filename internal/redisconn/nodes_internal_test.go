package redisconn

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// What the cluster client must see to follow the cluster, and what it must not
// see lest it repeats a command that may have been executed.
func TestNodeError(t *testing.T) {
	tests := []struct {
		err     error
		visible bool
		v       verdict
	}{
		{nil, true, verdictFine},
		{redis.Nil, true, verdictFine},
		{reply("MOVED 3999 10.0.0.1:6379"), true, verdictFine},
		{reply("ASK 3999 10.0.0.1:6379"), true, verdictFine},
		{reply("READONLY You can't write"), true, verdictFine},
		{reply("CLUSTERDOWN The cluster is down"), true, verdictFine},
		{reply("TRYAGAIN Multiple keys request during rehashing of slot"), true, verdictFine},
		{reply("WRONGTYPE Operation"), true, verdictFine},
		{reply("LOADING Redis is loading"), false, verdictGone},
		{reply("NOAUTH Authentication required."), false, verdictWeak},
		{io.EOF, false, verdictWeak},
		{context.DeadlineExceeded, false, verdictWeak},
		{redis.ErrPoolTimeout, false, verdictNeutral},
		{context.Canceled, true, verdictNeutral},
	}
	for _, test := range tests {
		got := nodeError(test.err)
		failed, hidden := errors.AsType[*Error](got)
		if hidden == test.visible || test.visible && got != test.err { //nolint:errorlint // identity is meant
			t.Errorf("%v became %#v", test.err, got)
		}
		if hidden && !failed.ofNode {
			t.Errorf("%v would count twice", test.err)
		}
		if v := nodeVerdict(got); v != test.v {
			t.Errorf("%v: verdict %d, want %d", test.err, v, test.v)
		}
	}
}

func testNode(now *time.Time) (*node, *int) {
	troubles := 0
	owner := &nodes{now: func() time.Time { return *now }, timeout: 40 * time.Millisecond, troubled: func() { troubles++ }}
	return &node{owner: owner, breaker: newBreaker(owner.timeout)}, &troubles
}

func TestNodeOpensOnce(t *testing.T) {
	now := time.Unix(0, 0)
	g, troubles := testNode(&now)
	sent := 0
	fail := func() error { sent++; return io.EOF }
	for range 10 {
		if err := g.guard(t.Context(), fail); !errors.Is(err, ErrAway) {
			t.Fatalf("error %v", err)
		}
	}
	if sent != failuresToOpen || *troubles != 1 {
		t.Errorf("%d commands sent, %d troubles", sent, *troubles)
	}
	if err := g.guard(context.WithValue(t.Context(), uncounted{}, true), func() error { return nil }); err != nil {
		t.Errorf("its own question is refused: %v", err)
	}
}

func TestNodeKeepsCallersWithoutTimeOut(t *testing.T) {
	now := time.Now()
	g, troubles := testNode(&now)
	short, cancel := context.WithDeadline(t.Context(), now.Add(g.owner.timeout/4))
	defer cancel()
	for range 10 {
		_ = g.guard(short, func() error { return context.DeadlineExceeded })
	}
	if *troubles != 0 {
		t.Error("callers with little time opened the breaker")
	}
}

func TestNodePipelineGivesEachCommandItsError(t *testing.T) {
	now := time.Unix(0, 0)
	g, _ := testNode(&now)
	g.away = true
	next := func(context.Context, []redis.Cmder) error { t.Error("sent"); return nil }
	commands := []redis.Cmder{redis.NewCmd(t.Context()), redis.NewCmd(t.Context())}
	if err := g.ProcessPipelineHook(next)(t.Context(), commands); !errors.Is(err, ErrAway) {
		t.Errorf("error %v", err)
	}
	for i, cmd := range commands {
		if !errors.Is(cmd.Err(), ErrAway) {
			t.Errorf("command %d: %v", i, cmd.Err())
		}
	}
}

func TestNodePipelineKeepsAnswers(t *testing.T) {
	now := time.Unix(0, 0)
	g, _ := testNode(&now)
	answered, moved, broken := redis.NewCmd(t.Context()), redis.NewCmd(t.Context()), redis.NewCmd(t.Context())
	err := g.ProcessPipelineHook(func(context.Context, []redis.Cmder) error {
		moved.SetErr(reply("MOVED 1 10.0.0.1:1"))
		broken.SetErr(io.EOF)
		return io.EOF
	})(t.Context(), []redis.Cmder{answered, moved, broken})
	failed, ok := errors.AsType[*Error](broken.Err())
	if answered.Err() != nil || !redis.HasErrorPrefix(moved.Err(), "MOVED") || !ok || failed.Reason != ReasonClosed || !errors.Is(err, ErrAway) {
		t.Errorf("commands %v, %v, %v; pipeline %v", answered.Err(), moved.Err(), broken.Err(), err)
	}
}

func TestDroppedNodesAreForgotten(t *testing.T) {
	owner := &nodes{now: time.Now, timeout: 40 * time.Millisecond, troubled: func() {}}
	dropped := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	dead := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
	owner.add(dropped)
	owner.add(dead)
	if err := dropped.Close(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dead.Close() }()
	if well, away := owner.check(t.Context()); well != 0 || away != 1 {
		t.Errorf("%d well, %d away", well, away)
	}
	if left := owner.list(); len(left) != 1 || left[0].client != dead || !left[0].away {
		t.Errorf("%d nodes left", len(left))
	}
}

func TestNameOf(t *testing.T) {
	for _, test := range []struct {
		master any
		want   string
	}{
		{map[any]any{"name": "mymaster", "ip": "10.0.0.1"}, "mymaster"},
		{[]any{"ip", "10.0.0.1", "name", "mymaster", "port"}, "mymaster"},
		{[]any{"ip", "name"}, ""},
		{map[any]any{"name": 7}, ""},
		{"name", ""},
		{nil, ""},
	} {
		if got := nameOf(test.master); got != test.want {
			t.Errorf("%v: %q, want %q", test.master, got, test.want)
		}
	}
}
