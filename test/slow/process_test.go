package slow

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"
)

func TestResident(t *testing.T) {
	now, most, err := resident("Name:\tgateway\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\nThreads:\t5\n")
	if err != nil || now != 1<<20 || most != 2<<20 {
		t.Errorf("%d %d %v", now, most, err)
	}
	for _, bad := range []string{"", "VmRSS:\t1 kB\n", "VmHWM:\t1 kB\nVmRSS:\tx kB\n", "VmHWM:\t1 MB\nVmRSS:\t1 kB\n"} {
		if _, _, err := resident(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestSocket(t *testing.T) {
	const tail = " 00000000:00000000 00:00000000 00000000     0        0 1 1 0 20 4 30 10 -1"
	for name, tt := range map[string]struct {
		line string
		held bool
	}{
		"established":        {"   0: 0100007F:1F90 0200007F:C350 01" + tail, true},
		"the other end left": {"   1: 0100007F:1F90 0200007F:C350 08" + tail, true},
		"closed":             {"   2: 0100007F:1F90 0200007F:C350 04" + tail, false},
	} {
		local, remote, held, err := socket(tt.line)
		if err != nil || held != tt.held || local != netip.MustParseAddrPort("127.0.0.1:8080") || remote != netip.MustParseAddrPort("127.0.0.2:50000") {
			t.Errorf("%s: %s %s %t %v", name, local, remote, held, err)
		}
	}
	for _, bad := range []string{"", "0: 1 2", "0: x:1 0100007F:1 01", "0: 0100007F:1 0100007F 01"} {
		if _, _, _, err := socket(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestConnections(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := netip.MustParseAddrPort(l.Addr().String()).Port()
	from := netip.MustParseAddr("127.0.0.9")
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(from, 0))}
	c, err := dialer.DialContext(t.Context(), "tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		open, err := Connections(os.Getpid(), port)
		if err != nil || open[from] != want || len(open) != want {
			t.Errorf("%v %v, want %d", open, err, want)
		}
		served.Close()
	}
}

func TestWithin(t *testing.T) {
	var latencies []time.Duration
	for i := range 100 {
		latencies = append(latencies, time.Duration(i+1))
	}
	slices.Reverse(latencies)
	for part, want := range map[float64]time.Duration{0: 1, 0.5: 51, 0.99: 100, 1: 100} {
		if got := within(latencies, part); got != want {
			t.Errorf("%v: %d, want %d", part, got, want)
		}
	}
	if got := within(nil, 0.99); got != 0 {
		t.Errorf("of nothing: %d", got)
	}
}
