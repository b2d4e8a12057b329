package redistest

import (
	"net"
	"sync"
	"testing"
)

// taker occupies a port between its choice and the start of the server.
type taker struct {
	offset    int
	taken     int // the port chosen first
	listeners []net.Listener
}

func (k *taker) take(t *testing.T, port int) {
	t.Helper()
	if k.taken != 0 {
		return
	}
	k.taken = port
	listener, err := net.Listen("tcp4", address(port+k.offset))
	if err != nil {
		t.Fatal(err)
	}
	k.listeners = append(k.listeners, listener)
	t.Cleanup(func() { _ = listener.Close() })
}

func TestAPortTakenMeanwhileIsLeftToOthers(t *testing.T) {
	for name, offset := range map[string]int{"port": 0, "bus port": busOffset} {
		t.Run(name, func(t *testing.T) {
			settings, other := newSettings(t, nil), taker{offset: offset}
			server := start(t, settings, plan{
				withBus: true,
				configuration: func(port int, dir string) []string {
					other.take(t, port)
					return settings.member(port, dir)
				},
			})
			if other.taken == 0 || server.port == other.taken {
				t.Errorf("the server is at %d, others took %d", server.port, other.taken)
			}
			if reply := server.CLI(t, "PING"); reply != "PONG" {
				t.Error(reply)
			}
		})
	}
}

// Another Redis answers on the port as ours would.
func TestAPortTakenByAnotherRedisIsLeftToIt(t *testing.T) {
	other, settings := Single(t), newSettings(t, nil)
	tries := 0
	server := start(t, settings, plan{configuration: func(port int, dir string) []string {
		if tries++; tries == 1 {
			port = other.port
		}
		return settings.server(port, dir)
	}})
	if tries != 2 || server.port == other.port || server.PID() == other.PID() {
		t.Errorf("after %d tries it is process %d at %s", tries, server.PID(), server.Address())
	}
}

func TestManyAtOnce(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	t.Run("servers", func(t *testing.T) {
		for range 8 {
			t.Run("one", func(t *testing.T) {
				t.Parallel()
				server := Single(t)
				mu.Lock()
				defer mu.Unlock()
				if seen[server.Address()] {
					t.Errorf("%s is used twice", server.Address())
				}
				seen[server.Address()] = true
			})
		}
	})
	if len(seen) == 0 {
		t.Error("no server was started")
	}
}

func TestPortsLeaveRoomForTheBus(t *testing.T) {
	for range 100 {
		port, err := freePort(true)
		if err != nil {
			t.Fatal(err)
		}
		if port < lowestPort || port >= lowestPort+portChoices || port+busOffset >= 32768 {
			t.Errorf("port %d with the bus at %d", port, port+busOffset)
		}
	}
}
