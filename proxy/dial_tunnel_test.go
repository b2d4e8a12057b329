package proxy_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// egressHTTP is an HTTP proxy that wants a login and makes tunnels, or passes
// on requests of the absolute form.
func egressHTTP(w http.ResponseWriter, r *http.Request) {
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte("gw:CAN_PW"))
	if r.Header.Get("Proxy-Authorization") != login {
		http.Error(w, "CAN_AT", http.StatusProxyAuthRequired)
		return
	}
	if r.Method != http.MethodConnect {
		fmt.Fprint(w, "absolute "+r.URL.Path)
		return
	}
	there, err := net.Dial("tcp", r.Host)
	if err != nil {
		http.Error(w, "CAN_AT", http.StatusBadGateway)
		return
	}
	here, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	_, _ = io.WriteString(here, "HTTP/1.1 200 OK\r\n\r\n")
	splice(here, there)
}

// splice copies both ways until one of them ends.
func splice(a, b net.Conn) {
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			_, _ = a.Close(), b.Close()
		})
	}
	both.Wait()
}

// egressSOCKS is a SOCKS5 proxy that wants a login (RFC 1928, RFC 1929).
func egressSOCKS(_ int, c net.Conn, r *bufio.Reader) {
	next := func(n int) []byte {
		b := make([]byte, n)
		_, _ = io.ReadFull(r, b) // zeros are refused below
		return b
	}
	next(int(next(2)[1]))
	_, _ = c.Write([]byte{5, 2})
	user := string(next(int(next(2)[1])))
	password := string(next(int(next(1)[0])))
	if user != "gw" || password != "CAN_PW" {
		_, _ = c.Write([]byte{1, 1})
		return
	}
	_, _ = c.Write([]byte{1, 0})
	request := next(4)
	host := net.IP(nil).String()
	switch request[3] {
	case 1:
		host = net.IP(next(4)).String()
	case 3:
		host = string(next(int(next(1)[0])))
	}
	port := next(2)
	there, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(int(port[0])<<8|int(port[1]))))
	if err != nil {
		_, _ = c.Write([]byte{5, 5, 0, 1, 0, 0, 0, 0, 0, 0})
		return
	}
	_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
	splice(c, there)
}

func TestEgressProxies(t *testing.T) {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Authorized", r.Header.Get("Authorization"))
		fmt.Fprint(w, r.Proto+" "+r.URL.Path)
	})
	plain := httptest.NewServer(echo)
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(echo)
	t.Cleanup(secure.Close)
	secure2 := httptest.NewUnstartedServer(echo)
	secure2.EnableHTTP2 = true
	secure2.StartTLS()
	t.Cleanup(secure2.Close)

	http1 := httptest.NewServer(http.HandlerFunc(egressHTTP))
	t.Cleanup(http1.Close)
	httpsProxy := httptest.NewTLSServer(http.HandlerFunc(egressHTTP))
	t.Cleanup(httpsProxy.Close)
	socks := newRawUpstream(t, egressSOCKS)
	with := func(login, address, scheme string) string {
		u, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		return scheme + "://" + login + u.Host
	}
	const login = "gw:CAN_PW@"
	tests := []struct {
		origin, egress string
		want           string // body, or error of Proxy-Status
	}{
		{plain.URL, with(login, http1.URL, "http"), "absolute /x"},
		{plain.URL, with(login, httpsProxy.URL, "https"), "absolute /x"},
		{plain.URL, with(login, socks.URL, "socks5"), "HTTP/1.1 /x"},
		{secure.URL, with(login, http1.URL, "http"), "HTTP/1.1 /x"},
		{secure.URL, with(login, httpsProxy.URL, "https"), "HTTP/1.1 /x"},
		{secure.URL, with(login, socks.URL, "socks5h"), "HTTP/1.1 /x"},
		{secure2.URL, with(login, http1.URL, "http"), "HTTP/2.0 /x"},
		{secure2.URL, with(login, socks.URL, "socks5"), "HTTP/2.0 /x"},
		{secure.URL, with("", http1.URL, "http"), "destination_ip_unroutable"},
		{secure.URL, with("gw:wrong@", socks.URL, "socks5"), "destination_ip_unroutable"},
		{"https://127.0.0.1:1", with(login, http1.URL, "http"), "destination_ip_unroutable"},
		{secure.URL, "http://127.0.0.1:1", "connection_refused"},
	}
	for _, tt := range tests {
		g := newGate(t, tt.origin, func(g *gate) {
			g.Settings.ProxyURL, g.Settings.Trust = tt.egress, trusting(t, certificatePEM(secure))
		})
		for range 2 { // the second one on the same connection
			res, body := g.do(t, http.MethodPost, "/svc/x", strings.NewReader("abc"), nil)
			if res.StatusCode == http.StatusOK {
				if body != tt.want {
					t.Errorf("%s through %s: %q, want %q", tt.origin, tt.egress, body, tt.want)
				}
				continue
			}
			if !strings.Contains(res.Header.Get("Proxy-Status"), "error="+tt.want+";") || !strings.Contains(body, "not_executed") {
				t.Errorf("%s through %s: %d %s, want %s\n%s", tt.origin, tt.egress, res.StatusCode, res.Header["Proxy-Status"], tt.want, body)
			}
			if ex := g.finished(t); strings.Contains(fmt.Sprint(ex.Problem.Err), "CAN_") {
				t.Errorf("the cause repeats the proxy: %v", ex.Problem.Err)
			}
		}
	}
}
