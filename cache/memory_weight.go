package cache

import (
	"math/bits"
	"net/http"
	"unsafe"
)

// What the bookkeeping of the store takes, measured (TestAccountedBytes).
const (
	resourceOverhead = 240 // the resource, its clock, its node and its places in the tables
	variantOverhead  = int64(unsafe.Sizeof(variant{}) + unsafe.Sizeof(Object{}) + unsafe.Sizeof(checkedMark{}))
)

// weigh returns what an object takes in memory.
func weigh(o *Object) int64 {
	n := variantOverhead + allocated(len(o.Key)) + allocated(len(o.Selected)) + allocated(cap(o.Body))
	n += allocated(len(o.Route.Path)) + allocated(len(o.Route.Query))
	n += weighStrings(o.Vary) + weighHeader(o.Header)
	return n + allocated(16*cap(o.Tags)) // the words are the rule's
}

// weighHeader counts a map in groups of eight, with their words.
func weighHeader(h http.Header) int64 {
	if len(h) == 0 {
		return 0
	}
	const header, group = 48, 8*(16+24) + 8
	groups := (len(h) + 7) / 8
	if groups > 1 { // tables are powers of two, at most 7/8 full
		groups = 1 << bits.Len(uint((len(h)*8/7)/8))
	}
	n := int64(header) + allocated(groups*group)
	for _, values := range h {
		n += weighStrings(values)
	}
	return n
}

func weighStrings(values []string) int64 {
	n := allocated(16 * cap(values))
	for _, v := range values {
		n += allocated(len(v))
	}
	return n
}

// allocated is what the runtime takes for n bytes: it has eight sizes from one
// power of two to the next, and whole pages beyond 32 KiB.
func allocated(n int) int64 {
	const page = 8 << 10
	switch {
	case n <= 0:
		return 0
	case n <= 8:
		return 8
	case n <= 128:
		return roundUp(n, 16)
	case n <= 32<<10:
		return roundUp(n, 1<<(bits.Len(uint(n-1))-4))
	default:
		return roundUp(n, page)
	}
}

func roundUp(n, to int) int64 { return int64((n + to - 1) / to * to) }
