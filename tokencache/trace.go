package tokencache

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"iqgateway/internal/exchange"
)

// traced begins the exchange of a fetch. A trace of a fetch is always kept: there
// are few, and many exchanges may lead to it. What is made ahead of time is made
// for nobody, whoever happened to come by.
func (e *entry) traced(ctx context.Context, now time.Time, reason Reason) *exchange.Exchange {
	own := &exchange.Exchange{Start: now, Trace: exchange.NewTrace(), Credential: e.id.Credential}
	own.Trace.Sampled = true
	own.SetTarget(exchange.Target{Environment: e.id.Environment})
	if reason != ReasonAhead {
		own.Link = exchange.From(ctx).Trace.Link()
	}
	return own
}

// note tells of a token that an exchange has asked for at since, and of the flight
// that it waited for, nil = none. It returns for how long.
func note(ex *exchange.Exchange, since time.Time, t *token, f *flight, err error) time.Duration {
	w := exchange.Wait{Kind: exchange.WaitToken, Took: time.Since(since), Result: exchange.WaitReady, Generation: t.generation()}
	if f != nil {
		w.Result, w.Link = exchange.WaitWaited, f.link()
	}
	if err != nil {
		w.Result, w.Failed = exchange.WaitFailed, true
	}
	ex.Waited(since, w)
	return w.Took
}

// link names the fetch if it is told of, which it is not where another replica had
// fetched the token, or had failed to.
func (f *flight) link() exchange.Link {
	select {
	case <-f.done:
		if f.told {
			return f.trace.Link()
		}
	default: // whoever asks has left before its end
		if f.asked.Load() {
			return f.trace.Link()
		}
	}
	return exchange.Link{}
}

// attempts notes each request to a token endpoint in the exchange of its fetch.
type attempts struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (a attempts) RoundTrip(req *http.Request) (*http.Response, error) {
	ex, start := exchange.From(req.Context()), time.Now()
	try := exchange.Try{Span: exchange.NewSpanID(), Host: exchange.ShortHost(req.URL)}
	resp, err := a.next.RoundTrip(req)
	try.Took = time.Since(start)
	ex.Attempts++
	ex.Upstream = &url.URL{Scheme: req.URL.Scheme, Host: req.URL.Host}
	if err != nil {
		try.Failure = failureOf(err)
		ex.Tried(start, try)
		return nil, err
	}
	try.Status, try.Body = resp.StatusCode, new(exchange.BodyEnd)
	ex.UpstreamStatus = resp.StatusCode
	ex.Tried(start, try)
	out := *resp
	out.Body = &notedBody{ReadCloser: resp.Body, end: func(failure string) { try.Body.Set(time.Since(start), failure) }}
	return &out, nil
}

// notedBody is an answer's body whose end is noted, once.
type notedBody struct {
	io.ReadCloser
	end func(failure string)
}

// Read implements [io.Reader].
func (b *notedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, io.EOF) {
		b.ended("")
	} else if err != nil {
		b.ended("body")
	}
	return n, err
}

// Close implements [io.Closer].
func (b *notedBody) Close() error {
	b.ended("body") // else it was read to its end before
	return b.ReadCloser.Close()
}

func (b *notedBody) ended(failure string) {
	if b.end != nil {
		b.end(failure)
		b.end = nil
	}
}

// failureOf says why no answer came, in the words of whoever sends the calls.
func failureOf(err error) string {
	if f, ok := errors.AsType[interface {
		error
		Failure() string
	}](err); ok {
		return f.Failure()
	}
	return "failed"
}
