package cache

import (
	"math"
	"net/http"
	"strings"
)

// maxRanges bounds the parts of one answer. A request for more is answered
// whole (RFC 9110, section 14.2): each part costs a head of its own.
const maxRanges = 16

// byteRange is a part of a body: length bytes from start. length is at least 1.
type byteRange struct{ start, length int64 }

// selectRange answers a Range field: with parts, with 416, or whole where the
// field is not understood.
func selectRange(lines []string, o *Object) outcome {
	whole := outcome{status: o.Status}
	if len(lines) != 1 || len(o.Body) == 0 { // no part of nothing can be named
		return whole
	}
	ranges, ok := parseRange(lines[0], int64(len(o.Body)))
	switch {
	case !ok:
		return whole
	case len(ranges) == 0:
		return outcome{status: http.StatusRequestedRangeNotSatisfiable}
	default:
		return outcome{http.StatusPartialContent, ranges}
	}
}

// parseRange reads a Range field for a body of size bytes (RFC 9110, section
// 14.1.2 and 14.2). ok is false for what is to be ignored: other units, what is
// not by the grammar, more than maxRanges ranges or ranges that overlap. No
// ranges with ok means that none can be satisfied.
func parseRange(field string, size int64) (ranges []byteRange, ok bool) {
	unit, set, found := strings.Cut(field, "=")
	if !found || !strings.EqualFold(strings.Trim(unit, " \t"), "bytes") {
		return nil, false
	}
	specs := 0
	for spec := range strings.SplitSeq(set, ",") {
		if spec = strings.Trim(spec, " \t"); spec == "" {
			continue
		}
		r, valid := parseRangeSpec(spec, size)
		if specs++; !valid || specs > maxRanges {
			return nil, false
		}
		if r.length > 0 {
			ranges = append(ranges, r)
		}
	}
	return ranges, specs > 0 && !overlap(ranges)
}

// parseRangeSpec reads first-last, first- or -length; the range is empty where
// the body has none of it.
func parseRangeSpec(spec string, size int64) (r byteRange, ok bool) {
	first, last, found := strings.Cut(spec, "-")
	if !found {
		return r, false
	}
	if first == "" {
		length, ok := parseOffset(last)
		length = min(length, size)
		return byteRange{size - length, length}, ok
	}
	start, ok := parseOffset(first)
	if !ok {
		return r, false
	}
	end := int64(math.MaxInt64)
	if last != "" {
		if end, ok = parseOffset(last); !ok || end < start {
			return r, false
		}
	}
	if start >= size {
		return byteRange{}, true
	}
	return byteRange{start, min(end, size-1) - start + 1}, true
}

// parseOffset reads digits; a number that is too large is the largest.
func parseOffset(digits string) (int64, bool) {
	if digits == "" {
		return 0, false
	}
	var n int64
	for i := range len(digits) {
		c := digits[i]
		if c < '0' || c > '9' {
			return 0, false
		}
		if n > (math.MaxInt64-9)/10 {
			n = math.MaxInt64
			continue
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

func overlap(ranges []byteRange) bool {
	for i, a := range ranges {
		for _, b := range ranges[i+1:] {
			if a.start < b.start+b.length && b.start < a.start+a.length {
				return true
			}
		}
	}
	return false
}
