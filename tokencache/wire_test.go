package tokencache

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iqgateway/internal/exchange"
)

// attempt stands in for the attempt stage: it writes the field and sends.
func attempt(transport http.RoundTripper) http.RoundTripper {
	return tripper(func(r *http.Request) (*http.Response, error) {
		out := r.Clone(r.Context())
		if a := exchange.AuthorizerFrom(r.Context()); a != nil {
			a.Authorize(out.Header)
		}
		return transport.RoundTrip(out)
	})
}

func wireSet(t *testing.T) *Set {
	t.Helper()
	cache := New(Options{})
	t.Cleanup(cache.Close)
	set, err := cache.Use([]Credential{testCredential(&idp{})})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func wireRequest(t testing.TB, url string, body io.Reader) *http.Request {
	t.Helper()
	ex := &exchange.Exchange{Credential: "retail", Target: &exchange.Target{Environment: "production", Service: "crm", Authentication: "bearer"}}
	req, err := http.NewRequestWithContext(exchange.With(t.Context(), ex), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// Over real connections, with callers that are still sending: the upstream
// refuses the first token before it has read the body, while net/http's
// transport goes on reading it in another goroutine. The replay must carry
// every byte, whenever the 401 came.
func TestEarly401WhileTheBodyIsBeingSent(t *testing.T) {
	var refused atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == bearer("1") {
			refused.Add(1)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		arrived, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(arrived)
	}))
	defer api.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	set := wireSet(t)
	acceptCurrent(t, set)
	stage := set.Stage(StageOptions{ReplayBuffer: 1 << 20})(attempt(transport))

	var callers sync.WaitGroup
	for n := range 40 {
		callers.Go(func() {
			want := strings.Repeat("0123456789", 100*(n+1))
			source, caller := io.Pipe()
			go func() {
				for part := range strings.SplitSeq(want, "9") {
					_, _ = io.WriteString(caller, part)
				}
				_ = caller.Close()
			}()
			resp, err := stage.RoundTrip(wireRequest(t, api.URL, source))
			if err != nil {
				t.Errorf("caller %d: %v", n, err)
				return
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			if err != nil || string(got) != strings.ReplaceAll(want, "9", "") {
				t.Errorf("caller %d: %d of %d bytes, %v", n, len(got), len(want), err)
			}
		})
	}
	callers.Wait()
	if refused.Load() == 0 {
		t.Error("no request met the first token: nothing was tested")
	}
}

// A long body streams through: what was sent before the answer is not kept
// beyond the buffer.
func TestLongBodyStreams(t *testing.T) {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n, err := io.Copy(io.Discard, r.Body); n != 8<<20 || err != nil {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer api.Close()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	stage := wireSet(t).Stage(StageOptions{})(attempt(transport))
	resp, err := stage.RoundTrip(wireRequest(t, api.URL, io.LimitReader(zeros{}, 8<<20)))
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func BenchmarkStage(b *testing.B) {
	cache := New(Options{})
	defer cache.Close()
	set, err := cache.Use([]Credential{testCredential(&idp{})})
	if err != nil {
		b.Fatal(err)
	}
	answer := &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}
	sent := 0
	stage := set.Stage(StageOptions{})(tripper(func(r *http.Request) (*http.Response, error) {
		h := make(http.Header, 1)
		exchange.AuthorizerFrom(r.Context()).Authorize(h)
		sent += len(h)
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return answer, nil
	}))
	order := bytes.Repeat([]byte("x"), 2048)
	for name, body := range map[string][]byte{"no body": nil, "2 KiB": order} {
		b.Run(name, func(b *testing.B) {
			req := wireRequest(b, "https://crm.example/", nil)
			b.ReportAllocs()
			for b.Loop() {
				if body != nil {
					req.Body = io.NopCloser(bytes.NewReader(body))
				}
				if _, err := stage.RoundTrip(req); err != nil {
					b.Fatal(err)
				}
			}
			if sent == 0 {
				b.Fatal("nothing was authorized")
			}
		})
	}
}
