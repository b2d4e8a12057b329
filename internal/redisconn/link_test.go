package redisconn_test

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is a way to a server that becomes slow, narrow or dead while it is in
// use. New connections are accepted at once, as by a balancer.
type link struct {
	address string
	// roundTrip is added to every answer.
	roundTrip atomic.Int64 // time.Duration
	// bytesPerSecond bounds what each connection gets back; 0 = unbounded.
	bytesPerSecond atomic.Int64
	// lost means that nothing arrives any more and nobody is told, as behind a
	// NAT that has forgotten its connections.
	lost atomic.Bool
}

func newLink(t testing.TB, server string) *link {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{address: listener.Addr().String()}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { l.serve(ctx, client, server) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = listener.Close()
		all.Wait()
	})
	return l
}

func (l *link) serve(ctx context.Context, client net.Conn, address string) {
	defer client.Close()
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return
	}
	closeBoth := func() { _ = client.Close(); _ = server.Close() }
	stop := context.AfterFunc(ctx, closeBoth)
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { l.carry(ctx, server, client, false); closeBoth() })
	both.Go(func() { l.carry(ctx, client, server, true); closeBoth() })
	both.Wait()
}

type parcel struct {
	due   time.Time
	bytes []byte
}

// carry is a delay line: what is under way does not hold up what follows.
func (l *link) carry(ctx context.Context, to, from net.Conn, back bool) {
	underWay := make(chan parcel, 10_000)
	var delivery sync.WaitGroup
	defer delivery.Wait()
	defer close(underWay)
	delivery.Go(func() {
		for p := range underWay {
			wait(ctx, time.Until(p.due))
			l.deliver(ctx, to, p.bytes, back)
		}
	})
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			p := parcel{time.Now(), b[:n]}
			if back {
				p.due = p.due.Add(time.Duration(l.roundTrip.Load()))
			}
			underWay <- p
		}
		if err != nil {
			return
		}
	}
}

func (l *link) deliver(ctx context.Context, to net.Conn, b []byte, back bool) {
	rate := l.bytesPerSecond.Load()
	switch {
	case l.lost.Load():
	case back && rate > 0:
		for i := range b {
			wait(ctx, time.Second/time.Duration(rate))
			_, _ = to.Write(b[i : i+1])
		}
	default:
		_, _ = to.Write(b) // a closed connection ends the reader
	}
}

func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
