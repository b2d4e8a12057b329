package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
)

// Digest is the SHA-256 of a key.
type Digest [sha256.Size]byte

// keyPrefix lets secret scanners recognise a key that was committed or posted
// by mistake.
const keyPrefix = "iqgw_"

// NewKey returns a new random key of 256 bits and its digest in hexadecimal.
// The key is shown once, to the person who will use it; the configuration gets
// the digest.
func NewKey() (key, sha256hex string) {
	var random [32]byte
	_, _ = rand.Read(random[:]) // never fails: it ends the process instead
	key = keyPrefix + base64.RawURLEncoding.EncodeToString(random[:])
	return key, DigestOf(key).String()
}

// DigestOf returns the digest of a key as it is presented, without trimming
// anything.
func DigestOf(key string) Digest {
	var buffer [64]byte // enough for our own keys
	return sha256.Sum256(append(buffer[:0], key...))
}

// String returns the 64 hexadecimal digits of d.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }
