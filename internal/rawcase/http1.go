package rawcase

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

type http1 struct {
	conn *recorder
	in   *bufio.Reader
}

func newHTTP1(conn net.Conn) *http1 {
	c := &http1{conn: &recorder{Conn: conn}}
	c.in = bufio.NewReader(c.conn)
	return c
}

// Close implements client.
func (c *http1) Close() error { return c.conn.Close() }

func (c *http1) play(s Step, vars map[string]string, limit time.Duration) (result, error) {
	message, err := s.Bytes(vars)
	if err != nil {
		return result{}, err
	}
	if err := c.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return result{}, err
	}
	c.conn.seen.Reset()
	// A server may answer and close before it has read everything: the
	// answer decides, not the error of writing.
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, err := c.conn.Write(message); err == nil && s.EOF {
			closeWrite(c.conn.Conn)
		}
	}()
	r, err := c.answers(s, method(message))
	if r.closed {
		c.conn.Close()
	}
	<-sent
	r.raw = bytes.Clone(c.conn.seen.Bytes())
	return r, err
}

func (c *http1) answers(s Step, method string) (result, error) {
	var r result
	for range s.Answers {
		status, body, err := c.answer(method)
		if status == 0 {
			if errors.Is(err, os.ErrDeadlineExceeded) {
				return r, errLate
			}
			r.outcomes, r.bodies, r.closed = append(r.outcomes, "none"), append(r.bodies, nil), true
			continue
		}
		r.outcomes, r.bodies = append(r.outcomes, strconv.Itoa(status)), append(r.bodies, body)
		r.closed = r.closed || err != nil
	}
	if s.Close && !r.closed {
		_, err := c.in.ReadByte()
		r.closed = err != nil && !errors.Is(err, os.ErrDeadlineExceeded)
		_, _ = io.Copy(io.Discard, c.in) // what came instead is in raw
	}
	return r, nil
}

// answer reads one final answer. An error beside a status: the body broke off.
func (c *http1) answer(method string) (status int, body []byte, err error) {
	for {
		res, err := http.ReadResponse(c.in, &http.Request{Method: method})
		if err != nil {
			return 0, nil, err
		}
		var text bytes.Buffer
		_, err = io.Copy(&text, res.Body)
		_ = res.Body.Close() // err says what there is to say
		if res.StatusCode >= http.StatusOK || res.StatusCode == http.StatusSwitchingProtocols {
			return res.StatusCode, text.Bytes(), err
		}
	}
}

// method returns what decides whether an answer has a body.
func method(message []byte) string {
	word, _, _ := strings.Cut(string(message[:min(len(message), 16)]), " ")
	if word == http.MethodHead {
		return word
	}
	return http.MethodGet
}

func closeWrite(c net.Conn) {
	if half, ok := c.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
