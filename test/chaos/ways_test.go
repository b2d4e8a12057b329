package chaos_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"iqgateway/test/rig"
)

// way is what is spoken on a connection.
type way int

const (
	plain way = iota // HTTP/1.1
	https            // HTTP/1.1 within TLS
	http2            // HTTP/2 within TLS
	countOfWays
)

func (w way) String() string { return [...]string{"http", "https", "https with HTTP/2"}[w] }

func (w way) scheme() string {
	if w == plain {
		return "http"
	}
	return "https"
}

// wayOf is what a replica speaks to the upstream.
func wayOf(replica int) way { return way(replica % int(countOfWays)) }

// ways are the upstream's listeners and the callers' clients, by what they
// speak.
type ways struct {
	servers [countOfWays]*httptest.Server
	clients [countOfWays]*http.Client // none is plain
	// asked counts what came to the upstream, answered what callers got.
	asked, answered [countOfWays]atomic.Int64
}

// newWays starts the upstream's listeners and writes the certificate that these
// and the gateways use to dir, as tls.crt and tls.key.
func newWays(t *testing.T, upstream http.Handler, dir string) *ways {
	t.Helper()
	w := &ways{}
	counted := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.asked[spoken(r.TLS, r.ProtoMajor)].Add(1)
		upstream.ServeHTTP(rw, r)
	})
	for i := range w.servers {
		server := httptest.NewUnstartedServer(counted)
		server.EnableHTTP2 = way(i) == http2
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // handshakes that were cut
		if way(i) == plain {
			server.Start()
		} else {
			server.StartTLS()
		}
		w.servers[i] = server
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
	}
	pair := w.servers[https].TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	rig.Must(t, err)
	write(t, filepath.Join(dir, "tls.crt"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	write(t, filepath.Join(dir, "tls.key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
	roots := x509.NewCertPool()
	roots.AddCert(w.servers[https].Certificate())
	for _, i := range []way{https, http2} {
		client := &http.Client{
			Timeout: 30 * time.Second, Transport: &http.Transport{
				DisableCompression: true, MaxIdleConnsPerHost: 200, ForceAttemptHTTP2: i == http2,
				TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
		t.Cleanup(client.CloseIdleConnections)
		w.clients[i] = client
	}
	return w
}

// origin is the host:port of the upstream's listener.
func (w *ways) origin(of way) string { return w.servers[of].Listener.Addr().String() }

// do makes a request of a caller.
func (w *ways) do(r *http.Request, over way) (*http.Response, error) {
	resp, err := w.clients[over].Do(r)
	if err == nil {
		w.answered[spoken(resp.TLS, resp.ProtoMajor)].Add(1)
	}
	return resp, err
}

func spoken(state *tls.ConnectionState, major int) way {
	switch {
	case state == nil:
		return plain
	case major == 2:
		return http2
	default:
		return https
	}
}

// judge wants that every way had its part of the writes.
func (w *ways) judge(t *testing.T, writes int) {
	t.Helper()
	for i := range countOfWays {
		asked, answered := w.asked[i].Load(), w.answered[i].Load()
		t.Logf("%s: the upstream was asked %d times, callers were answered %d times", i, asked, answered)
		if asked < int64(writes)/10 || i != plain && answered < int64(writes)/5 {
			t.Errorf("hardly anything went over %s", i)
		}
	}
}
