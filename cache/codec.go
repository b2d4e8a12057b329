package cache

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"golang.org/x/net/http/httpguts"
)

// codecVersion changes with the format; a value of another version is a miss.
const codecVersion = 1

// What a stored answer may have at most, beyond its body. They bound what
// reading a value can cost, and nothing real comes near.
const (
	maxCodecText = 64 << 10 // bytes of a key, a path or a header value
	maxCodecList = 1000     // header lines, tags, fields of Vary
	maxCodecSpan = 10 * 365 * 24 * time.Hour
)

// errUnreadable is what decode returns for anything that encode did not write.
var errUnreadable = errors.New("not a stored answer")

// encode writes an object for the second tier: key, place, position in the log,
// times and the answer itself. Times are durations up to now: no two replicas'
// clocks are compared. For how long a value has lain in the tier, that knows.
func encode(o *Object, now time.Time) []byte {
	w := wireWriter{b: make([]byte, 0, sizeHint(o))}
	w.b = append(w.b, codecVersion)
	w.text(string(o.Key))
	w.text(o.Selected)
	w.texts([]string{o.Route.Service.Environment, o.Route.Service.Service, o.Route.Path, o.Route.Query})
	w.texts(o.Tags)
	w.texts(o.Vary)
	w.text(o.Born.Log)
	w.number(o.Born.Seq)
	w.span(now.Sub(o.Received))
	w.span(o.Received.Sub(o.Requested))
	for _, d := range []time.Duration{o.Age, o.Lifetime, o.WhileRevalidate, o.IfError} {
		w.span(d)
	}
	w.flag(o.Revalidate)
	w.flag(o.AllowStale)
	w.flag(o.Immutable)
	w.number(uint64(o.Status))
	w.header(o.Header)
	w.number(uint64(len(o.Body)))
	return append(w.b, o.Body...)
}

func sizeHint(o *Object) int {
	n := 256 + len(o.Key) + len(o.Selected) + len(o.Route.Path) + len(o.Route.Query) + len(o.Body)
	for name, values := range o.Header {
		for _, v := range values {
			n += len(name) + len(v) + 8
		}
	}
	return n
}

// decode reads what encode wrote, and nothing else; written is when that was, by
// the reader's clock. The object shares nothing with b; its Born.Local is 0 (see
// [index.adopt]). A value whose body is over maxObject bytes is refused.
func decode(b []byte, written time.Time, maxObject int64) (*Object, error) {
	r := wireReader{b: b}
	if v := r.byte(); v != codecVersion {
		return nil, fmt.Errorf("%w of version %d", errUnreadable, codecVersion)
	}
	o := &Object{Key: Key(r.text()), Selected: r.text()}
	place := r.texts()
	if len(place) != 4 {
		return nil, fmt.Errorf("%w: no place", errUnreadable)
	}
	o.Route = Route{ServiceName{place[0], place[1]}, place[2], place[3]}
	o.Tags, o.Vary = r.texts(), r.texts()
	o.Born = Position{Log: r.text(), Seq: r.number()}
	r.times(o, written)
	o.Age, o.Lifetime, o.WhileRevalidate, o.IfError = r.span(), r.span(), r.span(), r.span()
	o.Revalidate, o.AllowStale, o.Immutable = r.flag(), r.flag(), r.flag()
	o.Status = r.status()
	o.Header = r.header()
	o.Body = r.body(maxObject)
	if len(r.b) > 0 {
		r.fail("there is more behind it")
	}
	if r.err != nil {
		return nil, r.err
	}
	return o, nil
}

// times sets when the answer was asked for and received.
func (r *wireReader) times(o *Object, written time.Time) {
	received, took := r.span(), r.span()
	o.Received = written.Add(-received)
	o.Requested = o.Received.Add(-took)
}

func (r *wireReader) status() int {
	n := r.number()
	if n < 200 || n > 599 {
		r.fail("no final status")
	}
	return int(n)
}

// header writes each line, names in order.
func (w *wireWriter) header(h http.Header) {
	lines := 0
	for _, values := range h {
		lines += len(values)
	}
	w.number(uint64(lines))
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			w.text(name)
			w.text(value)
		}
	}
}

func (r *wireReader) header() http.Header {
	n := r.count()
	h := make(http.Header, min(n, 64))
	for range n {
		name, value := r.text(), r.text()
		if r.err != nil {
			return nil
		}
		if !httpguts.ValidHeaderFieldName(name) || http.CanonicalHeaderKey(name) != name || !httpguts.ValidHeaderFieldValue(value) {
			r.fail("no header field")
			return nil
		}
		h[name] = append(h[name], value)
	}
	return h
}

func (r *wireReader) body(most int64) []byte {
	n := r.number()
	if n > uint64(max(most, 0)) {
		r.fail("the body is over the limit")
		return nil
	}
	body := make([]byte, min(n, uint64(len(r.b)))) // its own: b is often larger
	copy(body, r.take(n))
	return body
}
