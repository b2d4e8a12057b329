package redisstore

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"sync"
)

// The formats of a packed value, its first byte. What follows is the value's
// length as a uvarint, and the value.
const (
	formatPlain byte = 1
	formatFlate byte = 2
)

// minCompressed is the size over which compression is tried, in bytes.
const minCompressed = 1 << 10

var (
	errFormat = errors.New("a format of another version")
	errPacked = errors.New("not a packed value")
	errSize   = errors.New("larger than a value may be")
)

// packer packs values and unpacks them. It is safe for concurrent use.
type packer struct {
	most     int // bytes of a value
	deflates sync.Pool
	inflates sync.Pool
}

// deflate is what compressing needs, some 600 KB; inflate some 40 KB.
type (
	deflate struct {
		out bytes.Buffer
		w   *flate.Writer
	}
	inflate struct {
		in bytes.Reader
		r  io.ReadCloser
	}
)

// pack returns value with its format before it, compressed where that saves an
// eighth or more.
func (p *packer) pack(value []byte) []byte {
	if len(value) > minCompressed {
		if packed, ok := p.compress(value); ok {
			return packed
		}
	}
	head := binary.AppendUvarint(append(make([]byte, 0, 1+binary.MaxVarintLen64+len(value)), formatPlain), uint64(len(value)))
	return append(head, value...)
}

func (p *packer) compress(value []byte) (packed []byte, ok bool) {
	d, _ := p.deflates.Get().(*deflate)
	if d == nil {
		d = &deflate{}
		d.w, _ = flate.NewWriter(&d.out, flate.BestSpeed) // it fails for unknown levels only
	}
	defer p.deflates.Put(d)
	d.out.Reset()
	d.out.Write(binary.AppendUvarint([]byte{formatFlate}, uint64(len(value))))
	d.w.Reset(&d.out)
	if _, err := d.w.Write(value); err != nil { // a buffer takes all
		return nil, false
	}
	if err := d.w.Close(); err != nil || d.out.Len() > len(value)-len(value)/8 {
		return nil, false
	}
	return bytes.Clone(d.out.Bytes()), true
}

// unpack returns what was packed. It reads no more than the length that stands
// before it, and that is bounded: a few bytes do not become a gigabyte.
func (p *packer) unpack(packed []byte) ([]byte, error) {
	if len(packed) == 0 {
		return nil, errPacked
	}
	length, n := binary.Uvarint(packed[1:])
	if format := packed[0]; format != formatPlain && format != formatFlate {
		return nil, errFormat
	}
	if n <= 0 {
		return nil, errPacked
	}
	if length > uint64(p.most) {
		return nil, errSize
	}
	rest := packed[1+n:]
	if packed[0] == formatFlate {
		return p.expand(rest, int(length))
	}
	if uint64(len(rest)) != length {
		return nil, errPacked
	}
	return rest, nil
}

func (p *packer) expand(compressed []byte, length int) ([]byte, error) {
	f, _ := p.inflates.Get().(*inflate)
	if f == nil {
		f = &inflate{}
		f.r = flate.NewReader(&f.in)
	}
	defer func() {
		f.in.Reset(nil)
		p.inflates.Put(f)
	}()
	f.in.Reset(compressed)
	if err := f.r.(flate.Resetter).Reset(&f.in, nil); err != nil { // what package flate promises of its readers
		return nil, errPacked
	}
	value := make([]byte, length)
	if _, err := io.ReadFull(f.r, value); err != nil {
		return nil, errPacked
	}
	var one [1]byte
	if n, err := f.r.Read(one[:]); n != 0 || err != io.EOF || f.in.Len() != 0 {
		return nil, errPacked
	}
	return value, nil
}
