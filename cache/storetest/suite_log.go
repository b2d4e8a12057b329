package storetest

import (
	"context"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// RunLog checks that a log keeps the contract of [cache.Log]. start returns
// three independent handles on one log, as those of three replicas are; it is
// called for each subtest, one after the other, with a log of its own.
//
// Beyond the words of [cache.Log]:
//   - Sequences count events: the first one is 1, and Append returns the
//     sequence of its last event. Append without events returns the position.
//   - Since returns all that came after the position, never a part of it. Its
//     Position is that of the last event, and has no Local.
//   - The zero Position stands before the first event of whatever log there is.
//   - A position that the log has not reached yet is Lost, as is one of another log.
//   - Where Lost is true, the answer's Position may be an older one, from which
//     on everything is known; Events are then left to the next call.
//   - At least the newest 1000 events are kept.
func RunLog(t *testing.T, start func(t *testing.T) [3]cache.Log) {
	t.Helper()
	cases := []struct {
		name  string
		check func(*testing.T, *desk)
	}{
		{"an empty log has a name", logEmpty},
		{"an event comes back as it was", logEvents},
		{"sequences count events", logSequences},
		{"all handles see one log", logShared},
		{"an event is told once", logOnce},
		{"a position of another log is lost", logOther},
		{"a position ahead of the log is lost", logAhead},
		{"the newest thousand are kept", logKept},
		{"far behind is all or lost", logBehind},
		{"a herd keeps the order", logHerd},
		{"calls obey their context", logContext},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.check(t, &desk{t: t, logs: start(t)}) })
	}
}

// desk is what one test of the suite works with; its calls must not fail.
type desk struct {
	t    *testing.T
	logs [3]cache.Log
}

func (d *desk) append(log int, events ...cache.Event) cache.Position {
	d.t.Helper()
	p, err := d.logs[log].Append(d.t.Context(), events)
	if err != nil {
		d.t.Fatalf("append: %v", err)
	}
	if p.Log == "" || p.Local != 0 {
		d.t.Errorf("appended at %+v", p)
	}
	return p
}

func (d *desk) since(log int, p cache.Position) cache.News {
	d.t.Helper()
	news, err := d.logs[log].Since(d.t.Context(), p)
	if err != nil {
		d.t.Fatalf("since %+v: %v", p, err)
	}
	if news.Position.Log == "" || news.Position.Local != 0 {
		d.t.Errorf("news have the position %+v", news.Position)
	}
	return news
}

// want reads what came after a position, and compares all that stands for
// something.
func (d *desk) want(log int, after cache.Position, want []cache.Event, at cache.Position) {
	d.t.Helper()
	news := d.since(log, after)
	if news.Lost || news.Position != at {
		d.t.Errorf("since %+v: at %+v, want %+v; lost %t", after, news.Position, at, news.Lost)
	}
	sameEvents(d.t, news.Events, want)
}

func sameEvents(t *testing.T, got, want []cache.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range got {
		if a, b := plain(got[i]), plain(want[i]); a != b {
			t.Errorf("event %d is\n%+v\nwant\n%+v", i, a, b)
		}
	}
}

// plainEvent is an event that can be compared.
type plainEvent struct {
	id               uint64
	kind             cache.EventKind
	service          cache.ServiceName
	path, query, tag string
}

func plain(e cache.Event) plainEvent {
	return plainEvent{e.ID, e.Kind, e.Service, e.Path, e.Query, e.Tag}
}

func pathEvents(from, n int) []cache.Event {
	events := make([]cache.Event, n)
	for i := range events {
		events[i] = cache.Event{
			ID: uint64(from + i), Kind: cache.DropPath,
			Service: cache.ServiceName{Environment: "production", Service: "crm"}, Path: "/v1/companies(1)",
		}
	}
	return events
}

func logEmpty(_ *testing.T, d *desk) {
	at := d.since(0, cache.Position{}).Position
	d.want(1, cache.Position{}, nil, cache.Position{Log: at.Log})
	d.want(2, at, nil, at)
	if p := d.append(0); p != at {
		d.t.Errorf("nothing was appended at %+v, want %+v", p, at)
	}
}

func logEvents(_ *testing.T, d *desk) {
	service := cache.ServiceName{Environment: "production", Service: "crm"}
	odd := "/ä\x00\n\r\t\x1f\"\\'{}[]|:;*%(\xff)" + strings.Repeat("x", 4000)
	events := []cache.Event{
		{ID: 1, Kind: cache.DropPath, Service: service, Path: "/v1/companies(1)"},
		{ID: 1<<64 - 1, Kind: cache.DropTree, Service: service, Path: "/"},
		{ID: 3, Kind: cache.DropPattern, Service: service, Path: "/v1/companies({c})/**"},
		{ID: 4, Kind: cache.DropTag, Service: service, Tag: "prices"},
		{ID: 5, Kind: cache.DropTag, Tag: "prices"},
		{ID: 6, Kind: cache.DropKey, Service: service, Path: "/v1/items", Query: "$filter=Name%20eq%20'x'&a=b"},
		{ID: 7, Kind: cache.DropService, Service: service},
		{ID: 8, Kind: cache.DropAll},
		{ID: 9, Kind: "a kind of tomorrow", Service: cache.ServiceName{Environment: odd, Service: odd}, Path: odd, Query: odd, Tag: odd},
		{ID: 9, Kind: cache.DropAll}, // the same again is another one
	}
	at := d.append(0, events...)
	d.want(1, cache.Position{}, events, at)
}

func logSequences(t *testing.T, d *desk) {
	first := d.append(0, pathEvents(1, 3)...)
	second := d.append(1, pathEvents(4, 1)...)
	third := d.append(2, pathEvents(5, 200)...)
	if first.Seq != 3 || second.Seq != 4 || third.Seq != 204 || d.append(1).Seq != 204 {
		t.Errorf("3, 1 and 200 events end at %d, %d and %d", first.Seq, second.Seq, third.Seq)
	}
	d.want(0, first, append(pathEvents(4, 1), pathEvents(5, 200)...), third)
	d.want(0, cache.Position{Log: third.Log, Seq: 2, Local: 77}, pathEvents(3, 202), third)
}

func logShared(t *testing.T, d *desk) {
	for i := range d.logs {
		at := d.append(i, pathEvents(i+1, 1)...)
		for j := range d.logs {
			if news := d.since(j, cache.Position{}); news.Position != at || len(news.Events) != i+1 {
				t.Errorf("handle %d appended at %+v, handle %d is at %+v", i, at, j, news.Position)
			}
		}
	}
}

func logOnce(_ *testing.T, d *desk) {
	at := d.append(0, pathEvents(1, 2)...)
	d.want(1, cache.Position{}, pathEvents(1, 2), at)
	d.want(1, at, nil, at)
	next := d.append(2, pathEvents(3, 1)...)
	d.want(1, at, pathEvents(3, 1), next)
	d.want(1, next, nil, next)
}

func logOther(t *testing.T, d *desk) {
	at := d.append(0, pathEvents(1, 5)...)
	for _, seq := range []uint64{0, 3, 5, 1000} {
		news := d.since(1, cache.Position{Log: "not " + at.Log, Seq: seq})
		if !news.Lost || news.Position.Log != at.Log || news.Position.Seq > at.Seq {
			t.Errorf("since %d of another log: lost %t at %+v", seq, news.Lost, news.Position)
		}
	}
}

func logAhead(t *testing.T, d *desk) {
	at := d.append(0, pathEvents(1, 5)...)
	for _, ahead := range []uint64{1, 1000, 1 << 40} {
		news := d.since(1, cache.Position{Log: at.Log, Seq: at.Seq + ahead})
		if !news.Lost || news.Position.Log != at.Log || news.Position.Seq > at.Seq {
			t.Errorf("%d ahead: lost %t at %+v", ahead, news.Lost, news.Position)
		}
	}
}

func logKept(_ *testing.T, d *desk) {
	var at cache.Position
	for i := range 10 {
		at = d.append(i%3, pathEvents(1+100*i, 100)...)
	}
	d.want(0, cache.Position{}, pathEvents(1, 1000), at)
}

// logBehind appends more than a log need keep. A reader who missed it is told
// so, and then of all that is left.
func logBehind(t *testing.T, d *desk) {
	const batches, each = 60, 250
	begin := d.append(0, pathEvents(1, 1)...)
	var at cache.Position
	for i := range batches {
		at = d.append(i%3, pathEvents(2+each*i, each)...)
	}
	news := d.since(1, begin)
	if news.Lost {
		if len(news.Events) == 0 {
			begin = news.Position
			news = d.since(1, begin)
		} else {
			begin.Seq = news.Position.Seq - uint64(len(news.Events))
		}
	}
	if news.Position != at || at.Seq-begin.Seq != uint64(len(news.Events)) {
		t.Fatalf("%d events from %+v to %+v, want %+v", len(news.Events), begin, news.Position, at)
	}
	sameEvents(t, news.Events, pathEvents(int(begin.Seq)+1, len(news.Events)))
}

func logContext(t *testing.T, d *desk) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	if _, err := d.logs[0].Append(ctx, pathEvents(1, 1)); err == nil {
		t.Error("append: no error after the end of its context")
	}
	if _, err := d.logs[0].Since(ctx, cache.Position{}); err == nil {
		t.Error("since: no error after the end of its context")
	}
	if took := time.Since(begun); took > time.Second {
		t.Errorf("they took %v after the end of their context", took)
	}
}
