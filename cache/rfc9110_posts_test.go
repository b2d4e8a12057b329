package cache_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"iqgateway/cache"
)

// TestRFC9110_9_3_3_PostsThatRead: in rfc9111 mode a POST is a read where a rule
// says so, and is stored where its answer names a lifetime.
func TestRFC9110_9_3_3_PostsThatRead(t *testing.T) {
	for _, row := range []struct {
		name   string
		fields []string
		rule   bool
		cache  string // of the second one
	}{
		{"with a lifetime", []string{"Cache-Control: public, max-age=60"}, true, "hit"},
		{"guessed", []string{"Cache-Control: public", "Last-Modified: {-6000}"}, true, "fwd=uri-miss"},
		{"no rule", []string{"Cache-Control: public, max-age=60"}, false, "fwd=bypass; detail=rule"},
	} {
		t.Run(row.name, func(t *testing.T) {
			service := cache.Service{}
			if row.rule {
				service.Rules = []cache.Rule{*everything()}
			}
			sc := newScript(t, cache.ModeRFC9111, stackOptions{service: service})
			sc.says.Store(&says{fields: row.fields, body: "text"})
			post := func() got {
				return sc.askNode(0, http.MethodPost, "/v1/Bulk", `{"ids":[1]}`, "X-Reads: yes", "Content-Type: application/json")
			}
			post().want(t, 200, "text", "fwd=")
			post().want(t, 200, "text", row.cache)
		})
	}
}

// TestBodiesWithoutAKey go upstream whole, and nothing is stored for them: too
// large ones, also where their length is not announced, and encoded ones.
func TestBodiesWithoutAKey(t *testing.T) {
	large := `{"ids":"` + strings.Repeat("x", 2<<20) + `"}`
	for _, row := range []struct {
		name, body string
		length     int64 // -1 = unknown
		encoding   string
		cache      string
	}{
		{"announced", large, int64(len(large)), "", "fwd=bypass; detail=body"},
		{"not announced", large, -1, "", "fwd=bypass; detail=body"},
		{"encoded", `{"ids":[1]}`, 11, "gzip", "fwd=bypass; detail=body"},
		{"small and not announced", `{"ids":[1]}`, -1, "", "hit"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStack(t, stackOptions{origin: func(w http.ResponseWriter, r *http.Request) {
				if body, err := io.ReadAll(r.Body); err != nil || string(body) != row.body {
					t.Errorf("the upstream got %d bytes of %d, %v", len(body), len(row.body), err)
				}
				_, _ = io.WriteString(w, "text")
			}})
			var last string
			for range 2 {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.nodes[0].server.URL+"/v1/Bulk", strings.NewReader(row.body))
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = row.length
				for name, value := range map[string]string{"X-Reads": "yes", "Content-Type": "application/json", "Content-Encoding": row.encoding} {
					if value != "" {
						req.Header.Set(name, value)
					}
				}
				resp, err := s.client.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				text, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				if string(text) != "text" {
					t.Errorf("got %d %q", resp.StatusCode, text)
				}
				last = strings.TrimPrefix(resp.Header.Get("Cache-Status"), "iqgateway; ")
			}
			if !strings.HasPrefix(last, row.cache) {
				t.Errorf("the second one: %q, want %q", last, row.cache)
			}
		})
	}
}

// TestPostsAreRefreshedAsTheyWere: a background refresh of a reading POST sends
// its body again.
func TestPostsAreRefreshedAsTheyWere(t *testing.T) {
	rule := everything()
	rule.StaleWhileRevalidate = time.Minute
	bodies := make(chan string, 10)
	s := newStack(t, stackOptions{rule: rule, origin: func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies <- r.Method + " " + r.Header.Get("If-None-Match") + string(body)
		w.Header().Set("Etag", `"1"`)
		_, _ = io.WriteString(w, "text")
	}})
	for _, want := range []string{"fwd=uri-miss", "hit; ttl=-"} {
		s.askNode(0, http.MethodPost, "/v1/Bulk", `{"ids":[1]}`, "X-Reads: yes", "Content-Type: application/json").want(t, 200, "text", want)
		if got := <-bodies; got != `POST {"ids":[1]}` {
			t.Errorf("the upstream got %q", got)
		}
		s.pass(70 * time.Second)
	}
}
