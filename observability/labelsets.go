package observability

import (
	"maps"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// maxLabels is how many labels an instrument may have.
const maxLabels = 8

// labelValues are the values of an instrument's labels, in their order.
type labelValues [maxLabels]string

// labelSets makes the options that carry label values, once per combination, up
// to a limit. Whatever comes after that shares one set, so that no more series
// appear: otel_metric_overflow="true". Those that have a series keep it, which
// the SDK's own limit cannot promise of what is read at each scrape: there the
// order decides anew each time.
//
// Reading is one look-up without a lock or an allocation, but for sets that are
// new. It is safe for concurrent use.
type labelSets[Option any] struct {
	names  []string
	limit  int
	room   *seriesRoom
	series int                                      // that each set has
	known  atomic.Pointer[map[labelValues][]Option] // is replaced, never changed
	rest   []Option

	one    sync.Mutex
	recent map[labelValues][]Option // not in known yet
	missed int                      // look-ups that known could not answer
}

func newLabelSets[Option any](names []string, limit int, room *seriesRoom, series int) *labelSets[Option] {
	s := &labelSets[Option]{names: names, limit: limit, room: room, series: series, rest: option[Option](overflowed()), recent: map[labelValues][]Option{}}
	s.known.Store(&map[labelValues][]Option{})
	return s
}

// overflowed is the label as the SDK has it, in Prometheus: a text. With the SDK's
// own value, a bool, all sets that are new to it would go there from then on, and
// at each scrape all are.
func overflowed() attribute.KeyValue { return attribute.String("otel.metric.overflow", "true") }

// option returns a slice, as a call that makes one from arguments allocates.
func option[Option any](labels ...attribute.KeyValue) []Option {
	return []Option{metric.WithAttributeSet(attribute.NewSet(labels...)).(Option)}
}

func (s *labelSets[Option]) of(values []string) []Option {
	if len(s.names) == 0 {
		return nil
	}
	var k labelValues
	copy(k[:], values)
	known := *s.known.Load()
	if made, ok := known[k]; ok {
		return made
	}
	if len(known) >= s.limit {
		return s.rest
	}
	return s.add(k)
}

func (s *labelSets[Option]) add(k labelValues) []Option {
	s.one.Lock()
	defer s.one.Unlock()
	known := *s.known.Load()
	made, ok := known[k]
	if !ok {
		made, ok = s.recent[k]
	}
	switch {
	case ok:
	case len(known)+len(s.recent) >= s.limit || !s.room.take(s.series):
		made = s.rest
	default:
		made = optionOf[Option](s.names, k)
		s.recent[k] = made
	}
	if s.missed++; s.missed > len(known)/8 && len(s.recent) > 0 { // seldom enough that copies cost little
		more := maps.Clone(known)
		maps.Copy(more, s.recent)
		s.known.Store(&more)
		clear(s.recent)
		s.missed = 0
	}
	return made
}

// optionOf is that of one combination; a label without a value is absent.
func optionOf[Option any](names []string, values labelValues) []Option {
	var labels []attribute.KeyValue
	for i, name := range names {
		if values[i] != "" {
			labels = append(labels, attribute.String(name, values[i]))
		}
	}
	return option[Option](labels...)
}

// seriesRoom is how many series all instruments together may still have.
type seriesRoom struct{ left atomic.Int64 }

func newSeriesRoom(series int) *seriesRoom {
	r := &seriesRoom{}
	r.left.Store(int64(series))
	return r
}

// take reports whether there is room for n more series, which then are taken.
func (r *seriesRoom) take(n int) bool {
	if r.left.Add(int64(-n)) >= 0 {
		return true
	}
	r.give(n)
	return false
}

func (r *seriesRoom) give(n int) { r.left.Add(int64(n)) }
