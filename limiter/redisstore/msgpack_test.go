package redisstore_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

var errPacked = errors.New("not what cmsgpack writes")

// unpack reads one value as Lua's cmsgpack packs it: numbers as float64, tables
// as []any or map[string]any.
func unpack(b []byte) (any, error) {
	r := &packed{rest: b}
	v, err := r.value()
	if err == nil && len(r.rest) != 0 {
		err = fmt.Errorf("%w: %d bytes too many", errPacked, len(r.rest))
	}
	return v, err
}

type packed struct{ rest []byte }

func (r *packed) take(n int) ([]byte, error) {
	if n < 0 || n > len(r.rest) {
		return nil, fmt.Errorf("%w: %d bytes missing", errPacked, n-len(r.rest))
	}
	head := r.rest[:n]
	r.rest = r.rest[n:]
	return head, nil
}

// number reads a big-endian one of n bytes.
func (r *packed) number(n int) (uint64, error) {
	b, err := r.take(n)
	if err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(append(make([]byte, 8-n), b...)), nil
}

func (r *packed) value() (any, error) {
	head, err := r.take(1)
	if err != nil {
		return nil, err
	}
	c := head[0]
	switch {
	case c < 0x80:
		return float64(c), nil
	case c < 0x90:
		return r.fields(int(c & 0x0f))
	case c < 0xa0:
		return r.items(int(c & 0x0f))
	case c < 0xc0:
		return r.text(int(c & 0x1f))
	case c >= 0xe0:
		return float64(int8(c)), nil
	}
	return r.sized(c)
}

func (r *packed) sized(c byte) (any, error) {
	sizes := map[byte]int{
		0xca: 4, 0xcb: 8, 0xcc: 1, 0xcd: 2, 0xce: 4, 0xcf: 8, 0xd0: 1, 0xd1: 2, 0xd2: 4, 0xd3: 8,
		0xd9: 1, 0xda: 2, 0xdb: 4, 0xdc: 2, 0xdd: 4, 0xde: 2, 0xdf: 4,
	}
	n, err := r.number(sizes[c])
	if err != nil {
		return nil, err
	}
	switch c {
	case 0xc0:
		return nil, nil
	case 0xc2, 0xc3:
		return c == 0xc3, nil
	case 0xca:
		return float64(math.Float32frombits(uint32(n))), nil
	case 0xcb:
		return math.Float64frombits(n), nil
	case 0xcc, 0xcd, 0xce, 0xcf:
		return float64(n), nil
	case 0xd0, 0xd1, 0xd2, 0xd3:
		shift := 64 - 8*sizes[c]
		return float64(int64(n<<shift) >> shift), nil
	case 0xd9, 0xda, 0xdb:
		return r.text(int(n))
	case 0xdc, 0xdd:
		return r.items(int(n))
	case 0xde, 0xdf:
		return r.fields(int(n))
	default:
		return nil, fmt.Errorf("%w: type %x", errPacked, c)
	}
}

func (r *packed) text(n int) (any, error) {
	b, err := r.take(n)
	return string(b), err
}

func (r *packed) items(n int) (any, error) {
	items := []any{}
	for range n {
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, nil
}

func (r *packed) fields(n int) (any, error) {
	fields := map[string]any{}
	for range n {
		name, err := r.value()
		if err != nil {
			return nil, err
		}
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		fields[fmt.Sprint(name)] = v
	}
	return fields, nil
}
