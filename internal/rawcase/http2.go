package rawcase

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// http2Client writes frames as they stand in the case, valid or not.
type http2Client struct {
	conn    *recorder
	framer  *http2.Framer
	block   bytes.Buffer
	encoder *hpack.Encoder
	streams []*stream // of the step, in order
}

type stream struct {
	id      uint32
	outcome string // "" while open
	status  string
	body    []byte
}

func newHTTP2(conn net.Conn) (*http2Client, error) {
	c := &http2Client{conn: &recorder{Conn: conn}}
	c.framer = http2.NewFramer(c.conn, c.conn)
	c.framer.AllowIllegalWrites = true
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	c.encoder = hpack.NewEncoder(&c.block)
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return nil, err
	}
	return c, c.framer.WriteSettings()
}

// Close implements client.
func (c *http2Client) Close() error { return c.conn.Close() }

func (c *http2Client) play(s Step, vars map[string]string, limit time.Duration) (result, error) {
	if err := c.conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return result{}, err
	}
	c.conn.seen.Reset()
	c.streams = nil
	for _, line := range s.Send {
		if err := c.write(line, vars); err != nil {
			return result{}, fmt.Errorf("%q: %w", line, err)
		}
	}
	err := c.read()
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded): // the server says nothing
		return result{}, errLate
	case err != nil:
		c.endAll(0)
	}
	r := result{closed: err != nil}
	for _, st := range c.streams {
		r.outcomes, r.bodies = append(r.outcomes, st.outcome), append(r.bodies, st.body)
		r.raw = append(r.raw, st.body...)
	}
	r.raw = append(r.raw, c.conn.seen.Bytes()...)
	return r, nil
}

func (c *http2Client) write(line string, vars map[string]string) error {
	words := strings.Fields(line)
	if len(words) < 2 {
		return fmt.Errorf("a frame has a type and a stream")
	}
	n, err := strconv.ParseUint(words[1], 10, 31)
	if err != nil {
		return err
	}
	id, rest := uint32(n), words[2:]
	end := len(rest) > 0 && rest[0] == "end"
	if end {
		rest = rest[1:]
	}
	switch words[0] {
	case "headers":
		return c.writeHeaders(id, end, rest, vars)
	case "data":
		payload, err := expand([]string{strings.Join(rest, " ")}, vars)
		if err != nil {
			return err
		}
		return c.framer.WriteData(id, end, payload)
	case "rst":
		return c.framer.WriteRSTStream(id, http2.ErrCodeCancel)
	}
	return fmt.Errorf("unknown frame %q", words[0])
}

func (c *http2Client) writeHeaders(id uint32, end bool, fields []string, vars map[string]string) error {
	c.block.Reset()
	for _, field := range fields {
		at := strings.Index(field[1:], "=") + 1 // a pseudo field begins with ":"
		if at < 1 {
			return fmt.Errorf("%q is no name=value", field)
		}
		name, err := expand([]string{field[:at]}, vars)
		if err != nil {
			return err
		}
		value, err := expand([]string{field[at+1:]}, vars)
		if err != nil {
			return err
		}
		if err := c.encoder.WriteField(hpack.HeaderField{Name: string(name), Value: string(value)}); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc(c.streams, func(s *stream) bool { return s.id == id }) {
		c.streams = append(c.streams, &stream{id: id})
	}
	return c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.block.Bytes(), EndStream: end, EndHeaders: true})
}

// read takes frames until every stream has ended, or the connection.
func (c *http2Client) read() error {
	for slices.ContainsFunc(c.streams, func(s *stream) bool { return s.outcome == "" }) {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return err
		}
		c.take(frame)
	}
	return nil
}

func (c *http2Client) take(frame http2.Frame) {
	switch f := frame.(type) {
	case *http2.SettingsFrame:
		if !f.IsAck() {
			_ = c.framer.WriteSettingsAck() // reading reports a dead connection
		}
	case *http2.MetaHeadersFrame:
		c.with(f.StreamID, func(s *stream) {
			if status := f.PseudoValue("status"); status != "" && status[0] != '1' {
				s.status = status
			}
			for _, field := range f.RegularFields() {
				s.body = fmt.Appendf(s.body, "%s: %s\n", field.Name, field.Value)
			}
			s.endIf(f.StreamEnded())
		})
	case *http2.DataFrame:
		c.with(f.StreamID, func(s *stream) {
			s.body = append(s.body, f.Data()...)
			s.endIf(f.StreamEnded())
		})
	case *http2.RSTStreamFrame:
		c.with(f.StreamID, (*stream).reset)
	case *http2.GoAwayFrame:
		if f.ErrCode != http2.ErrCodeNo {
			c.endAll(f.LastStreamID)
		}
	}
}

func (c *http2Client) with(id uint32, f func(*stream)) {
	for _, s := range c.streams {
		if s.id == id && s.outcome == "" {
			f(s)
		}
	}
}

// endAll: streams after last get no answer any more.
func (c *http2Client) endAll(last uint32) {
	for _, s := range c.streams {
		if s.id > last && s.outcome == "" {
			s.reset()
		}
	}
}

func (s *stream) endIf(ended bool) {
	if ended {
		s.outcome = s.status
	}
}

// reset ends the stream. After a complete answer a server may reset only what
// it does not want to read; the answer counts then.
func (s *stream) reset() {
	s.outcome = "reset"
	if s.status != "" {
		s.outcome = s.status
	}
}
