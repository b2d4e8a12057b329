package redistest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// What PTTL answers when it answers no time.
const (
	eternal = -1
	expired = -2
)

var errExpired = errors.New("the key has expired meanwhile")

// everyKey calls f with each key of one server, once.
func everyKey(ctx context.Context, r *redis.Client, f func(key string) error) error {
	if err := onlyFirstDatabase(ctx, r); err != nil {
		return err
	}
	seen := map[string]bool{} // SCAN may repeat keys
	keys := r.Scan(ctx, 0, "*", 1000).Iterator()
	for keys.Next(ctx) {
		if key := keys.Val(); !seen[key] {
			seen[key] = true
			if err := f(key); err != nil {
				return fmt.Errorf("key %q: %w", key, err)
			}
		}
	}
	return keys.Err()
}

// onlyFirstDatabase refuses keys where SCAN would not find them. A cluster has
// the database 0 alone, so nothing of ours may use another.
func onlyFirstDatabase(ctx context.Context, r *redis.Client) error {
	info, err := r.Info(ctx, "keyspace").Result()
	if err != nil {
		return err
	}
	for line := range strings.Lines(info) {
		if strings.HasPrefix(line, "db") && !strings.HasPrefix(line, "db0:") {
			return fmt.Errorf("keys outside of database 0: %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// describe returns all that can be read about a key.
func describe(ctx context.Context, r *redis.Client, key string) (string, error) {
	left, err := r.Do(ctx, "PTTL", key).Int64()
	if err != nil {
		return "", err
	}
	kind, err := r.Type(ctx, key).Result()
	if err != nil {
		return "", err
	}
	if left == expired || kind == "none" {
		return "", errExpired
	}
	command, err := reading(kind, key)
	if err != nil {
		return "", err
	}
	reply, err := r.Do(ctx, command...).Result()
	if errors.Is(err, redis.Nil) {
		return "", errExpired
	}
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\ntype: %s\nttl: %d\n", key, kind, left)
	write(&b, reply)
	return b.String(), nil
}

// reading is the command that answers with everything in a key of the kind.
func reading(kind, key string) ([]any, error) {
	switch kind {
	case "string":
		return []any{"GET", key}, nil
	case "hash":
		return []any{"HGETALL", key}, nil
	case "list":
		return []any{"LRANGE", key, 0, -1}, nil
	case "set":
		return []any{"SMEMBERS", key}, nil
	case "zset":
		return []any{"ZRANGE", key, 0, -1, "WITHSCORES"}, nil
	case "stream": // COUNT 0 = all entries; groups and consumers have names too
		return []any{"XINFO", "STREAM", key, "FULL", "COUNT", 0}, nil
	default:
		return nil, fmt.Errorf("of type %s, which the dump cannot read", kind)
	}
}

// write writes each part of a reply on a line, untouched.
func write(b *strings.Builder, reply any) {
	if parts, ok := reply.([]any); ok {
		for _, part := range parts {
			write(b, part)
		}
		return
	}
	fmt.Fprintf(b, "%v\n", reply)
}
