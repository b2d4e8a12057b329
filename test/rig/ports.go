package rig

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

// Ports for processes that are killed and links that are cut, and come back: below
// the usual range of outgoing connections (32768 and up on Linux), so that no
// connection takes one meanwhile, and above those of the Redis servers of the tests
// and of their clusters' buses.
const (
	lowestPort  = 30_240
	portChoices = 2_500
)

var given sync.Map //nolint:gochecknoglobals // ports that this process has given out

// FreeAddress returns a host:port that nobody listened to a moment ago, for a
// listener that is opened later, or more than once. It gives none twice.
func FreeAddress() (string, error) {
	var config net.ListenConfig
	for range 500 {
		port := lowestPort + rand.IntN(portChoices)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := config.Listen(context.Background(), "tcp4", address)
		if err == nil {
			return address, listener.Close()
		}
	}
	return "", errors.New("found no free port of 127.0.0.1 in 500 tries")
}
