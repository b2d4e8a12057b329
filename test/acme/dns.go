package acme

import (
	"context"
	"fmt"
	"net"

	"github.com/miekg/dns"
)

// DNS answers that every name is on 127.0.0.1.
type DNS struct {
	// Address is its host:port, for TCP.
	Address string

	server *dns.Server
	ended  chan struct{}
}

// NewDNS returns a DNS server that runs.
func NewDNS(ctx context.Context) (*DNS, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("a DNS server: %w", err)
	}
	d := &DNS{Address: listener.Addr().String(), ended: make(chan struct{})}
	running := make(chan struct{})
	d.server = &dns.Server{Listener: listener, Handler: dns.HandlerFunc(answer), NotifyStartedFunc: func() { close(running) }}
	go func() {
		defer close(d.ended)
		_ = d.server.ActivateAndServe() // ends when it is closed
	}()
	<-running
	return d, nil
}

// Close ends it.
func (d *DNS) Close() error {
	err := d.server.Shutdown()
	<-d.ended
	return err
}

func answer(w dns.ResponseWriter, question *dns.Msg) {
	reply := new(dns.Msg)
	reply.SetReply(question)
	for _, q := range question.Question {
		if q.Qtype == dns.TypeA {
			header := dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET}
			reply.Answer = append(reply.Answer, &dns.A{Hdr: header, A: net.IPv4(127, 0, 0, 1)})
		}
	}
	_ = w.WriteMsg(reply) // fails when nobody waits for it
}
