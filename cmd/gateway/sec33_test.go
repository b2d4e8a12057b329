package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"iqgateway/auth"
)

// hostileTexts are what others may put wherever they can.
func hostileTexts() []string {
	return []string{
		`%0a{"level":"error","msg":"forged"}`, "\n{\"level\":\"error\",\"msg\":\"forged\"}\n", "\u001b[2J", "\u2028\u2029", "\u009b31m\u007f",
		"\xff\xfe", strings.Repeat("x", 100<<10), `"}{"msg":"forged"`,
	}
}

const hostileConfig = `version: 1
server:
  address: 127.0.0.1:0
  tls: {mode: self_signed}
  lame_duck: 0s
  limits: {max_uri: 256KiB, max_header: 256KiB}
admin: {address: "127.0.0.1:0"}
data_dir: DIR
environments:
  sim: {url: "UPSTREAM/{service}"}
credentials:
  retail: {environment: sim, token_url: "UPSTREAM/token", client_id: a, client_secret: b, username: c, password: d}
  refused: {environment: sim, token_url: "UPSTREAM/refused", client_id: a, client_secret: b, username: c, password: d}
callers:
  shop:
    keys: [{id: shop-1, sha256: DIGEST}]
    access: [{credential: retail, services: {crm: write}}, {credential: refused, services: {pricing: write}}]
telemetry:
  logs: {level: debug, format: FORMAT, query_parameters: [seen]}
  audit: {allowed: each}
`

// hostileUpstream gives tokens, and answers everything else with a text in each
// place that it may choose.
func hostileUpstream(t *testing.T) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	texts := hostileTexts()
	go func() {
		for i := 0; ; i++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go answerHostile(c, texts[i%len(texts)])
		}
	}()
	return "http://" + l.Addr().String()
}

func answerHostile(c net.Conn, text string) {
	defer c.Close()
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	_, _ = io.Copy(io.Discard, r.Body)
	if r.URL.Path == "/token" {
		const body = `{"access_token":"a-token","expires_in":43199}`
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(body), body)
		return
	}
	status := 503
	if r.URL.Path == "/refused" {
		status = 400
	}
	reason := strings.ReplaceAll(text[:min(len(text), 2000)], "\n", "")
	body, _ := json.Marshal(map[string]string{"error": text, "error_description": text})
	fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nX-Error: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, reason, reason, len(body), body)
}

// hostileGateway is a process that logs into a file.
type hostileGateway struct {
	command          *exec.Cmd
	server, log, key string
	tls              *tls.Config
}

func startHostile(t *testing.T, format string) *hostileGateway {
	t.Helper()
	dir := t.TempDir()
	g := &hostileGateway{log: filepath.Join(dir, "gateway.log")}
	var digest string
	g.key, digest = auth.NewKey()
	file := filepath.Join(dir, "gateway.yaml")
	text := strings.NewReplacer("DIR", dir, "UPSTREAM", hostileUpstream(t), "DIGEST", digest, "FORMAT", format).Replace(hostileConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(g.log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = out.Close() }() // the process has its own
	g.command = exec.CommandContext(context.WithoutCancel(t.Context()), buildGateway(t), "run", "-c", file)
	g.command.Stdout, g.command.Stderr = out, io.Discard
	if err := g.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.command.Process.Kill() }) // unless it has ended
	serving := regexp.MustCompile(`serving.*?"?server"?[=:]"?([0-9.:]+)`)
	await(t, "the gateway serves", func() bool { return serving.MatchString(g.written(t)) })
	g.server = serving.FindStringSubmatch(g.written(t))[1]
	g.tls = &tls.Config{RootCAs: readRoots(t, filepath.Join(dir, "ca", "ca.crt"))}
	return g
}

func (g *hostileGateway) written(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(g.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// send sends a request as it is written, and returns its id; "" = net/http has
// not let it through to the gateway.
func (g *hostileGateway) send(t *testing.T, request string) (id string) {
	t.Helper()
	c, err := tls.Dial("tcp", g.server, g.tls)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(c, request) }() // an early answer may cut it
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.Header.Get("X-Request-Id")
}

// attack puts a text into every place of requests, and returns the ids of those
// that the gateway has answered.
func (g *hostileGateway) attack(t *testing.T, text string) (ids []string) {
	t.Helper()
	const head = " HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
	key := "X-Api-Key: " + g.key + "\r\n"
	for _, request := range []string{
		"GET /crm/v1/" + text + head + key + "\r\n",
		"GET /crm/v1/a?hidden=" + text + "&seen=" + text + head + key + "\r\n",
		"GET /crm/v1/a" + head + key + "User-Agent: " + text + "\r\n\r\n",
		"GET /crm/v1/a" + head + "X-Api-Key: " + text + "\r\n\r\n",
		"GET /crm/v1/a" + head + key + "X-Request-Id: " + text + "\r\nX-Forwarded-For: " + text + "\r\nTraceparent: " + text + "\r\n\r\n",
		"GET /crm/v1/a" + head + key + "X-Gateway-Credential: " + text + "\r\nX-Request-Priority: " + text + "\r\n\r\n",
		"GET /pricing/v1/a" + head + key + "\r\n",
		"GET /" + text + head + key + "\r\n",
		text + " /crm/v1/a" + head + key + "\r\n",
		"GET /crm/v1/a HTTP/1.1\r\nHost: " + text + "\r\nConnection: close\r\n" + key + "\r\n",
	} {
		if id := g.send(t, request); id != "" {
			ids = append(ids, id)
		}
	}
	name := g.tls.Clone()
	name.ServerName = text[:min(len(text), 10_000)]
	if c, err := tls.Dial("tcp", g.server, name); err == nil {
		_ = c.Close()
	}
	return ids
}

// SEC-33: whatever others choose, the log has one access line for each request,
// and no line that anybody else has written.
func TestSEC33WholeGateway(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"json", "text"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			g := startHostile(t, format)
			var ids []string
			for _, text := range hostileTexts() {
				ids = append(ids, g.attack(t, text)...)
			}
			if len(ids) < 4*len(hostileTexts()) {
				t.Errorf("only %d requests were answered by the gateway", len(ids))
			}
			if err := g.command.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := g.command.Wait(); err != nil {
				t.Error(err)
			}
			wantHarmless(t, format, g.written(t), ids)
		})
	}
}

var textLine = regexp.MustCompile(`^time=\S+ level=(DEBUG|INFO|WARN|ERROR) msg=`)

// wantHarmless wants lines of a log that nobody has forged, and one access line
// for each of ids.
func wantHarmless(t *testing.T, format, log string, ids []string) {
	t.Helper()
	access := map[string]int{}
	request := regexp.MustCompile(` msg=request request_id=(\S+)`)
	for line := range strings.Lines(log) {
		bare := strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(bare, unicode.IsControl) || strings.ContainsAny(bare, "\u2028\u2029") || !utf8.ValidString(bare) || len(bare) > 16<<10 {
			t.Errorf("%d bytes: %.300q", len(bare), bare)
		}
		if strings.Contains(bare, "hidden=") {
			t.Errorf("a parameter that is not named is logged: %.300q", bare)
		}
		var record struct {
			Log, Level, Msg string
			RequestID       string `json:"request_id"`
		}
		isJSON := json.Unmarshal([]byte(bare), &record) == nil
		switch {
		case isJSON && record.Log == "audit":
		case isJSON && format == "json" && record.Level == strings.ToUpper(record.Level) && record.Msg != "" && record.Msg != "forged":
			if record.Msg == "request" {
				access[record.RequestID]++
			}
		case !isJSON && format == "text" && textLine.MatchString(bare):
			if match := request.FindStringSubmatch(bare); match != nil {
				access[match[1]]++
			}
		default:
			t.Errorf("no line of the log: %.300q", bare)
		}
	}
	for _, id := range ids {
		if access[id] != 1 {
			t.Errorf("%d access lines of %s", access[id], id)
		}
	}
	if len(access) != len(ids) {
		t.Errorf("%d access lines, %d requests", len(access), len(ids))
	}
}
