package slow

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

const (
	// greedyStreams is how many requests a connection without a window begins.
	greedyStreams = 250
	// slowBlock is the length of a header block that comes by the byte.
	slowBlock = 1000
)

// enterHTTP2 says hello and begins to be slow. What the gateway says from then on is
// not read.
func (d *door) enterHTTP2(kind string, c *client) error {
	frames := http2.NewFramer(c.conn, c.conn)
	if err := hello(c.conn, frames, kind); err != nil {
		return err
	}
	switch kind {
	case Silent:
		return nil
	case Header:
		// HEADERS of stream 1, END_HEADERS (RFC 9113 section 6.2), so long that
		// its end never comes.
		c.step = func() error {
			_, err := c.conn.Write([]byte{0})
			return err
		}
		head := binary.BigEndian.AppendUint32(nil, slowBlock<<8|uint32(http2.FrameHeaders))
		head = append(head, byte(http2.FlagHeadersEndHeaders))
		_, err := c.conn.Write(binary.BigEndian.AppendUint32(head, 1))
		return err
	case Body:
		c.step = func() error { return frames.WriteData(1, false, []byte{'a'}) }
		return d.ask(frames, 1, "POST", d.Upload)
	case Unread:
		return d.ask(frames, 1, "GET", d.Download)
	case NoWindow:
		for n := range uint32(greedyStreams) {
			if err := d.ask(frames, 2*n+1, "GET", d.Download); err != nil {
				return err
			}
		}
		return nil
	default:
		return fmt.Errorf("no such way in HTTP/2: %q", kind)
	}
}

// hello exchanges the settings of both sides.
func hello(w io.Writer, frames *http2.Framer, kind string) error {
	if _, err := io.WriteString(w, http2.ClientPreface); err != nil {
		return err
	}
	var own []http2.Setting
	if kind == Unread || kind == NoWindow {
		own = append(own, http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	}
	if err := frames.WriteSettings(own...); err != nil {
		return err
	}
	for {
		f, err := frames.ReadFrame()
		if err != nil {
			return err
		}
		if s, ok := f.(*http2.SettingsFrame); ok && !s.IsAck() {
			return frames.WriteSettingsAck()
		}
	}
}

// ask begins a request.
func (d *door) ask(frames *http2.Framer, stream uint32, method, path string) error {
	var block bytes.Buffer
	// Nothing is indexed: each block stands for itself.
	fields := hpack.NewEncoder(&block)
	fields.SetMaxDynamicTableSize(0)
	for _, f := range [][2]string{
		{":method", method}, {":scheme", "https"}, {":authority", d.Address}, {":path", path}, {"x-api-key", d.Key},
	} {
		if err := fields.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return err
		}
	}
	return frames.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: method == "GET",
	})
}
