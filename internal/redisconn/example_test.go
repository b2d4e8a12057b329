package redisconn_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"iqgateway/internal/redisconn"
)

// A store carries on without Redis.
func ExampleConn_Call() {
	conn, err := redisconn.New(redisconn.Options{Addresses: []string{"127.0.0.1:6379"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	// Elsewhere conn.Run looks for the server; here nobody does.
	key := conn.Key("token", "production", "shop").Field("value")
	var value string
	err = conn.Call(context.Background(), "token.get", func(ctx context.Context, r redis.UniversalClient) error {
		var err error
		value, err = r.Get(ctx, key).Result()
		return err
	})
	switch {
	case err == nil:
		fmt.Println("found", value)
	case errors.Is(err, redis.Nil):
		fmt.Println("not there")
	case errors.Is(err, redisconn.ErrAway):
		fmt.Println("from memory, then")
	}
	// Output: from memory, then
}
