package iqsim

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"
)

// answerWith makes a service answer as fn says.
func (h *harness) answerWith(service string, fn http.HandlerFunc) {
	h.environments["sandbox"].services()[service] = fn
}

func TestChooseCoding(t *testing.T) {
	both := []string{"gzip", "deflate"}
	for _, tt := range []struct {
		accept  string
		offered []string
		want    string
	}{
		{"", both, ""},
		{"gzip", both, "gzip"},
		{"deflate, gzip", both, "gzip"},
		{"deflate", both, "deflate"},
		{"gzip;q=0, deflate", both, "deflate"},
		{"gzip; q=0.0", both, ""},
		{"*", both, "gzip"},
		{"*;q=0", both, ""},
		{"gzip;q=0, *", both, "deflate"},
		{"GZIP;q=0.5", both, "gzip"},
		{"identity", both, ""},
		{"br", both, ""},
		{"gzip", []string{"identity"}, ""},
	} {
		if got := chooseCoding(tt.offered, []string{tt.accept}); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.accept, got, tt.want)
		}
	}
}

func TestCompression(t *testing.T) {
	h := startSim(t, Options{})
	h.answerWith("dataconnect", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.URL.Query().Get("type"))
		_, _ = io.WriteString(w, strings.Repeat("abc", 300))
	})
	for _, tt := range []struct{ mediaType, accept, coding string }{
		{"application/json", "gzip", "gzip"},
		{"text/csv", "deflate", "deflate"},
		{"application/json", "identity", ""},
		{"application/hal+json", "gzip", ""},
		{"application/zip", "gzip", ""},
	} {
		r := h.get("/dataconnect/x?type="+tt.mediaType, "Accept-Encoding", tt.accept)
		if got := r.header.Get("Content-Encoding"); got != tt.coding || (r.header.Get("Vary") != "") != (tt.coding != "") {
			t.Errorf("%v: coding %q, Vary %q", tt, got, r.header.Get("Vary"))
		}
		if got := inflate(t, tt.coding, r.body); got != strings.Repeat("abc", 300) {
			t.Errorf("%v: body %.40q", tt, got)
		}
	}
}

func inflate(t *testing.T, coding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch coding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// A flushed answer arrives before the service is done; it is compressed too.
func TestStreaming(t *testing.T) {
	for _, coding := range []string{"", "gzip"} {
		t.Run("coding "+coding, func(t *testing.T) {
			h := startSim(t, Options{})
			seen := make(chan struct{})
			h.answerWith("crm", func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = io.WriteString(w, "first,")
				w.(http.Flusher).Flush()
				<-seen
				_, _ = io.WriteString(w, strings.Repeat("x", 2*holdBack))
			})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.url+"/crm/v1/x", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", h.bearer)
			req.Header.Set("Accept-Encoding", coding)
			resp, err := h.client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = resp.Body.Close() }()
			body := io.Reader(resp.Body)
			if coding == "gzip" {
				if body, err = gzip.NewReader(resp.Body); err != nil {
					t.Fatal(err)
				}
			}
			first := make([]byte, 6)
			if _, err := io.ReadFull(body, first); err != nil || string(first) != "first," {
				t.Fatalf("first part %q, %v", first, err)
			}
			close(seen)
			rest, err := io.ReadAll(body)
			if err != nil || len(rest) != 2*holdBack || resp.ContentLength != -1 {
				t.Errorf("rest %d bytes, %v, Content-Length %d", len(rest), err, resp.ContentLength)
			}
		})
	}
}

func TestServiceFieldsWin(t *testing.T) {
	h := startSim(t, Options{})
	h.answerWith("crm", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "max-age=5")
		w.Header().Set("ETag", `"7"`)
		w.WriteHeader(http.StatusNotModified)
	})
	r := h.get("/crm/v1/x")
	if r.status != http.StatusNotModified || r.header.Get("Cache-Control") != "max-age=5" || r.header.Get("Etag") != `"7"` {
		t.Errorf("%d %v", r.status, r.header)
	}
	if r.header.Get("Pragma") != "no-cache" || r.header.Get("Content-Length") != "" {
		t.Errorf("header %v", r.header)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	h := startSim(t, Options{})
	r := h.do(http.MethodHead, "/crm/ping", "")
	if r.status != http.StatusOK || r.body != "" || r.header.Get("Content-Length") == "" {
		t.Errorf("%d %q %v", r.status, r.body, r.header)
	}
}

func TestContentTag(t *testing.T) {
	h := startSim(t, Options{})
	h.answerWith("reasoncode", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "[]")
	})
	r := h.get("/reasoncode/Companies(1)/ReasonCodes")
	if r.header.Get("Etag") != `"d751713988987e9331980363e24189ce"` || r.header.Get("Last-Modified") != r.header.Get("Date") {
		t.Errorf("header %v", r.header)
	}
	if r := h.do(http.MethodPost, "/reasoncode/Companies(1)/ReasonCodes", "{}"); r.header.Get("Etag") != "" || r.header.Get("Expires") != "-1" {
		t.Errorf("POST: header %v", r.header)
	}
}

func TestRulesLeaveTheProfileAlone(t *testing.T) {
	fields := []Field{{"A", "1"}, {"B", "2"}, {"C", "3"}}
	rule := FieldRule{Set: []Field{{"b", "9"}}, Omit: []string{"c"}}
	got := rule.apply(fields)
	if len(got) != 2 || got[0] != (Field{"A", "1"}) || got[1] != (Field{"b", "9"}) {
		t.Errorf("got %v", got)
	}
	if fields[1].Value != "2" || len(fields) != 3 {
		t.Errorf("the profile changed: %v", fields)
	}
}
