package traces

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Check returns what cannot be, whatever was traced: ids that are not unique,
// children outside their parents, values that are none, attempts that went to none
// of the origins (host:port).
func Check(spans []Span, origins ...string) error {
	var errs []error
	byID, children := map[string]Span{}, map[string][]Span{}
	for _, s := range spans {
		if _, twice := byID[s.ID]; twice {
			errs = append(errs, fmt.Errorf("%s: the id %s is given twice", s.Name, s.ID))
		}
		byID[s.ID] = s
		children[s.Parent] = append(children[s.Parent], s)
	}
	for _, s := range spans {
		errs = append(errs, s.check(), s.wentTo(origins), s.acquired(), replaced(children[s.ID]))
		if parent, here := byID[s.Parent]; here {
			errs = append(errs, s.within(parent))
		} else if s.Parent != "" && s.Kind != "server" {
			errs = append(errs, fmt.Errorf("%s: its parent %s is not there", s.Name, s.Parent))
		}
	}
	return errors.Join(errs...)
}

// longest is more than anything here takes.
const longest = 5 * time.Minute

func (s Span) check() error {
	var errs []error
	wrong := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf(s.Name+": "+format, args...))
	}
	if strings.Trim(s.Trace, "0") == "" || len(s.Trace) != 32 || strings.Trim(s.ID, "0") == "" || len(s.ID) != 16 {
		wrong("ids %q and %q", s.Trace, s.ID)
	}
	if s.Took() < 0 || s.Took() > longest {
		wrong("it took %s", s.Took())
	}
	if s.Dropped != 0 {
		wrong("%d attributes, events or links are lost", s.Dropped)
	}
	if s.Message != "" && s.Status != "error" {
		wrong("status %s says %q", s.Status, s.Message)
	}
	for _, l := range s.Links {
		if strings.Trim(l.Trace, "0") == "" || strings.Trim(l.ID, "0") == "" {
			wrong("a link to nothing")
		}
	}
	for name, value := range s.Attributes {
		if err := plausible(name, value); err != nil {
			wrong("%w", err)
		}
	}
	return errors.Join(errs...)
}

// within tells whether a child lies in its parent.
func (s Span) within(parent Span) error {
	if s.Trace != parent.Trace {
		return fmt.Errorf("%s: of another trace than its parent", s.Name)
	}
	left := s.Name == "cache.fetch" // whose leader did not stay for its end
	if s.Start.Before(parent.Start) || s.End.After(parent.End) && !left {
		return fmt.Errorf("%s: from %s to %s of its parent %s, which took %s",
			s.Name, s.Start.Sub(parent.Start), s.End.Sub(parent.Start), parent.Name, parent.Took())
	}
	return nil
}
