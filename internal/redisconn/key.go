package redisconn

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
)

// nameBytes of the HMAC are kept: 128 bits, 22 characters.
const nameBytes = 16

// Key is the name of one stored thing. Its fields are Redis keys that share
// one cluster slot, so one script may use them together.
type Key struct{ base string }

// Key names a thing by its kind (a word of ours, readable in the name) and the
// parts that tell it apart (names, URLs: hidden by an HMAC).
func (c *Conn) Key(kind string, parts ...string) Key {
	named := lengthPrefixed(make([]byte, 0, 128), kind)
	for _, p := range parts {
		named = lengthPrefixed(named, p)
	}
	mac := hmac.New(sha256.New, c.nameKey)
	mac.Write(named)
	name := base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:nameBytes])
	return Key{base: c.options.KeyPrefix + ":" + kind + ":{" + name + "}"}
}

// Field is the Redis key of one field of the thing; field is a word of ours.
func (k Key) Field(field string) string { return k.base + ":" + field }

// String is the name without a field.
func (k Key) String() string { return k.base }

// hiddenBytes of the HMAC are kept by Hide: 48 bits, 12 characters. Two of a
// thousand names are the same with a chance of one in 500 million.
const hiddenBytes = 6

// Hide returns what stands for a name within a stored value: the same text on
// every replica, from which the name cannot be read. kind is a word of ours. The
// characters are lower case hex digits, whose order is the same in Go, in Lua
// and in every locale of a server.
func (c *Conn) Hide(kind, name string) string {
	mac := hmac.New(sha256.New, c.nameKey)
	// No Key has an empty kind, so that nothing hidden is part of a key's name.
	mac.Write(lengthPrefixed(lengthPrefixed(lengthPrefixed(make([]byte, 0, 64), ""), kind), name))
	return hex.EncodeToString(mac.Sum(nil)[:hiddenBytes])
}

// lengthPrefixed appends s so that no two lists of strings give the same bytes.
func lengthPrefixed(b []byte, s string) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
	return append(b, s...)
}
