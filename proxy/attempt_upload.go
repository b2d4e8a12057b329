package proxy

import (
	"errors"
	"sync/atomic"
	"time"
)

// errUploadIdle is the cause of a context that ended because an upload stalled.
var errUploadIdle = errors.New("the upstream took nothing of the request's body for timeouts.body_idle")

// uploadWatch ends an attempt whose upstream does not take what was read of the
// request's body: over HTTP/1 its connection's buffers are full, over HTTP/2 it
// opens no window, for which net/http has no timeout. The time in which the
// caller sends nothing does not count, nor does that after an answer: what is
// then left of the upload is of no interest.
type uploadWatch struct {
	watchdog
	over atomic.Bool
}

// arm has w call fire; 0 = never.
func (w *uploadWatch) arm(idle time.Duration, fire func(error)) {
	w.idle = idle
	w.fire = func() {
		if !w.over.Load() {
			fire(errUploadIdle)
		}
	}
}

// on reports whether anything is watched: nil is a watch of nothing.
func (w *uploadWatch) on() bool { return w != nil && w.idle > 0 }

// taking is called when the transport asks for more.
func (w *uploadWatch) taking() {
	if w.on() {
		w.stop()
	}
}

// given is called when the transport has got something to send, the end too.
func (w *uploadWatch) given() {
	if w.on() && !w.over.Load() {
		w.start()
	}
}

// end is called when nothing is left to be sent, or nobody waits for it.
func (w *uploadWatch) end() {
	if w.on() && !w.over.Swap(true) {
		w.stop()
	}
}
