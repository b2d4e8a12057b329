package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys = 64 // of one set
	// maxCandidates bounds how many keys one token is tried with.
	maxCandidates = 4
)

// publicKey is a key of an issuer. It is known by its pointer: a key that is
// fetched again stays the same one.
type publicKey struct {
	id         string
	key        crypto.PublicKey
	algorithms []jose.SignatureAlgorithm // that it may be used with
	print      string                    // tells it from every other, its use included
}

// keyTable is a key set as it was fetched. It is immutable.
type keyTable struct {
	at      time.Time
	all     []*publicKey
	dropped int // keys that are of no use here
}

// candidates are the keys that a token names; every key that can make such a
// signature if it names none (RFC 7515 section 4.1.4 leaves kid optional).
func (t *keyTable) candidates(id string, algorithm jose.SignatureAlgorithm) []*publicKey {
	var found []*publicKey
	for _, k := range t.all {
		if (id == "" || k.id == id) && slices.Contains(k.algorithms, algorithm) && len(found) < maxCandidates {
			found = append(found, k)
		}
	}
	return found
}

func (t *keyTable) has(k *publicKey) bool { return slices.Contains(t.all, k) }

// parseKeySet reads a JWK set (RFC 7517). Keys that are of no use here are
// dropped, as section 5 wants it; keys that stood in before stay the same.
func parseKeySet(data []byte, before *keyTable, now time.Time) (*keyTable, error) {
	var set struct {
		Keys *[]json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(data, &set); err != nil {
		return nil, fmt.Errorf("no JWK set: %w", err)
	}
	switch {
	case set.Keys == nil:
		return nil, errors.New("no JWK set: it has no keys member")
	case len(*set.Keys) > maxKeys:
		return nil, fmt.Errorf("the JWK set has %d keys, more than %d", len(*set.Keys), maxKeys)
	}
	table := &keyTable{at: now}
	for _, raw := range *set.Keys {
		k := parseKey(raw)
		switch {
		case k == nil:
			table.dropped++
		case before != nil:
			table.all = append(table.all, before.same(k))
		default:
			table.all = append(table.all, k)
		}
	}
	return table, nil
}

// same returns the key as it is known already, else k.
func (t *keyTable) same(k *publicKey) *publicKey {
	for _, known := range t.all {
		if known.print == k.print {
			return known
		}
	}
	return k
}

// parseKey returns nil for a key that nothing may be verified with: another use,
// a secret that somebody published, a weak key, an algorithm that is not its own.
func parseKey(raw json.RawMessage) *publicKey {
	var private struct {
		D json.RawMessage `json:"d"`
	}
	if json.Unmarshal(raw, &private) != nil || private.D != nil {
		return nil
	}
	var jwk jose.JSONWebKey
	if jwk.UnmarshalJSON(raw) != nil || jwk.Use != "" && jwk.Use != "sig" {
		return nil
	}
	algorithms := algorithmsOf(jwk.Key)
	if jwk.Algorithm != "" {
		named := jose.SignatureAlgorithm(jwk.Algorithm)
		if !slices.Contains(algorithms, named) {
			return nil
		}
		algorithms = []jose.SignatureAlgorithm{named}
	}
	if len(algorithms) == 0 {
		return nil
	}
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil
	}
	return &publicKey{
		id: jwk.KeyID, key: jwk.Key, algorithms: algorithms,
		print: fmt.Sprintf("%x %s %q", sum, jwk.Algorithm, jwk.KeyID),
	}
}

// algorithmsOf returns those that a public key can be used with; none for a weak
// key, and for what is no public key.
func algorithmsOf(key any) []jose.SignatureAlgorithm {
	switch key := key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits || key.E < 3 {
			return nil
		}
		return []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512}
	case *ecdsa.PublicKey:
		return ecAlgorithms(key)
	case ed25519.PublicKey:
		return []jose.SignatureAlgorithm{jose.EdDSA}
	}
	return nil
}

// ecAlgorithms: each curve has its one algorithm (RFC 7518 section 3.4).
func ecAlgorithms(key *ecdsa.PublicKey) []jose.SignatureAlgorithm {
	switch key.Curve {
	case elliptic.P256():
		return []jose.SignatureAlgorithm{jose.ES256}
	case elliptic.P384():
		return []jose.SignatureAlgorithm{jose.ES384}
	case elliptic.P521():
		return []jose.SignatureAlgorithm{jose.ES512}
	}
	return nil
}
