package main

import (
	"math"
	"net/http"
	"sync"
	"sync/atomic"

	"iqgateway/internal/exchange"
)

// retired is what the count of users has on top once nobody may come any more.
const retired = math.MinInt64 / 2

// users counts who uses a generation, without a lock: every request does.
type users struct {
	count atomic.Int64
	once  sync.Once
	last  func() // once it is retired and the last has left
}

// enter reports whether it may be used; if so, leave has to follow.
func (u *users) enter() bool {
	if u.count.Add(1) > 0 {
		return true
	}
	u.leave()
	return false
}

func (u *users) leave() {
	if u.count.Add(-1) == retired {
		u.once.Do(u.last)
	}
}

// retire lets nobody enter any more.
func (u *users) retire() {
	if u.count.Add(retired) == retired {
		u.once.Do(u.last)
	}
}

// held keeps a generation while something is under way upstream: a fetch for
// several callers outlives the request that began it.
func (g *generation) held(next http.RoundTripper) http.RoundTripper {
	return heldTripper{&g.users, next}
}

type heldTripper struct {
	users *users
	next  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (h heldTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if !h.users.enter() { // what it needs is shared with the next generation, or is gone
		return h.next.RoundTrip(r)
	}
	left := false
	defer func() {
		if !left {
			h.users.leave()
		}
	}()
	resp, err := h.next.RoundTrip(r)
	if err == nil && resp.Body != nil && resp.StatusCode != http.StatusSwitchingProtocols {
		resp.Body, left = exchange.OnEnd(resp.Body, h.users.leave), true
	}
	return resp, err
}
