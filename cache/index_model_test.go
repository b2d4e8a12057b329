package cache

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"iqgateway/internal/pathpattern"
)

// eventModel remembers all, and compares one by one.
type eventModel struct {
	events []Event
	at     []mark
}

func (m *eventModel) dropped(r Route, tags []string, since func(mark) bool) bool {
	for i, e := range m.events {
		if since(m.at[i]) && modelMatches(e, r, tags) {
			return true
		}
	}
	return false
}

func modelMatches(e Event, r Route, tags []string) bool {
	if e.Kind == DropAll {
		return true
	}
	if e.Kind == DropTag {
		return slices.Contains(tags, e.Tag) && (e.Service == ServiceName{} || e.Service == r.Service)
	}
	if e.Service != r.Service {
		return false
	}
	below := func(a, b string) bool { // b is a, or a and more
		return a == "/" || a == b || strings.HasPrefix(b, a+"/") || strings.HasPrefix(b, a+"(")
	}
	switch e.Kind {
	case DropPath:
		return e.Path == r.Path
	case DropKey:
		return e.Path == r.Path && e.Query == r.Query
	case DropTree:
		return below(e.Path, r.Path) || below(r.Path, e.Path)
	case DropPattern:
		return pathpattern.MustParse(e.Path).MatchFolded(r.Path)
	default:
		return true
	}
}

func drawRoute(t *rapid.T) Route {
	return Route{
		Service: ServiceName{"e", rapid.SampledFrom([]string{"s", "t"}).Draw(t, "service")},
		Path:    rapid.SampledFrom(modelPaths()).Draw(t, "path"),
		Query:   rapid.SampledFrom([]string{"", "q"}).Draw(t, "query"),
	}
}

func modelPaths() []string {
	return []string{"/", "/a", "/a(1)", "/a(1)/b", "/a(1)/b(2)", "/a(1)/b(2)/c", "/a(12)", "/a/b", "/ab", "/a(1", "/a(1)(2)"}
}

func drawEvent(t *rapid.T) Event {
	r := drawRoute(t)
	e := Event{ID: eventID(), Service: r.Service, Path: r.Path, Query: r.Query}
	e.Kind = rapid.SampledFrom([]EventKind{DropPath, DropTree, DropPattern, DropTag, DropKey, DropService, DropAll, DropPath, DropTree}).Draw(t, "kind")
	switch e.Kind {
	case DropPattern:
		e.Path = rapid.SampledFrom([]string{"/a({x})", "/a({x})/B", "/a**", "/A(1)/b", "/{x}"}).Draw(t, "pattern")
	case DropTag:
		e.Tag = rapid.SampledFrom([]string{"red", "blue"}).Draw(t, "tag")
		if rapid.Bool().Draw(t, "everywhere") {
			e.Service = ServiceName{}
		}
	default:
	}
	return e
}

// The index says what a list of all events says, and may be stricter only where
// the log's sequence of an event is not known exactly.
func TestIndexIsTheListOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ix, model := newIndex(), &eventModel{}
		var seq uint64
		ix.follow(News{Position: Position{Log: "log"}})
		var births []Position
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			births = append(births, ix.position())
			e := drawEvent(t)
			at := mark{local: ix.position().Local + 1}
			switch rapid.IntRange(0, 2).Draw(t, "from") {
			case 0: // another replica's
				seq++
				at.seq = seq
				ix.follow(News{Position: Position{Log: "log", Seq: seq}, Events: []Event{e}})
			case 1: // own, and the log takes it
				seq++
				at.seq = seq
				ix.apply([]Event{e}, true)
				ix.appended([]Event{e}, Position{Log: "log", Seq: seq})
			case 2: // own, and the log is away
				at.seq = ^uint64(0)
				ix.apply([]Event{e}, true)
			}
			model.events, model.at = append(model.events, e), append(model.at, at)
		}
		for _, born := range births {
			r, tags := drawRoute(t), rapid.SliceOf(rapid.SampledFrom([]string{"red", "green"})).Draw(t, "tags")
			o := &Object{Route: r, Tags: tags, Born: born}
			if got, want := ix.dropped(o), model.dropped(r, tags, func(m mark) bool { return m.local > born.Local }); got != want {
				t.Fatalf("%+v of %+v: dropped %t, want %t", r, born, got, want)
			}
			if got, want := ix.droppedEntry(r, tags, born), model.dropped(r, tags, func(m mark) bool { return m.seq > born.Seq }); got != want {
				t.Fatalf("%+v of %+v in the tier: dropped %t, want %t", r, born, got, want)
			}
		}
	})
}
