package retry

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iqgateway/internal/exchange"
)

// The body of a repetition is that of the request, from its first byte on, and
// the caller's own is closed once, whoever closes what and when.
func TestBodiesAreSentAgainWhole(t *testing.T) {
	const whole = "0123456789"
	for name, c := range map[string]struct {
		read  int // of the first attempt
		close bool
		known bool // the request can tell its body itself
	}{
		"nothing read, closed":   {0, true, false},
		"nothing read, held":     {0, false, false},
		"a part read, closed":    {4, true, false},
		"a part read, held":      {4, false, false},
		"all read":               {10, true, false},
		"from the request's own": {10, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var held io.ReadCloser
				attempts, arrived := 0, ""
				stage := staged(t, Options{}, defaults(), tripper(func(r *http.Request) (*http.Response, error) {
					if attempts++; attempts == 1 {
						held = r.Body
						_, _ = io.CopyN(io.Discard, r.Body, int64(c.read))
						if c.close {
							_ = r.Body.Close()
						}
						return nil, problem(KindLost, true, true)
					}
					got, err := io.ReadAll(r.Body)
					_ = r.Body.Close()
					arrived = string(got)
					return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, err
				}))
				req, _ := post().request(t)
				source := &closing{ReadCloser: io.NopCloser(strings.NewReader(whole))}
				req.Body, req.ContentLength = source, int64(len(whole))
				if c.known {
					req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(whole)), nil }
				}
				before := req.Body
				if _, err := stage.RoundTrip(req); err != nil || arrived != whole {
					t.Errorf("%q arrived, %v", arrived, err)
				}
				if n, err := held.Read(make([]byte, 1)); !c.known && (n != 0 || err == nil) {
					t.Errorf("the first attempt still reads: %d, %v", n, err)
				}
				_ = held.Close()
				if source.closed < 1 || !c.known && source.closed != 1 {
					t.Errorf("closed %d times", source.closed)
				}
				if req.Body != before {
					t.Error("the request was changed")
				}
			})
		})
	}
}

// A body that streams is passed on as it comes; the stage waits for none of it.
func TestBodiesStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		source, caller := io.Pipe()
		var arrived bytes.Buffer
		stage := staged(t, Options{}, defaults(), tripper(func(r *http.Request) (*http.Response, error) {
			_, err := io.CopyN(&arrived, r.Body, 3)
			go func() { // the upload goes on beside the answer
				_, _ = io.Copy(&arrived, r.Body)
				_ = r.Body.Close()
			}()
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Header: http.Header{}}, err
		}))
		req, _ := post().request(t)
		req.Body, req.ContentLength = source, -1
		go func() { _, _ = caller.Write([]byte("abc")) }()
		resp, err := stage.RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable {
			t.Fatal(resp, err)
		}
		_, _ = caller.Write([]byte("def"))
		_ = caller.Close()
		synctest.Wait()
		if arrived.String() != "abcdef" {
			t.Errorf("%q arrived", arrived.String())
		}
	})
}

// A body that can no longer be told ends it; the answer stands.
func TestBodyThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &below{do: always(status(503))}
		req, ex := put().request(t)
		req.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
		resp, err := staged(t, Options{}, defaults(), next).RoundTrip(req)
		if err != nil || resp.StatusCode != http.StatusServiceUnavailable || next.attempts != 1 || ex.RetryResult != string(ResultBody) {
			t.Fatalf("%v, %v after %d attempts, %q", resp, err, next.attempts, ex.RetryResult)
		}
		if answer, err := io.ReadAll(resp.Body); err != nil || string(answer) != "answer" {
			t.Errorf("%q, %v", answer, err)
		}
	})
}

// An answer that is given up lets go of what it holds before the wait, even if
// it stalls.
func TestDiscardedAnswersEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reader, writer := io.Pipe()
		defer func() { _ = writer.Close() }()
		var held time.Duration
		start := time.Now()
		stalls := &onClose{reader, func() { held = time.Since(start); _ = reader.Close() }}
		next := &below{do: in(step{status: 503, header: http.Header{"Retry-After": {"3"}}, body: stalls}, status(200))}
		if _, _, err := get().send(t, staged(t, Options{}, defaults(), next)); err != nil {
			t.Fatal(err)
		}
		if held > time.Second {
			t.Errorf("the answer that stalls was held for %s", held)
		}
	})
}

// Whoever is asked twice must not be asked while the answer before is held.
func TestAnswersAreClosedBeforeTheRepetition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		open := 0
		stage := staged(t, Options{}, defaults(), tripper(func(r *http.Request) (*http.Response, error) {
			if open++; open > 1 {
				return nil, exchange.Refuse(exchange.UpstreamBusy, "two at once")
			}
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: &onClose{strings.NewReader("no"), func() { open-- }}}, nil
		}))
		req, ex := get().request(t)
		resp, err := stage.RoundTrip(req)
		if err != nil || ex.RetryResult != string(ResultAttempts) {
			t.Fatalf("%v, %q", err, ex.RetryResult)
		}
		_ = resp.Body.Close()
		if open != 0 {
			t.Errorf("%d answers are still open", open)
		}
	})
}

type onClose struct {
	io.Reader
	f func()
}

func (c *onClose) Close() error { c.f(); return nil }
