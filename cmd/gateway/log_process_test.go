package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const logProcessConfig = `version: 1
server: {address: "SERVER", tls: {mode: none}, lame_duck: 0s}
admin: {address: "ADMIN"}
telemetry:
  logs: {query_parameters: [pad]}
  audit: {output: none}
`

// logProcess is a gateway that is a process, whose log goes where the test says.
type logProcess struct {
	command *exec.Cmd
	addresses
	client *http.Client
}

// startLogging starts a gateway that writes into stdout.
func startLogging(t *testing.T, stdout *os.File) *logProcess {
	t.Helper()
	p := &logProcess{client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	p.Server, p.Admin = aFreeAddress(t), aFreeAddress(t)
	file := filepath.Join(t.TempDir(), "gateway.yaml")
	text := strings.NewReplacer("SERVER", p.Server, "ADMIN", p.Admin).Replace(logProcessConfig)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr lockedBuffer
	p.command = exec.CommandContext(context.WithoutCancel(t.Context()), buildGateway(t), "run", "-c", file)
	p.command.Stdout, p.command.Stderr = stdout, &stderr
	if err := p.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.client.CloseIdleConnections()
		_ = p.command.Process.Kill() // unless it has ended
		if t.Failed() {
			t.Logf("stderr: %s", stderr.String())
		}
	})
	await(t, "the gateway serves", func() bool { status, _ := p.get(p.Admin, "/readyz"); return status == http.StatusOK })
	return p
}

func aFreeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *logProcess) get(address, path string) (status int, text string) {
	resp, err := p.client.Get("http://" + address + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(body)
}

// flood has a number of requests refused, each of which leaves a long line.
func (p *logProcess) flood(t *testing.T, requests int) {
	t.Helper()
	const callers = 4
	path := "/crm/v1/x?pad=" + strings.Repeat("x", 1000)
	var all sync.WaitGroup
	for c := range callers {
		all.Go(func() {
			for range requests/callers + (requests%callers+callers-1-c)/callers {
				if status, text := p.get(p.Server, path); status != http.StatusUnauthorized {
					t.Errorf("answered with %d: %s", status, text)
					return
				}
			}
		})
	}
	all.Wait()
}

var droppedLines = regexp.MustCompile(`(?m)^iqgw_telemetry_dropped_total\{[^}]*signal="logs"[^}]*\} (\S+)$`)

// dropped returns how many lines /metrics says are missing.
func (p *logProcess) dropped(t *testing.T) (lines int) {
	t.Helper()
	status, text := p.get(p.Admin, "/metrics")
	if status != http.StatusOK {
		t.Fatalf("%d: %s", status, text)
	}
	for _, match := range droppedLines.FindAllStringSubmatch(text, -1) {
		n, err := strconv.ParseFloat(match[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		lines += int(n)
	}
	return lines
}

// end asks the process to stop, and wants it to.
func (p *logProcess) end(t *testing.T) {
	t.Helper()
	p.client.CloseIdleConnections()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- p.command.Wait() }()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("ended with %v", err)
		}
	case <-late.C:
		t.Fatal("not ended within a minute")
	}
}

// logReader reads a log while it is written.
type logReader struct {
	mu       sync.Mutex
	access   int // lines
	messages map[string]int
	broken   string // what is no line
}

// take reads until the stream ends.
func (l *logReader) take(from io.Reader) {
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var line struct{ Msg string }
		err := json.Unmarshal(lines.Bytes(), &line)
		l.mu.Lock()
		switch {
		case err != nil || line.Msg == "":
			l.broken = lines.Text()
		case line.Msg == "request":
			l.access++
		default:
			if l.messages == nil {
				l.messages = map[string]int{}
			}
			l.messages[line.Msg]++
		}
		l.mu.Unlock()
	}
}

func (l *logReader) count(message string) (access, others int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.access, l.messages[message]
}

// aPipe returns both ends; the process gets the second one.
func aPipe(t *testing.T) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close(); _ = w.Close() })
	return r, w
}

// floodLines are more than a pipe and all that may wait can hold.
const floodLines = 5000

const linesAreMissing = "lines of this log are missing: who reads it is too slow, or it could not be written"

// A log that nobody reads holds up no request; what is missing in it is counted,
// and told once somebody reads.
func TestLogThatNobodyReads(t *testing.T) {
	t.Parallel()
	r, w := aPipe(t)
	p := startLogging(t, w)
	p.flood(t, floodLines)
	if p.dropped(t) == 0 {
		t.Fatal("nothing is missing: the test asks too little")
	}
	log := &logReader{}
	go log.take(r)
	await(t, "the log tells that lines are missing", func() bool { _, told := log.count(linesAreMissing); return told == 1 })
	dropped := p.dropped(t)
	await(t, "each request is in the log, or counted", func() bool { access, _ := log.count(""); return access+dropped == floodLines })
	p.end(t)
	if log.broken != "" {
		t.Errorf("no line: %.300q", log.broken)
	}
}

// The end waits for nobody who does not read.
func TestLogThatNobodyReadsEnds(t *testing.T) {
	t.Parallel()
	_, w := aPipe(t)
	p := startLogging(t, w)
	p.flood(t, 200)
	p.end(t)
}

// A reader that is slow gets whole lines, as many as it can take.
func TestLogThatIsReadSlowly(t *testing.T) {
	t.Parallel()
	r, w := aPipe(t)
	p := startLogging(t, w)
	log, slow := &logReader{}, &slowReader{from: r, tick: time.NewTicker(time.Millisecond)}
	defer slow.tick.Stop()
	go log.take(slow)
	p.flood(t, floodLines)
	await(t, "each request is in the log, or counted", func() bool {
		dropped := p.dropped(t)
		access, _ := log.count("")
		return access+dropped == floodLines
	})
	p.end(t)
	if log.broken != "" {
		t.Errorf("no line: %.300q", log.broken)
	}
}

// slowReader reads a few kilobytes at each tick.
type slowReader struct {
	from io.Reader
	tick *time.Ticker
}

func (s *slowReader) Read(b []byte) (int, error) {
	<-s.tick.C
	return s.from.Read(b[:min(len(b), 2048)])
}

// A gateway outlives whoever reads its log, and a disk that is full.
func TestLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) (stdout *os.File, begin func()){
		"the reader is gone": func(t *testing.T) (*os.File, func()) {
			r, w := aPipe(t)
			return w, func() { _ = r.Close() }
		},
		"a full device": func(t *testing.T) (*os.File, func()) {
			full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
			if err != nil {
				t.Skip("this system has no /dev/full")
			}
			t.Cleanup(func() { _ = full.Close() })
			return full, func() {}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, begin := open(t)
			p := startLogging(t, stdout)
			begin()
			p.flood(t, floodLines)
			if n := p.dropped(t); n == 0 || n >= floodLines {
				t.Errorf("%d lines are said to be missing", n)
			}
			p.end(t)
		})
	}
}

// A file holds each line, in the order of what happened, by the end of the
// process.
func TestLogInAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "gateway.log")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	p := startLogging(t, file)
	p.flood(t, 1000)
	if n := p.dropped(t); n != 0 {
		t.Errorf("%d lines are missing", n)
	}
	p.end(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &logReader{}
	log.take(bytes.NewReader(text))
	if access, draining := log.count("draining"); access != 1000 || draining != 1 || log.broken != "" {
		t.Errorf("%d access lines, %d of the end, no line: %.300q", access, draining, log.broken)
	}
	first, last := strings.Index(string(text), `"msg":"serving"`), strings.Index(string(text), `"msg":"draining"`)
	if at := strings.Index(string(text), `"msg":"request"`); first < 0 || at < first || last < strings.LastIndex(string(text), `"msg":"request"`) {
		t.Error(fmt.Sprint("out of order: ", first, at, last))
	}
}
