package redistest

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"time"

	"iqgateway/internal/redisconn"
	"iqgateway/internal/secret"
)

// Key returns a key of 32 times the same byte.
func Key(b byte) secret.Text { return secret.New(string(bytes.Repeat([]byte{b}, 32))) }

// Generous is a timeout for tests that do not test it: the machine may be busy.
const Generous = 5 * time.Second

// Connect opens a connection to a topology, as a gateway has one, until the test
// ends; where the servers are and the key for names are filled in, and a timeout
// where o has none. A topology that does not answer is no failure: the connection
// goes on trying.
func Connect(t testing.TB, topology Topology, o redisconn.Options) *redisconn.Conn {
	t.Helper()
	o.Addresses, o.Mode, o.MasterName = topology.Addresses(), redisconn.Mode(topology.Mode()), topology.MasterName()
	o.NameKey = Key('n')
	if o.Timeout == 0 {
		o.Timeout = Generous
	}
	conn, err := redisconn.New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	if err := conn.Connect(ctx); err != nil {
		t.Logf("at first: %v", err)
	}
	var running sync.WaitGroup
	running.Go(func() { conn.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}
