package rawcase

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http/httputil"
	"os"
	"strconv"
	"strings"
	"time"
)

// link is one connection to the upstream double.
type link struct {
	net.Conn

	upstream *Upstream
	number   int

	// Guarded by upstream.mu:
	idle    bool // between requests
	looking int  // the last round of Settle in which look was called
	quiet   int  // the last round in which there was nothing to read
}

// nudge makes a waiting Read look whether there really is nothing to read. The
// caller holds upstream.mu.
func (l *link) nudge() { _ = l.SetReadDeadline(time.Unix(1, 0)) }

// Read implements io.Reader. It never fails because of a nudge: it tries
// again, and where still nothing has come between two requests, says so.
func (l *link) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	for n == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
		l.look()
		n, err = l.Conn.Read(p)
	}
	return n, err
}

// look is called when a read found nothing. The first time in a round it asks
// for a short further read, which takes what has arrived in the meantime; when
// that too finds nothing, the link is quiet.
func (l *link) look() {
	l.upstream.mu.Lock()
	defer l.upstream.mu.Unlock()
	switch round := l.upstream.round; {
	case !l.idle || l.quiet == round:
		_ = l.SetReadDeadline(time.Time{})
	case l.looking != round:
		l.looking = round
		_ = l.SetReadDeadline(time.Now().Add(time.Millisecond))
	default:
		l.quiet = round
		l.upstream.changed.Broadcast()
		_ = l.SetReadDeadline(time.Time{})
	}
}

func (l *link) serve() {
	var seen bytes.Buffer
	in := bufio.NewReader(io.TeeReader(l, &seen))
	for {
		if _, err := in.Peek(1); err != nil {
			return
		}
		l.setIdle(false)
		line, err := in.ReadString('\n')
		r := l.arrived(strings.TrimRight(line, "\r\n"))
		if err == nil {
			err = readRest(in)
		}
		raw := bytes.Clone(seen.Next(seen.Len() - in.Buffered()))
		l.complete(r, raw, err == nil)
		if err != nil {
			return
		}
		reply := l.upstream.next(r)
		if _, err := l.Write(reply.bytes); err != nil || reply.close {
			return
		}
		l.setIdle(true)
	}
}

// setIdle also asks for a look, in case that a Settle waits for this link.
func (l *link) setIdle(idle bool) {
	l.upstream.mu.Lock()
	defer l.upstream.mu.Unlock()
	if l.idle = idle; idle {
		l.nudge()
	}
}

func (l *link) arrived(line string) *Received {
	l.upstream.mu.Lock()
	defer l.upstream.mu.Unlock()
	r := &Received{Connection: l.number, Line: line}
	l.upstream.received = append(l.upstream.received, r)
	return r
}

func (l *link) complete(r *Received, raw []byte, ok bool) {
	l.upstream.mu.Lock()
	defer l.upstream.mu.Unlock()
	r.Raw, r.Complete = raw, ok
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
