package iqsim

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"strconv"
	"strings"
	"sync"
)

// chooseCoding returns the first of offered that the request accepts, "" when
// it is none or identity.
func chooseCoding(offered, acceptEncoding []string) string {
	accepted := map[string]bool{}
	for part := range strings.SplitSeq(strings.Join(acceptEncoding, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		accepted[strings.ToLower(strings.TrimSpace(name))] = !refused(params)
	}
	for _, coding := range offered {
		ok, named := accepted[coding]
		if coding == "identity" || ok || !named && accepted["*"] {
			return strings.TrimSuffix(coding, "identity")
		}
	}
	return ""
}

// refused tells whether the parameters of a coding say q=0.
func refused(params string) bool {
	name, value, _ := strings.Cut(strings.TrimSpace(params), "=")
	q, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	return strings.EqualFold(strings.TrimSpace(name), "q") && err == nil && q == 0
}

// compressor is what the compressing writers of the library have in common.
type compressor interface {
	io.WriteCloser
	Flush() error
	Reset(w io.Writer)
}

// encoders lends compressors, whose tables are too large to make one for each
// answer. The zero value is ready.
type encoders struct{ gzip, deflate sync.Pool }

// encoder is a compressor that goes back to its pool when it is closed.
type encoder struct {
	compressor
	home *sync.Pool
}

// open returns an encoder that writes to w. The "deflate" coding is the zlib
// format (RFC 9110, section 8.4.1.2).
func (e *encoders) open(coding string, w io.Writer) *encoder {
	home := &e.gzip
	if coding == "deflate" {
		home = &e.deflate
	}
	if c, ok := home.Get().(compressor); ok {
		c.Reset(w)
		return &encoder{c, home}
	}
	return &encoder{newCompressor(coding, w), home}
}

// Close ends the compressed body and gives the compressor back.
func (e *encoder) Close() error {
	err := e.compressor.Close()
	e.home.Put(e.compressor)
	return err
}

// newCompressor favours speed: load runs compress a lot.
func newCompressor(coding string, w io.Writer) compressor {
	var c compressor
	var err error
	if coding == "deflate" {
		c, err = zlib.NewWriterLevel(w, zlib.BestSpeed)
	} else {
		c, err = gzip.NewWriterLevel(w, gzip.BestSpeed)
	}
	if err != nil {
		panic("iqsim: " + err.Error()) // the levels are constants
	}
	return c
}
