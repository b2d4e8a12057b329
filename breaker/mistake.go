package breaker

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"strings"
)

// maxSight is how much of a body is looked at.
const maxSight = 4 << 10

// mistakes returns the texts of which one in the body of an answer makes it a
// client's mistake; none = any body does.
func mistakes(known []Mistake, path string, status int) (candidate bool, texts []string) {
	for _, m := range known {
		if m.Status != status || !m.Path.Match(path) {
			continue
		}
		if m.Body == "" {
			return true, nil
		}
		texts = append(texts, m.Body)
	}
	return len(texts) > 0, texts
}

// sight is what was seen of a body while it passed. It is not read ahead, so
// that a body that stalls holds nobody up.
type sight struct {
	texts    []string
	encoding string
	seen     []byte
}

// add takes what has passed, and reports whether enough was seen.
func (s *sight) add(b []byte) (full bool) {
	s.seen = append(s.seen, b[:min(len(b), maxSight-len(s.seen))]...)
	return len(s.seen) == maxSight
}

// verdict judges what was seen. A body that cannot be decoded is held for the
// mistake that its path and status announce: to count too little leaves one
// path alone, to count too much takes the service away from everybody.
func (s *sight) verdict() Result {
	text, ok := decode(s.seen, s.encoding)
	if !ok {
		return Excluded
	}
	text = bytes.ToLower(text)
	for _, t := range s.texts {
		if bytes.Contains(text, bytes.ToLower([]byte(t))) {
			return Excluded
		}
	}
	return Failure
}

// decode returns the beginning of a body as text.
func decode(b []byte, encoding string) (text []byte, ok bool) {
	var r io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return b, true
	case "gzip", "x-gzip":
		r, err = gzip.NewReader(bytes.NewReader(b))
	case "deflate": // with or without the wrapper that RFC 9110 asks for
		if r, err = zlib.NewReader(bytes.NewReader(b)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(b)), nil
		}
	default:
		return nil, false
	}
	if err != nil {
		return nil, false
	}
	var out bytes.Buffer
	_, err = io.CopyN(&out, r, maxSight)
	// It ends early where what was seen does; only a beginning is needed.
	return out.Bytes(), out.Len() > 0 || errors.Is(err, io.EOF)
}
