package main

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestUsersLastLeaves(t *testing.T) {
	var ended atomic.Int32
	u := users{last: func() { ended.Add(1) }}
	for range 2 {
		if !u.enter() {
			t.Fatal("a generation that serves lets nobody in")
		}
	}
	u.leave()
	u.retire()
	if u.enter() || ended.Load() != 0 {
		t.Errorf("entered after it was retired, or ended (%d) while one is in", ended.Load())
	}
	u.leave()
	if u.enter() || ended.Load() != 1 {
		t.Errorf("ended %d times", ended.Load())
	}
}

func TestUsersRetiredWithNobodyIn(t *testing.T) {
	ended := 0
	u := users{last: func() { ended++ }}
	u.retire()
	if ended != 1 {
		t.Errorf("ended %d times", ended)
	}
}

// However requests and the end of a generation interleave, it ends once, and
// never while somebody is in.
func TestUsersInterleaved(t *testing.T) {
	for range 200 {
		var inside, ended, wrong atomic.Int32
		u := users{}
		u.last = func() {
			ended.Add(1)
			if inside.Load() != 0 {
				wrong.Add(1)
			}
		}
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for range 20 {
					if !u.enter() {
						return
					}
					inside.Add(1)
					if ended.Load() != 0 {
						wrong.Add(1)
					}
					inside.Add(-1)
					u.leave()
				}
			})
		}
		all.Go(u.retire)
		all.Wait()
		if ended.Load() != 1 || wrong.Load() != 0 {
			t.Fatalf("ended %d times, %d times while somebody was in", ended.Load(), wrong.Load())
		}
	}
}

// An answer keeps the generation until its body ends, an error does not.
func TestHeldUntilTheBodyEnds(t *testing.T) {
	ended := false
	g := &generation{}
	g.users.last = func() { ended = true }
	body := g.held(tripperFunc(func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader("text"))}, nil
	}))
	fails := g.held(tripperFunc(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := body.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	if resp2, err := fails.RoundTrip(r); err == nil {
		_ = resp2.Body.Close()
		t.Error("no error")
	}
	g.users.retire()
	if ended {
		t.Error("ended while a body is under way")
	}
	if err := resp.Body.Close(); err != nil || !ended {
		t.Errorf("%v, ended: %t", err, ended)
	}
}
