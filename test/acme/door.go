package acme

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
)

// Door is a port that leads to one replica after the other, as a load balancer
// does: who began an order is not who is asked for its challenges.
type Door struct {
	// Port is its port of 127.0.0.1.
	Port int

	listener net.Listener
	all      sync.WaitGroup

	mu      sync.Mutex
	targets []string // host:port
	next    int
	led     map[string]int // connections, by target
}

// NewDoor returns a door that leads nowhere yet.
func NewDoor(ctx context.Context) (*Door, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a door: %w", err)
	}
	d := &Door{listener: listener, led: map[string]int{}}
	if tcp, ok := listener.Addr().(*net.TCPAddr); ok {
		d.Port = tcp.Port
	}
	d.all.Go(func() { d.accept(ctx) })
	return d, nil
}

// Lead has it lead to these.
func (d *Door) Lead(targets ...string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.targets = targets
}

// Led returns how many connections were led to a target.
func (d *Door) Led(target string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.led[target]
}

// Close ends it, once those who are in have left.
func (d *Door) Close() error {
	err := d.listener.Close()
	d.all.Wait()
	return err
}

func (d *Door) accept(ctx context.Context) {
	for {
		conn, err := d.listener.Accept()
		if err != nil {
			return // it is closed
		}
		d.all.Go(func() { d.lead(ctx, conn) })
	}
}

func (d *Door) choose() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.targets) == 0 {
		return ""
	}
	target := d.targets[d.next%len(d.targets)]
	d.next++
	d.led[target]++
	return target
}

func (d *Door) lead(ctx context.Context, in net.Conn) {
	defer in.Close()
	var dialer net.Dialer
	out, err := dialer.DialContext(ctx, "tcp", d.choose())
	if err != nil {
		return // as a load balancer without a replica
	}
	defer out.Close()
	stop := context.AfterFunc(ctx, func() {
		in.Close()
		out.Close()
	})
	defer stop()
	var back sync.WaitGroup
	back.Go(func() {
		_, _ = io.Copy(in, out)
		in.Close() // ends the other way
	})
	_, _ = io.Copy(out, in)
	out.Close()
	back.Wait()
}
