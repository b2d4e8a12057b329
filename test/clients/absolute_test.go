package clients_test

import (
	"bufio"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/test/rig"
)

// .NET's HttpClientHandler sends no Proxy-Authorization before a proxy asks for
// it, and goes on over the same connection; with PreAuthenticate it sends it at
// once from then on.
func TestAbsoluteFormAsDotNetSendsIt(t *testing.T) {
	s := newSubject(t)
	conn, err := net.Dial("tcp", s.proxy)
	rig.Must(t, err)
	defer conn.Close()
	rig.Must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	reader := bufio.NewReader(conn)
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("till:"+s.key))
	for _, step := range []struct {
		authorization string
		status        int
	}{{"", http.StatusProxyAuthRequired}, {credentials, http.StatusOK}, {credentials, http.StatusOK}} {
		fields := []string{
			"GET http://" + crm + customers + " HTTP/1.1", "Host: " + crm, "Accept: application/json", "Proxy-Connection: Keep-Alive",
		}
		if step.authorization != "" {
			fields = append(fields, "Proxy-Authorization: "+step.authorization)
		}
		_, err := io.WriteString(conn, strings.Join(fields, "\r\n")+"\r\n\r\n")
		rig.Must(t, err)
		resp, err := http.ReadResponse(reader, nil)
		rig.Must(t, err)
		_, err = io.Copy(io.Discard, resp.Body)
		rig.Must(t, err)
		if resp.StatusCode != step.status || resp.Close {
			t.Fatalf("%s, the connection ends: %t; want %d", resp.Status, resp.Close, step.status)
		}
		challenge := resp.Header.Get("Proxy-Authenticate")
		if asked := strings.HasPrefix(challenge, "Basic realm="); asked != (step.status == http.StatusProxyAuthRequired) || resp.Header.Get("Www-Authenticate") != "" {
			t.Errorf("Proxy-Authenticate %q, WWW-Authenticate %q", challenge, resp.Header.Get("Www-Authenticate"))
		}
	}
}
