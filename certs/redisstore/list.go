package redisstore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

var errReply = errors.New("unexpected answer of a script")

// List implements certmagic.Storage as its own files do: directories count as
// keys, and one that is not there is fs.ErrNotExist.
func (s *Store) List(ctx context.Context, prefix string, recursive bool) ([]string, error) {
	prefix = clean(prefix)
	below, err := s.below(ctx, prefix)
	if err != nil {
		return nil, err
	}
	if len(below) == 0 && prefix != "" {
		if _, err := s.load(ctx, prefix); err != nil { // a file has nothing below
			return nil, err
		}
	}
	found := map[string]bool{}
	for _, key := range below {
		rest := strings.TrimPrefix(strings.TrimPrefix(key, prefix), "/")
		parts := strings.Split(rest, "/")
		if !recursive {
			parts = parts[:1]
		}
		at := prefix
		for _, part := range parts {
			at = strings.TrimPrefix(at+"/"+part, "/")
			found[at] = true
		}
	}
	keys := make([]string, 0, len(found))
	for key := range found {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys, nil
}

// below returns the files under a directory.
func (s *Store) below(ctx context.Context, prefix string) ([]string, error) {
	index := s.base.Field("index")
	var answer []any
	err := s.conn.CallIdempotent(ctx, "certs.list", func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		answer, err = s.scripts.index.Run(ctx, r, []string{index}, s.base.Field(filePrefix)).Slice()
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing %s: %w", prefix, err)
	}
	if len(answer)%2 != 1 {
		return nil, fmt.Errorf("listing %s: %w", prefix, errReply)
	}
	if answer[0] == int64(1) {
		s.options.Hooks.discarded("index", "type")
	}
	var keys []string
	for i := 1; i < len(answer); i += 2 {
		hidden, _ := answer[i].(string)
		sealed, _ := answer[i+1].(string)
		key, err := s.conn.Open(kindPath, index+" "+hidden, 0, sealed)
		if err != nil {
			continue // of a key that is not here yet, or not ours: redisconn tells
		}
		if prefix == "" || strings.HasPrefix(string(key), prefix+"/") {
			keys = append(keys, string(key))
		}
	}
	return keys, nil
}
