package proxy

import (
	"bytes"
	"net/http"
	"strconv"
)

// maxPartialLine bounds what is kept of a line that came in pieces; net/http
// itself gives up on a header of that size.
const (
	maxPartialLine  = maxResponseHeader
	keptPartialLine = 4 << 10 // of memory, from one answer to the next
)

// answerPhase is where in an HTTP/1 answer the next byte belongs.
type answerPhase int8

const (
	inStatus    answerPhase = iota
	inHeader                // after the status line
	inBody                  // with a Content-Length
	inChunkSize             // a line
	inChunk                 // the data of a chunk
	inChunkEnd              // the empty line behind it
	inTrailer               // behind the last chunk
	atEnd                   // the next byte belongs to nobody
	inUnknown               // to the end of the connection
)

// answerEnd finds where an HTTP/1 answer ends, as its bytes pass (RFC 9112
// section 6). It knows only what every reader understands in the same way: one
// Content-Length in digits, or chunked alone without extensions, lines that end
// in CR LF, no folding. The end of all other answers is that of the connection,
// on which then no further request goes. net/http reads the same bytes; where it
// sees another end than this, the connection is lost and nothing else.
type answerEnd struct {
	phase   answerPhase
	head    bool // the request was HEAD: no body, whatever the header says
	status  int
	length  int64 // of the Content-Length; -1 without one
	chunked bool
	left    int64  // bytes of the body or chunk still to come
	partial []byte // of a line
}

// begin expects the answer to a request.
func (a *answerEnd) begin(method string) {
	a.phase, a.head = inStatus, method == http.MethodHead
	if a.partial = a.partial[:0]; cap(a.partial) > keptPartialLine {
		a.partial = nil
	}
}

// pass takes the next bytes and returns how many of them belong to the answer.
func (a *answerEnd) pass(p []byte) int {
	used := 0
	for used < len(p) {
		switch a.phase {
		case atEnd:
			return used
		case inUnknown:
			return len(p)
		case inBody, inChunk:
			used += a.data(len(p) - used)
		default:
			line, n, complete := a.line(p[used:])
			used += n
			if complete {
				a.next(line)
			}
		}
	}
	return used
}

// data takes at most n bytes of a body or chunk.
func (a *answerEnd) data(n int) int {
	n = int(min(a.left, int64(n)))
	if a.left -= int64(n); a.left > 0 {
		return n
	}
	if a.phase == inBody {
		a.phase = atEnd
	} else {
		a.phase = inChunkEnd
	}
	return n
}

// line returns the next line without its end, once it is complete, and how
// many bytes of p it took. The line is valid until the next call.
func (a *answerEnd) line(p []byte) (line []byte, n int, complete bool) {
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		if len(a.partial)+len(p) > maxPartialLine {
			a.phase = inUnknown
			a.partial = nil
			return nil, len(p), false
		}
		a.partial = append(a.partial, p...)
		return nil, len(p), false
	}
	line = p[:i]
	if len(a.partial) > 0 {
		a.partial = append(a.partial, line...)
		line = a.partial
		a.partial = a.partial[:0]
	}
	if bytes.IndexByte(line, '\r') != len(line)-1 || len(line) == 0 {
		a.phase = inUnknown
		return nil, i + 1, false
	}
	return line[:len(line)-1], i + 1, true
}

// next judges one line.
func (a *answerEnd) next(line []byte) {
	switch a.phase {
	case inStatus:
		a.phase = a.statusLine(line)
	case inHeader:
		a.phase = a.headerLine(line)
	case inChunkSize:
		a.phase = a.chunkSize(line)
	case inChunkEnd:
		a.phase = inUnknown
		if len(line) == 0 {
			a.phase = inChunkSize
		}
	case inTrailer:
		if len(line) == 0 {
			a.phase = atEnd
		}
	case inBody, inChunk, atEnd, inUnknown: // have no lines
	}
}

func (a *answerEnd) statusLine(line []byte) answerPhase {
	rest, ok := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !ok || len(rest) < 3 || len(rest) > 3 && rest[3] != ' ' {
		return inUnknown
	}
	status, ok := parseDigits(rest[:3])
	if !ok {
		return inUnknown
	}
	a.status, a.length, a.chunked = int(status), -1, false
	return inHeader
}

func (a *answerEnd) headerLine(line []byte) answerPhase {
	if len(line) == 0 {
		return a.afterHeader()
	}
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 || name[0] == ' ' || name[0] == '\t' {
		return inUnknown
	}
	value = bytes.Trim(value, " \t")
	switch {
	case bytes.EqualFold(name, []byte("Content-Length")):
		length, ok := parseDigits(value)
		if !ok || a.length >= 0 {
			return inUnknown
		}
		a.length = length
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		if a.chunked || !bytes.EqualFold(value, []byte("chunked")) {
			return inUnknown
		}
		a.chunked = true
	}
	return inHeader
}

// afterHeader decides how the body ends (RFC 9112 section 6.3).
func (a *answerEnd) afterHeader() answerPhase {
	framed := a.chunked || a.length >= 0
	switch {
	case a.status < 200:
		if a.status == http.StatusSwitchingProtocols || framed {
			return inUnknown
		}
		return inStatus // of the next answer to the same request
	case a.chunked && (a.length >= 0 || a.head || a.bodyless()):
		return inUnknown
	case a.head || a.bodyless() || a.length == 0:
		return atEnd
	case a.chunked:
		return inChunkSize
	case a.length > 0:
		a.left = a.length
		return inBody
	default:
		return inUnknown
	}
}

func (a *answerEnd) bodyless() bool {
	return a.status == http.StatusNoContent || a.status == http.StatusNotModified
}

func (a *answerEnd) chunkSize(line []byte) answerPhase {
	const digits = 15 // as many as an int64 holds
	if len(line) == 0 || len(line) > digits {
		return inUnknown
	}
	var size int64
	for _, c := range line {
		if !isHex(c) {
			return inUnknown // an extension, or nonsense
		}
		size = size<<4 | int64(fromHex(c))
	}
	if size == 0 {
		return inTrailer
	}
	a.left = size
	return inChunk
}

// parseDigits reads a number that is written in digits alone.
func parseDigits(text []byte) (int64, bool) {
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	return n, err == nil
}
