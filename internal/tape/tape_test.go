package tape

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// body is a source that counts its closings.
type body struct {
	io.Reader
	mu     sync.Mutex
	closed int
}

func (b *body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed++
	return nil
}

func (b *body) closings() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.closed
}

func text(s string) *body { return &body{Reader: strings.NewReader(s)} }

func TestNoBodyCanAlwaysBeReplayed(t *testing.T) {
	for _, none := range []io.ReadCloser{nil, http.NoBody} {
		tape, first := Record(none, 10)
		tape.Stop()
		again, ok := tape.Rewind()
		if first != none || !ok || again != http.NoBody || tape.Gone() {
			t.Errorf("first %v, again %v, %t", first, again, ok)
		}
		tape.Abandon()
	}
}

func TestReplay(t *testing.T) {
	const whole = "0123456789"
	cases := map[string]struct {
		limit, read int
		replayable  bool
	}{
		"nothing kept, nothing read": {0, 0, true},
		"nothing kept, a byte read":  {0, 1, false},
		"nothing read":               {10, 0, true},
		"part read":                  {10, 4, true},
		"all read":                   {10, 10, true},
		"all and the end":            {10, 11, true},
		"more than the limit":        {5, 6, false},
		"up to the limit":            {5, 5, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			source := text(whole)
			tape, first := Record(source, c.limit)
			seen := make([]byte, 0, c.read)
			for len(seen) < min(c.read, len(whole)) {
				var one [1]byte
				if _, err := first.Read(one[:]); err != nil {
					t.Fatal(err)
				}
				seen = append(seen, one[0])
			}
			if c.read > len(whole) {
				if _, err := first.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
					t.Fatalf("at the end: %v", err)
				}
			}
			gone := tape.Gone()
			again, ok := tape.Rewind()
			if ok != c.replayable || gone == ok {
				t.Fatalf("replayable %t, gone %t", ok, gone)
			}
			if !ok {
				tape.Abandon()
				if source.closings() != 1 {
					t.Errorf("source closed %d times", source.closings())
				}
				return
			}
			tape.Stop()
			if _, err := first.Read(make([]byte, 1)); !errors.Is(err, ErrDetached) {
				t.Errorf("the first attempt still reads: %v", err)
			}
			_ = first.Close()
			if source.closings() != 0 {
				t.Error("the first attempt closed the body of the second")
			}
			got, err := io.ReadAll(again)
			if err != nil || string(got) != whole {
				t.Errorf("replayed %q, %v", got, err)
			}
			_ = again.Close()
			if source.closings() != 1 {
				t.Errorf("source closed %d times", source.closings())
			}
		})
	}
}

// What an attempt did with its body says nothing of the next one's: that one
// still reads the source once the recording has ended.
func TestClosedAttemptLeavesTheSourceToTheNext(t *testing.T) {
	source := text("0123456789")
	tape, first := Record(source, 10)
	if _, err := first.Read(make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	again, ok := tape.Rewind()
	tape.Stop()
	if !ok || source.closings() != 0 {
		t.Fatalf("lent again: %t; source closed %d times under the attempt that reads it", ok, source.closings())
	}
	if got, err := io.ReadAll(again); err != nil || string(got) != "0123456789" {
		t.Errorf("read %q, %v", got, err)
	}
	_ = again.Close()
	if source.closings() != 1 {
		t.Errorf("source closed %d times", source.closings())
	}
}

// Whether the transport closes the body before or after the answer is known,
// the source is closed with it.
func TestOnlyAttemptClosesTheSource(t *testing.T) {
	for name, order := range map[string]func(*Tape, io.Closer){
		"closed before the answer": func(tape *Tape, first io.Closer) { _ = first.Close(); tape.Stop() },
		"closed after the answer":  func(tape *Tape, first io.Closer) { tape.Stop(); _ = first.Close() },
	} {
		source := text("x")
		tape, first := Record(source, 10)
		order(tape, first)
		if source.closings() != 1 {
			t.Errorf("%s: closed %d times", name, source.closings())
		}
	}
}

func TestStopKeepsNothing(t *testing.T) {
	tape, first := Record(text(strings.Repeat("x", 100)), 50)
	_, _ = io.CopyN(io.Discard, first, 20)
	tape.Stop()
	if rest, err := io.ReadAll(first); err != nil || len(rest) != 80 || tape.kept != nil {
		t.Errorf("read %d more bytes, %v; kept %d", len(rest), err, len(tape.kept))
	}
}

// The answer came while the transport of the first attempt was waiting for the
// caller's next bytes: they belong to the second attempt, in their place, even
// when they exceed the limit.
func TestReadUnderWayBelongsToTheReplay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, caller := io.Pipe()
		tape, first := Record(source, 4)
		go func() { _, _ = caller.Write([]byte("abc")) }()
		head := make([]byte, 3)
		if _, err := io.ReadFull(first, head); err != nil {
			t.Fatal(err)
		}
		underWay := make(chan error)
		go func() {
			_, err := first.Read(make([]byte, 100))
			underWay <- err
		}()
		synctest.Wait()
		again, ok := tape.Rewind()
		if !ok {
			t.Fatal("not replayable")
		}
		var replayed bytes.Buffer
		done := make(chan error)
		go func() {
			_, err := replayed.ReadFrom(again)
			done <- err
		}()
		synctest.Wait() // the second attempt has read abc and waits as well
		_, _ = caller.Write([]byte("defghij"))
		_, _ = caller.Write([]byte("klm"))
		_ = caller.Close()
		if err := <-underWay; !errors.Is(err, ErrDetached) {
			t.Errorf("the first attempt got %v", err)
		}
		if err := <-done; err != nil || replayed.String() != "abcdefghijklm" {
			t.Errorf("replayed %q, %v", replayed.String(), err)
		}
	})
}

// A body that cannot be closed before a read under way returns (as a server's)
// must not hold up the answer; one whose Close ends that read must be closed.
func TestAbandonWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, caller := io.Pipe()
		tape, first := Record(source, 4)
		got := make(chan error)
		go func() {
			_, err := first.Read(make([]byte, 1))
			got <- err
		}()
		synctest.Wait()
		tape.Abandon()
		if err := <-got; !errors.Is(err, ErrDetached) {
			t.Errorf("the first attempt got %v", err)
		}
		if _, err := caller.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
			t.Errorf("the source is still open: %v", err)
		}
	})
}

// Every attempt gets the whole body, however much of it the ones before read.
func TestManyAttempts(t *testing.T) {
	const whole = "0123456789"
	source := text(whole)
	tape, body := Record(source, len(whole))
	for _, read := range []int64{3, 0, 7, 10, 5} {
		part, err := io.ReadAll(io.LimitReader(body, read))
		if err != nil || string(part) != whole[:read] {
			t.Fatalf("read %q, %v, want %d bytes", part, err, read)
		}
		_ = body.Close()
		var ok bool
		if body, ok = tape.Rewind(); !ok {
			t.Fatal("cannot be sent again")
		}
	}
	if source.closings() != 0 {
		t.Error("closed between attempts")
	}
	tape.Stop()
	if got, err := io.ReadAll(body); err != nil || string(got) != whole {
		t.Errorf("the last attempt read %q, %v", got, err)
	}
	if tape.kept != nil {
		t.Errorf("%d bytes are kept for nobody", len(tape.kept))
	}
	if _, ok := tape.Rewind(); ok {
		t.Error("lent again after the last attempt")
	}
	_ = body.Close()
	if source.closings() != 1 {
		t.Errorf("closed %d times", source.closings())
	}
}

// A read of the first attempt that returns after the last one has caught up.
func TestLateReadKeepsItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, caller := io.Pipe()
		tape, first := Record(source, 100)
		go func() { _, _ = caller.Write([]byte("abc")) }()
		if _, err := io.ReadFull(first, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		underWay := make(chan error)
		go func() {
			_, err := first.Read(make([]byte, 100))
			underWay <- err
		}()
		synctest.Wait()
		last, ok := tape.Rewind()
		if !ok {
			t.Fatal("cannot be sent again")
		}
		tape.Stop()
		head := make([]byte, 3)
		if _, err := io.ReadFull(last, head); err != nil || string(head) != "abc" {
			t.Fatalf("%q, %v", head, err)
		}
		_, _ = caller.Write([]byte("def"))
		if err := <-underWay; !errors.Is(err, ErrDetached) {
			t.Errorf("the first attempt got %v", err)
		}
		_ = caller.Close()
		if rest, err := io.ReadAll(last); err != nil || string(rest) != "def" {
			t.Errorf("then %q, %v", rest, err)
		}
	})
}
