package proxy

import (
	"bytes"
	"io"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"

	"iqgateway/internal/exchange"
)

// connectReason stands where "Method Not Allowed" would: it is all that most
// clients show of a proxy that makes no tunnel.
const connectReason = "CONNECT is not supported; use https://GATEWAY/SERVICE/... or http:// URLs with HTTP_PROXY"

// refuseConnect answers an HTTP/1 CONNECT. net/http has no way to choose the
// reason phrase, so the answer is written to the connection itself.
func (s *sanitizer) refuseConnect(w *responseGuard, r *http.Request, p *exchange.Problem) {
	held := &heldResponse{header: make(http.Header)}
	s.Refuse(held, r, p)
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		held.replay(w)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(s.WriteIdleTimeout))
	held.header.Set("Connection", "close")
	held.header.Set("Content-Length", strconv.Itoa(held.body.Len()))
	held.header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	var answer bytes.Buffer
	answer.WriteString("HTTP/1.1 " + strconv.Itoa(held.status) + " " + connectReason + "\r\n")
	_ = held.header.Write(&answer) // a bytes.Buffer takes everything
	answer.WriteString("\r\n")
	answer.Write(held.body.Bytes())
	if _, err := conn.Write(answer.Bytes()); err == nil {
		linger(conn)
	}
}

// linger reads what the client has already sent: closing over unread bytes
// would reset the connection and take the answer with it.
func linger(conn net.Conn) {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
	_ = conn.SetReadDeadline(time.Now().Add(lingerTime))
	_, _ = io.CopyN(io.Discard, conn, 64<<10)
}

// heldResponse keeps a small answer until it is known how to send it.
type heldResponse struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (h *heldResponse) Header() http.Header { return h.header }

// WriteHeader implements http.ResponseWriter.
func (h *heldResponse) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
}

// Write implements http.ResponseWriter.
func (h *heldResponse) Write(p []byte) (int, error) {
	h.WriteHeader(http.StatusOK)
	return h.body.Write(p)
}

func (h *heldResponse) replay(w http.ResponseWriter) {
	maps.Copy(w.Header(), h.header)
	w.WriteHeader(h.status)
	_, _ = w.Write(h.body.Bytes())
}
