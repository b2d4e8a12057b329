package redisconn_test

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"testing"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/redistest"
)

func nothing(context.Context, redis.UniversalClient) error { return nil }

func BenchmarkCallAway(b *testing.B) {
	c := named(b, redisconn.Options{})
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Call(b.Context(), "bench", nothing); err != redisconn.ErrAway { //nolint:errorlint // identity is promised
			b.Fatal(err)
		}
	}
}

func BenchmarkCallOverhead(b *testing.B) {
	server := redistest.Single(b)
	c := started(b, redisconn.Options{Addresses: server.Addresses()})
	if err := c.Connect(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Call(b.Context(), "bench", nothing); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKey(b *testing.B) {
	c := named(b, redisconn.Options{NameKey: key(9)})
	b.ReportAllocs()
	for b.Loop() {
		_ = c.Key("token", "production", "shop").Field("value")
	}
}

func BenchmarkSeal256(b *testing.B) {
	c, _ := sealer(b, redisconn.Hooks{}, key(1))
	plain := bytes.Repeat([]byte{'x'}, 256)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Seal("token", "iqgw:token:{AAAAAAAAAAAAAAAAAAAAAA}:value", 1, plain); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen256(b *testing.B) {
	c, _ := sealer(b, redisconn.Hooks{}, key(2), key(1))
	sealed, err := c.Seal("token", "n", 1, bytes.Repeat([]byte{'x'}, 256))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Open("token", "n", 1, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBareGCM256 is what sealing cannot be faster than.
func BenchmarkBareGCM256(b *testing.B) {
	block, err := aes.NewCipher(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		b.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		b.Fatal(err)
	}
	plain, nonce, place := bytes.Repeat([]byte{'x'}, 256), make([]byte, 12), make([]byte, 60)
	out := make([]byte, 0, 512)
	b.ReportAllocs()
	for b.Loop() {
		out = aead.Seal(out[:0], nonce, plain, place)
	}
}
