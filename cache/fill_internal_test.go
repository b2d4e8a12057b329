package cache

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"testing/synctest"
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

// TestTheLastByteComesAtTheEnd: who has the whole answer finds it in the store.
func TestTheLastByteComesAtTheEnd(t *testing.T) {
	f := newFill(10, 3)
	s := &stream{fill: f, ctx: t.Context()}
	f.add([]byte("abc"))
	p := make([]byte, 10)
	if n, err := s.Read(p); n != 2 || err != nil {
		t.Errorf("%d bytes could be read, %v", n, err)
	}
	f.close(io.EOF)
	if rest, err := io.ReadAll(s); string(rest) != "c" || err != nil {
		t.Errorf("then %q, %v", rest, err)
	}
}

// TestAReaderIsWoken by what it waits for: more, the end, what is beyond the
// limit, and its own leaving. A reader that wants nothing does not wait.
func TestAReaderIsWoken(t *testing.T) {
	for _, tt := range []struct {
		name string
		do   func(f *fill, leave func())
		want string
		err  error
	}{
		{"more", func(f *fill, _ func()) { f.add([]byte("x")) }, "x", nil},
		{"the end", func(f *fill, _ func()) { f.close(io.EOF) }, "", io.EOF},
		{"a failure", func(f *fill, _ func()) { f.close(io.ErrUnexpectedEOF) }, "", io.ErrUnexpectedEOF},
		{"beyond", func(f *fill, _ func()) {
			_ = f.pump(io.NopCloser(strings.NewReader("too much")))
		}, "too much", nil},
		{"leaving", func(_ *fill, leave func()) { leave() }, "", context.Canceled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, leave := context.WithCancel(t.Context())
				defer leave()
				f := newFill(4, -1)
				s := &stream{fill: f, ctx: ctx}
				if n, err := s.Read(nil); n != 0 || err != nil {
					t.Errorf("nothing was %d, %v", n, err)
				}
				var reader sync.WaitGroup
				reader.Go(func() {
					p := make([]byte, 10)
					if n, err := s.Read(p); string(p[:n]) != tt.want || !errors.Is(err, tt.err) {
						t.Errorf("got %q, %v", p[:n], err)
					}
				})
				synctest.Wait()
				tt.do(f, leave)
				reader.Wait()
			})
		})
	}
}

// closing notes that it was closed.
type closing struct {
	io.Reader
	closed bool
}

// Close implements [io.Closer].
func (c *closing) Close() error {
	c.closed = true
	return nil
}

// TestWhatIsTooLargeEndsWithItsReader, whether that leaves before or afterwards.
func TestWhatIsTooLargeEndsWithItsReader(t *testing.T) {
	for _, before := range []bool{true, false} {
		f, body := newFill(4, -1), &closing{Reader: strings.NewReader("too much")}
		s := &stream{fill: f, ctx: t.Context()}
		if before {
			_ = s.Close()
		}
		if err := f.pump(body); !errors.Is(err, errTooLarge) {
			t.Errorf("%v", err)
		}
		if !before && body.closed {
			t.Error("closed under its reader")
		}
		if !before {
			_ = s.Close()
		}
		if _, err := s.Read(make([]byte, 1)); !body.closed || !errors.Is(err, errLeft) {
			t.Errorf("left before %v: closed %v; then %v", before, body.closed, err)
		}
	}
}

// TestBeyondTheLimit: nothing of what goes on to the reader is lost, however
// little it takes at a time, nor how it ended.
func TestBeyondTheLimit(t *testing.T) {
	failure := errors.New("cut")
	for _, end := range []error{io.EOF, failure} {
		f := newFill(4, -1)
		once := iotest.DataErrReader(io.MultiReader(strings.NewReader("123"), strings.NewReader("456789"), iotest.ErrReader(end)))
		if err := f.pump(io.NopCloser(once)); !errors.Is(err, errTooLarge) {
			t.Errorf("%v", err)
		}
		got, err := io.ReadAll(iotest.OneByteReader(&stream{fill: f, ctx: t.Context()}))
		if string(got) != "123456789" || !errors.Is(err, end) && !errors.Is(end, io.EOF) {
			t.Errorf("got %q, %v, want %v", got, err, end)
		}
	}
}
