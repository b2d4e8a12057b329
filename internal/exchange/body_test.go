package exchange_test

import (
	"errors"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"iqgateway/internal/exchange"
)

// source is a body that knows whether it was closed.
type source struct {
	io.Reader
	closed atomic.Int32
}

func (s *source) Close() error {
	s.closed.Add(1)
	return nil
}

func TestSlotEndsWithTheBody(t *testing.T) {
	broken := errors.New("connection reset")
	tests := map[string]struct {
		err error // instead of the end
		use func(io.ReadCloser) error
		end int32 // after use
	}{
		"nothing was read":        {nil, func(io.ReadCloser) error { return nil }, 0},
		"a part was read":         {nil, func(b io.ReadCloser) error { _, err := b.Read(make([]byte, 3)); return err }, 0},
		"closed unread":           {nil, func(b io.ReadCloser) error { return b.Close() }, 1},
		"read to its end":         {nil, func(b io.ReadCloser) error { _, err := io.Copy(io.Discard, b); return err }, 1},
		"read to its end, closed": {nil, func(b io.ReadCloser) error { _, err := io.Copy(io.Discard, b); return errors.Join(err, b.Close()) }, 1},
		"closed twice":            {nil, func(b io.ReadCloser) error { return errors.Join(b.Close(), b.Close()) }, 1},
		"broke off": {broken, func(b io.ReadCloser) error {
			if _, err := io.Copy(io.Discard, b); !errors.Is(err, broken) {
				return errors.New("the error was lost")
			}
			return nil
		}, 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var ended atomic.Int32
			var text io.Reader = strings.NewReader("eight bytes")
			if tt.err != nil {
				text = io.MultiReader(text, iotest.ErrReader(tt.err))
			}
			b := exchange.OnEnd(&source{Reader: text}, func() { ended.Add(1) })
			if err := tt.use(b); err != nil {
				t.Fatal(err)
			}
			if ended.Load() != tt.end {
				t.Errorf("the slot ended %d times, want %d", ended.Load(), tt.end)
			}
		})
	}
}

func TestSlotEndsOnceForSeveralClosers(t *testing.T) {
	var ended atomic.Int32
	b := exchange.OnEnd(&source{Reader: strings.NewReader("x")}, func() { ended.Add(1) })
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() { _ = b.Close() })
	}
	group.Wait()
	if ended.Load() != 1 {
		t.Errorf("the slot ended %d times", ended.Load())
	}
}

// The connection must be free before another request gets the slot.
func TestSlotEndsAfterTheConnection(t *testing.T) {
	inner := &source{Reader: strings.NewReader("x")}
	closedBefore := int32(0)
	b := exchange.OnEnd(inner, func() { closedBefore = inner.closed.Load() })
	if err := b.Close(); err != nil || closedBefore != 1 {
		t.Errorf("the body was closed %d times before its slot ended (%v)", closedBefore, err)
	}
}
