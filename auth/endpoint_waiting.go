package auth

import (
	"slices"
	"sync"
)

// maxTokenCalls is how many bodies of token calls are waited for at once, of
// whomever they are.
const maxTokenCalls = 256

// TokenCalls are the token calls whose body is waited for, over all generations.
// Where there are too many, the one that has waited for the longest is ended:
// a client sends its call in one piece, and a stranger who holds places back
// shuts nobody else out. The zero value is ready to use.
type TokenCalls struct {
	mu      sync.Mutex
	waiting []*waitingCall // the oldest first
}

type waitingCall struct {
	end   func() // ends the wait for the body
	ended bool
}

// enter begins a wait, which leave ends. end is called at most once, and not
// after leave: what it needs is still there.
func (t *TokenCalls) enter(end func()) *waitingCall {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.waiting) >= maxTokenCalls {
		oldest := t.waiting[0]
		t.waiting = slices.Delete(t.waiting, 0, 1)
		oldest.ended = true
		oldest.end()
	}
	call := &waitingCall{end: end}
	t.waiting = append(t.waiting, call)
	return call
}

// leave ends a wait, and reports whether it was ended before.
func (t *TokenCalls) leave(call *waitingCall) (ended bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := slices.Index(t.waiting, call); at >= 0 {
		t.waiting = slices.Delete(t.waiting, at, at+1)
	}
	return call.ended
}
