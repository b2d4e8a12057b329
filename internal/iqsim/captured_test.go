package iqsim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// capture is one answer of the real services.
type capture struct {
	Server       string            `json:"server"`
	Method       string            `json:"method"`
	Path         string            `json:"path"`
	Status       int               `json:"status"`
	ContentTypes []string          `json:"content_types"`
	Headers      map[string]string `json:"headers"`
}

func readCaptures(t *testing.T) []capture {
	t.Helper()
	raw, err := os.ReadFile("testdata/captured_headers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Responses []capture }
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Responses) < 40 {
		t.Fatalf("only %d captures", len(file.Responses))
	}
	return file.Responses
}

// target returns host stem and path of the captured request.
func (c capture) target() (stem, path string) {
	rest := strings.TrimPrefix(strings.Replace(c.Server, "{en}", "", 1), "https://")
	host, base, _ := strings.Cut(rest, "/")
	path = "/" + base + c.Path
	return strings.TrimSuffix(host, domain), regexp.MustCompile(`\{\w+\}`).ReplaceAllString(path, "14146")
}

// times returns when the request arrived and when the answer left. The arrival
// is where flooring gives the captured ResetSeconds.
func (c capture) times(t *testing.T) (arrival, leaving time.Time) {
	t.Helper()
	date, err := http.ParseTime(c.Headers["Date"])
	if err != nil {
		t.Fatal(err)
	}
	leaving = date.Add(900 * time.Millisecond)
	text, ok := c.Headers["X-RateLimit-Reset"]
	if !ok {
		return date, leaving
	}
	reset, err := time.Parse("01/02/2006 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	seconds := c.number(t, "X-RateLimit-ResetSeconds")
	arrival = reset.Add(-time.Duration(seconds)*time.Second - 600*time.Millisecond)
	if arrival.After(leaving) {
		t.Fatalf("the answer of %s would leave before the request came", c.Headers["Date"])
	}
	return arrival, leaving
}

func (c capture) number(t *testing.T, name string) int {
	t.Helper()
	n, err := strconv.Atoi(c.Headers[name])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// deviations are how two services were configured at the moment of a capture,
// other than their built-in profile says.
func (c capture) deviations(p *Profile) error {
	switch {
	case strings.Contains(c.Server, "entitymanager") && c.Path == "/Tree": // two months before the other capture
		p.Limit, p.RateHeaders = 1000, RateUS
	case c.Headers["IQ-APIM-RateLimit-Limit"] == "0":
		p.APIMLimit = "0"
	}
	return nil
}

// bodyOf returns a body that is sent with the captured Content-Length.
func (c capture) bodyOf(t *testing.T) []byte {
	t.Helper()
	if c.Headers["Content-Length"] == "" {
		return []byte("{}")
	}
	length := c.number(t, "Content-Length")
	if c.Headers["Content-Encoding"] == "" {
		return bytes.Repeat([]byte("x"), length)
	}
	// Noise hardly shrinks, so the packed length grows with it, in steps; words
	// of few letters fill the gaps between the steps.
	r := rand.New(rand.NewPCG(1, 0))
	noise, words := make([]byte, length), make([]byte, 400)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	for i := range words {
		words[i] = "etaoin"[r.IntN(6)]
	}
	below := sort.Search(length, func(n int) bool {
		return packedLength(append(noise[:n:n], make([]byte, 600)...)) >= length-30
	})
	for n := below; n >= max(0, below-300); n-- {
		body := func(k int) []byte { return slices.Concat(noise[:n], make([]byte, 600), words[:k]) }
		k := sort.Search(len(words), func(k int) bool { return packedLength(body(k)) >= length })
		if k < len(words) && packedLength(body(k)) == length {
			return body(k)
		}
	}
	t.Fatalf("no body of packed length %d found", length)
	return nil
}

// packer is kept, as its tables take longer to make than to use.
var packer encoders

func packedLength(body []byte) int {
	var packed bytes.Buffer
	e := packer.open("gzip", &packed)
	_, _ = e.Write(body)
	_ = e.Close()
	return packed.Len()
}

// TestCapturedHeaders replays nothing: the simulation runs with its own
// profiles, clock, counters and compression, and only the resource itself
// (body, ETag, Location, media type) is scripted.
func TestCapturedHeaders(t *testing.T) {
	for i, c := range readCaptures(t) {
		stem, path := c.target()
		t.Run(fmt.Sprintf("%02d %s %s", i, stem, c.Path), func(t *testing.T) {
			reproduce(t, c, stem, path)
		})
	}
}

func reproduce(t *testing.T, c capture, stem, path string) {
	t.Helper()
	arrival, leaving := c.times(t)
	var clock atomic.Pointer[time.Time]
	clock.Store(&arrival)
	s, err := New(Options{DefaultEnvironment: "production", Now: func() time.Time { return *clock.Load() }})
	if err != nil {
		t.Fatal(err)
	}
	env := s.environments["production"]
	env.services()[stem] = c.scripted(t, env.services()[stem], func() { clock.Store(&leaving) })
	service := address{service: stem, path: path}.quotaService()
	if err := s.UpdateProfile("", service, c.deviations); err != nil {
		t.Fatal(err)
	}
	c.spend(t, s, service)
	server := httptest.NewServer(s)
	defer server.Close()
	text, err := s.Token("")
	if err != nil {
		t.Fatal(err)
	}
	status, got := rawExchange(t, server.Listener.Addr().String(), c.request(stem, path, text))
	if status != c.Status {
		t.Errorf("status %d, captured %d", status, c.Status)
	}
	want := map[string]string{"Content-Type": c.ContentTypes[0]}
	maps.Copy(want, c.Headers)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("header (-captured +simulated):\n%s", diff)
	}
}

// scripted is the resource. The token endpoint is the real one.
func (c capture) scripted(t *testing.T, service http.Handler, answered func()) http.Handler {
	t.Helper()
	body := c.bodyOf(t)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer answered()
		if strings.HasSuffix(r.URL.Path, "/token") {
			service.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", mediaType(c.ContentTypes[0]))
		for _, name := range []string{"ETag", "Location"} {
			if v := c.Headers[name]; v != "" {
				w.Header().Set(name, v)
			}
		}
		w.WriteHeader(c.Status)
		_, _ = w.Write(body)
	})
}

// spend makes the earlier calls of the window.
func (c capture) spend(t *testing.T, s *Sim, service string) {
	t.Helper()
	if c.Headers["X-RateLimit-Limit"] == "" {
		return
	}
	used := c.number(t, "X-RateLimit-Limit") - c.number(t, "X-RateLimit-Remaining") - 1
	key := quotaKey{"production", service, false, "sim-client"}
	if service == "accounts" {
		key.anonymous, key.holder = true, "127.0.0.1"
	}
	s.quotas.count(key, 1_000_000, used, s.options.Now(), s.windowRule())
}

func (c capture) request(stem, path, token string) string {
	body := "grant_type=password&client_id=sim-client&client_secret=sim-secret&username=sim@example.com&password=sim-password"
	lines := []string{
		c.Method + " " + path + " HTTP/1.1",
		"Host: " + stem + domain,
		"Accept-Encoding: gzip, deflate",
	}
	if stem != "accounts" {
		lines = append(lines, "Authorization: Bearer "+token)
	}
	if c.Method == http.MethodPost {
		lines = append(lines, "Content-Type: application/x-www-form-urlencoded", fmt.Sprintf("Content-Length: %d", len(body)))
	} else {
		body = ""
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// rawExchange returns status and header fields as they are on the wire; fields
// that come twice are joined with "|".
func rawExchange(t *testing.T, addr, request string) (int, map[string]string) {
	t.Helper()
	conn, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, request); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(conn)
	status, header := 0, map[string]string{}
	for lines.Scan() && lines.Text() != "" {
		name, value, isField := strings.Cut(lines.Text(), ": ")
		if !isField && status == 0 {
			if _, err := fmt.Sscanf(lines.Text(), "HTTP/1.1 %d", &status); err != nil {
				t.Fatalf("status line %q", lines.Text())
			}
			continue
		}
		if before, twice := header[name]; twice {
			value = before + "|" + value
		}
		header[name] = value
	}
	return status, header
}
