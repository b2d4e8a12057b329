package cache

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
)

// reply is an outcome made ready to be written.
type reply struct {
	status int
	// length of the body in bytes; 0 where the status has none.
	length int64
	sized  bool // the length is to be told
	parts  []replyPart
	tail   string
	whole  []byte // instead of parts
}

// replyPart is one part of multipart/byteranges.
type replyPart struct {
	head string
	body []byte
}

// prepare puts the fields of the answer into dst and returns its status and
// body, which shares the object's memory. For a HEAD the body is not written.
// The values in dst are shared too: replace them, do not change them.
func (c outcome) prepare(dst http.Header, o *Object) reply {
	r := c.fill(dst, o)
	if r.sized {
		dst["Content-Length"] = []string{strconv.FormatInt(r.length, 10)}
	}
	return r
}

// fill is prepare, but leaves it to others to tell the length.
func (c outcome) fill(dst http.Header, o *Object) reply {
	if c.status != o.Status {
		return c.other(dst, o)
	}
	maps.Copy(dst, o.Header)
	if len(o.Body) == 0 && !bodyAllowed(o.Status) {
		return reply{status: o.Status}
	}
	return reply{status: o.Status, length: int64(len(o.Body)), sized: true, whole: o.Body}
}

// other prepares what is not the whole answer.
func (c outcome) other(dst http.Header, o *Object) reply {
	switch c.status {
	case http.StatusPartialContent:
		return c.partial(dst, o)
	case http.StatusNotModified:
		copyFields(dst, o.Header, notModifiedFields(o)...)
		return reply{status: c.status}
	case http.StatusRequestedRangeNotSatisfiable:
		dst["Content-Range"] = []string{"bytes */" + strconv.Itoa(len(o.Body))}
	}
	copyFields(dst, o.Header, "Date", "Etag", "Last-Modified")
	return reply{status: c.status, sized: true}
}

// bodyAllowed: RFC 9110, section 6.4.1.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// notModifiedFields are those of RFC 9110, section 15.4.5; Last-Modified only
// where there is no better validator.
func notModifiedFields(o *Object) []string {
	fields := []string{"Cache-Control", "Cdn-Cache-Control", "Content-Location", "Date", "Etag", "Expires", "Vary"}
	if tagOf(o).opaque == "" {
		fields = append(fields, "Last-Modified")
	}
	return fields
}

func copyFields(dst, src http.Header, names ...string) {
	for _, name := range names {
		if values, ok := src[name]; ok {
			dst[name] = values
		}
	}
}

// partial prepares a 206: one part as it is, several as multipart/byteranges
// (RFC 9110, section 15.3.7).
func (c outcome) partial(dst http.Header, o *Object) reply {
	maps.Copy(dst, o.Header)
	delete(dst, "Content-Digest") // of the whole (RFC 9530, section 2)
	delete(dst, "Content-Md5")
	size := int64(len(o.Body))
	if len(c.ranges) == 1 {
		r := c.ranges[0]
		dst["Content-Range"] = []string{r.contentRange(size)}
		return reply{status: c.status, length: r.length, sized: true, whole: r.of(o.Body)}
	}
	out := reply{status: c.status, sized: true, parts: make([]replyPart, len(c.ranges))}
	sum := sha256.New()
	for i, r := range c.ranges {
		out.parts[i].body = r.of(o.Body)
		_, _ = sum.Write(out.parts[i].body) // never fails
	}
	// A text that stands in none of the parts: they would have to hold their own
	// digest.
	boundary := hex.EncodeToString(sum.Sum(nil))[:40]
	for i, r := range c.ranges {
		head := "\r\n--" + boundary + "\r\n"
		if contentType := o.Header.Get("Content-Type"); contentType != "" {
			head += "Content-Type: " + contentType + "\r\n"
		}
		out.parts[i].head = head + "Content-Range: " + r.contentRange(size) + "\r\n\r\n"
		out.length += int64(len(out.parts[i].head)) + r.length
	}
	out.tail = "\r\n--" + boundary + "--\r\n"
	out.length += int64(len(out.tail))
	dst["Content-Type"] = []string{"multipart/byteranges; boundary=" + boundary}
	return out
}

func (r byteRange) of(body []byte) []byte { return body[r.start : r.start+r.length] }

func (r byteRange) contentRange(size int64) string {
	return fmt.Sprintf("bytes %d-%d/%d", r.start, r.start+r.length-1, size)
}

// WriteTo writes the body. It stops at the first error.
func (r reply) WriteTo(w io.Writer) (written int64, err error) {
	write := func(n int, failed error) {
		written, err = written+int64(n), failed
	}
	if len(r.whole) > 0 {
		write(w.Write(r.whole))
	}
	for _, part := range r.parts {
		if err == nil {
			write(io.WriteString(w, part.head))
		}
		if err == nil {
			write(w.Write(part.body))
		}
	}
	if err == nil && r.tail != "" {
		write(io.WriteString(w, r.tail))
	}
	return written, err
}
