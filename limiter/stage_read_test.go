package limiter

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

const tooMany = `{"Error":true,"Message":"Rate Limiting Applied. 8 active requests are already in progress."}`

// What DataConnect documents, and what it was seen to mean.
func TestSlotStatus(t *testing.T) {
	const rows = `{"Error":true,"Message":"The request was blocked: about 2000000 rows are more than the limit of 1048576. Ask for a shorter period or fewer locations."}`
	tests := map[string]struct {
		status int
		kind   string
		body   string
		want   int
	}{
		"an answer":                           {200, "application/json", `{"Message":"8 active requests"}`, 200},
		"too many at once":                    {429, "application/json", tooMany, 429},
		"too many at once, as 503":            {503, "application/json", tooMany, 429},
		"too many at once, as 400":            {400, "application/json; charset=utf-8", tooMany, 429},
		"another number":                      {429, "application/json", strings.Replace(tooMany, "8", "12", 1), 429},
		"only half of the message":            {400, "application/json", `{"Message":"Rate/Resource Limiting Applied"}`, 429},
		"503 of any text":                     {503, "application/json", `{"Error":true,"Message":"The service is overloaded."}`, 429},
		"503 without a body":                  {503, "", "", 429},
		"429 in plain text":                   {429, "text/plain", "rate limit exceeded", 429},
		"too many rows":                       {400, "application/json", rows, 400},
		"too many rows, as 429":               {429, "application/json", rows, 400},
		"too many rows, as 503":               {503, "application/json", rows, 400},
		"another client error":                {404, "application/json", `{"Error":true,"Message":"Not found"}`, 404},
		"a server error is not looked at":     {500, "application/json", tooMany, 500},
		"the message, in a page":              {400, "text/html", tooMany, 400},
		"the message, too far from the start": {400, "application/json", strings.Repeat(" ", maxPeek) + tooMany, 400},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			resp := answerOf(tt.status, tt.body)
			if tt.kind != "" {
				resp.Header.Set("Content-Type", tt.kind)
			}
			if got := slotStatus(resp); got != tt.want {
				t.Errorf("means %d, want %d", got, tt.want)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || string(body) != tt.body {
				t.Errorf("the caller reads %q (%v)", body, err)
			}
		})
	}
}

// source is a body that may fail at its end and knows whether it was closed.
type source struct {
	io.Reader
	closed atomic.Int32
	err    error // instead of io.EOF
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if errors.Is(err, io.EOF) && s.err != nil {
		err = s.err
	}
	return n, err
}

func (s *source) Close() error {
	s.closed.Add(1)
	return nil
}

func answerOf(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: &source{Reader: strings.NewReader(body)}}
}

func TestPeekPutsBack(t *testing.T) {
	broken := errors.New("connection reset")
	for name, tt := range map[string]struct {
		body  string
		err   error
		whole bool
	}{
		"empty":           {"", nil, true},
		"short":           {"abc", nil, true},
		"as long":         {"abcd", nil, false}, // its end has not been seen
		"longer":          {"abcdefgh", nil, false},
		"broken":          {"abc", broken, false},
		"broken, later":   {"abcdefgh", broken, false},
		"broken at once":  {"", broken, false},
		"broken, as long": {"abcd", broken, false},
	} {
		t.Run(name, func(t *testing.T) {
			inner := &source{Reader: strings.NewReader(tt.body), err: tt.err}
			resp := &http.Response{Body: inner}
			head, whole := peek(resp, 4)
			if head.String() != tt.body[:min(4, len(tt.body))] || whole != tt.whole {
				t.Errorf("peeked %q, whole: %v", head, whole)
			}
			body, err := io.ReadAll(resp.Body)
			if string(body) != tt.body || !errors.Is(err, tt.err) {
				t.Errorf("reads %q, %v", body, err)
			}
			if _, err := resp.Body.Read(make([]byte, 1)); tt.err == nil && !errors.Is(err, io.EOF) {
				t.Errorf("after the end: %v", err)
			}
			if resp.Body.Close() != nil || inner.closed.Load() != 1 {
				t.Errorf("closed %d times", inner.closed.Load())
			}
		})
	}
}

func FuzzSlotStatus(f *testing.F) {
	f.Add(429, "application/json", tooMany)
	f.Add(503, "", "")
	f.Add(400, "application/json", "{")
	f.Fuzz(func(t *testing.T, status int, kind, body string) {
		resp := answerOf(status, body)
		resp.Header["Content-Type"] = []string{kind}
		got := slotStatus(resp)
		if got == http.StatusServiceUnavailable || got == http.StatusTooManyRequests && status < 400 {
			t.Errorf("%d means %d", status, got)
		}
		if read, err := io.ReadAll(resp.Body); err != nil || string(read) != body {
			t.Errorf("the caller reads %q (%v) of %q", read, err, body)
		}
	})
}
