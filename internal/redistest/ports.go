package redistest

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are chosen below the usual range of outgoing connections (32768 and
// up on Linux), so that no connection of anybody takes the port of a server
// that is stopped and will start again. A cluster's bus listens 10000 above,
// where no other server of ours is put.
const (
	lowestPort  = 10_240
	portChoices = 10_000
	busOffset   = 10_000
)

// freePort returns a port that nobody listened to a moment ago.
func freePort(withBus bool) (int, error) {
	for range 500 {
		port := lowestPort + rand.IntN(portChoices)
		if free(port) && (!withBus || free(port+busOffset)) {
			return port, nil
		}
	}
	return 0, errors.New("found no free port of 127.0.0.1 in 500 tries")
}

func free(port int) bool {
	listener, err := net.Listen("tcp4", address(port)) //nolint:noctx // binding a local port does not block
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func address(port int) string {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}
