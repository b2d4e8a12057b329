package cache

import (
	"encoding/binary"
	"strings"
)

// Key is the primary key of a stored answer: an injective encoding of
// everything but the selecting request fields.
type Key string

// keyParts is what a Key consists of. Two requests share an answer only where
// all of it is equal, byte for byte.
type keyParts struct {
	Service ServiceName
	// Method is GET for GET and HEAD, POST for reading POSTs.
	Method string
	// Path and Query are raw: the upstream may tell apart what decodes alike.
	Path  string
	Query string
	// HasQuery tells "/x?" from "/x".
	HasQuery bool
	Policy   string // authenticated or anonymous
	// Credential is the credential's name, Account the identity behind it: a
	// name whose account was changed must not find the old account's answers.
	Credential string
	Account    string
	// Caller is "" where all callers of the credential share answers.
	Caller      string
	RuleVersion string
	// Body is the digest of a reading POST's body (canonicalBody).
	Body string
}

// key encodes p: each part with its length before it, so that no two lists of
// parts give one text.
func (p keyParts) key() Key {
	parts := [...]string{
		p.Service.Environment, p.Service.Service, p.Method, p.Path, p.Query,
		p.Policy, p.Credential, p.Account, p.Caller, p.RuleVersion, p.Body,
	}
	size := 1
	for _, part := range parts {
		size += lengthSize(len(part)) + len(part)
	}
	var b strings.Builder
	b.Grow(size)
	if p.HasQuery {
		b.WriteByte(1)
	} else {
		b.WriteByte(0)
	}
	for _, part := range parts {
		writeLength(&b, len(part))
		b.WriteString(part)
	}
	return Key(b.String())
}

// lengthSize is how many bytes writeLength writes.
func lengthSize(n int) int {
	size := 1
	for ; n >= 0x80; n >>= 7 {
		size++
	}
	return size
}

func writeLength(b *strings.Builder, n int) {
	var buf [binary.MaxVarintLen64]byte
	b.Write(buf[:binary.PutUvarint(buf[:], uint64(n))])
}
