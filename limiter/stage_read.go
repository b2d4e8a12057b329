package limiter

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
)

// maxPeek is how much of an answer's body is looked at.
const maxPeek = 4 << 10

// read returns what an answer says about the bucket.
func (c *call) read(resp *http.Response) Observation {
	o := Read(resp.StatusCode, resp.Header, c.bucket.window())
	if c.bucket.settings().Kind == Concurrency {
		o.Status = slotStatus(resp)
	}
	return o
}

// slotStatus returns the status that an upstream with so many requests at once
// meant: 429 where there were too many, something else where not. DataConnect
// answers 429 with {"Error":true,"Message":"Rate Limiting Applied. 8 active
// requests are already in progress."}; its 503 means the same; a report of too
// many rows is refused in the same shape, with a status that is not documented.
func slotStatus(resp *http.Response) int {
	status := resp.StatusCode
	overload := status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
	if !overload && (status < 400 || status > 499) {
		return status
	}
	if isJSON(resp.Header) {
		head, _ := peek(resp, maxPeek)
		text := bytes.ToLower(head.Bytes())
		switch {
		case bytes.Contains(text, []byte("active requests")), bytes.Contains(text, []byte("limiting applied")):
			return http.StatusTooManyRequests
		case bytes.Contains(text, []byte(" rows")):
			return http.StatusBadRequest
		}
	}
	if overload {
		return http.StatusTooManyRequests
	}
	return status
}

func isJSON(h http.Header) bool {
	kind, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	return err == nil && kind == "application/json"
}

// peek returns up to n bytes of the body of resp, and whether that is all of
// it. The body reads as before: what was read is put before the rest.
func peek(resp *http.Response, n int64) (head *bytes.Buffer, whole bool) {
	head = new(bytes.Buffer)
	_, err := io.CopyN(head, resp.Body, n)
	whole = errors.Is(err, io.EOF)
	if whole {
		err = nil // the rest tells its end itself
	}
	resp.Body = &putBack{head: bytes.NewReader(head.Bytes()), failed: err, rest: resp.Body}
	return head, whole
}

// putBack is a body of which a part was read before its time.
type putBack struct {
	head   *bytes.Reader
	failed error // how reading the head ended, if it was neither whole nor full
	rest   io.ReadCloser
}

// Read implements [io.Reader].
func (p *putBack) Read(b []byte) (int, error) {
	if p.head.Len() > 0 {
		return p.head.Read(b)
	}
	if p.failed != nil {
		return 0, p.failed
	}
	return p.rest.Read(b)
}

// Close implements [io.Closer].
func (p *putBack) Close() error { return p.rest.Close() }
