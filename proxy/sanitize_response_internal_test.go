package proxy

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// deadlined notes the write deadlines of a connection.
type deadlined struct {
	*httptest.ResponseRecorder

	deadline time.Time
	moved    int
}

// SetWriteDeadline serves http.ResponseController.
func (d *deadlined) SetWriteDeadline(at time.Time) error {
	d.deadline = at
	d.moved++
	return nil
}

// Every write of HTTP/1 has at least seven eighths of the time, however long
// the upstream let it wait, and many in a row share one deadline.
func TestWriteDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const idle = 8 * time.Second
		s := &sanitizer{WriteIdleTimeout: idle}
		w := &deadlined{ResponseRecorder: httptest.NewRecorder()}
		g := s.guardResponse(w, httptest.NewRequest(http.MethodGet, "/", http.NoBody))
		for _, step := range []struct {
			wait  time.Duration
			write func()
			moved int
		}{
			{0, func() { g.WriteHeader(http.StatusEarlyHints) }, 1}, // sent at once
			{time.Hour, func() {
				g.WriteHeader(http.StatusOK)
				if w.moved != 1 {
					t.Errorf("a header that waits for the body has moved the deadline")
				}
				_, _ = g.Write([]byte("0"))
			}, 2},
			{0, func() { _, _ = g.Write([]byte("a")) }, 2},
			{time.Second, func() { _, _ = g.Write([]byte("b")) }, 2},
			{time.Nanosecond, func() { _, _ = g.Write([]byte("c")) }, 3},
			{time.Hour, func() { _ = g.FlushError() }, 4},
			{time.Hour, g.finish, 5},
		} {
			<-time.After(step.wait)
			step.write()
			if left := time.Until(w.deadline); w.moved != step.moved || left < idle-idle/8 || left > idle {
				t.Errorf("after %v the deadline was moved %d times, %v are left", step.wait, w.moved, left)
			}
		}
	})
}

// parameterName.is finds what folding and comparing finds.
func FuzzParameterName(f *testing.F) {
	for _, name := range []string{"auth", "AUTH", "access%5ftoken", " auth", "auth+", "a//b", "aut\u212a", "", "%"} {
		f.Add(name, "auth")
	}
	f.Fuzz(func(t *testing.T, name, other string) {
		folded := foldParameter(other)
		if got, want := parameterName(name).is(folded), foldParameter(name) == folded; got != want {
			t.Errorf("%q is %q: %t", name, folded, got)
		}
		if own := foldParameter(name); !parameterName(name).is(own) {
			t.Errorf("%q is not %q", name, own)
		}
	})
}
