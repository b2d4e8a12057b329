package traces

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Tree renders spans as a text that is the same for all that did the same: traces
// in the order in which they began, named [A], [B], …; children below their
// parents in the order of their beginnings; attributes sorted, those that differ
// from run to run by what they stand for.
func Tree(spans []Span) string {
	f := newForest(spans)
	var text strings.Builder
	for _, root := range f.roots {
		f.write(&text, root, "")
	}
	return text.String()
}

// forest is spans by where they belong.
type forest struct {
	roots    []Span
	children map[string][]Span // by the id of their parent
	names    map[string]string // of traces
	spans    map[string]Span   // by id
}

func newForest(spans []Span) *forest {
	f := &forest{children: map[string][]Span{}, names: map[string]string{}, spans: map[string]Span{}}
	for _, s := range spans {
		f.spans[s.ID] = s
	}
	ordered := slices.Clone(spans)
	slices.SortStableFunc(ordered, func(a, b Span) int {
		return cmp.Or(a.Start.Compare(b.Start), a.End.Compare(b.End), cmp.Compare(a.Name, b.Name))
	})
	for _, s := range ordered {
		if parent, here := f.spans[s.Parent]; here && parent.Trace == s.Trace && parent.ID != s.ID {
			f.children[s.Parent] = append(f.children[s.Parent], s)
			continue
		}
		f.roots = append(f.roots, s)
		if f.names[s.Trace] == "" {
			f.names[s.Trace] = "[" + letters(len(f.names)) + "]"
		}
	}
	return f
}

// letters are A to Z, AA and so on.
func letters(n int) string {
	if n < 26 {
		return string(rune('A' + n))
	}
	return letters(n/26-1) + letters(n%26)
}

func (f *forest) write(text *strings.Builder, s Span, indent string) {
	head := s.Name
	if indent == "" {
		head = f.names[s.Trace] + " " + head
		if s.Parent != "" {
			head += " below a span of its caller"
		}
	}
	fmt.Fprintf(text, "%s%s (%s, %s)\n", indent, head, s.Kind, s.Status)
	if s.Message != "" {
		fmt.Fprintf(text, "%s    status: %s\n", indent, s.Message)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Attributes)) {
		fmt.Fprintf(text, "%s    %s = %s\n", indent, name, shown(name, s.Attributes[name]))
	}
	for _, e := range s.Events {
		fmt.Fprintf(text, "%s    event: %s\n", indent, e)
	}
	for _, l := range s.Links {
		fmt.Fprintf(text, "%s    -> %s\n", indent, f.target(l))
	}
	for _, c := range f.children[s.ID] {
		f.write(text, c, indent+"  ")
	}
}

// target names what a link leads to.
func (f *forest) target(l Link) string {
	there, known := f.spans[l.ID]
	if !known || there.Trace != l.Trace {
		return "a span elsewhere"
	}
	return f.names[l.Trace] + " " + there.Name
}

// shown is a value, or what stands for one that differs from run to run.
func shown(name string, value any) string {
	if stands, volatile := volatiles()[name]; volatile {
		return stands
	}
	if text, ok := value.(string); ok {
		return text
	}
	return fmt.Sprintf("%v (%T)", value, value)
}

// volatiles are the attributes that differ from run to run; [Check] looks at
// their values.
func volatiles() map[string]string {
	return map[string]string{
		"iqgw.request_id":       "<request id>",
		"iqgw.config":           "<configuration>",
		"server.port":           "<port>",
		"iqgw.quota.wait":       "<seconds>",
		"iqgw.quota.remaining":  "<tokens>",
		"iqgw.token.generation": "<generation>",
	}
}
