// Command planted calls what GO-2025-3540 is about.
package main

import (
	"context"

	"github.com/redis/go-redis/v9"
)

func main() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1"})
	_ = client.Ping(context.Background()).Err()
}
