// Package dnstest is a DNS server on loopback for tests: over UDP and TCP, with
// answers that change, and with the failures that resolvers have.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Mood is how a server answers.
type Mood int8

// The moods of a server.
const (
	Well       Mood = iota
	Truncating      // over UDP it says that the answer is too long, as for any that is
	Failing         // SERVFAIL
	Silent          // no answer at all
)

// Server answers for the names that it was given, and with NXDOMAIN for others.
// Safe for concurrent use.
type Server struct {
	Addr string // host:port, for both transports

	mu      sync.Mutex
	records map[string][]netip.Addr
	turns   map[string]bool // names that give one address at a time
	mood    Mood
	udp     int
	tcp     int
}

// Start returns a server that runs until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	packets, streams, err := listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Addr: packets.LocalAddr().String(), records: make(map[string][]netip.Addr), turns: make(map[string]bool)}
	var all sync.WaitGroup
	all.Go(func() { s.servePackets(packets) })
	all.Go(func() { s.serveStreams(streams, &all) })
	t.Cleanup(func() {
		_ = packets.Close()
		_ = streams.Close()
		all.Wait()
	})
	return s
}

// listen takes one port of both transports.
func listen(ctx context.Context) (packets net.PacketConn, streams net.Listener, err error) {
	var l net.ListenConfig
	for range 20 { // the port may be taken for the other one
		if packets, err = l.ListenPacket(ctx, "udp", "127.0.0.1:0"); err != nil {
			return nil, nil, err
		}
		if streams, err = l.Listen(ctx, "tcp", packets.LocalAddr().String()); err == nil {
			return packets, streams, nil
		}
		_ = packets.Close()
	}
	return nil, nil, err
}

// Set has host lead to addresses from now on; to none, it does not exist.
func (s *Server) Set(host string, addresses ...string) { s.set(host, false, addresses) }

// Rotate has each question for host's IPv4 address answered with the next of
// addresses alone.
func (s *Server) Rotate(host string, addresses ...string) { s.set(host, true, addresses) }

func (s *Server) set(host string, inTurn bool, addresses []string) {
	parsed := make([]netip.Addr, len(addresses))
	for i, a := range addresses {
		parsed[i] = netip.MustParseAddr(a)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := strings.ToLower(host) + "."
	s.records[name], s.turns[name] = parsed, inTurn
}

// Be changes how the server answers.
func (s *Server) Be(m Mood) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mood = m
}

// Asked returns how many questions have come over each transport.
func (s *Server) Asked() (udp, tcp int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.udp, s.tcp
}

func (s *Server) servePackets(c net.PacketConn) {
	buf := make([]byte, 4096)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		if answer := s.answer(buf[:n], false); answer != nil {
			_, _ = c.WriteTo(answer, from) // who is gone misses nothing
		}
	}
}

func (s *Server) serveStreams(l net.Listener, all *sync.WaitGroup) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		all.Go(func() {
			defer func() { _ = c.Close() }()
			s.serveStream(c)
		})
	}
}

// serveStream answers messages with a length before each (RFC 7766 section 8).
// Clients of tests close their connections.
func (s *Server) serveStream(c net.Conn) {
	for {
		var size [2]byte
		if _, err := io.ReadFull(c, size[:]); err != nil {
			return
		}
		message := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(c, message); err != nil {
			return
		}
		answer := s.answer(message, true)
		if answer == nil {
			continue
		}
		framed := binary.BigEndian.AppendUint16(nil, uint16(len(answer)))
		if _, err := c.Write(append(framed, answer...)); err != nil {
			return
		}
	}
}

// answer returns nil where the server is silent.
func (s *Server) answer(message []byte, stream bool) []byte {
	var parser dnsmessage.Parser
	head, err := parser.Start(message)
	if err != nil {
		return nil
	}
	asked, err := parser.Question()
	if err != nil {
		return nil
	}
	mood, found, known := s.note(asked, stream)
	reply := dnsmessage.Header{ID: head.ID, Response: true, RecursionDesired: head.RecursionDesired, RecursionAvailable: true}
	switch {
	case mood == Silent:
		return nil
	case mood == Failing:
		reply.RCode, found = dnsmessage.RCodeServerFailure, nil
	case mood == Truncating && !stream:
		reply.Truncated, found = true, nil
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	}
	return build(reply, asked, found)
}

// note counts a question and looks it up.
func (s *Server) note(asked dnsmessage.Question, stream bool) (mood Mood, found []netip.Addr, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if stream {
		s.tcp++
	} else {
		s.udp++
	}
	name := strings.ToLower(asked.Name.String())
	found, known = s.records[name]
	if s.turns[name] && asked.Type == dnsmessage.TypeA && len(found) > 0 {
		s.records[name] = append(slices.Clone(found[1:]), found[0])
		found = found[:1]
	}
	return s.mood, found, known && len(found) > 0
}

func build(head dnsmessage.Header, asked dnsmessage.Question, found []netip.Addr) []byte {
	m := dnsmessage.Message{Header: head, Questions: []dnsmessage.Question{asked}}
	for _, ip := range found {
		record := dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: asked.Name, Class: asked.Class}}
		switch {
		case asked.Type == dnsmessage.TypeA && ip.Is4():
			record.Body = &dnsmessage.AResource{A: ip.As4()}
		case asked.Type == dnsmessage.TypeAAAA && ip.Is6():
			record.Body = &dnsmessage.AAAAResource{AAAA: ip.As16()}
		default:
			continue
		}
		m.Answers = append(m.Answers, record)
	}
	packed, err := m.Pack()
	if err != nil {
		return nil
	}
	return packed
}
