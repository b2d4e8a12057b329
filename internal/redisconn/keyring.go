package redisconn

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync/atomic"

	"iqgateway/internal/secret"
)

const keyIDBytes = 4

// Keyring holds the keys that seal values: the first seals, all open. It is
// safe for concurrent use.
type Keyring struct{ keys atomic.Pointer[[]sealingKey] }

type sealingKey struct {
	id   [keyIDBytes]byte
	aead cipher.AEAD
}

// NewKeyring returns a ring of keys, 32 bytes each; at least one.
func NewKeyring(keys []secret.Text) (*Keyring, error) {
	k := &Keyring{}
	if err := k.Replace(keys); err != nil {
		return nil, err
	}
	return k, nil
}

// Replace takes new keys at once for all users of the ring; after an error the
// old ones stay. To rotate, prepend the new key on every replica, and remove
// the old one when no value sealed with it matters any more. A replica that
// does not have the new key yet counts values sealed with it as misses. A key
// given twice counts once: while files are moved, two hold the same.
func (k *Keyring) Replace(keys []secret.Text) error {
	if len(keys) == 0 {
		return ErrNoKeys
	}
	ring := make([]sealingKey, 0, len(keys))
	for i, text := range keys {
		if slices.ContainsFunc(keys[:i], text.Equal) {
			continue
		}
		key, err := newSealingKey([]byte(text.Reveal()))
		if err != nil {
			return fmt.Errorf("encryption_keys[%d]: %w", i, err)
		}
		ring = append(ring, key)
	}
	k.keys.Store(&ring)
	return nil
}

func newSealingKey(raw []byte) (sealingKey, error) {
	if len(raw) != keyBytes {
		return sealingKey{}, fmt.Errorf("%d bytes; want %d", len(raw), keyBytes)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return sealingKey{}, err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return sealingKey{}, err
	}
	// A MAC under the key names it and says nothing about it.
	mac := hmac.New(sha256.New, raw)
	mac.Write([]byte("iqgateway sealing key id"))
	return sealingKey{id: [keyIDBytes]byte(mac.Sum(nil)), aead: aead}, nil
}

func (k *Keyring) sealing() sealingKey { return (*k.keys.Load())[0] }

func (k *Keyring) find(id [keyIDBytes]byte) (sealingKey, bool) {
	for _, key := range *k.keys.Load() {
		if key.id == id {
			return key, true
		}
	}
	return sealingKey{}, false
}
