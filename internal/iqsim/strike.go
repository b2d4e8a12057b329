package iqsim

import (
	"io"
	"net"
	"net/http"
	"time"
)

// pauseFor waits as a latency or a stall does, at most until the client
// leaves.
func pauseFor(r *http.Request, f Fault) {
	if f.Delay == 0 {
		if f.Kind == FaultStall {
			<-r.Context().Done()
		}
		return
	}
	t := time.NewTimer(time.Duration(f.Delay))
	defer t.Stop()
	select {
	case <-t.C:
	case <-r.Context().Done():
	}
}

// connectionOf returns the connection under w, taken from its server.
func connectionOf(w http.ResponseWriter) (net.Conn, bool) {
	conn, _, err := http.NewResponseController(w).Hijack()
	return conn, err == nil
}

// resetConnection makes the client see a reset. HTTP/2 has no connection of
// its own for a request: the stream is reset instead.
func resetConnection(w http.ResponseWriter) {
	conn, ok := connectionOf(w)
	if !ok {
		panic(http.ErrAbortHandler)
	}
	if inner, ok := conn.(interface{ NetConn() net.Conn }); ok {
		conn = inner.NetConn()
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close sends RST
	}
	_ = conn.Close()
	panic(http.ErrAbortHandler)
}

// writeRaw sends text in place of an answer and closes the connection.
func writeRaw(w http.ResponseWriter, text string) {
	if conn, ok := connectionOf(w); ok {
		_, _ = io.WriteString(conn, text)
		_ = conn.Close()
	}
	panic(http.ErrAbortHandler)
}

// interim sends f.Times interim answers.
func interim(w http.ResponseWriter, f Fault) {
	for _, field := range f.Fields {
		w.Header().Add(field.Name, field.Value)
	}
	for range max(1, f.Times) {
		w.WriteHeader(http.StatusEarlyHints)
	}
	for _, field := range f.Fields {
		w.Header().Del(field.Name)
	}
}
