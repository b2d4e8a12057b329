package rawcase

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Received is one request as the upstream double saw it.
type Received struct {
	Connection int    // counted from 1
	Line       string // request line without its end
	Raw        []byte // all of its bytes
	Complete   bool   // up to the end of its body
}

// Upstream is a server without an HTTP library: it keeps the bytes of each
// request and answers with scripted bytes, or with an echo of the target.
type Upstream struct {
	listener net.Listener
	done     sync.WaitGroup
	patience patience

	mu       sync.Mutex
	changed  *sync.Cond
	links    map[*link]bool
	accepted map[string]bool // remote addresses
	script   []scripted
	received []*Received
	round    int // of Settle
}

type scripted struct {
	bytes []byte
	close bool
}

// ServeUpstream answers on l until Close.
func ServeUpstream(l net.Listener) *Upstream {
	u := &Upstream{listener: l, links: make(map[*link]bool), accepted: make(map[string]bool)}
	u.changed = sync.NewCond(&u.mu)
	u.done.Go(u.accept)
	return u
}

// Addr returns the address to call.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// Close ends the listener and all connections, and waits.
func (u *Upstream) Close() {
	_ = u.listener.Close() // the accept loop ends
	u.mu.Lock()
	for l := range u.links {
		_ = l.Close() // its loop ends
	}
	u.mu.Unlock()
	u.done.Wait()
}

// Reset forgets what was received. From now on every answer is an echo.
func (u *Upstream) Reset() { u.begin(nil) }

// begin forgets what was received and sets the script.
func (u *Upstream) begin(script []scripted) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.received, u.script = nil, script
}

// Settle waits until everything that was sent so far has been read and
// answered, and returns all requests since the last Reset or case.
func (u *Upstream) Settle(limit time.Duration) ([]Received, error) {
	// Connections are accepted in order: once this one is, all are.
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	marker, err := new(net.Dialer).DialContext(ctx, "tcp", u.Addr())
	if err != nil {
		return nil, err
	}
	defer func() { _ = marker.Close() }() // nothing was written to it

	u.mu.Lock()
	defer u.mu.Unlock()
	late := false
	alarm := time.AfterFunc(limit, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		late = true
		u.changed.Broadcast()
	})
	defer alarm.Stop()
	for !u.accepted[marker.LocalAddr().String()] && !late {
		u.changed.Wait()
	}
	u.round++
	for l := range u.links {
		l.nudge()
	}
	for !u.settled() && !late {
		u.changed.Wait()
	}
	all := make([]Received, len(u.received))
	for i, r := range u.received {
		all[i] = *r
	}
	if late {
		return all, fmt.Errorf("a request to the upstream is still under way after %v", limit)
	}
	return all, nil
}

func (u *Upstream) settled() bool {
	for l := range u.links {
		if l.quiet != u.round {
			return false
		}
	}
	return true
}

func (u *Upstream) accept() {
	for number := 1; ; number++ {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		l := &link{Conn: c, upstream: u, number: number, idle: true}
		u.mu.Lock()
		u.links[l] = true
		u.accepted[c.RemoteAddr().String()] = true
		l.nudge() // in case that a Settle is waiting
		u.changed.Broadcast()
		u.mu.Unlock()
		u.done.Go(func() {
			l.serve()
			_ = c.Close()
			u.mu.Lock()
			delete(u.links, l)
			u.changed.Broadcast()
			u.mu.Unlock()
		})
	}
}

func (u *Upstream) next(r *Received) scripted {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.script) > 0 {
		next := u.script[0]
		u.script = u.script[1:]
		return next
	}
	return echo(r.Line)
}

// echo is the answer without a script. It holds the request target.
func echo(line string) scripted {
	body := "echo " + line + "\n"
	head := "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n"
	if strings.HasPrefix(line, "HEAD ") {
		body = ""
	}
	return scripted{bytes: []byte(head + body)}
}
