package cache

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"
)

// TestFillTakesNoMoreThanItHolds: what grew piece by piece is weighed by its
// length, and must take no more.
func TestFillTakesNoMoreThanItHolds(t *testing.T) {
	for _, size := range []int{0, 1, 300, 33 << 10, 70_001, 600_000} {
		f := newFill(1<<20, -1)
		want := bytes.Repeat([]byte{'x'}, size)
		if err := f.pump(io.NopCloser(iotest.HalfReader(bytes.NewReader(want)))); err != nil {
			t.Fatal(err)
		}
		got := f.whole()
		if !bytes.Equal(got, want) {
			t.Fatalf("%d bytes became %d", size, len(got))
		}
		if wasted := cap(f.data) - size; wasted > size/16+64 {
			t.Errorf("%d bytes take %d more", size, wasted)
		}
	}
}
