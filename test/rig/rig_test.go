package rig_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"testing"
	"time"

	"iqgateway/test/rig"
)

func TestMetrics(t *testing.T) {
	const text = `# HELP a_total of it
a_total{x="1",y="{z}"} 2
a_total{x="2"} 3.5 # {trace_id="q"} 1 2
a_total_more 100
b 7
`
	for name, tt := range map[string]struct {
		metric string
		having []string
		want   float64
	}{
		"all":      {"a_total", nil, 5.5},
		"selected": {"a_total", []string{`x="1"`}, 2},
		"bare":     {"b", nil, 7},
		"absent":   {"c", nil, 0},
	} {
		got, err := rig.Metrics(text).Sum(tt.metric, tt.having...)
		if err != nil || got != tt.want {
			t.Errorf("%s: %v %v, want %v", name, got, err, tt.want)
		}
	}
	for _, bad := range []rig.Metrics{"a ", "a x"} {
		if _, err := bad.Sum("a"); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
}

func TestLogTakesWholeLines(t *testing.T) {
	var l rig.Log
	_, _ = l.Write([]byte("one\ntwo\nthr"))
	if got := l.Take(); got != "one\ntwo\n" {
		t.Errorf("%q", got)
	}
	_, _ = l.Write([]byte("ee\n"))
	if got := l.String(); got != "three\n" {
		t.Errorf("%q", got)
	}
	if got := l.Take(); got != "three\n" || l.String() != "" {
		t.Errorf("%q, left %q", got, l.String())
	}
}

// echo answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return listener.Addr().String()
}

func dial(t *testing.T, l *rig.Link) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", l.Address(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn, bufio.NewReader(conn)
}

// says sends a line and returns what comes back within the time.
func says(conn net.Conn, r *bufio.Reader, within time.Duration) (string, error) {
	_ = conn.SetDeadline(time.Now().Add(within))
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return "", err
	}
	return r.ReadString('\n')
}

func TestLinkPassesAndIsCut(t *testing.T) {
	l, err := rig.NewLink("a", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, r := dial(t, l)
	if got, err := says(conn, r, 5*time.Second); err != nil || got != "hello\n" {
		t.Fatalf("%q %v", got, err)
	}
	address := l.Address()
	l.Cut()
	if got, err := says(conn, r, 5*time.Second); err == nil {
		t.Errorf("a cut link passed %q", got)
	}
	if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		conn.Close()
		t.Error("a cut link takes connections")
	}
	for range 2 { // the second does nothing
		if err := l.Mend(); err != nil || l.Address() != address {
			t.Fatalf("%s %v", l.Address(), err)
		}
	}
	conn, r = dial(t, l)
	if got, err := says(conn, r, 5*time.Second); err != nil || got != "hello\n" {
		t.Errorf("%q %v", got, err)
	}
}

// What a disturbance loses ends the connection: a stream has no holes.
func TestLinkIsDisturbed(t *testing.T) {
	l, err := rig.NewLink("a", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, r := dial(t, l)
	end, err := l.Disturb(rig.Disturbance{Kind: "timeout", Direction: rig.Answers, Attributes: map[string]int{"timeout": 0}})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := says(conn, r, 100*time.Millisecond); err == nil {
		t.Errorf("the link is mute and says %q", got)
	}
	if err := end(); err != nil {
		t.Fatal(err)
	}
	if got, err := says(conn, r, 5*time.Second); err == nil {
		t.Errorf("the connection lost an answer, and goes on with %q", got)
	}
	conn, r = dial(t, l)
	if got, err := says(conn, r, 5*time.Second); err != nil || got != "hello\n" {
		t.Errorf("%q %v", got, err)
	}
	if _, err := l.Disturb(rig.Disturbance{Kind: "gremlin", Direction: rig.Answers}); err == nil {
		t.Error("there is no such disturbance")
	}
}

func TestAwait(t *testing.T) {
	n := 0
	if err := rig.Await(t.Context(), time.Minute, "three", func() bool { n++; return n == 3 }); err != nil || n != 3 {
		t.Errorf("%d %v", n, err)
	}
	if err := rig.Await(t.Context(), 20*time.Millisecond, "never", func() bool { return false }); err == nil {
		t.Error("it never was")
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if rig.Pass(gone, time.Minute) {
		t.Error("nobody waited any more")
	}
}
