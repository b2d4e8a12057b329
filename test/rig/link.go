package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Direction of the bytes that a disturbance is about.
type Direction string

// The directions of a link, as its dialling side sees them.
const (
	Requests Direction = "upstream"
	Answers  Direction = "downstream"
)

// Disturbance is what is wrong with a link in one direction.
type Disturbance struct {
	// Kind is one of toxiproxy's: latency, bandwidth, timeout, reset_peer,
	// limit_data, slicer, slow_close.
	Kind      string
	Direction Direction
	// Attributes of the kind, in milliseconds, bytes and KB/s.
	Attributes map[string]int
}

// Link passes TCP connections on to a target. It is safe for concurrent use.
//
// It is toxiproxy's, in the process: a half-closed connection it closes in both
// directions.
type Link struct {
	proxy *toxiproxy.Proxy

	mu    sync.Mutex
	count int // of disturbances so far, which names them
}

// NewLink returns a link that listens on a free port of loopback, until Close.
func NewLink(name, target string) (*Link, error) {
	address, err := FreeAddress() // that nobody takes while the link is cut
	if err != nil {
		return nil, err
	}
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Link{proxy: toxiproxy.NewProxy(server, name, address, target)}
	if err := l.proxy.Start(); err != nil {
		return nil, fmt.Errorf("link %s to %s: %w", name, target, err)
	}
	return l, nil
}

// Address is the host:port to dial; it stays through Cut and Mend.
func (l *Link) Address() string {
	l.proxy.Lock()
	defer l.proxy.Unlock()
	return l.proxy.Listen
}

// Cut closes all connections, and refuses new ones until Mend.
func (l *Link) Cut() { l.proxy.Stop() }

// Mend ends a Cut. It does nothing to a link that is not cut.
func (l *Link) Mend() error {
	err := l.proxy.Start()
	if errors.Is(err, toxiproxy.ErrProxyAlreadyStarted) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mend a link: %w", err)
	}
	return nil
}

// Close ends the link and its connections.
func (l *Link) Close() { l.proxy.Stop() }

// Disturb begins a disturbance of all connections, those that stand among them,
// and returns what ends it. What was held back is delivered then, unless the
// kind loses it: then its connections are closed, as TCP has no holes.
func (l *Link) Disturb(d Disturbance) (end func() error, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.count++
	name := fmt.Sprintf("%s-%s-%d", d.Kind, d.Direction, l.count)
	text, err := json.Marshal(map[string]any{
		"name": name, "type": d.Kind, "stream": d.Direction, "toxicity": 1, "attributes": d.Attributes,
	})
	if err != nil {
		return nil, fmt.Errorf("disturb a link: %w", err)
	}
	if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		return nil, fmt.Errorf("disturb a link: %s %s: %w", d.Kind, d.Direction, err)
	}
	return func() error {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), name); err != nil {
			return fmt.Errorf("end the disturbance %s of a link: %w", name, err)
		}
		return nil
	}, nil
}
