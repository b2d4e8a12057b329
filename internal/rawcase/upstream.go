package rawcase

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http/httputil"
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

	mu          sync.Mutex
	idle        *sync.Cond // signalled when busy falls
	busy        int        // requests being read or answered
	connections map[net.Conn]bool
	count       int
	script      []scripted
	received    []*Received
}

type scripted struct {
	bytes []byte
	close bool
}

// ServeUpstream answers on l until Close.
func ServeUpstream(l net.Listener) *Upstream {
	u := &Upstream{listener: l, connections: make(map[net.Conn]bool)}
	u.idle = sync.NewCond(&u.mu)
	u.done.Go(u.accept)
	return u
}

// Addr returns the address to call.
func (u *Upstream) Addr() string { return u.listener.Addr().String() }

// Close ends the listener and all connections, and waits.
func (u *Upstream) Close() {
	u.listener.Close()
	u.mu.Lock()
	for c := range u.connections {
		c.Close()
	}
	u.mu.Unlock()
	u.done.Wait()
}

// begin forgets what was received and sets the script.
func (u *Upstream) begin(script []scripted) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.received, u.script = nil, script
}

// Settle waits until no request is under way, and returns all since the last
// case began.
func (u *Upstream) Settle(patience time.Duration) ([]Received, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	late := false
	alarm := time.AfterFunc(patience, func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		late = true
		u.idle.Broadcast()
	})
	defer alarm.Stop()
	for u.busy > 0 && !late {
		u.idle.Wait()
	}
	all := make([]Received, len(u.received))
	for i, r := range u.received {
		all[i] = *r
	}
	if late && u.busy > 0 {
		return all, fmt.Errorf("a request to the upstream is still under way after %v", patience)
	}
	return all, nil
}

func (u *Upstream) accept() {
	for {
		c, err := u.listener.Accept()
		if err != nil {
			return
		}
		u.mu.Lock()
		u.count++
		number := u.count
		u.connections[c] = true
		u.mu.Unlock()
		u.done.Go(func() {
			u.serve(c, number)
			c.Close()
			u.mu.Lock()
			delete(u.connections, c)
			u.mu.Unlock()
		})
	}
}

func (u *Upstream) serve(c net.Conn, number int) {
	var seen bytes.Buffer
	in := bufio.NewReader(io.TeeReader(c, &seen))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		r := u.arrived(number, strings.TrimRight(line, "\r\n"))
		err = readRest(in)
		end := seen.Len() - in.Buffered()
		reply := u.complete(r, bytes.Clone(seen.Next(end)), err == nil)
		if err == nil {
			_, err = c.Write(reply.bytes)
		}
		u.leave()
		if err != nil || reply.close {
			return
		}
	}
}

func (u *Upstream) arrived(number int, line string) *Received {
	u.mu.Lock()
	defer u.mu.Unlock()
	r := &Received{Connection: number, Line: line}
	u.received = append(u.received, r)
	u.busy++
	return r
}

func (u *Upstream) complete(r *Received, raw []byte, ok bool) scripted {
	u.mu.Lock()
	defer u.mu.Unlock()
	r.Raw, r.Complete = raw, ok
	if len(u.script) > 0 {
		next := u.script[0]
		u.script = u.script[1:]
		return next
	}
	return echo(r.Line)
}

func (u *Upstream) leave() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.busy--
	u.idle.Broadcast()
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

// readRest reads the fields and the body of a request.
func readRest(in *bufio.Reader) error {
	length, chunked := int64(0), false
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(strings.TrimRight(line, "\r\n"), ":")
		if !ok && name == "" {
			break
		}
		switch value = strings.TrimSpace(value); strings.ToLower(name) {
		case "content-length":
			if length, err = strconv.ParseInt(value, 10, 64); err != nil {
				return err
			}
		case "transfer-encoding":
			chunked = true
		}
	}
	if !chunked {
		_, err := io.CopyN(io.Discard, in, length)
		return err
	}
	if _, err := io.Copy(io.Discard, httputil.NewChunkedReader(in)); err != nil {
		return err
	}
	for { // trailers
		line, err := in.ReadString('\n')
		if err != nil || strings.TrimRight(line, "\r\n") == "" {
			return err
		}
	}
}
