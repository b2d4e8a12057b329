package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestAnswerEnd(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	tests := map[string]struct {
		method, answer string // up to its end
		want           answerPhase
	}{
		"length":                {"GET", ok + "content-LENGTH:  2 \r\n\r\nok", atEnd},
		"no reason":             {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", atEnd},
		"chunked":               {"GET", ok + "Transfer-Encoding: Chunked\r\n\r\n2\r\nok\r\n0A\r\n0123456789\r\n0\r\n\r\n", atEnd},
		"trailers":              {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\nZ: 1\r\n\r\n", atEnd},
		"HEAD":                  {"HEAD", ok + "Content-Length: 2\r\n\r\n", atEnd},
		"204":                   {"GET", "HTTP/1.1 204 No Content\r\n\r\n", atEnd},
		"304 with a length":     {"GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", atEnd},
		"interim":               {"POST", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\n" + ok + "Content-Length: 2\r\n\r\nok", atEnd},
		"no length":             {"GET", ok + "\r\nrest", inUnknown},
		"HTTP/1.0":              {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", inUnknown},
		"length and chunked":    {"GET", ok + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", inUnknown},
		"equal lengths":         {"GET", ok + "Content-Length: 2\r\nContent-Length: 2\r\n\r\n", inUnknown},
		"list of lengths":       {"GET", ok + "Content-Length: 2, 2\r\n\r\n", inUnknown},
		"length with a sign":    {"GET", ok + "Content-Length: +2\r\n\r\n", inUnknown},
		"endless length":        {"GET", ok + "Content-Length: 99999999999999999999\r\n\r\n", inUnknown},
		"no digits":             {"GET", ok + "Content-Length: \r\n\r\n", inUnknown},
		"folded":                {"GET", ok + "X: a\r\n Content-Length: 2\r\n\r\n", inUnknown},
		"bare line feed":        {"GET", ok + "X: a\nContent-Length: 2\r\n\r\n", inUnknown},
		"carriage return":       {"GET", ok + "X: a\rb\r\nContent-Length: 2\r\n\r\n", inUnknown},
		"other coding":          {"GET", ok + "Transfer-Encoding: gzip, chunked\r\n\r\n", inUnknown},
		"chunked twice":         {"GET", ok + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", inUnknown},
		"chunked HEAD":          {"HEAD", ok + "Transfer-Encoding: chunked\r\n\r\n", inUnknown},
		"chunk extension":       {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0\r\n\r\n", inUnknown},
		"long chunk":            {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n2\r\nok!\r\n0\r\n\r\n", inUnknown},
		"empty chunk size":      {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n\r\n", inUnknown},
		"interim with a length": {"GET", "HTTP/1.1 103 Hints\r\nContent-Length: 2\r\n\r\nok", inUnknown},
		"101":                   {"GET", "HTTP/1.1 101 Switching\r\n\r\n", inUnknown},
		"no HTTP":               {"GET", "SSH-2.0\r\n", inUnknown},
		"no name":               {"GET", ok + ": 2\r\n\r\n", inUnknown},
		"unfinished":            {"GET", ok + "Content-Length: 3\r\n\r\nok", inBody},
		"unfinished chunk":      {"GET", ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nok", inChunk},
	}
	for name, tt := range tests {
		for _, behind := range []string{"", "\r\n", ok + "Content-Length: 0\r\n\r\n"} {
			if tt.want != atEnd && behind != "" {
				continue
			}
			for _, step := range []int{1, 3, 1 << 20} {
				var a answerEnd
				a.begin(tt.method)
				if used := passInSteps(&a, tt.answer+behind, step); a.phase != tt.want || used != len(tt.answer) {
					t.Errorf("%s, %q behind it, %d bytes at once: ended in phase %d after %d of %d bytes, want %d",
						name, behind, step, a.phase, used, len(tt.answer), tt.want)
				}
			}
		}
	}
}

func passInSteps(a *answerEnd, answer string, step int) int {
	used := 0
	for rest := answer; len(rest) > 0; {
		piece := rest[:min(step, len(rest))]
		n := a.pass([]byte(piece))
		used += n
		if n < len(piece) {
			break
		}
		rest = rest[len(piece):]
	}
	return used
}

func TestAnswerEndKeepsNoLongLines(t *testing.T) {
	var a answerEnd
	a.begin(http.MethodGet)
	piece := []byte(strings.Repeat("a", 1<<10))
	for range maxPartialLine/len(piece) + 1 {
		a.pass(piece)
	}
	if a.phase != inUnknown || cap(a.partial) > 0 {
		t.Errorf("phase %d, %d bytes kept", a.phase, cap(a.partial))
	}
}

// Where answerEnd sees an end, net/http sees the same one, or an error.
func FuzzAnswerEnd(f *testing.F) {
	for _, answer := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\nrest",
		"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 204 None\r\n\r\nrest",
		"HTTP/1.1 304 Not\r\nContent-Length : 2\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX: a\n b\r\nContent-Length: 2\r\n\r\nok",
	} {
		f.Add(answer, false, 1)
		f.Add(answer, true, 7)
	}
	f.Fuzz(func(t *testing.T, answer string, head bool, step int) {
		method := http.MethodGet
		if head {
			method = http.MethodHead
		}
		var a, whole answerEnd
		a.begin(method)
		whole.begin(method)
		used := passInSteps(&a, answer, max(step, 1))
		if passInSteps(&whole, answer, len(answer)+1) != used || whole.phase != a.phase {
			t.Fatalf("in pieces of %d: phase %d after %d bytes, at once phase %d", step, a.phase, used, whole.phase)
		}
		if a.phase != atEnd {
			return
		}
		if left, err := readByStandardLibrary(answer, method); err == nil && len(answer)-left != used {
			t.Fatalf("the answer ends after %d bytes, for net/http after %d", used, len(answer)-left)
		}
	})
}

// readByStandardLibrary returns how many bytes net/http leaves behind an answer.
func readByStandardLibrary(answer, method string) (left int, err error) {
	r := bufio.NewReaderSize(strings.NewReader(answer), len(answer)+16)
	for {
		res, err := http.ReadResponse(r, &http.Request{Method: method})
		if err != nil {
			return 0, err
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			continue
		}
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			return 0, err
		}
		rest, err := io.ReadAll(r)
		return len(rest), err
	}
}

func TestRecordEnd(t *testing.T) {
	records := "\x16\x03\x01\x00\x02ab" + "\x17\x03\x03\x01\x00" + strings.Repeat("c", 256) + "\x17\x03\x03\x00\x00"
	ends := map[int]bool{0: true, 7: true, 268: true, 273: true}
	for _, first := range []int{1, 4, 5, 6, 7, 100, 267} {
		var r recordEnd
		r.pass([]byte(records[:first]))
		for i := first; ; i++ {
			if r.between() != ends[i] {
				t.Errorf("after %d and then single bytes up to %d: between records is %v", first, i, r.between())
			}
			if i == len(records) {
				break
			}
			r.pass([]byte(records[i : i+1]))
		}
	}
}

func BenchmarkAnswerEnd(b *testing.B) {
	answer := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-RateLimit-Limit: 1000\r\nX-RateLimit-Remaining: 999\r\n" +
		"Date: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 1024\r\n\r\n" + strings.Repeat("a", 1024))
	var a answerEnd
	b.ReportAllocs()
	for b.Loop() {
		a.begin(http.MethodGet)
		a.pass(answer)
	}
	if a.phase != atEnd {
		b.Fatal("no end")
	}
}
