// Command planted calls what GO-2025-3540 is about.
package main

import (
	"context"

	"github.com/redis/go-redis/v9"
)

func main() {
	_ = redis.NewClient().Ping(context.Background())
}
