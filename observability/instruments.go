package observability

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.opentelemetry.io/otel/metric"
)

// Instrument is one metric as it was declared: what /metrics and its reference
// tell of it.
type Instrument struct {
	Stage  string
	Name   string // at /metrics
	Kind   string // counter, gauge or histogram
	Unit   string // by UCUM; a text in braces is what is counted
	Help   string
	Labels []string // names at /metrics; a label without a value is absent
	// Sets is how many combinations of label values it takes, one more stands for
	// the rest; each has as many series as Lines.
	Sets, Lines int
}

const (
	// maxSets bounds the combinations of label values of one instrument. Label
	// values come from the configuration or closed sets: only a configuration of
	// very many callers and services gets there.
	maxSets = 2000
	// maxHistogramSets is lower, as each has a series for every bucket.
	maxHistogramSets = 1000
	// MaxSeries bounds the series of all instruments together, but for one set each
	// that stands for the rest.
	MaxSeries = 50_000
)

// declarer makes the instruments of a stage and keeps what was declared.
type declarer struct {
	metrics *Metrics
	stage   string
	errs    []error
}

func (d *declarer) declare(kind, name, unit, help string, lines int, labels []string) int {
	i := Instrument{
		Stage: d.stage, Name: servedName(kind, name, unit), Kind: kind, Unit: unit, Help: help, Sets: maxSets, Lines: lines,
		Labels: strings.Fields(strings.ReplaceAll(strings.Join(labels, " "), ".", "_")),
	}
	switch {
	case len(labels) == 0:
		i.Sets = 0
	case kind == histogramKind:
		i.Sets = maxHistogramSets
	case len(labels) > maxLabels:
		d.failed(name, fmt.Errorf("%d labels, at most %d are possible", len(labels), maxLabels))
	}
	d.metrics.declared = append(d.metrics.declared, i)
	return i.Sets
}

func (d *declarer) failed(name string, err error) {
	if err != nil {
		d.errs = append(d.errs, fmt.Errorf("metric %s: %w", name, err))
	}
}

func (d *declarer) err() error { return errors.Join(d.errs...) }

// counter is what is counted as it happens.
type counter struct {
	instrument metric.Int64Counter
	sets       *labelSets[metric.AddOption]
}

func (d *declarer) counter(name, unit, help string, labels ...string) counter {
	sets := d.declare(counterKind, name, unit, help, 1, labels)
	c, err := d.metrics.meter.Int64Counter(name, metric.WithUnit(unit), metric.WithDescription(help))
	d.failed(name, err)
	return counter{c, newLabelSets[metric.AddOption](labels, sets, d.metrics.room, 1)}
}

// add counts n more; values are those of the labels, in their order.
func (c counter) add(ctx context.Context, n int64, values ...string) {
	c.instrument.Add(ctx, n, c.sets.of(values)...)
}

// histogram is what is measured as it happens.
type histogram struct {
	instrument metric.Float64Histogram
	sets       *labelSets[metric.RecordOption]
}

func (d *declarer) histogram(name, unit, help string, buckets []float64, labels ...string) histogram {
	sets := d.declare(histogramKind, name, unit, help, len(buckets)+3, labels) // +Inf, sum and count
	h, err := d.metrics.meter.Float64Histogram(name, metric.WithUnit(unit), metric.WithDescription(help), metric.WithExplicitBucketBoundaries(buckets...))
	d.failed(name, err)
	return histogram{h, newLabelSets[metric.RecordOption](labels, sets, d.metrics.room, len(buckets)+3)}
}

// record measures once. An exemplar is the trace that ctx carries.
func (h histogram) record(ctx context.Context, value float64, values ...string) {
	h.instrument.Record(ctx, value, h.sets.of(values)...)
}

// observed is what is read at each scrape: a gauge, or a counter that is kept
// elsewhere.
type observed struct {
	instrument metric.Float64Observable
	sets       *observedSets
}

func (d *declarer) gauge(name, unit, help string, labels ...string) observed {
	sets := d.declare(gaugeKind, name, unit, help, 1, labels)
	g, err := d.metrics.meter.Float64ObservableGauge(name, metric.WithUnit(unit), metric.WithDescription(help))
	return d.observed(name, g, err, sets, labels)
}

// tally is a counter whose sums are kept elsewhere.
func (d *declarer) tally(name, unit, help string, labels ...string) observed {
	sets := d.declare(counterKind, name, unit, help, 1, labels)
	c, err := d.metrics.meter.Float64ObservableCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	o := d.observed(name, c, err, sets, labels)
	o.sets.lasts = true
	return o
}

// level is a gauge whose values of several replicas may be added up.
func (d *declarer) level(name, unit, help string, labels ...string) observed {
	sets := d.declare(gaugeKind, name, unit, help, 1, labels)
	l, err := d.metrics.meter.Float64ObservableUpDownCounter(name, metric.WithUnit(unit), metric.WithDescription(help))
	return d.observed(name, l, err, sets, labels)
}

func (d *declarer) observed(name string, instrument metric.Float64Observable, err error, sets int, labels []string) observed {
	d.failed(name, err)
	m := d.metrics
	m.observables = append(m.observables, instrument)
	return observed{instrument, &observedSets{
		names: labels, limit: sets, room: m.room, scrape: &m.scrape, rest: option[metric.ObserveOption](overflowed()), sets: map[labelValues]*observedSet{},
	}}
}

// is tells a value at a scrape; values are those of the labels, in their order.
func (g observed) is(o metric.Observer, value float64, values ...string) {
	o.ObserveFloat64(g.instrument, value, g.sets.of(values)...)
}

// at tells a moment at a scrape, unless it is zero.
func (g observed) at(o metric.Observer, moment time.Time, values ...string) {
	if !moment.IsZero() {
		g.is(o, float64(moment.UnixMilli())/1000, values...)
	}
}

const (
	counterKind   = "counter"
	gaugeKind     = "gauge"
	histogramKind = "histogram"
)

// servedName is an OpenTelemetry name as Prometheus has it.
func servedName(kind, name, unit string) string {
	name = strings.ReplaceAll(name, ".", "_")
	if word := map[string]string{"s": "seconds", "By": "bytes"}[unit]; word != "" {
		name += "_" + word
	}
	if kind == counterKind {
		name += "_total"
	}
	return name
}
