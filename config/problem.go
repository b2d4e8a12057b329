package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one finding about a configuration.
type Problem struct {
	Origin Origin
	Key    string // key path, empty for a file as a whole
	Text   string // what is wrong, with which value, and the way out; never a secret
}

// String returns "file:line: key.path: text".
func (p Problem) String() string {
	if p.Key == "" {
		return fmt.Sprintf("%s: %s", p.Origin, p.Text)
	}
	return fmt.Sprintf("%s: %s: %s", p.Origin, p.Key, p.Text)
}

// Problems are all findings about a configuration, sorted. As an error they
// refuse it.
type Problems []Problem //nolint:errname // findings, warnings too; an error is one use of them

// Error returns one problem per line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, problem := range p {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// sorted orders problems by place: files in the order in which they were read,
// then variables, then flags. Equal ones become one.
func (p Problems) sorted(files []string) Problems {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(a.Origin.Layer, b.Origin.Layer),
			cmp.Compare(slices.Index(files, a.Origin.Name), slices.Index(files, b.Origin.Name)),
			cmp.Compare(a.Origin.Name, b.Origin.Name),
			cmp.Compare(a.Origin.Line, b.Origin.Line),
			cmp.Compare(a.Key, b.Key),
			cmp.Compare(a.Text, b.Text),
		)
	})
	return slices.Compact(p)
}

// report collects what is found while a configuration is loaded.
type report struct {
	errors   Problems
	warnings Problems
}

func (r *report) errorf(at Origin, key, format string, args ...any) {
	r.errors = append(r.errors, Problem{at, key, fmt.Sprintf(format, args...)})
}

func (r *report) warnf(at Origin, key, format string, args ...any) {
	r.warnings = append(r.warnings, Problem{at, key, fmt.Sprintf(format, args...)})
}
