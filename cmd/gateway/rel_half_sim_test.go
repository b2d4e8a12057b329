package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"iqgateway/internal/exchange"
	"iqgateway/internal/iqsim"
)

// touchy lets one request be under way, by our own bound and by that of the
// quota, and its breaker opens with the first failure: whatever half a request
// leaves behind, the next one meets.
const touchy = `  crm:
    limits: {max_in_flight: 1}
    quota: {kind: concurrency, max: 1}
    breaker: {min_requests: 1, failure_ratio: 0.01}
    cache: {mode: none}
`

// halfRequest is one way to send half a request and to stop.
type halfRequest struct {
	name string
	send func(t *testing.T, r *rig, id string) (stop func())
}

// halves are all of them, but for those that wait.
func halves() []halfRequest {
	var all []halfRequest
	for framing, rest := range halfFramings() {
		for end, stop := range map[string]func(*tls.Conn){
			"reset": func(c *tls.Conn) {
				_ = c.NetConn().(*net.TCPConn).SetLinger(0)
				_ = c.NetConn().Close()
			},
			"close":   func(c *tls.Conn) { _ = c.NetConn().Close() },
			"goodbye": func(c *tls.Conn) { _ = c.Close() },
		} {
			all = append(all, halfRequest{framing + ", " + end, func(t *testing.T, r *rig, id string) func() {
				t.Helper()
				conn := r.sendHalf(t, rest, id)
				return func() { stop(conn) }
			}})
		}
	}
	return append(all,
		halfRequest{"HTTP/2, reset", func(t *testing.T, r *rig, id string) func() {
			t.Helper()
			f := r.halfStream(t, id)
			return func() { _ = f.frames.WriteRSTStream(1, http2.ErrCodeCancel) }
		}},
		halfRequest{"HTTP/2, close", func(t *testing.T, r *rig, id string) func() {
			t.Helper()
			f := r.halfStream(t, id)
			return func() { _ = f.conn.NetConn().Close() }
		}})
}

func halfFramings() map[string]string {
	half := `{"FirstName":"` + strings.Repeat("!", 26)
	return map[string]string{
		"Content-Length": "Content-Length: 100\r\n\r\n" + half,
		"chunked":        "Transfer-Encoding: chunked\r\n\r\n28\r\n" + half + "\r\n",
	}
}

// sendHalf sends a write over HTTP/1.1 up to the middle of its body.
func (r *rig) sendHalf(t *testing.T, rest, id string) *tls.Conn {
	t.Helper()
	conn := r.dial(t)
	_, err := fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nX-Api-Key: %s\r\nX-Request-Id: %s\r\nContent-Type: application/json\r\n%s",
		customers, r.Server, r.key, id, rest)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// readProblem reads what comes back.
func readProblem(t *testing.T, conn *tls.Conn) answer {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), httptest.NewRequestWithContext(t.Context(), http.MethodPost, customers, http.NoBody))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp, string(text)}
}

func field(name, value string) hpack.HeaderField { return hpack.HeaderField{Name: name, Value: value} }

// halfStream does the same over HTTP/2.
func (r *rig) halfStream(t *testing.T, id string) *flood {
	t.Helper()
	f := newFlood(t, r)
	block := f.block(http.MethodPost, r.key, field("x-request-id", id), field("content-length", "100"))
	if err := f.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndHeaders: true}); err != nil {
		t.Fatal(err)
	}
	if err := f.frames.WriteData(1, false, []byte(strings.Repeat("!", 40))); err != nil {
		t.Fatal(err)
	}
	return f
}

// wantNothingLeft fails the test unless the upstream has executed nothing of the
// latest request, and the next one finds slot, quota and breaker as they were.
func (r *sickRig) wantNothingLeft(t *testing.T) {
	t.Helper()
	await(t, "the upstream sees it break off", func() bool {
		calls := r.calls("crm")
		return len(calls) == 1 && calls[0].Done
	})
	if call := r.calls("crm")[0]; call.Executed || call.BodyError == "" {
		t.Errorf("the upstream got %+v", call)
	}
	await(t, "slot and quota are free again", func() bool {
		return r.do(t, http.MethodGet, customers, "", setHeader("X-Gateway-Wait", "0")).StatusCode == http.StatusOK
	})
	if b := r.breakers(t)["sim/crm"]; b.State != "closed" || b.Failures != 0 {
		t.Errorf("breaker %+v", b)
	}
}

// A caller that goes in the middle of its request has sent none, and is nobody's
// failure but its own.
func TestREL04HalfARequestAtTheSimulator(t *testing.T) {
	r := newSickRig(t, touchy, rigOptions{})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	all := halves()
	for i, half := range all {
		t.Run(half.name, func(t *testing.T) {
			r.ClearLedger()
			id := fmt.Sprintf("half-%d", i)
			stop := half.send(t, r.rig, id)
			await(t, "the request is at the upstream", func() bool { return len(r.calls("crm")) == 1 })
			stop()
			var lines []map[string]any
			await(t, "its access line", func() bool {
				lines = r.accessLines(`"caller_request_id":"` + id + `"`)
				return len(lines) == 1
			})
			if l := lines[0]; l["error"] != "client_gone" || l["status"] != 499.0 || l["attempts"] != 1.0 {
				t.Errorf("access line %v", l)
			}
			r.wantNothingLeft(t)
		})
	}
	want := fmt.Sprintf(`iqgw_exchanges_total{caller="storefront",environment="sim",outcome="client_gone",service="crm"} %d`, len(all))
	await(t, "metric "+want, func() bool { return strings.Contains(r.get(t, "http://"+r.Admin+"/metrics").text, want) })
}

// A caller that stalls in the middle of its request gets 408, which says whether
// anything was sent.
func TestREL04CallersThatStall(t *testing.T) {
	r := newSickRig(t, touchy, rigOptions{environ: []string{"IQGW_SERVER__LIMITS__BODY_IDLE_TIMEOUT=300ms"}})
	r.do(t, http.MethodGet, customers, "").want(t, http.StatusOK)
	for name, rest := range halfFramings() {
		t.Run(name, func(t *testing.T) {
			r.ClearLedger()
			a := readProblem(t, r.sendHalf(t, rest, "stall"))
			if v := a.want(t, http.StatusRequestTimeout).verdict(t); v.Type != string(exchange.RequestTimeout) || v.Outcome != exchange.OutcomeUnknown {
				t.Errorf("%+v", v)
			}
			r.wantNothingLeft(t)
		})
	}
	t.Run("nothing is sent", func(t *testing.T) {
		r.order(t, "open", "open", "sim/crm", "--for", "1m", "--reason", "so that nothing is sent")
		a := readProblem(t, r.sendHalf(t, halfFramings()["Content-Length"], "refused"))
		if v := a.want(t, http.StatusServiceUnavailable).verdict(t); v.Outcome != exchange.NotExecuted {
			t.Errorf("%+v", v)
		}
	})
	if lines := r.metric(t, "iqgw_exchanges_total", `outcome="request-timeout"`); len(lines) != 1 || !strings.HasSuffix(lines[0], " 2") {
		t.Errorf("metric %v", lines)
	}
}

// A DELETE may have a body, and is repeated with it where the catalogue says that
// it may be repeated.
func TestDeleteKeepsItsBody(t *testing.T) {
	t.Parallel()
	const target, body = "/catalogs/v1/Companies(14146)/Catalog/Items(7f)/attributes", `[{"Name":"Colour"},{"Name":"Size"}]`
	r := newRig(t, rigOptions{extra: "services: {catalogs: {retry: {budget: 100%}}}\n"})
	for _, http2 := range []bool{false, true} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("HTTP/2 %v, length known %v", http2, known), func(t *testing.T) {
				r.ClearLedger()
				r.arm(t, iqsim.Fault{Kind: iqsim.FaultStatus, Service: "catalogs", Method: http.MethodDelete, Count: 1})
				r.speaking(t, http2).do(t, http.MethodDelete, target, body, setHeader("Content-Type", "application/json"), func(req *http.Request) {
					if !known {
						req.ContentLength = -1
					}
				})
				calls := r.calls("catalogs")
				if len(calls) != 2 {
					t.Fatalf("sent %d times, want one repetition", len(calls))
				}
				for _, call := range calls {
					if call.BodyLength != int64(len(body)) || call.BodyError != "" {
						t.Errorf("the upstream got %d bytes, %s", call.BodyLength, call.BodyError)
					}
				}
			})
		}
	}
}
