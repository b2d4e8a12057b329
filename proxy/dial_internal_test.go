package proxy

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestCheckAddress(t *testing.T) {
	const never, always, loopback = 0, 1, 2
	tests := map[string]int{
		"93.184.216.34": always, "2606:2800:220:1::1": always,
		"10.1.2.3": always, "172.16.0.1": always, "192.168.1.1": always, "fd12:3456::1": always, "100.64.0.1": always,

		"127.0.0.1": loopback, "127.8.8.8": loopback, "::1": loopback, "::ffff:127.0.0.1": loopback,
		"64:ff9b::127.0.0.1": loopback, "2002:7f00:1::": loopback,

		"0.0.0.0": never, "0.1.2.3": never, "::": never, "::ffff:0.0.0.0": never,
		"169.254.169.254": never, "169.254.0.1": never, "::ffff:169.254.169.254": never,
		"64:ff9b::169.254.169.254": never, "2002:a9fe:a9fe::1": never, "::169.254.169.254": never,
		"fe80::1": never, "fe80::1%lo": never, "febf::1": never,
		"224.0.0.1": never, "239.1.1.1": never, "ff02::1": never, "ff0e::1": never, "255.255.255.255": never,
		"100.100.100.200": never, "168.63.129.16": never, "192.0.0.192": never,
		"fd00:ec2::254": never, "fd20:ce::254": never, "::ffff:100.100.100.200": never,
	}
	for text, want := range tests {
		ip := netip.MustParseAddr(text)
		for _, own := range []bool{false, true} {
			err := checkAddress(ip, addressPolicy{loopback: own})
			if allowed := want == always || want == loopback && own; allowed != (err == nil) {
				t.Errorf("%s, loopback %v: %v", text, own, err)
			}
			if err != nil && !errors.Is(err, errProhibited) {
				t.Errorf("%s: %v is not marked", text, err)
			}
		}
	}
	if checkAddress(netip.Addr{}, addressPolicy{}) == nil {
		t.Error("no address at all was allowed")
	}
}

func FuzzCheckAddress(f *testing.F) {
	for _, seed := range []string{"127.0.0.1", "::ffff:169.254.169.254", "fe80::1%eth0", "64:ff9b::1", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ip, err := netip.ParseAddr(text)
		if err != nil {
			return
		}
		if checkAddress(ip, addressPolicy{}) == nil && (ip.Unmap().IsLoopback() || ip.Unmap().IsLinkLocalUnicast() || ip.IsUnspecified()) {
			t.Errorf("%s is allowed", ip)
		}
	})
}

func TestLoopbackIsAPropertyOfTheConfiguredHost(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST.": true, "iqsim.localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "::ffff:127.0.0.1": true,
		"crm.iqmetrix.net": false, "localhost.evil.test": false, "notlocalhost": false, "10.0.0.1": false, "": false,
	} {
		if got := isLoopbackHost(host); got != want {
			t.Errorf("%q: %v", host, got)
		}
	}
}

func TestDialerReachesItsDestinationAlone(t *testing.T) {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address := listener.Addr().String()
	own := &url.URL{Scheme: "http", Host: address}

	conn, err := newDialer(own, "", time.Second).dial(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()

	other := newDialer(&url.URL{Scheme: "https", Host: "crm.example.test"}, "", time.Second)
	if _, err := other.dial(t.Context(), "tcp", address); !errors.Is(err, errProhibited) {
		t.Errorf("another destination: %v", err)
	}
}

// A name that suddenly leads to this machine or to a metadata service is
// refused when it is dialled, after resolution.
func TestDialerJudgesResolvedAddresses(t *testing.T) {
	for _, address := range []string{"127.0.0.1:80", "169.254.169.254:80", "[::1]:80", "[fe80::1%1]:80", "[::ffff:127.0.0.1]:80", "nonsense"} {
		d := newDialer(&url.URL{Scheme: "http", Host: "crm.example.test"}, "", time.Second)
		if err := d.dialer.ControlContext(context.Background(), "tcp", address, nil); !errors.Is(err, errProhibited) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// Without leave for plain HTTP, a name that is spelled as this machine must lead
// there too: the DNS could have tokens cross the network readable.
func TestPlainHTTPStaysOnThisMachine(t *testing.T) {
	const here, there, looksLikeHere = "127.0.0.1:80", "10.1.2.3:80", "[64:ff9b::7f00:1]:80"
	for name, tt := range map[string]struct {
		origin   string
		settings TransportSettings
		allowed  []string
		refused  []string
	}{
		"plain":              {"http://api.localhost", TransportSettings{}, []string{here, "[::1]:80"}, []string{there, looksLikeHere, "[fd12::1]:80"}},
		"with leave":         {"http://api.localhost", TransportSettings{AllowPlaintext: true}, []string{here, there}, []string{"169.254.169.254:80"}},
		"TLS":                {"https://api.localhost", TransportSettings{}, []string{here, there}, nil},
		"TLS elsewhere":      {"https://crm.example.test", TransportSettings{}, []string{there}, []string{here}},
		"proxy":              {"http://api.localhost", TransportSettings{ProxyURL: "http://proxy.example.test:3128"}, nil, []string{here, there}},
		"proxy, with leave":  {"http://api.localhost", TransportSettings{ProxyURL: "http://proxy.example.test:3128", AllowPlaintext: true}, []string{there}, []string{here}},
		"proxy that is here": {"http://api.localhost", TransportSettings{ProxyURL: "http://localhost:3128"}, []string{here}, nil},
	} {
		origin, err := url.Parse(tt.origin)
		if err != nil {
			t.Fatal(err)
		}
		c, err := tt.settings.newCarrier(origin)
		if err != nil {
			t.Fatal(err)
		}
		judge := func(address string) error {
			return c.way.dialer.dialer.ControlContext(t.Context(), "tcp", address, nil)
		}
		for _, address := range tt.allowed {
			if err := judge(address); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, address := range tt.refused {
			if err := judge(address); !errors.Is(err, errProhibited) {
				t.Errorf("%s: %s is dialled: %v", name, address, err)
			}
		}
	}
}

func TestResolverOfTheEnvironmentIsAsked(t *testing.T) {
	dns, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dns.Close() }()
	asked := make(chan string, 10)
	go func() { // answers every A question with 127.0.0.1, which a real upstream never has
		packet := make([]byte, 512)
		for {
			n, from, err := dns.ReadFrom(packet)
			if err != nil {
				return
			}
			asked <- string(packet[:n])
			_, _ = dns.WriteTo(answerLoopback(packet[:n]), from)
		}
	}()
	d := newDialer(&url.URL{Scheme: "http", Host: "crm.example.test"}, dns.LocalAddr().String(), 2*time.Second)
	_, err = d.dial(t.Context(), "tcp4", "crm.example.test:80")
	if !errors.Is(err, errProhibited) {
		t.Errorf("a name that leads to this machine: %v", err)
	}
	if question := <-asked; !strings.Contains(question, "\x03crm\x07example\x04test") {
		t.Errorf("question %q", question)
	}
}

// answerLoopback turns a DNS question into its answer (RFC 1035 section 4).
func answerLoopback(question []byte) []byte {
	end := 12
	for question[end] != 0 {
		end += int(question[end]) + 1
	}
	end += 5 // root, type, class
	answer := append([]byte{}, question[:end]...)
	answer[2], answer[3] = 0x81, 0x80     // answer, recursion available
	answer[6], answer[7] = 0, 1           // one record
	answer[8], answer[9] = 0, 0           // no authority
	answer[10], answer[11] = 0, 0         // nothing additional
	answer = append(answer, 0xc0, 12)     // the name of the question
	answer = append(answer, 0, 1, 0, 1)   // A, IN
	answer = append(answer, 0, 0, 0, 1)   // one second
	answer = append(answer, 0, 4, 127, 0) // four bytes
	return append(answer, 0, 1)
}
