package redisstore

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"runtime"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// FuzzUnpack: nothing that stands in a value makes more of it than is allowed,
// and what is read can be packed and read again.
func FuzzUnpack(f *testing.F) {
	p := &packer{most: 1 << 16}
	for _, value := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("ab"), 5000)} {
		f.Add(p.pack(value))
	}
	f.Add([]byte{formatFlate, 5, 0})
	f.Add([]byte{formatPlain, 0x80})
	f.Add([]byte{3, 1, 'x'})
	f.Fuzz(func(t *testing.T, packed []byte) {
		value, err := p.unpack(packed)
		if err != nil {
			if value != nil || !errors.Is(err, errFormat) && !errors.Is(err, errPacked) && !errors.Is(err, errSize) {
				t.Errorf("%d bytes with %v", len(value), err)
			}
			return
		}
		if len(value) > p.most {
			t.Errorf("%d bytes, at most %d", len(value), p.most)
		}
		again, err := p.unpack(p.pack(value))
		if err != nil || !bytes.Equal(again, value) {
			t.Errorf("packed again: %v", err)
		}
	})
}

func TestPackedValuesComeBack(t *testing.T) {
	p := &packer{most: 1 << 20}
	rapid.Check(t, func(t *rapid.T) {
		value := bytes.Repeat(rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "part"), rapid.IntRange(1, 20).Draw(t, "times"))
		packed := p.pack(value)
		if len(packed) > len(value)+1+binary.MaxVarintLen64 {
			t.Fatalf("%d bytes became %d", len(value), len(packed))
		}
		got, err := p.unpack(packed)
		if err != nil || !bytes.Equal(got, value) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
	})
}

func TestPackersServeMany(t *testing.T) {
	p := &packer{most: 1 << 20}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			value := bytes.Repeat([]byte{byte(i), 'a', 'b'}, 2000)
			for range 50 {
				if got, err := p.unpack(p.pack(value)); err != nil || !bytes.Equal(got, value) {
					t.Errorf("%d: %v", i, err)
				}
			}
		})
	}
	all.Wait()
}

// A bomb costs what is allowed and no more, whatever length it tells.
func TestBombsDoNotGoOff(t *testing.T) {
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 64<<20)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	p := &packer{most: 1 << 20}
	tells := func(length uint64) []byte {
		return append(binary.AppendUvarint([]byte{formatFlate}, length), bomb.Bytes()...)
	}
	for length, want := range map[uint64]error{64 << 20: errSize, 1<<20 + 1: errSize, 1 << 63: errSize, 1 << 20: errPacked, 0: errPacked} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		value, err := p.unpack(tells(length))
		runtime.ReadMemStats(&after)
		if value != nil || !errors.Is(err, want) {
			t.Errorf("%d: %d bytes, %v", length, len(value), err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
			t.Errorf("%d: %d bytes were needed", length, n)
		}
	}
}
