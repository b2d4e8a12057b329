package cache

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

func crmRoute(path string) Route {
	return Route{Service: ServiceName{"production", "crm"}, Path: path}
}

func crmEvent(kind EventKind, path string) Event {
	return Event{ID: eventID(), Kind: kind, Service: ServiceName{"production", "crm"}, Path: path}
}

// dropCase is an event, and what it drops of what was there before it.
type dropCase struct {
	event   Event
	drops   []Route
	leaves  []Route
	tags    []string
	tagless bool // leaves what has no tag
}

func dropCases() map[string]dropCase {
	service := ServiceName{"production", "crm"}
	return map[string]dropCase{
		"path": {
			event:  crmEvent(DropPath, "/v1/companies(1)"),
			drops:  []Route{crmRoute("/v1/companies(1)"), {service, "/v1/companies(1)", "$top=1"}},
			leaves: []Route{crmRoute("/v1/companies(1)/customers"), crmRoute("/v1/companies"), {ServiceName{"sandbox", "crm"}, "/v1/companies(1)", ""}},
		},
		"tree": {
			event: crmEvent(DropTree, "/v1/companies(1)/customers(2)"),
			drops: []Route{
				crmRoute("/v1/companies(1)/customers(2)"), crmRoute("/v1/companies(1)/customers(2)/addresses(3)"),
				crmRoute("/v1/companies(1)/customers"), crmRoute("/v1/companies(1)"), crmRoute("/v1/companies"), crmRoute("/v1"), crmRoute("/"),
			},
			leaves: []Route{crmRoute("/v1/companies(1)/customers(22)"), crmRoute("/v1/companies(1)/customers(2"), crmRoute("/v1/companies(1)/orders"), crmRoute("/v2")},
		},
		"tree of a list": {
			event:  crmEvent(DropTree, "/v1/companies"),
			drops:  []Route{crmRoute("/v1/companies(1)"), crmRoute("/v1/companies/1"), crmRoute("/v1")},
			leaves: []Route{crmRoute("/v1/companies2")},
		},
		"pattern": {
			event:  crmEvent(DropPattern, "/v1/Companies({c})/Tree"),
			drops:  []Route{crmRoute("/v1/companies(7)/tree")},
			leaves: []Route{crmRoute("/v1/companies(7)/trees"), crmRoute("/v1/companies(7)")},
		},
		"pattern without parameters": {
			event:  crmEvent(DropPattern, "/v1/Companies(7)/Tree/"),
			drops:  []Route{crmRoute("/v1/companies(7)/tree")},
			leaves: []Route{crmRoute("/v1/companies(8)/tree")},
		},
		"pattern that cannot be read": {
			event: crmEvent(DropPattern, "/v1/{"),
			drops: []Route{crmRoute("/v1/companies(7)/tree"), crmRoute("/x")},
		},
		"key": {
			event:  Event{ID: 1, Kind: DropKey, Service: service, Path: "/v1/a", Query: "x=1"},
			drops:  []Route{{service, "/v1/a", "x=1"}},
			leaves: []Route{{service, "/v1/a", "x=2"}, {service, "/v1/a", ""}, {service, "/v1/b", "x=1"}},
		},
		"tag":                     {event: Event{ID: 1, Kind: DropTag, Service: service, Tag: "prices"}, tags: []string{"stock", "prices"}, drops: []Route{crmRoute("/a")}, tagless: true},
		"tag of all services":     {event: Event{ID: 1, Kind: DropTag, Tag: "prices"}, tags: []string{"prices"}, drops: []Route{crmRoute("/a"), {Path: "/b"}}, tagless: true},
		"service":                 {event: crmEvent(DropService, ""), drops: []Route{crmRoute("/a")}, leaves: []Route{{ServiceName{"production", "catalogs"}, "/a", ""}}},
		"all":                     {event: Event{ID: 1, Kind: DropAll, Service: service}, drops: []Route{crmRoute("/a"), {ServiceName{"sandbox", "x"}, "/a", ""}}},
		"a kind of tomorrow":      {event: crmEvent("moon", "/a"), drops: []Route{crmRoute("/b")}, leaves: []Route{{ServiceName{"production", "catalogs"}, "/a", ""}}},
		"a tree of no service":    {event: Event{ID: 1, Kind: DropTree, Path: "/a"}, drops: []Route{crmRoute("/b")}},
		"a pattern of no service": {event: Event{ID: 1, Kind: DropPattern, Path: "/a/{x}"}, drops: []Route{crmRoute("/b")}},
		"a path of no service":    {event: Event{ID: 1, Kind: DropPath, Path: "/a"}, drops: []Route{crmRoute("/b")}},
		"a tree that is too deep": {event: crmEvent(DropTree, strings.Repeat("/a", maxCuts+1)), drops: []Route{crmRoute("/b")}},
	}
}

func TestDropped(t *testing.T) {
	for name, c := range dropCases() {
		t.Run(name, func(t *testing.T) {
			ix := newIndex()
			ix.follow(News{Position: Position{Log: "log", Seq: 4}})
			before := ix.position()
			is := func(route Route, tags []string, born Position) (bool, bool) {
				return ix.dropped(&Object{Route: route, Tags: tags, Born: born}), ix.droppedEntry(route, tags, born)
			}
			ix.follow(News{Position: Position{Log: "log", Seq: 5}, Events: []Event{c.event}})
			for _, r := range c.drops {
				if here, tier := is(r, c.tags, before); !here || !tier {
					t.Errorf("%+v is not dropped: here %t, in the tier %t", r, here, tier)
				}
				if here, tier := is(r, c.tags, ix.position()); here || tier {
					t.Errorf("%+v, fetched later, is dropped: here %t, in the tier %t", r, here, tier)
				}
				if here, tier := is(r, nil, before); c.tagless && (here || tier) {
					t.Errorf("%+v without the tag is dropped", r)
				}
			}
			waiting := newIndex()
			waiting.follow(News{Position: Position{Log: "log", Seq: 4}})
			waiting.apply([]Event{c.event}, true)
			for _, r := range c.drops {
				if !waiting.droppedEntry(r, c.tags, before) {
					t.Errorf("%+v is not dropped in the tier while the event waits", r)
				}
			}
			for _, r := range c.leaves {
				if waiting.droppedEntry(r, nil, before) {
					t.Errorf("%+v is dropped in the tier while the event waits", r)
				}
			}
			for _, r := range c.leaves {
				if here, tier := is(r, nil, before); here || tier {
					t.Errorf("%+v is dropped: here %t, in the tier %t", r, here, tier)
				}
			}
		})
	}
}

// A path of thousands of segments must not cost thousands of lookups; all of
// them count as matched.
func TestDeepPathIsDroppedByAnyTree(t *testing.T) {
	ix := newIndex()
	deep := crmRoute(strings.Repeat("/a", 8000))
	ix.apply([]Event{crmEvent(DropPath, "/b")}, false)
	if ix.dropped(&Object{Route: deep}) {
		t.Error("dropped by a path")
	}
	ix.apply([]Event{crmEvent(DropTree, "/b")}, false)
	if !ix.dropped(&Object{Route: deep}) {
		t.Error("not dropped by a tree")
	}
}

func TestIndexIsBounded(t *testing.T) {
	ix := newIndex()
	old, other := &Object{Route: crmRoute("/never/dropped")}, &Object{Route: Route{ServiceName{"production", "x"}, "/x", ""}}
	for i := range 30_000 {
		ix.apply([]Event{crmEvent(DropPath, fmt.Sprint("/v1/", i)), crmEvent(DropPattern, fmt.Sprint("/p/{a}/", i))}, false)
	}
	s := (*ix.services.Load())[old.Route.Service]
	if n := s.table.size(); n > maxDrops || len(s.table.patterns) > maxPatterns {
		t.Errorf("%d entries, %d patterns", n, len(s.table.patterns))
	}
	if !ix.dropped(old) {
		t.Error("what is older than the oldest entry must count as dropped")
	}
	young := &Object{Route: crmRoute("/never/dropped"), Born: ix.position()}
	ix.apply([]Event{crmEvent(DropPath, "/v1/z")}, false)
	if ix.dropped(young) || ix.dropped(other) {
		t.Error("the young and other services are not concerned")
	}
	for i := range maxServices + 10 {
		ix.apply([]Event{{Kind: DropPath, Service: ServiceName{"e", fmt.Sprint(i)}, Path: "/"}}, false)
	}
	if n := len(*ix.services.Load()); n != maxServices {
		t.Errorf("%d services", n)
	}
	if !ix.dropped(other) {
		t.Error("beyond the bound of services everything is dropped")
	}
}

// Whatever kind of event there is more of than is remembered.
func TestEachKindIsBounded(t *testing.T) {
	for _, kind := range []EventKind{DropPath, DropKey, DropTree, DropTag, DropPattern} {
		t.Run(string(kind), func(t *testing.T) {
			ix := newIndex()
			old := &Object{Route: crmRoute("/never/dropped")}
			for i := range maxDrops + 10 {
				e := crmEvent(kind, fmt.Sprintf("/v1/%d/{a}", i))
				e.Tag = e.Path
				ix.apply([]Event{e}, false)
			}
			s := (*ix.services.Load())[old.Route.Service]
			if n := s.table.size(); n > maxDrops || n < maxPatterns/2 {
				t.Errorf("%d entries", n)
			}
			if !ix.dropped(old) {
				t.Error("what is older than the oldest entry must count as dropped")
			}
		})
	}
}

// A log that has lost its end gives out sequences again that values in the tier
// bear already: none of those is believed.
func TestALogThatLostItsEnd(t *testing.T) {
	for name, before := range map[string]func(ix *index){
		"heard of, without an event": func(ix *index) { ix.follow(News{Position: Position{Log: "log", Seq: 50}}) },
		"appended, and not heard of": func(ix *index) {
			ix.follow(News{Position: Position{Log: "log", Seq: 3}})
			ix.apply([]Event{crmEvent(DropPath, "/x")}, true)
			ix.appended(ix.pending(1), Position{Log: "log", Seq: 50})
		},
	} {
		t.Run(name, func(t *testing.T) {
			ix := newIndex()
			before(ix)
			ix.follow(News{Position: Position{Log: "log", Seq: 2}, Lost: true})
			ix.follow(News{Position: Position{Log: "log", Seq: 3}, Events: []Event{{ID: 7, Kind: DropTag, Tag: "t"}}})
			if !ix.droppedEntry(crmRoute("/a"), nil, Position{Log: "log", Seq: 49}) {
				t.Error("a value of the lost end is believed")
			}
			if ix.droppedEntry(crmRoute("/a"), nil, Position{Log: "log", Seq: 51}) {
				t.Error("nothing is believed any more")
			}
		})
	}
}

// What a lost log had to tell says nothing about values of the next one; and a
// log is another one by its name, also where it does not say so.
func TestAnotherLogBeginsAnew(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log", Seq: 50}, Events: []Event{crmEvent(DropPath, "/b")}})
	before := ix.position()
	ix.follow(News{Position: Position{Log: "new", Seq: 3}})
	if !ix.dropped(&Object{Route: crmRoute("/a"), Born: before}) {
		t.Error("something older is still used")
	}
	if ix.droppedEntry(crmRoute("/b"), nil, Position{Log: "new", Seq: 3}) {
		t.Error("what was dropped long ago is dropped for ever")
	}
}

func TestLostLogDropsEverything(t *testing.T) {
	route := crmRoute("/a")
	for name, to := range map[string]Position{
		"another log":       {Log: "new", Seq: 3},
		"another, empty":    {Log: "new"},
		"a gap":             {Log: "log", Seq: 90},
		"the end went away": {Log: "log", Seq: 2},
	} {
		t.Run(name, func(t *testing.T) {
			ix := newIndex()
			ix.follow(News{Position: Position{Log: "log", Seq: 50}, Events: []Event{crmEvent(DropPath, "/b")}})
			before := ix.position()
			ix.follow(News{Position: to, Lost: true})
			if !ix.dropped(&Object{Route: route, Born: before}) || !ix.droppedEntry(route, nil, Position{Log: "log", Seq: 49}) {
				t.Error("something older is still used")
			}
			if to.Log != "log" && !ix.droppedEntry(route, nil, Position{Log: "log", Seq: 1000}) {
				t.Error("a value of another log is used")
			}
			at := ix.position()
			if at.Log != to.Log || at.Seq != to.Seq || ix.dropped(&Object{Route: route, Born: at}) {
				t.Errorf("it goes on at %+v", at)
			}
			if to.Seq != 2 && ix.droppedEntry(route, nil, at) {
				t.Error("what is born now cannot be shared")
			}
		})
	}
}

func TestNobodyCanTell(t *testing.T) {
	ix := newIndex()
	if !ix.droppedEntry(crmRoute("/a"), nil, Position{}) {
		t.Error("a value of the tier was used before the log was heard")
	}
	ix.follow(News{Position: Position{Log: "log", Seq: 7}})
	if !ix.droppedEntry(crmRoute("/a"), nil, Position{Seq: 9}) {
		t.Error("a value was used that was born without a log")
	}
}

// An own event counts at once, for values of the tier too, and comes back
// without dropping again what was fetched meanwhile.
func TestPendingEvents(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log", Seq: 7}})
	before, route := ix.position(), crmRoute("/a")
	own := []Event{crmEvent(DropPath, "/a")}
	ix.apply(own, true)
	after := ix.position()
	check := func(when string, tierOfNow bool) {
		t.Helper()
		if !ix.dropped(&Object{Route: route, Born: before}) || ix.dropped(&Object{Route: route, Born: after}) {
			t.Errorf("%s: what is in memory is not judged by its birth", when)
		}
		if !ix.droppedEntry(route, nil, before) || ix.droppedEntry(crmRoute("/b"), nil, before) {
			t.Errorf("%s: the tier's old values", when)
		}
		if got := ix.droppedEntry(route, nil, Position{Log: "log", Seq: 9}); got == tierOfNow {
			t.Errorf("%s: the tier's newest value is dropped: %t", when, got)
		}
	}
	check("while it waits", false)
	if p := ix.pending(10); len(p) != 1 || p[0].ID != own[0].ID {
		t.Errorf("%+v is pending", p)
	}
	ix.appended(own, Position{Log: "log", Seq: 9}) // 8 is somebody else's
	check("when the log has it", true)
	if p := ix.position(); p.Seq != 7 || len(ix.pending(10)) != 0 {
		t.Errorf("at %+v, %d pending", p, len(ix.pending(10)))
	}
	ix.follow(News{Position: Position{Log: "log", Seq: 9}, Events: append([]Event{crmEvent(DropPath, "/c")}, own...)})
	check("when it came back", true)
	if p := ix.position(); p.Seq != 9 || p.Local != after.Local+1 {
		t.Errorf("at %+v", p)
	}
	next := []Event{crmEvent(DropPath, "/d")}
	ix.apply(next, true)
	ix.appended(next, Position{Log: "log", Seq: 10})
	if p := ix.position(); p.Seq != 10 {
		t.Errorf("nothing lay between, at %+v", p)
	}
}

func TestAppendedToAnotherLog(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log", Seq: 7}})
	own := []Event{crmEvent(DropPath, "/a")}
	ix.apply(own, true)
	ix.appended(own, Position{Log: "new", Seq: 1})
	if len(ix.pending(10)) != 0 || !ix.droppedEntry(crmRoute("/a"), nil, Position{Log: "log", Seq: 99}) {
		t.Error("it is in a log, but not in the one that is read")
	}
	ix.follow(News{Position: Position{Log: "new", Seq: 1}, Lost: true})
	if len(ix.pending(10)) != 1 {
		t.Error("it may be lost with the log: it is to be offered again")
	}
	ix.follow(News{Position: Position{Log: "new", Seq: 2}, Events: own})
	if len(ix.pending(10)) != 0 {
		t.Error("it stood in the log")
	}
}

func TestPendingIsBounded(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log", Seq: 7}})
	catalogs := ServiceName{"production", "catalogs"}
	kept := &Object{Route: crmRoute("/kept")}
	for i := range 5 * maxPending {
		e := crmEvent(DropPath, fmt.Sprint("/v1/", i))
		if i%2 == 0 {
			e.Service = catalogs
		}
		ix.apply([]Event{e}, true)
	}
	if n := len(ix.pending(7)); n != 7 {
		t.Errorf("%d of 7 are offered", n)
	}
	waiting := ix.pending(1 << 20)
	if len(waiting) > maxPending || len(waiting) < maxPending/2 {
		t.Errorf("%d are pending", len(waiting))
	}
	var services []ServiceName
	for _, e := range waiting {
		if e.Kind == DropService {
			services = append(services, e.Service)
		}
		if e.ID == 0 || !ix.own.has(e.ID) {
			t.Errorf("%+v will not be recognised", e)
		}
	}
	if len(services) != 2 || ix.dropped(kept) {
		t.Errorf("%v are dropped as a whole; here %t", services, ix.dropped(kept))
	}
	ix.apply([]Event{{ID: 5, Kind: DropTag, Tag: "t"}}, true)
	for range maxPending {
		ix.apply([]Event{crmEvent(DropPath, "/x")}, true)
	}
	if e := ix.pending(1)[0]; e.Kind != DropAll {
		t.Errorf("a tag of all services has become %+v", e)
	}
}

func TestOwnIDsAreBounded(t *testing.T) {
	o := newOwnIDs()
	for id := range uint64(3 * maxOwnIDs) {
		o.add(id + 1)
	}
	if len(o.known) != maxOwnIDs || o.has(1) || !o.has(3*maxOwnIDs) || !o.has(2*maxOwnIDs+1) || o.has(2*maxOwnIDs) || o.has(0) {
		t.Errorf("%d IDs are known", len(o.known))
	}
}

func TestAdopt(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log", Seq: 7}, Events: []Event{crmEvent(DropPath, "/a")}})
	o := &Object{Route: crmRoute("/a"), Born: Position{Log: "log", Seq: 7}}
	if !ix.adopt(o) || o.Born.Local != ix.position().Local || ix.dropped(o) {
		t.Errorf("not adopted: %+v", o.Born)
	}
	if ix.adopt(&Object{Route: crmRoute("/a"), Born: Position{Log: "log", Seq: 6}}) {
		t.Error("adopted what is dropped")
	}
	ix.follow(News{Position: Position{Log: "log", Seq: 8}, Events: []Event{crmEvent(DropPath, "/a")}})
	if !ix.dropped(o) {
		t.Error("a later event does not drop it")
	}
}

// What an object was compared with is noted; a copy that is born later does not
// vouch for the older one.
func TestCheckedMark(t *testing.T) {
	ix := newIndex()
	m := newMemory(1<<20, nil)
	o := stateObject("/a", 10)
	m.put(o)
	o = m.get(o.Key, o.Selected)
	ix.apply([]Event{{ID: 1, Kind: DropPath, Service: o.Route.Service, Path: "/b"}}, false)
	if ix.dropped(o) || o.checked.upTo.Load() != 1 {
		t.Errorf("checked up to %d", o.checked.upTo.Load())
	}
	ix.apply([]Event{{ID: 2, Kind: DropPath, Service: o.Route.Service, Path: "/a"}}, false)
	fresh := o.with(func(o *Object) { o.Born = ix.position() })
	ix.apply([]Event{{ID: 3, Kind: DropPath, Service: o.Route.Service, Path: "/c"}}, false)
	if ix.dropped(fresh) || !ix.dropped(o) {
		t.Error("the copy's check counted for the original")
	}
}

// Nothing that was dropped before a reader began is used by it, however many
// write and read.
func TestIndexIsConcurrent(t *testing.T) {
	ix := newIndex()
	ix.follow(News{Position: Position{Log: "log"}})
	m := newMemory(1<<20, nil)
	var all sync.WaitGroup
	for c := range 3 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(3, uint64(c)))
			for i := range 2000 {
				o := stateObject(fmt.Sprint("/", c), 10).with(func(o *Object) { o.Key += Key(fmt.Sprint(c)); o.Born = ix.position() })
				m.put(o)
				o = m.get(o.Key, o.Selected)
				e := Event{ID: eventID(), Kind: DropTree, Service: o.Route.Service, Path: fmt.Sprint("/", r.IntN(3))}
				pending := i%2 == 0
				ix.apply([]Event{e}, pending)
				if own := e.Path == o.Route.Path; own && !ix.dropped(o) {
					t.Error("an object outlived its event")
				}
				if pending {
					ix.appended([]Event{e}, Position{Log: "log", Seq: uint64(i)})
				}
				ix.droppedEntry(o.Route, nil, o.Born)
				ix.dropped(m.get(o.Key, o.Selected))
			}
		})
	}
	all.Wait()
	if ix.position().Local != 6000 {
		t.Errorf("at %+v", ix.position())
	}
}

func BenchmarkDropped(b *testing.B) {
	ix := newIndex()
	m := newMemory(1<<20, nil)
	o := stateObject("/v1/companies(1)/customers(2)/addresses(3)", 100)
	m.put(o)
	o = m.get(o.Key, o.Selected)
	for i := range 5000 {
		ix.apply([]Event{{ID: 1, Kind: DropTree, Service: o.Route.Service, Path: fmt.Sprint("/v1/companies(2)/customers(", i, ")")}}, false)
	}
	b.Run("quiet", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			ix.dropped(o)
		}
	})
	b.Run("compared anew", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			o.checked.upTo.Store(0)
			ix.dropped(o)
		}
	})
}
