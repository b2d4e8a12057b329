package redisstore

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
)

const (
	// keepAccount is for what has no end of its own: accounts and their keys.
	keepAccount = 400 * 24 * time.Hour
	// keepBeyond is how long a certificate is kept after its end.
	keepBeyond = 30 * 24 * time.Hour
	// keepChallenge is beyond the longest that a CA takes to validate.
	keepChallenge = time.Hour
	// keepTest is for the library's trial of the storage.
	keepTest = 10 * time.Minute

	kindFile = "certs-file"
	kindPath = "certs-path"

	recordVersion = 1
)

// record is the sealed form of a file.
type record struct {
	Version  int       `json:"v"`
	Path     string    `json:"path"`
	Modified time.Time `json:"modified"`
	Data     []byte    `json:"data"`
}

func notExist(operation, path string) error {
	return &fs.PathError{Op: operation, Path: path, Err: fs.ErrNotExist}
}

// clean takes slashes away that say nothing.
func clean(key string) string { return strings.Trim(path.Clean("/"+key), "/") }

func (s *Store) hidden(key string) string { return s.conn.Hide("certs", key) }

const filePrefix = "file:"

func (s *Store) file(key string) string { return s.base.Field(filePrefix + s.hidden(key)) }

// Store implements certmagic.Storage.
func (s *Store) Store(ctx context.Context, key string, value []byte) error {
	key = clean(key)
	now := s.options.Now().UTC()
	plain, err := json.Marshal(record{Version: recordVersion, Path: key, Modified: now, Data: value})
	if err != nil {
		return fmt.Errorf("encoding %s: %w", key, err)
	}
	name := s.file(key)
	sealed, err := s.conn.Seal(kindFile, name, 0, plain)
	if err != nil {
		return fmt.Errorf("sealing %s: %w", key, err)
	}
	if len(sealed) > maxValue {
		return fmt.Errorf("%s: a value of %d bytes is more than the %d that are shared", key, len(sealed), maxValue)
	}
	index := s.base.Field("index")
	sealedPath, err := s.conn.Seal(kindPath, index+" "+s.hidden(key), 0, []byte(key))
	if err != nil {
		return fmt.Errorf("sealing the name of %s: %w", key, err)
	}
	keys, role := []string{name, index}, ""
	for _, with := range together(key) {
		keys = append(keys, s.file(with))
	}
	switch {
	case path.Ext(key) == ".crt":
		role = "lead"
	case len(keys) > 2:
		role = "follow"
	}
	return s.persist(ctx, func() error {
		return s.conn.CallIdempotent(ctx, "certs.store", func(ctx context.Context, r redis.UniversalClient) error {
			return s.scripts.store.Run(ctx, r, keys, sealed, keep(key, value, now).Milliseconds(), s.hidden(key), sealedPath, keepAccount.Milliseconds(), role).Err()
		})
	})
}

// keep is how long a file is of use.
func keep(key string, value []byte, now time.Time) time.Duration {
	switch {
	case strings.HasPrefix(key, "rw_test_"):
		return keepTest
	case strings.Contains(key, "/challenge_tokens/"):
		return keepChallenge
	case path.Ext(key) != ".crt":
		return keepAccount
	}
	block, _ := pem.Decode(value)
	if block == nil {
		return keepAccount
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return keepAccount
	}
	return max(leaf.NotAfter.Sub(now), 0) + keepBeyond
}

// together are the files that end with one: a certificate, its key and what is
// known of it.
func together(key string) []string {
	stem, extension := strings.TrimSuffix(key, path.Ext(key)), path.Ext(key)
	if !strings.HasPrefix(key, "certificates/") {
		return nil
	}
	switch extension {
	case ".crt":
		return []string{stem + ".key", stem + ".json"}
	case ".key", ".json":
		return []string{stem + ".crt"}
	default:
		return nil
	}
}

// Load implements certmagic.Storage. It is not repeated: the library loads while
// it holds what handshakes need too.
func (s *Store) Load(ctx context.Context, key string) ([]byte, error) {
	r, err := s.load(ctx, clean(key))
	return r.Data, err
}

func (s *Store) load(ctx context.Context, key string) (record, error) {
	name := s.file(key)
	var sealed string
	err := s.conn.CallIdempotent(ctx, "certs.load", func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		sealed, err = r.Get(ctx, name).Result()
		return err
	})
	var failed *redisconn.Error
	switch {
	case errors.Is(err, redis.Nil):
		return record{}, notExist("load", key)
	case errors.As(err, &failed) && failed.Reason == "WRONGTYPE":
		s.options.Hooks.discarded("file", "type")
		return record{}, notExist("load", key)
	case err != nil:
		return record{}, fmt.Errorf("loading %s: %w", key, err)
	}
	return s.open(key, name, sealed)
}

func (s *Store) open(key, name, sealed string) (record, error) {
	plain, err := s.conn.Open(kindFile, name, 0, sealed)
	if err != nil {
		return record{}, s.unopened(key, name, err)
	}
	s.mu.Lock()
	delete(s.unknown, name)
	s.mu.Unlock()
	var r record
	if json.Unmarshal(plain, &r) != nil || r.Version != recordVersion || r.Path != key {
		s.options.Hooks.discarded("file", "unreadable")
		return record{}, notExist("load", key)
	}
	return r, nil
}

// unopened decides what a value that does not open means.
func (s *Store) unopened(key, name string, err error) error {
	var rejected *redisconn.RejectedError
	if !errors.As(err, &rejected) || rejected.Reason != redisconn.UnknownKey {
		return notExist("load", key) // nothing that a Store wrote here
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	since, known := s.unknown[name]
	if !known {
		since = s.options.Now()
		s.unknown[name] = since
	}
	if s.options.Now().Sub(since) >= unknownKeyGrace {
		return notExist("load", key)
	}
	return fmt.Errorf("loading %s: %w", key, err)
}

// Delete implements certmagic.Storage.
func (s *Store) Delete(ctx context.Context, key string) error {
	key = clean(key)
	return s.persist(ctx, func() error {
		below, err := s.below(ctx, key)
		if err != nil {
			return err
		}
		keys, names := []string{s.base.Field("index")}, []any{}
		for _, k := range append(below, key) {
			keys, names = append(keys, s.file(k)), append(names, s.hidden(k))
		}
		return s.conn.CallIdempotent(ctx, "certs.delete", func(ctx context.Context, r redis.UniversalClient) error {
			return s.scripts.remove.Run(ctx, r, keys, names...).Err()
		})
	})
}

// Exists implements certmagic.Storage. As with certmagic's own files, what could
// not be looked up counts as existing: the library then loads it and meets the
// error, where an absence would have it order a certificate anew.
func (s *Store) Exists(ctx context.Context, key string) bool {
	_, err := s.Stat(ctx, key)
	return !errors.Is(err, fs.ErrNotExist)
}

// Stat implements certmagic.Storage.
func (s *Store) Stat(ctx context.Context, key string) (certmagic.KeyInfo, error) {
	key = clean(key)
	r, err := s.load(ctx, key)
	if err == nil {
		return certmagic.KeyInfo{Key: key, Modified: r.Modified, Size: int64(len(r.Data)), IsTerminal: true}, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return certmagic.KeyInfo{}, err
	}
	below, belowErr := s.below(ctx, key)
	switch {
	case belowErr != nil:
		return certmagic.KeyInfo{}, belowErr
	case len(below) == 0:
		return certmagic.KeyInfo{}, notExist("stat", key)
	default:
		return certmagic.KeyInfo{Key: key}, nil
	}
}
