package rig

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports for processes that are killed and links that are cut, and come back: below the usual range of
// outgoing connections (32768 and up on Linux), so that no connection takes one
// meanwhile, and above those of the Redis servers of the tests.
const (
	lowestPort  = 22_000
	portChoices = 10_000
)

// FreeAddress returns a host:port that nobody listened to a moment ago, for a
// listener that is opened later, or more than once.
func FreeAddress() (string, error) {
	var config net.ListenConfig
	for range 500 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(lowestPort+rand.IntN(portChoices)))
		listener, err := config.Listen(context.Background(), "tcp4", address)
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("found no free port of 127.0.0.1 in 500 tries")
}
