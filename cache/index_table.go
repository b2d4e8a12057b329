package cache

import (
	"slices"
	"strings"

	"iqgateway/internal/pathpattern"
)

// The bounds of what is remembered of one service. Beyond them the oldest half
// is forgotten, and everything that is older than it counts as dropped.
const (
	maxDrops    = 10_000
	maxPatterns = 500 // each is tried one by one
)

// mark is the newest event of something, in both orders: of this process, and
// of the log (0 = the log does not have it).
type mark struct{ local, seq uint64 }

func (m mark) with(o mark) mark { return mark{max(m.local, o.local), max(m.seq, o.seq)} }

type patternMark struct {
	pattern pathpattern.Pattern
	mark
}

// drops is what has been dropped of one service; of all of them, where it is
// the one for events without a service. It is a value without locks.
type drops struct {
	floor    mark // of everything
	newest   mark
	paths    map[string]mark
	keys     map[[2]string]mark // path and query
	trees    map[string]mark    // what is below them, and themselves
	above    map[string]mark    // what stands above trees
	anyTree  mark
	tags     map[string]mark
	patterns map[string]patternMark
}

func newDrops() drops {
	return drops{
		paths: map[string]mark{}, keys: map[[2]string]mark{}, trees: map[string]mark{},
		above: map[string]mark{}, tags: map[string]mark{}, patterns: map[string]patternMark{},
	}
}

// add notes an event that [tidyEvent] has seen.
func (d *drops) add(e Event, at mark) {
	d.newest = d.newest.with(at)
	switch e.Kind {
	case DropPath:
		note(d.paths, e.Path, at)
	case DropKey:
		note(d.keys, [2]string{e.Path, e.Query}, at)
	case DropTag:
		note(d.tags, e.Tag, at)
	case DropPattern:
		known := d.patterns[e.Path]
		d.patterns[e.Path] = patternMark{e.pattern, known.with(at)}
	case DropTree:
		d.anyTree = d.anyTree.with(at)
		note(d.trees, e.Path, at)
		for p, ok := cutAbove(e.Path); ok; p, ok = cutAbove(p) {
			note(d.above, p, at)
		}
	default: // DropService, DropAll, and what a newer release may know
		d.floor = d.floor.with(at)
	}
	if d.size() > maxDrops || len(d.patterns) > maxPatterns {
		d.forget()
	}
}

func note[K comparable](in map[K]mark, key K, at mark) { in[key] = in[key].with(at) }

// of returns the newest event that matches an answer.
func (d *drops) of(route Route, tags []string) mark {
	m := d.floor.with(d.paths[route.Path]).with(d.keys[[2]string{route.Path, route.Query}])
	for _, tag := range tags {
		m = m.with(d.tags[tag])
	}
	for _, p := range d.patterns {
		if p.pattern.MatchFolded(route.Path) {
			m = m.with(p.mark)
		}
	}
	if len(d.trees) == 0 {
		return m
	}
	m = m.with(d.above[route.Path]).with(d.trees[route.Path])
	path, ok := cutAbove(route.Path)
	for cuts := 0; ok; path, ok = cutAbove(path) {
		if cuts++; cuts > maxCuts {
			return m.with(d.anyTree)
		}
		m = m.with(d.trees[path])
	}
	return m
}

func (d *drops) size() int {
	return len(d.paths) + len(d.keys) + len(d.trees) + len(d.above) + len(d.tags) + len(d.patterns)
}

// forget raises the floor to the younger half.
func (d *drops) forget() {
	locals := make([]uint64, 0, d.size())
	d.each(func(m mark) bool { locals = append(locals, m.local); return false })
	slices.Sort(locals)
	middle := locals[len(locals)/2]
	d.each(func(m mark) bool {
		if m.local > middle {
			return false
		}
		d.floor = d.floor.with(m)
		return true
	})
}

// each shows all marks but the floor, and forgets those that it is told to.
func (d *drops) each(forget func(m mark) bool) {
	eachOf(d.paths, forget)
	eachOf(d.keys, forget)
	eachOf(d.trees, forget)
	eachOf(d.above, forget)
	eachOf(d.tags, forget)
	for text, p := range d.patterns {
		if forget(p.mark) {
			delete(d.patterns, text)
		}
	}
}

func eachOf[K comparable](in map[K]mark, forget func(m mark) bool) {
	for key, m := range in {
		if forget(m) {
			delete(in, key)
		}
	}
}

// tidyEvent makes an event what the index relies on. An event that cannot be
// read drops more than it says, never less.
func tidyEvent(e Event) Event {
	all := e.Service == ServiceName{}
	switch e.Kind {
	case DropAll:
		e.Service = ServiceName{}
		return e
	case DropTag:
		return e
	case DropPath, DropKey:
		if !all {
			return e
		}
	case DropTree:
		if !all && strings.Count(e.Path, "/")+strings.Count(e.Path, "(") <= maxCuts {
			return e
		}
	case DropPattern:
		if tidy, ok := tidyPattern(e); ok && !all {
			return tidy
		}
	default: // DropService, and what a newer release may know
	}
	e.Kind = DropService
	if all {
		e.Kind = DropAll
	}
	return e
}

// tidyPattern parses the pattern of an event that came from elsewhere. One that
// stands for a single path is that path: it need not be tried on all others.
func tidyPattern(e Event) (Event, bool) {
	if !strings.Contains(e.Path, "{") && !strings.HasSuffix(e.Path, "**") {
		path, err := pathpattern.Fold(e.Path)
		e.Kind, e.Path = DropPath, path
		return e, err == nil
	}
	if e.pattern.String() == e.Path {
		return e, true
	}
	var err error
	e.pattern, err = pathpattern.Parse(e.Path)
	return e, err == nil
}

// matches reports whether an event that [tidyEvent] has seen drops an answer.
func (e Event) matches(route Route, tags []string) bool {
	if e.Service != route.Service && e.Service != (ServiceName{}) {
		return false
	}
	switch e.Kind {
	case DropPath:
		return e.Path == route.Path
	case DropKey:
		return e.Path == route.Path && e.Query == route.Query
	case DropTag:
		return slices.Contains(tags, e.Tag)
	case DropPattern:
		return e.pattern.MatchFolded(route.Path)
	case DropTree:
		return standsAbove(e.Path, route.Path) || standsAbove(route.Path, e.Path)
	default:
		return true
	}
}
