package redisconn

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"strings"
)

// A sealed value is base64url of: format, key id, nonce, ciphertext with tag.
const (
	sealFormat byte = 1
	nonceBytes      = 12
	tagBytes        = 16
	headBytes       = 1 + keyIDBytes + nonceBytes
)

// RejectReason is why a sealed value was not opened.
type RejectReason string

// The reasons of a RejectedError.
const (
	Malformed  RejectReason = "malformed"   // nothing that Seal ever wrote
	UnknownKey RejectReason = "unknown_key" // sealed with a key that is not in the ring (any more, or yet)
	Tampered   RejectReason = "tampered"    // changed, or moved from another name, kind or version
)

// RejectedError is a stored value that must be treated as absent.
type RejectedError struct{ Reason RejectReason }

// Error implements error.
func (e *RejectedError) Error() string { return "stored value rejected: " + string(e.Reason) }

// Sealing reports whether there are keys, so that secrets may go to Redis.
func (c *Conn) Sealing() bool { return c.options.Keys != nil }

// Seal encrypts plain for the place that kind, name (the full key name) and
// version are; only the same place opens it. A version that the store keeps
// elsewhere, or that only grows, makes the replay of an old value detectable.
func (c *Conn) Seal(kind, name string, version uint64, plain []byte) (string, error) {
	if c.options.Keys == nil {
		return "", ErrNoKeys
	}
	key := c.options.Keys.sealing()
	sealed := make([]byte, headBytes, headBytes+len(plain)+tagBytes)
	sealed[0] = sealFormat
	copy(sealed[1:], key.id[:])
	nonce := sealed[1+keyIDBytes : headBytes]
	_, _ = rand.Read(nonce) // it never fails: since Go 1.24 it would end the program
	sealed = key.aead.Seal(sealed, nonce, plain, place(kind, name, version))
	return base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Open decrypts what Seal gave for the same kind, name and version. Anything
// else is a *RejectedError, which also goes to Hooks.Rejected.
func (c *Conn) Open(kind, name string, version uint64, sealed string) ([]byte, error) {
	if c.options.Keys == nil {
		return nil, ErrNoKeys
	}
	plain, reason := c.options.Keys.open(sealed, place(kind, name, version))
	if reason == "" {
		return plain, nil
	}
	if hook := c.options.Hooks.Rejected; hook != nil {
		hook(kind, reason)
	}
	return nil, &RejectedError{Reason: reason}
}

func (k *Keyring) open(sealed string, place []byte) ([]byte, RejectReason) {
	// Exactly one text opens: the decoder would skip line ends and, unless
	// strict, the unused bits of the last character.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(sealed)
	if err != nil || strings.ContainsAny(sealed, "\r\n") || len(raw) < headBytes+tagBytes || raw[0] != sealFormat {
		return nil, Malformed
	}
	key, ok := k.find([keyIDBytes]byte(raw[1:]))
	if !ok {
		return nil, UnknownKey
	}
	body := raw[headBytes:]
	plain, err := key.aead.Open(body[:0], raw[1+keyIDBytes:headBytes], body, place)
	if err != nil {
		return nil, Tampered
	}
	return plain, ""
}

// place is the associated data: where a value belongs.
func place(kind, name string, version uint64) []byte {
	b := make([]byte, 0, 1+4+len(kind)+4+len(name)+8)
	b = append(b, sealFormat)
	b = lengthPrefixed(b, kind)
	b = lengthPrefixed(b, name)
	return binary.BigEndian.AppendUint64(b, version)
}
