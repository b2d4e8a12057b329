package cache

import (
	"encoding/binary"
	"fmt"
	"time"
)

// wireWriter appends numbers, and texts with their length before them.
type wireWriter struct{ b []byte }

func (w *wireWriter) number(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *wireWriter) span(d time.Duration) { w.number(uint64(max(d, 0))) }

func (w *wireWriter) text(s string) {
	w.number(uint64(len(s)))
	w.b = append(w.b, s...)
}

func (w *wireWriter) texts(list []string) {
	w.number(uint64(len(list)))
	for _, s := range list {
		w.text(s)
	}
}

func (w *wireWriter) flag(is bool) {
	var n uint64
	if is {
		n = 1
	}
	w.number(n)
}

// wireReader reads what wireWriter wrote. After the first thing that is not
// right everything is empty, and err says what it was.
type wireReader struct {
	b   []byte
	err error
}

func (r *wireReader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", errUnreadable, what)
	}
	r.b = nil
}

func (r *wireReader) byte() byte {
	if len(r.b) == 0 {
		r.fail("it ends early")
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *wireReader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.fail("no number")
		return 0
	}
	if size > 1 && r.b[size-1] == 0 {
		r.fail("a number that is longer than it need be")
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *wireReader) span() time.Duration {
	n := r.number()
	if n > uint64(maxCodecSpan) {
		r.fail("a time that is too long")
		return 0
	}
	return time.Duration(n)
}

func (r *wireReader) flag() bool {
	n := r.number()
	if n > 1 {
		r.fail("neither true nor false")
	}
	return n == 1
}

// take returns the next n bytes, which are still those of the value.
func (r *wireReader) take(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.fail("it ends early")
		return nil
	}
	part := r.b[:n]
	r.b = r.b[n:]
	return part
}

func (r *wireReader) text() string {
	n := r.number()
	if n > maxCodecText {
		r.fail("a text that is too long")
		return ""
	}
	return string(r.take(n))
}

// count reads how many there are. Each takes a byte at least.
func (r *wireReader) count() int {
	n := r.number()
	if n > maxCodecList || n > uint64(len(r.b)) {
		r.fail("a list that is too long")
		return 0
	}
	return int(n)
}

func (r *wireReader) texts() []string {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]string, 0, n)
	for range n {
		list = append(list, r.text())
	}
	return list
}
